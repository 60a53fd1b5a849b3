//! The bodies of an exchange: frames are handed on untouched and shown to the call. Per frame: no allocation, no lock,
//! no log.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use outrigger_ledger::End;

use crate::exchange::after_flush::AfterFlush;
use crate::exchange::watch::Watch;
use crate::upstream::client::{Lease, SharedClient};

/// The app's body on its way to the provider.
pub(crate) struct ForwardedBody {
    inner: Incoming,
    watch: Option<Rc<Watch>>,
    sent: Rc<Cell<bool>>,
}

impl ForwardedBody {
    /// `sent` becomes true when the last byte has been taken.
    pub(crate) const fn new(
        inner: Incoming,
        watch: Option<Rc<Watch>>,
        sent: Rc<Cell<bool>>,
    ) -> ForwardedBody {
        ForwardedBody { inner, watch, sent }
    }
}

impl Body for ForwardedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            // Read here, not after the flush: the facts must be complete before the first answer can come, and the
            // scan of a whole read costs a few microseconds.
            Some(Ok(frame)) => {
                if let (Some(watch), Some(bytes)) = (&self.watch, frame.data_ref()) {
                    watch.show(|call| call.request_chunk(bytes));
                }
            }
            Some(Err(_)) => {}
            None => self.sent.set(true),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for ForwardedBody {
    fn drop(&mut self) {
        // A body of known length is not asked for its end.
        if self.inner.is_end_stream() {
            self.sent.set(true);
        }
    }
}

/// The provider's body on its way to the app, or one of our own.
pub(crate) enum RelayedBody {
    /// An answer of our own, whole.
    Own(Option<Bytes>),
    /// The provider's.
    Observed(Box<ObservedBody>),
}

/// The provider's body: handed on as it came, then shown.
pub(crate) struct ObservedBody {
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
        let observed = match &mut *self {
            RelayedBody::Own(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            RelayedBody::Observed(observed) => observed,
        };
        let frame = ready!(Pin::new(&mut observed.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(watch), Some(bytes)) = (&observed.watch, frame.data_ref()) {
                    observed.after.chunk(watch, bytes.clone(), watch.clock.now());
                }
            }
            Some(Err(_)) => observed.end(End::Cut),
            None => observed.complete(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RelayedBody::Own(bytes) => bytes.is_none(),
            RelayedBody::Observed(observed) => observed.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RelayedBody::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            RelayedBody::Observed(observed) => observed.inner.size_hint(),
        }
    }
}

impl Drop for ObservedBody {
    fn drop(&mut self) {
        if self.inner.is_end_stream() {
            self.complete();
        } else if self.watch.is_some() {
            self.end(End::Cancelled);
            // The app is gone: no flush may follow that would show what is queued.
            self.after.run();
        }
    }
}
