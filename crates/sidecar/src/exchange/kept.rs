//! An answer to a call that a rule decides, on its way: its deadlines are kept, what was cut never looks complete, and how a stream ends
//! counts for the place that said it. Per frame: four
//! bytes are copied, and where the next one is waited for the clock is read; the timer is set anew only when it rings.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use outrigger_providers::translate::broken_off;
use outrigger_providers::{Dialect, FailureClass};
use outrigger_rules::Rule;
use tokio::time::{Instant, Sleep};

use crate::exchange::body::{Broken, Passing};
use crate::failover::Admitted;
use crate::failover::decide::is_of_the_place;

/// A stream that is kept to its rule.
pub(crate) struct KeptBody {
    /// As it would pass without a rule.
    stream: Passing,
    /// The format in which the app is told that it broke off; `None` where it can only be reset.
    told_in: Option<&'static dyn Dialect>,
    rule: Box<str>,
    between: Option<Duration>,
    total: Option<(Instant, Duration)>,
    /// Since when the next frame is waited for, while it is.
    since: Instant,
    is_waiting: bool,
    alarm: Option<Pin<Box<Sleep>>>,
    /// Whom it wakes.
    sleeper: Option<Waker>,
    /// The last bytes that the app has.
    tail: [u8; 4],
    /// Told how the stream ended; taken then.
    leave: Option<Admitted>,
    ended: Ended,
}

/// How far the end has come.
enum Ended {
    No,
    /// The app has been told; the body ends in order.
    Told,
    Over,
}

impl KeptBody {
    /// An answer in the app's format to a call that began at `begun`; whether it comes in parts.
    pub(crate) fn new(
        stream: Passing,
        told_in: Option<&'static dyn Dialect>,
        rule: &Rule,
        (begun, streams): (Instant, bool),
        leave: Option<Admitted>,
    ) -> KeptBody {
        let now = Instant::now();
        let between = rule.deadlines.between_tokens.acting().filter(|_| streams);
        let total = rule.deadlines.total.acting().map(|total| (begun + total, total));
        let mut kept = KeptBody {
            stream,
            told_in,
            rule: (&*rule.name).into(),
            between,
            total,
            since: now,
            is_waiting: true,
            alarm: None,
            sleeper: None,
            // Nothing has been said, so nothing is in the middle.
            tail: *b"\r\n\r\n",
            leave,
            ended: Ended::No,
        };
        kept.alarm = kept.next().map(|(at, ..)| Box::pin(tokio::time::sleep_until(at)));
        kept
    }

    /// The deadline that passes next, with its key and length.
    fn next(&self) -> Option<(Instant, &'static str, Duration)> {
        let between = self.between.map(|between| (self.since + between, "betweenTokens", between));
        let total = self.total.map(|(at, total)| (at, "total", total));
        between.into_iter().chain(total).min()
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.ended {
            Ended::No => {}
            Ended::Told => {
                self.ended = Ended::Over;
                return Poll::Ready(None);
            }
            Ended::Over => return Poll::Ready(None),
        }
        match self.stream.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.is_waiting = false;
                if let Some(bytes) = frame.data_ref() {
                    self.note(bytes);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => {
                self.break_off(FailureClass::StreamCut, "the provider's answer broke off before its end")
            }
            Poll::Ready(None) if !self.is_translated() && self.stream.observed().fared.is_truncated => {
                self.break_off(FailureClass::StreamCut, "the provider's answer ended before it was complete")
            }
            Poll::Ready(None) => {
                self.ended = Ended::Over;
                let class = self.stream.observed().fared.class;
                self.judge(class.is_some_and(is_of_the_place));
                Poll::Ready(None)
            }
            Poll::Pending => {
                // An app that reads slowly is not the provider's silence.
                if !self.is_waiting {
                    (self.is_waiting, self.since) = (true, Instant::now());
                }
                self.poll_alarm(cx)
            }
        }
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        // The next frame nearly always comes before it rings.
        let is_set = self.sleeper.as_ref().is_some_and(|sleeper| sleeper.will_wake(cx.waker()));
        if is_set && self.alarm.as_ref().is_some_and(|alarm| !alarm.is_elapsed()) {
            return Poll::Pending;
        }
        loop {
            let Some((at, part, after)) = self.next() else { return Poll::Pending };
            let Some(alarm) = &mut self.alarm else { return Poll::Pending };
            if alarm.as_mut().poll(cx).is_pending() {
                self.sleeper = Some(cx.waker().clone());
                return Poll::Pending;
            }
            // It was set before the last frames came.
            if Instant::now() < at {
                alarm.as_mut().reset(at);
                continue;
            }
            let text = format!(
                "the answer took longer than the {part} of {after:?} that the rule `{}` allows",
                self.rule
            );
            self.stream.observed().fail(FailureClass::Timeout, &text);
            return self.break_off(FailureClass::Timeout, &text);
        }
    }

    /// Ends the stream so that no app takes it for complete: by an error in its format, or where it stands in the middle of an
    /// event by breaking the connection.
    fn break_off(&mut self, class: FailureClass, text: &str) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.judge(true);
        let told = match &mut self.stream {
            Passing::Translated(translated) => {
                Some(translated.fail(class, text)).filter(|bytes| !bytes.is_empty())
            }
            Passing::Observed(_) | Passing::Rewritten(_) => {
                let told_in = self.told_in.filter(|_| is_between_events(self.tail));
                told_in.and_then(|dialect| broken_off(dialect, class, text)).map(Bytes::from)
            }
        };
        match told {
            Some(bytes) => {
                self.ended = Ended::Told;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            None => {
                self.ended = Ended::Over;
                Poll::Ready(Some(Err(Broken::Ours)))
            }
        }
    }

    /// Tells how the place fared.
    fn judge(&mut self, failed: bool) {
        match self.leave.take() {
            Some(leave) if failed => drop(leave.failed()),
            Some(leave) => leave.succeeded(),
            None => {}
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(self.tail.len());
        self.tail.copy_within(kept.., 0);
        let at = self.tail.len() - kept;
        self.tail[at..].copy_from_slice(&bytes[bytes.len() - kept..]);
    }

    /// What is said anew tells its own end.
    const fn is_translated(&self) -> bool {
        matches!(self.stream, Passing::Translated(_))
    }

    pub(crate) const fn is_end_stream(&self) -> bool {
        matches!(self.ended, Ended::Over)
    }
}

impl Drop for KeptBody {
    fn drop(&mut self) {
        // An app that hangs up says nothing against a place that has begun to answer.
        self.judge(false);
    }
}

/// Whether an event of a stream of server-sent events is over where it ends so.
fn is_between_events(tail: [u8; 4]) -> bool {
    tail == *b"\r\n\r\n" || matches!(tail, [.., b'\n', b'\n'] | [.., b'\r', b'\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_end_at_a_blank_line_however_it_is_written() {
        for (tail, between) in [
            (*b"}\n\n\n", true),
            (*b"x}\n\n", true),
            (*b"\r\n\r\n", true),
            (*b"x}\r\r", true),
            (*b"x}\r\n", false),
            (*b"{\"a\"", false),
            (*b"\n\n{\n", false),
        ] {
            assert_eq!(is_between_events(tail), between, "{tail:?}");
        }
    }

    #[test]
    fn every_streamed_format_has_words_for_its_end() {
        for dialect in outrigger_providers::dialects::ALL {
            let Some(told) = broken_off(dialect, FailureClass::StreamCut, "it broke off") else { continue };
            let text = String::from_utf8_lossy(&told);
            assert!(text.contains("outrigger: it broke off"), "{}: {text}", dialect.name());
        }
    }
}
