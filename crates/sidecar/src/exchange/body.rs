//! The provider's body on its way to the app: frames are handed on untouched and shown to the call. Per frame: no
//! allocation, no lock, no log.

use std::cell::Cell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use outrigger_ledger::End;

use crate::exchange::after_flush::AfterFlush;
use crate::exchange::forwarded::ForwardedBody;
use crate::exchange::rewritten::RewrittenBody;
use crate::exchange::watch::Watch;
use crate::upstream::client::{Lease, SharedClient};

/// The provider's body on its way to the app, or one of our own.
pub(crate) enum RelayedBody {
    /// An answer of our own, whole.
    Own(Option<Bytes>),
    /// The provider's.
    Observed(Box<ObservedBody>),
    /// The provider's, without what its app did not ask for.
    Rewritten(Box<RewrittenBody>),
}

/// Frames of a body that were read before it was known whether it would be passed on.
pub(crate) type Ahead = VecDeque<Result<Frame<Bytes>, hyper::Error>>;

/// The provider's body: handed on as it came, then shown.
pub(crate) struct ObservedBody {
    pub(crate) ahead: Ahead,
    pub(crate) inner: Incoming,
    pub(crate) watch: Option<Rc<Watch>>,
    pub(crate) after: Rc<AfterFlush>,
    pub(crate) lease: Lease<ForwardedBody>,
    pub(crate) client: SharedClient<ForwardedBody>,
    pub(crate) request_sent: Rc<Cell<bool>>,
}

impl ObservedBody {
    fn end(&mut self, end: End) {
        if let Some(watch) = self.watch.take() {
            self.after.finish(watch, end);
        }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = match self.ahead.pop_front() {
            Some(frame) => Some(frame),
            None => ready!(Pin::new(&mut self.inner).poll_frame(cx)),
        };
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(watch), Some(bytes)) = (&self.watch, frame.data_ref()) {
                    self.after.chunk(watch, bytes.clone(), watch.clock.now());
                }
            }
            Some(Err(_)) => self.end(End::Cut),
            None => self.complete(),
        }
        Poll::Ready(frame)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead: usize = self.ahead.iter().flatten().filter_map(Frame::data_ref).map(Bytes::len).sum();
        match self.inner.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(rest + ahead as u64),
            None => SizeHint::default(),
        }
    }

    fn complete(&mut self) {
        self.end(End::Complete);
        // An answer that came before its request was sent whole leaves a connection in no known state.
        if self.request_sent.get() {
            self.lease.put_back(&self.client);
        }
    }
}

impl Body for RelayedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            RelayedBody::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            RelayedBody::Observed(observed) => observed.poll_frame(cx),
            RelayedBody::Rewritten(rewritten) => rewritten.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RelayedBody::Own(bytes) => bytes.is_none(),
            RelayedBody::Observed(observed) => observed.is_end_stream(),
            RelayedBody::Rewritten(rewritten) => rewritten.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RelayedBody::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            RelayedBody::Observed(observed) => observed.size_hint(),
            // Known when it has passed.
            RelayedBody::Rewritten(_) => SizeHint::default(),
        }
    }
}

impl Drop for ObservedBody {
    fn drop(&mut self) {
        if self.is_end_stream() {
            self.complete();
        } else if self.watch.is_some() {
            self.end(End::Cancelled);
            // The app is gone: no flush may follow that would show what is queued.
            self.after.run();
        }
    }
}
