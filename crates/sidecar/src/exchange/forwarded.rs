//! The app's body on its way to the provider. Per frame: no allocation, no lock, no log.

use std::cell::Cell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::exchange::watch::Watch;

/// The app's body on its way to the provider.
pub(crate) struct ForwardedBody {
    /// What lies in memory goes first.
    held: HeldBody,
    rest: Option<Incoming>,
    /// Where the app broke off.
    broken: Option<hyper::Error>,
    watch: Option<Rc<Watch>>,
    sent: Rc<Cell<bool>>,
    ended: bool,
}

/// A body that lies in memory, or as much of it as was read.
#[derive(Clone, Default)]
pub(crate) struct HeldBody {
    pieces: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    /// Whether its length is told in advance; chunked stays chunked.
    sized: bool,
    share: Option<Rc<Share>>,
}

/// A body as far as it was read.
pub(crate) struct ReadBody {
    held: HeldBody,
    rest: Option<Incoming>,
    broken: Option<hyper::Error>,
}

/// A share of what may be held together.
pub(crate) struct Share {
    together: Rc<Cell<usize>>,
    bytes: Cell<usize>,
}

impl Share {
    pub(crate) fn of(together: &Rc<Cell<usize>>) -> Share {
        Share { together: Rc::clone(together), bytes: Cell::new(0) }
    }

    /// Whether so much more may be held.
    pub(crate) fn grow(&self, more: usize, (one, all): (usize, usize)) -> bool {
        self.bytes.set(self.bytes.get() + more);
        self.together.set(self.together.get() + more);
        self.bytes.get() <= one && self.together.get() <= all
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.together.set(self.together.get() - self.bytes.get());
    }
}

impl ReadBody {
    /// Reads a body as long as `limits` allow (for one body, for all together). The call gets it too, its last part when that leaves.
    pub(crate) async fn read(
        mut body: Incoming,
        share: Share,
        limits: (usize, usize),
        watch: Option<&Rc<Watch>>,
    ) -> ReadBody {
        let mut held = HeldBody { sized: body.size_hint().exact().is_some(), ..HeldBody::default() };
        let (mut rest, mut broken) = (None, None);
        while let Some(frame) = body.frame().await {
            match frame.map(Frame::into_data) {
                Ok(Ok(bytes)) => {
                    if let Some(watch) = watch {
                        watch.keep(bytes.clone());
                    }
                    let more = share.grow(bytes.len(), limits);
                    held.pieces.push_back(bytes);
                    if !more {
                        rest = Some(body);
                        break;
                    }
                }
                Ok(Err(other)) => held.trailers = other.into_trailers().ok(),
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
        held.share = Some(Rc::new(share));
        ReadBody { held, rest, broken }
    }

    /// The whole body, if it was read to its end.
    pub(crate) fn whole(self) -> Result<HeldBody, Box<ReadBody>> {
        if self.rest.is_none() && self.broken.is_none() { Ok(self.held) } else { Err(Box::new(self)) }
    }

    /// As it came.
    pub(crate) fn forwarded(self, watch: Option<Rc<Watch>>, sent: Rc<Cell<bool>>) -> ForwardedBody {
        let ReadBody { held, rest, broken } = self;
        ForwardedBody { held, rest, broken, watch, sent, ended: false }
    }
}

impl HeldBody {
    /// All of it in one piece; afterwards it is held so, and every attempt shares it.
    pub(crate) fn bytes(&mut self) -> Bytes {
        if self.pieces.len() > 1 {
            let mut joined = BytesMut::with_capacity(self.pieces.iter().map(Bytes::len).sum());
            for piece in self.pieces.drain(..) {
                joined.extend_from_slice(&piece);
            }
            self.pieces.push_back(joined.freeze());
        }
        self.pieces.front().cloned().unwrap_or_default()
    }

    /// The same, its length told in advance.
    pub(crate) fn measured(self) -> HeldBody {
        HeldBody { sized: true, trailers: None, ..self }
    }

    /// The same with other bytes.
    pub(crate) fn with(&self, pieces: impl IntoIterator<Item = Bytes>) -> HeldBody {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        HeldBody { pieces, ..self.clone() }
    }

    /// Ready to leave.
    pub(crate) fn forwarded(self, watch: Option<Rc<Watch>>, sent: Rc<Cell<bool>>) -> ForwardedBody {
        ForwardedBody { held: self, rest: None, broken: None, watch, sent, ended: false }
    }
}

impl ForwardedBody {
    /// `sent` becomes true when the last byte has been taken.
    pub(crate) fn new(inner: Incoming, watch: Option<Rc<Watch>>, sent: Rc<Cell<bool>>) -> ForwardedBody {
        let (held, rest) = (HeldBody::default(), Some(inner));
        ForwardedBody { held, rest, broken: None, watch, sent, ended: false }
    }
}

impl Body for ForwardedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(bytes) = self.held.pieces.pop_front() {
            if let Some(watch) = &self.watch {
                watch.leaves();
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if let Some(rest) = &mut self.rest {
            let frame = ready!(Pin::new(rest).poll_frame(cx));
            match &frame {
                Some(Ok(frame)) => {
                    if let (Some(watch), Some(bytes)) = (&self.watch, frame.data_ref()) {
                        watch.keep(bytes.clone());
                        watch.leaves();
                    }
                }
                Some(Err(_)) => {}
                None => self.sent.set(true),
            }
            return Poll::Ready(frame);
        }
        if let Some(broken) = self.broken.take() {
            return Poll::Ready(Some(Err(broken)));
        }
        if let Some(trailers) = self.held.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        self.ended = true;
        self.sent.set(true);
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        let nothing_held =
            self.held.pieces.is_empty() && self.held.trailers.is_none() && self.broken.is_none();
        nothing_held && self.rest.as_ref().map_or(self.held.sized || self.ended, Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let held: u64 = self.held.pieces.iter().map(|piece| piece.len() as u64).sum();
        let rest = match &self.rest {
            Some(rest) => rest.size_hint().exact(),
            None => (self.held.sized && self.broken.is_none()).then_some(0),
        };
        rest.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(held + rest))
    }
}

impl Drop for ForwardedBody {
    fn drop(&mut self) {
        // A body of known length is not asked for its end.
        if self.is_end_stream() {
            self.sent.set(true);
        }
    }
}
