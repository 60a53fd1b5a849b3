//! Watches how an app frames its HTTP/1 requests: one whose end two readers could see in two places is refused, and a head is
//! waited for only so long. Per read: heads are scanned line by line, bodies counted, not looked at; nothing is allocated
//! but for a line that a read cut.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::writes::passes_writes;

/// From the first wait for the rest of a head to its end. Between requests nothing is limited.
const PATIENCE: Duration = Duration::from_secs(30);
/// In place of what is refused: no head and no chunk may hold it, so the parser behind answers 400 in its turn.
const REFUSAL: &[u8] = &[0];
/// Longer than a chunk can be; more digits than this only hide something.
const CHUNK_DIGITS: usize = 15;

/// The app's side of an HTTP/1 connection whose framing is watched.
pub(crate) struct Framed<T, F> {
    io: T,
    is_tunnel: F,
    framing: Framing,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<T, F: Fn() -> bool> Framed<T, F> {
    /// `is_tunnel` tells whether the last request was answered with 101: what follows it is nobody's request.
    pub(crate) fn new(io: T, is_tunnel: F) -> Framed<T, F> {
        Framed { io, is_tunnel, framing: Framing::default(), deadline: None }
    }

    /// The connection itself, for a tunnel.
    pub(crate) fn into_inner(self) -> T {
        self.io
    }
}

impl<T: AsyncRead + Unpin, F: Fn() -> bool + Unpin> AsyncRead for Framed<T, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.framing.state == State::Refused {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        match Pin::new(&mut self.io).poll_read(cx, buf) {
            Poll::Ready(read) => {
                read?;
                if !(self.is_tunnel)()
                    && let Some(good) = self.framing.accept(&buf.filled()[before..])
                {
                    buf.set_filled(before + good);
                    buf.put_slice(REFUSAL);
                    tracing::debug!("a request whose framing is ambiguous is refused");
                }
                if !self.framing.in_head() {
                    self.deadline = None;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending if self.framing.in_head() && buf.remaining() > 0 => {
                let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
                ready!(deadline.as_mut().poll(cx));
                self.framing.state = State::Refused;
                buf.put_slice(REFUSAL);
                tracing::debug!("a request whose head does not end is given up");
                Poll::Ready(Ok(()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncWrite + Unpin, F: Unpin> AsyncWrite for Framed<T, F> {
    passes_writes!();

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
}

/// Where in a request the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Before a request; empty lines may precede it.
    #[default]
    Start,
    /// Behind a request line.
    Head,
    /// In a body of which this much is to come.
    Sized(u64),
    /// Before a chunk.
    ChunkSize,
    /// In a chunk of which this much is to come.
    Chunk(u64),
    /// Behind a chunk, where a line must end at once.
    ChunkEnd,
    /// Behind the last chunk.
    Trailers,
    /// A request was refused: nothing that follows counts.
    Refused,
}

/// A reader of requests that knows nothing of them but where each ends.
#[derive(Debug, Default)]
struct Framing {
    state: State,
    /// The beginning of a line that earlier reads brought.
    cut: Vec<u8>,
    old: bool,
    length: Option<u64>,
    chunked: bool,
}

/// The end of a request cannot be told for certain.
struct Ambiguous;

impl Framing {
    /// Whether a head has begun and not ended.
    fn in_head(&self) -> bool {
        match self.state {
            State::Head => true,
            State::Start => !self.cut.is_empty(),
            _ => false,
        }
    }

    /// Follows what was read. None when it is well framed, else how much of it still belongs to what is.
    fn accept(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            match self.step(&bytes[at..]) {
                Ok(taken) => at += taken,
                Err(Ambiguous) => {
                    self.state = State::Refused;
                    self.cut = Vec::new();
                    return Some(at);
                }
            }
        }
        None
    }

    fn step(&mut self, bytes: &[u8]) -> Result<usize, Ambiguous> {
        match &mut self.state {
            State::Refused => return Ok(bytes.len()),
            State::Sized(rest) | State::Chunk(rest) => {
                let taken = usize::try_from(*rest).map_or(bytes.len(), |rest| rest.min(bytes.len()));
                *rest -= taken as u64;
                match self.state {
                    State::Sized(0) => self.state = State::Start,
                    State::Chunk(0) => self.state = State::ChunkEnd,
                    _ => {}
                }
                return Ok(taken);
            }
            _ => {}
        }
        let Some(end) = memchr(b'\n', bytes) else {
            self.cut.extend_from_slice(bytes);
            return Ok(bytes.len());
        };
        if self.cut.is_empty() {
            self.line(&bytes[..end])?;
        } else {
            let mut cut = std::mem::take(&mut self.cut);
            cut.extend_from_slice(&bytes[..end]);
            self.line(&cut)?;
        }
        Ok(end + 1)
    }

    /// One line without its LF.
    fn line(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        // Some end a line at a bare LF, some at a bare CR.
        let Some((b'\r', line)) = line.split_last() else { return Err(Ambiguous) };
        if memchr(b'\r', line).is_some() {
            return Err(Ambiguous);
        }
        self.state = match (self.state, line.is_empty()) {
            (State::Start, true) => State::Start,
            (State::Start, false) => {
                // No target has a fragment; the URI parser behind would cut it off and change the target in silence.
                if memchr(b'#', line).is_some() {
                    return Err(Ambiguous);
                }
                (self.old, self.length, self.chunked) = (line.ends_with(b"HTTP/1.0"), None, false);
                State::Head
            }
            (State::Head, false) => {
                self.header(line)?;
                State::Head
            }
            (State::Head, true) => match (self.chunked, self.length) {
                (true, Some(_)) => return Err(Ambiguous),
                (true, None) if self.old => return Err(Ambiguous),
                (true, None) => State::ChunkSize,
                (false, Some(length)) if length > 0 => State::Sized(length),
                (false, _) => State::Start,
            },
            (State::ChunkSize, _) => match chunk_size(line)? {
                0 => State::Trailers,
                size => State::Chunk(size),
            },
            (State::ChunkEnd, true) => State::ChunkSize,
            (State::ChunkEnd, false) => return Err(Ambiguous),
            (State::Trailers, true) => State::Start,
            (state, _) => state,
        };
        Ok(())
    }

    fn header(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        // A folded line belongs to the one before, for some.
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            return Err(Ambiguous);
        }
        let Some(colon) = memchr(b':', line) else { return Ok(()) };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value, 10).ok_or(Ambiguous)?;
            if self.length.is_some_and(|other| other != length) {
                return Err(Ambiguous);
            }
            self.length = Some(length);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            // Another coding could not be undone here and may not be passed on.
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Ambiguous);
            }
            self.chunked = true;
        }
        Ok(())
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, Ambiguous> {
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, extension) = line.split_at(end);
    let extended = extension.trim_ascii_start();
    if digits.len() > CHUNK_DIGITS || !(extension.is_empty() || extended.starts_with(b";")) {
        return Err(Ambiguous);
    }
    number(digits, 16).ok_or(Ambiguous)
}

/// Digits and nothing else: no sign, no space, no second value.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        value.checked_mul(radix.into())?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What is left of some bytes that come in pieces, and whether something was refused.
    fn follow(bytes: &[u8], cuts: &[usize]) -> (Vec<u8>, State) {
        let mut framing = Framing::default();
        let (mut passed, mut from) = (Vec::new(), 0);
        for to in cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([bytes.len()]) {
            if to < from {
                continue;
            }
            let piece = &bytes[from..to];
            let good = framing.accept(piece);
            if framing.state == State::Refused {
                passed.extend_from_slice(&piece[..good.unwrap_or(0)]);
                break;
            }
            passed.extend_from_slice(piece);
            from = to;
        }
        (passed, framing.state)
    }

    const GOOD: [&str; 8] = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\ncontent-length:3\r\nContent-Length: 3 \r\n\r\n\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nab\r\nc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n003 ; a=\"b\"\r\n\n\n\n\r\n0\r\nA: b\r\nC: d\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nX-Transfer-Encoding: gzip\r\nContent-Length-X: many\r\n\r\n",
    ];

    #[test]
    fn well_framed_requests_follow_each_other() {
        let all = GOOD.concat();
        assert_eq!(follow(all.as_bytes(), &[]), (all.into_bytes(), State::Start));
    }

    #[test]
    fn an_end_that_could_be_seen_in_two_places_is_refused_at_its_line() {
        for (good, bad) in [
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", "\r\n0\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n", "\r\n0\r\n\r\n"),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\n", "Content-Length: 4\r\n\r\nabcd"),
            ("POST / HTTP/1.1\r\n", "Content-Length: 3, 3\r\n\r\nabc"),
            ("POST / HTTP/1.1\r\n", "Content-Length: +3\r\n\r\nabc"),
            ("POST / HTTP/1.1\r\n", "Content-Length: 0x3\r\n\r\nabc"),
            ("POST / HTTP/1.1\r\n", "Content-Length:\r\n\r\n"),
            ("POST / HTTP/1.1\r\n", "Content-Length: 18446744073709551616\r\n\r\n"),
            ("POST / HTTP/1.1\r\n", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            ("POST / HTTP/1.1\r\n", "Transfer-Encoding: xchunked\r\n\r\n"),
            ("POST / HTTP/1.1\r\n", "Transfer-Encoding: \"chunked\"\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n\r\n"),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", "\r\n0\r\n\r\n"),
            ("GET / HTTP/1.1\r\nA: b\r\n", " folded: c\r\n\r\n"),
            ("GET / HTTP/1.1\r\n", "A: b\n\r\n"),
            ("", "GET / HTTP/1.1\nA: b\n\n"),
            ("", "GET /a#b HTTP/1.1\r\n\r\n"),
            ("GET / HTTP/1.1\r\n", "A: b\rC: d\r\n\r\n"),
            ("GET / HTTP/1.1\r\nA: b\r\n", "\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "-1\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "10000000000000005\r\nhello"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "5;a\n\r\nhello\r\n0\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", "X\r\n0\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", "\n0\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\n\r\n"),
        ] {
            let all = [good, bad].concat();
            let (passed, state) = follow(all.as_bytes(), &[]);
            assert_eq!(
                (String::from_utf8(passed).unwrap(), state),
                (good.to_owned(), State::Refused),
                "{all:?}"
            );
            // Behind a request that is good the good one still passes.
            let (passed, state) = follow([GOOD[2], &all].concat().as_bytes(), &[]);
            assert_eq!((passed, state), ([GOOD[2], good].concat().into_bytes(), State::Refused), "{all:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_end_is_given_up_and_idleness_is_not() {
        let (mut app, side) = tokio::io::duplex(1024);
        let mut framed = Framed::new(side, || false);
        let mut buffer = [0; 100];
        app.write_all(GOOD[0].as_bytes()).await.unwrap();
        assert_eq!(framed.read(&mut buffer).await.unwrap(), GOOD[0].len());
        let hours = Duration::from_secs(24 * 3600);
        assert!(tokio::time::timeout(hours, framed.read(&mut buffer)).await.is_err(), "idle");
        app.write_all(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe").await.unwrap();
        assert!(framed.read(&mut buffer).await.unwrap() > 0);
        assert!(
            tokio::time::timeout(hours, framed.read(&mut buffer)).await.is_err(),
            "a body may take its time"
        );
        app.write_all(b"llo").await.unwrap();
        assert!(framed.read(&mut buffer).await.unwrap() > 0);
        // A byte now and then does not help.
        let begun = tokio::time::Instant::now();
        let refused = loop {
            app.write_all(b"G").await.unwrap();
            assert!(framed.read(&mut buffer).await.unwrap() > 0);
            let Ok(read) = tokio::time::timeout(Duration::from_secs(7), framed.read(&mut buffer)).await
            else {
                continue;
            };
            break read.unwrap();
        };
        assert_eq!((&buffer[..refused], begun.elapsed()), (REFUSAL, PATIENCE));
        assert_eq!(framed.read(&mut buffer).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn behind_a_101_nothing_is_judged() {
        let (mut app, side) = tokio::io::duplex(1024);
        let mut framed = Framed::new(side, || true);
        let mut buffer = [0; 100];
        app.write_all(b"\n\x01 : \r frames \n").await.unwrap();
        let read = framed.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..read], b"\n\x01 : \r frames \n");
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            order in prop::collection::vec(0..GOOD.len(), 1..6),
            mut cuts in prop::collection::vec(any::<usize>(), 0..40),
            flaw in prop::option::of((any::<usize>(), any::<u8>())),
        ) {
            let mut all: Vec<u8> = order.iter().flat_map(|one| GOOD[*one].bytes()).collect();
            if let Some((at, byte)) = flaw {
                let at = at % all.len();
                all[at] = byte;
            }
            cuts.iter_mut().for_each(|cut| *cut %= all.len() + 1);
            cuts.sort_unstable();
            let (whole, state) = follow(&all, &[]);
            let (pieces, cut_state) = follow(&all, &cuts);
            prop_assert_eq!(cut_state, state);
            // Of a line that is refused a part may have passed before its end was seen.
            prop_assert!(pieces.starts_with(&whole) && pieces.len() <= all.len());
            if state != State::Refused {
                prop_assert_eq!(pieces, whole);
            }
        }
    }
}
