//! What follows a 101: bytes copied both ways as they are, and shown to the watch once they have been handed on. Per read:
//! no allocation unless the receiver is slower than the sender, no lock, no log; an idle tunnel holds no buffer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use outrigger_ledger::End;
use outrigger_providers::Peer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::exchange::watch::SocketWatch;
use crate::upstream::client::UpgradedUpstream;

/// One read's worth, shared by all tunnels of the thread: it is never held across an await.
const SCRATCH: usize = 64 * 1024;
/// A peer that closed its half and hears nothing more is given up after this.
const HALF_CLOSED: Duration = Duration::from_secs(300);

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// The provider's side of an upgraded connection, and what watches it.
pub(crate) struct Tunnel {
    upstream: UpgradedUpstream,
    watch: Option<SocketWatch>,
}

impl Tunnel {
    pub(crate) const fn new(upstream: UpgradedUpstream, watch: Option<SocketWatch>) -> Tunnel {
        Tunnel { upstream, watch }
    }

    /// Copies both ways until both ends have closed. `early` came from the app behind its request.
    pub(crate) async fn run<I>(mut self, app: I, early: Bytes) -> io::Result<()>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let Some((server, answered)) = self.upstream.raw().await else {
            if let Some(watch) = &mut self.watch {
                watch.finish(&End::Cut);
            }
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        join(app, server, early, answered, self.watch).await
    }
}

/// Both ends of a tunnel while it is open.
struct Joined<A, S> {
    app: A,
    server: S,
    up: Direction,
    down: Direction,
    watch: Option<SocketWatch>,
    /// Pieces moved so far.
    moved: u64,
    /// Whose end came first.
    first: Option<Peer>,
}

/// Copies both ways until both ends have closed, or one broke off.
async fn join<A, S>(
    app: A,
    server: S,
    early: Bytes,
    answered: Bytes,
    watch: Option<SocketWatch>,
) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (up, down) = (Direction::new(Peer::Client, &early), Direction::new(Peer::Server, &answered));
    let mut joined = Joined { app, server, up, down, watch, moved: 0, first: None };
    poll_fn(|cx| {
        joined.poll_first(cx, &early, &answered);
        Poll::Ready(())
    })
    .await;
    drop((early, answered));
    let ended = loop {
        let before = joined.moved;
        match tokio::time::timeout(HALF_CLOSED, poll_fn(|cx| joined.poll(cx))).await {
            Ok(ended) => break ended,
            Err(_) if joined.first.is_some() && joined.moved == before => {
                break Err(io::ErrorKind::TimedOut.into());
            }
            Err(_) => {}
        }
    };
    joined.end();
    ended
}

impl<A, S> Joined<A, S>
where
    A: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// What had been read behind either head is handed on, as far as it goes, before it is looked at.
    fn poll_first(&mut self, cx: &mut Context<'_>, early: &[u8], answered: &[u8]) {
        // A fault comes again when the rest is written.
        let _up = self.up.poll_left(cx, Pin::new(&mut self.server));
        let _down = self.down.poll_left(cx, Pin::new(&mut self.app));
        if let Some(watch) = &mut self.watch {
            watch.bytes(Peer::Client, early);
            watch.bytes(Peer::Server, answered);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Joined { app, server, up, down, watch, moved, first } = self;
        let mut show = |from, bytes: &[u8]| {
            *moved += 1;
            if let Some(watch) = watch {
                watch.bytes(from, bytes);
            }
        };
        let ends = [
            up.poll(cx, Pin::new(&mut *app), Pin::new(&mut *server), &mut show),
            down.poll(cx, Pin::new(server), Pin::new(app), &mut show),
        ];
        if let Some(watch) = watch {
            watch.waits(down.left.is_empty());
        }
        for (end, from) in ends.iter().zip([Peer::Client, Peer::Server]) {
            match end {
                Poll::Ready(Ok(())) => {
                    first.get_or_insert(from);
                }
                Poll::Ready(Err(Broken { by, .. })) => {
                    first.get_or_insert(*by);
                }
                Poll::Pending => {}
            }
        }
        match ends {
            [Poll::Ready(Err(broken)), _] | [_, Poll::Ready(Err(broken))] => Poll::Ready(Err(broken.error)),
            [Poll::Ready(Ok(())), Poll::Ready(Ok(()))] => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }

    /// Whoever took their leave, or was gone, first decides how open calls ended.
    fn end(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        watch.finish(match watch.leaving().or(self.first) {
            Some(Peer::Client) => &End::Cancelled,
            Some(Peer::Server) | None => &End::Cut,
        });
    }
}

/// A fault, and whose.
struct Broken {
    by: Peer,
    error: io::Error,
}

/// One way through a tunnel.
struct Direction {
    from: Peer,
    /// What the receiver has not yet taken, and how far it is.
    left: Vec<u8>,
    taken: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Copying,
    /// Something written may not have left yet.
    Unflushed,
    /// The sender's end is to be passed on.
    Closing,
    Over,
}

impl Direction {
    fn new(from: Peer, first: &[u8]) -> Direction {
        let state = if first.is_empty() { State::Copying } else { State::Unflushed };
        Direction { from, left: first.to_vec(), taken: 0, state }
    }

    /// Ready when the sender's end has been passed on.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut sender: Pin<&mut (impl AsyncRead + ?Sized)>,
        mut receiver: Pin<&mut (impl AsyncWrite + ?Sized)>,
        show: &mut impl FnMut(Peer, &[u8]),
    ) -> Poll<Result<(), Broken>> {
        let from = self.from;
        let to = match from {
            Peer::Client => Peer::Server,
            Peer::Server => Peer::Client,
        };
        let by = |by| move |error| Broken { by, error };
        loop {
            ready!(self.poll_left(cx, receiver.as_mut())).map_err(by(to))?;
            match self.state {
                State::Over => return Poll::Ready(Ok(())),
                State::Closing => {
                    ready!(receiver.as_mut().poll_shutdown(cx)).map_err(by(to))?;
                    self.state = State::Over;
                }
                State::Copying | State::Unflushed => {
                    let read = BUFFER.with_borrow_mut(|buffer| {
                        let mut buffer = ReadBuf::new(buffer);
                        ready!(sender.as_mut().poll_read(cx, &mut buffer)).map_err(by(from))?;
                        let bytes = buffer.filled();
                        if bytes.is_empty() {
                            self.state = State::Closing;
                        } else {
                            self.hand_on(cx, receiver.as_mut(), bytes).map_err(by(to))?;
                            show(from, bytes);
                        }
                        Poll::Ready(Ok(()))
                    });
                    match read {
                        Poll::Ready(read) => read?,
                        Poll::Pending => {
                            if self.state == State::Unflushed {
                                ready!(receiver.as_mut().poll_flush(cx)).map_err(by(to))?;
                                self.state = State::Copying;
                            }
                            return Poll::Pending;
                        }
                    }
                }
            }
        }
    }

    /// Writes and flushes as much as the receiver takes; the rest waits.
    fn hand_on(
        &mut self,
        cx: &mut Context<'_>,
        mut receiver: Pin<&mut (impl AsyncWrite + ?Sized)>,
        bytes: &[u8],
    ) -> io::Result<()> {
        let mut rest = bytes;
        self.state = State::Unflushed;
        while !rest.is_empty() {
            match receiver.as_mut().poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => rest = &rest[written..],
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.left.extend_from_slice(rest);
                    return Ok(());
                }
            }
        }
        if let Poll::Ready(flushed) = receiver.poll_flush(cx) {
            flushed?;
            self.state = State::Copying;
        }
        Ok(())
    }

    /// Writes what is left from before.
    fn poll_left(
        &mut self,
        cx: &mut Context<'_>,
        mut receiver: Pin<&mut (impl AsyncWrite + ?Sized)>,
    ) -> Poll<io::Result<()>> {
        while self.taken < self.left.len() {
            match ready!(receiver.as_mut().poll_write(cx, &self.left[self.taken..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.taken += written,
            }
        }
        // Given back: most tunnels never need it again.
        self.left = Vec::new();
        self.taken = 0;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
