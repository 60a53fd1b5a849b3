//! The one body that changes bytes: a stream out of which the usage is taken that its app did not ask for. Per frame: what
//! `UsageStrip` does; the meter is shown the frame as it came.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use outrigger_providers::include_usage::UsageStrip;

use crate::exchange::body::ObservedBody;

/// A provider's stream on its way to an app that did not ask for its usage.
pub(crate) struct RewrittenBody {
    observed: ObservedBody,
    strip: Box<UsageStrip>,
    /// What comes behind the last bytes that were held back: trailers, or a break.
    then: Option<Result<Frame<Bytes>, hyper::Error>>,
    ended: bool,
}

impl RewrittenBody {
    pub(crate) const fn new(observed: ObservedBody, strip: Box<UsageStrip>) -> RewrittenBody {
        RewrittenBody { observed, strip, then: None, ended: false }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            if let Some(then) = self.then.take() {
                return Poll::Ready(Some(then));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let passed = match ready!(self.observed.poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.strip.push(bytes),
                    Err(other) => self.rest(Some(Ok(other))),
                },
                Some(Err(error)) => self.rest(Some(Err(error))),
                None => {
                    self.ended = true;
                    self.rest(None)
                }
            };
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(passed))));
            }
        }
    }

    /// What was held back, and what comes behind it.
    fn rest(&mut self, then: Option<Result<Frame<Bytes>, hyper::Error>>) -> Bytes {
        self.then = then;
        self.strip.finish()
    }

    /// The body that is rewritten.
    pub(crate) const fn observed(&mut self) -> &mut ObservedBody {
        &mut self.observed
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.then.is_none() && (self.ended || self.strip.is_empty() && self.observed.is_end_stream())
    }
}
