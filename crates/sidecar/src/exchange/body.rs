//! The provider's body on its way to the app: frames are handed on untouched and shown to the call. Per frame: no
//! allocation, no lock, no log.

use std::cell::Cell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use outrigger_ledger::End;
use outrigger_providers::FailureClass;
use outrigger_providers::framing::KeepAlives;
use tokio::time::Instant;

use crate::exchange::after_flush::AfterFlush;
use crate::exchange::forwarded::ForwardedBody;
use crate::exchange::hang_up::{HangUps, Rest};
use crate::exchange::kept::KeptBody;
use crate::exchange::pulse::Pulse;
use crate::exchange::rewritten::RewrittenBody;
use crate::exchange::translated::TranslatedBody;
use crate::exchange::watch::{Fared, Watch};
use crate::upstream::client::{Lease, SharedClient};

/// What the app gets.
pub(crate) enum RelayedBody {
    /// An answer of our own, whole.
    Own(Option<Bytes>),
    /// That of the place that was asked.
    Passing(Passing),
    /// A stream that a rule keeps to its deadlines, and to its end.
    Kept(Box<KeptBody>),
}

/// The answer of a place on its way to the app.
pub(crate) enum Passing {
    /// As it came.
    Observed(Box<ObservedBody>),
    /// Without what its app did not ask for.
    Rewritten(Box<RewrittenBody>),
    /// In the app's format, where it came in another.
    Translated(Box<TranslatedBody>),
}

impl Passing {
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self {
            Passing::Observed(observed) => observed.poll_frame(cx),
            Passing::Rewritten(rewritten) => rewritten.poll_frame(cx),
            Passing::Translated(translated) => translated.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Passing::Observed(observed) => observed.is_end_stream(),
            Passing::Rewritten(rewritten) => rewritten.is_end_stream(),
            Passing::Translated(translated) => translated.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Passing::Observed(observed) => observed.size_hint(),
            // Known when it has passed.
            Passing::Rewritten(_) | Passing::Translated(_) => SizeHint::default(),
        }
    }

    /// The body as it came.
    pub(crate) fn observed(&mut self) -> &mut ObservedBody {
        match self {
            Passing::Observed(observed) => observed,
            Passing::Rewritten(rewritten) => rewritten.observed(),
            Passing::Translated(translated) => translated.observed(),
        }
    }
}

/// Why a body breaks off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// The provider's did.
    #[error(transparent)]
    Theirs(#[from] hyper::Error),
    /// We did it, so that nobody takes it for complete.
    #[error("the answer is not complete")]
    Ours,
}

/// Frames of a body that were read before it was known whether it would be passed on.
pub(crate) type Ahead = VecDeque<Result<Frame<Bytes>, hyper::Error>>;

/// The bytes of what was read, frame by frame.
pub(crate) fn pieces(ahead: &Ahead) -> impl Iterator<Item = &[u8]> {
    ahead.iter().flatten().filter_map(Frame::data_ref).map(|bytes| &**bytes)
}

/// How many they are.
pub(crate) fn length_of(ahead: &Ahead) -> usize {
    pieces(ahead).map(<[u8]>::len).sum()
}

/// The same in one piece.
pub(crate) fn bytes_of(ahead: &Ahead) -> Vec<u8> {
    pieces(ahead).collect::<Vec<_>>().concat()
}

/// So much of an error is read to see what it means, and for so long.
const REFUSAL: usize = 64 * 1024;
const REFUSING: Duration = Duration::from_secs(10);

/// The beginning of an error's body, as far as it comes by `until`, and whether that was all of it.
pub(crate) async fn read_refusal<B>(body: &mut B, until: Option<Instant>) -> (Ahead, bool)
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    let mut ahead = Ahead::new();
    let reading = async {
        let mut left = REFUSAL;
        while let Some(frame) = body.frame().await {
            let length = frame.as_ref().ok().map(|frame| frame.data_ref().map_or(0, Bytes::len));
            ahead.push_back(frame);
            match length.and_then(|length| left.checked_sub(length)) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        true
    };
    // What is slow or long is passed on as it comes.
    let patience = Instant::now() + REFUSING;
    let until = until.map_or(patience, |until| until.min(patience));
    let whole = tokio::time::timeout_at(until, reading).await.unwrap_or(false);
    (ahead, whole)
}

/// The provider's body: handed on as it came, then shown.
pub(crate) struct ObservedBody {
    pub(crate) ahead: Ahead,
    /// Taken when the rest is read on without the app.
    pub(crate) inner: Option<Incoming>,
    pub(crate) watch: Option<Rc<Watch>>,
    /// Of a stream: when its last bytes came.
    pub(crate) pulse: Option<Rc<Pulse>>,
    /// Tells its content from signs of life, where a rule asks for the pauses between.
    pub(crate) keep_alives: Option<KeepAlives>,
    /// Whether content has come since that was asked last.
    pub(crate) says: bool,
    pub(crate) after: Rc<AfterFlush>,
    pub(crate) lease: Lease<ForwardedBody>,
    pub(crate) client: SharedClient<ForwardedBody>,
    pub(crate) request_sent: Rc<Cell<bool>>,
    /// Where the provider bills the answer to its end, whatever the app does.
    pub(crate) hang_ups: Option<Rc<HangUps>>,
    /// Whether it is to be known at its end how the call fared.
    pub(crate) is_kept: bool,
    /// Whether its keeper says how it ended, and when.
    pub(crate) holds_end: bool,
    /// How the call fared, once that is known.
    pub(crate) fared: Fared,
}

impl ObservedBody {
    pub(crate) fn end(&mut self, end: End) {
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
            None => match &mut self.inner {
                Some(inner) => match Pin::new(inner).poll_frame(cx) {
                    Poll::Ready(frame) => frame,
                    Poll::Pending => {
                        if let Some(pulse) = &self.pulse {
                            pulse.wait();
                            if let Some(watch) = &self.watch {
                                watch.wait();
                            }
                        }
                        return Poll::Pending;
                    }
                },
                None => None,
            },
        };
        match &frame {
            Some(Ok(frame)) => {
                let says = match (&mut self.keep_alives, frame.data_ref()) {
                    (Some(keep_alives), Some(bytes)) => keep_alives.says(bytes),
                    _ => true,
                };
                self.says |= says;
                if let (Some(watch), Some(bytes)) = (&self.watch, frame.data_ref()) {
                    let now = watch.clock.now();
                    if let Some(pulse) = &self.pulse {
                        pulse.beat(now);
                        if says {
                            watch.came(now);
                        }
                    }
                    self.after.chunk(watch, bytes.clone(), now);
                }
            }
            Some(Err(_)) | None if self.holds_end => {}
            Some(Err(_)) => self.end(End::Cut),
            None => self.complete(),
        }
        Poll::Ready(frame)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.inner.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = length_of(&self.ahead);
        match self.inner.as_ref().and_then(|inner| inner.size_hint().exact()) {
            Some(rest) => SizeHint::with_exact(rest + ahead as u64),
            None => SizeHint::default(),
        }
    }

    fn is_worth_reading_on(&self) -> bool {
        self.hang_ups.as_ref().is_some_and(|hang_ups| hang_ups.has_room())
            && self.watch.as_ref().is_some_and(|watch| !watch.is_ending())
            && self.ahead.is_empty()
    }

    fn read_on(&mut self) {
        let (Some(hang_ups), Some(inner), Some(watch)) =
            (self.hang_ups.take(), self.inner.take(), self.watch.take())
        else {
            return;
        };
        // No app waits for it any more.
        self.pulse = None;
        let lease = std::mem::replace(&mut self.lease, Lease::none());
        let (client, request_sent) = (Rc::clone(&self.client), self.request_sent.get());
        hang_ups.read_on(Rest { inner, watch, lease, client, request_sent });
    }

    /// It is given up for a reason of ours.
    pub(crate) fn fail(&mut self, class: FailureClass, text: &str) {
        // What the app has comes first.
        self.after.run();
        if let Some(watch) = self.watch.take() {
            watch.finish(End::Failed { class, text: text.to_owned(), status: 200 });
        }
        (self.inner, self.pulse) = (None, None);
        self.ahead.clear();
        self.lease = Lease::none();
    }

    /// It is given up, and the call is not over: others go on with it.
    pub(crate) fn leave(&mut self) {
        self.after.run();
        (self.watch, self.inner, self.pulse, self.hang_ups) = (None, None, None, None);
        self.ahead.clear();
        self.lease = Lease::none();
    }

    /// It has come to its end.
    pub(crate) fn complete(&mut self) {
        if self.is_kept && self.watch.is_some() {
            self.after.run();
            // An end that its format has told need not wait for its record.
            if let Some(watch) = self.watch.take_if(|watch| !watch.has_ended()) {
                self.fared = watch.finish(End::Complete);
            }
        }
        self.end(End::Complete);
        // An answer that came before its request was sent whole leaves a connection in no known state.
        if self.request_sent.get() {
            self.lease.put_back(&self.client);
        }
    }
}

impl Body for RelayedBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            RelayedBody::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            RelayedBody::Passing(passing) => passing.poll_frame(cx).map_err(Broken::Theirs),
            RelayedBody::Kept(kept) => kept.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RelayedBody::Own(bytes) => bytes.is_none(),
            RelayedBody::Passing(passing) => passing.is_end_stream(),
            RelayedBody::Kept(kept) => kept.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RelayedBody::Own(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            RelayedBody::Passing(passing) => passing.size_hint(),
            RelayedBody::Kept(_) => SizeHint::default(),
        }
    }
}

impl Drop for ObservedBody {
    fn drop(&mut self) {
        if self.is_end_stream() {
            self.complete();
        } else if self.is_worth_reading_on() {
            // What the app got comes before what it did not.
            self.after.run();
            self.read_on();
        } else if self.watch.is_some() {
            self.end(End::Cancelled);
            // The app is gone: no flush may follow that would show what is queued.
            self.after.run();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of a body, and whether it ends behind them.
    struct Pieces {
        left: usize,
        each: Bytes,
        ends: bool,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            match (self.left, self.ends) {
                (0, true) => Poll::Ready(None),
                (0, false) => Poll::Pending,
                _ => {
                    self.left -= 1;
                    Poll::Ready(Some(Ok(Frame::data(self.each.clone()))))
                }
            }
        }
    }

    fn pieces(left: usize, each: usize, ends: bool) -> Pieces {
        Pieces { left, each: vec![b' '; each].into(), ends }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_does_not_end_is_waited_for_ten_seconds_and_no_longer_than_its_call_may_take() {
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        for (until, takes) in [(None, 10), (Some(begun + 13 * second), 3), (Some(begun + 60 * second), 10)] {
            let before = Instant::now();
            let (ahead, whole) = read_refusal(&mut pieces(2, 100, false), until).await;
            assert_eq!((ahead.len(), whole), (2, false));
            assert_eq!(before.elapsed().as_secs(), takes);
        }
        let (ahead, whole) = read_refusal(&mut pieces(2, 100, true), None).await;
        assert_eq!((ahead.len(), whole), (2, true));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_of_a_refusal_is_read_than_tells_what_it_means() {
        let mut body = pieces(1000, 1000, true);
        let (ahead, whole) = read_refusal(&mut body, None).await;
        // The piece that goes beyond it has been read and is passed on.
        assert_eq!((bytes_of(&ahead).len(), whole, body.left), (66_000, false, 934));
    }
}
