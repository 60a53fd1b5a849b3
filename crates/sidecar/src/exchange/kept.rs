//! An answer to a call that a rule decides, on its way: its deadlines are kept, what was cut never looks complete, and how a stream ends
//! counts for the place that said it. Per frame: four
//! bytes are copied, and where the next one is waited for the clock is read; the timer is set anew only when it rings.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use outrigger_ledger::End;
use outrigger_providers::translate::broken_off;
use outrigger_providers::{Dialect, FailureClass};
use tokio::time::{Instant, Sleep};

use crate::exchange::body::{Broken, Passing};
use crate::exchange::going_on::{Asking, Died, GoingOn, How, Rest};
use crate::exchange::relay::Keeper;
use crate::failover::Admitted;
use crate::failover::decide::is_of_the_place;

/// The key of the deadline of the whole call.
const TOTAL: &str = "total";

/// What the app gets.
type Polled = Poll<Option<Result<Frame<Bytes>, Broken>>>;

/// A stream that is kept to its rule.
pub(crate) struct KeptBody {
    /// As it would pass without a rule.
    stream: Passing,
    /// The format in which the app is told that it broke off; `None` where it can only be reset.
    told_in: Option<&'static dyn Dialect>,
    /// Whether the app may take an error that the provider tells in its stream for nothing.
    passes_over: bool,
    rule: Box<str>,
    between: Option<Duration>,
    total: Option<(Instant, Duration)>,
    /// Since when the next content is waited for, while it is.
    since: Instant,
    is_waiting: bool,
    alarm: Option<Pin<Box<Sleep>>>,
    /// Whom it wakes.
    sleeper: Option<Waker>,
    /// The last bytes that the app has.
    tail: [u8; 4],
    /// Told how the stream ended; taken then.
    leave: Option<Admitted>,
    /// Goes on with it once, should it die.
    going_on: Option<Box<GoingOn>>,
    ended: Ended,
}

/// How far the end has come.
enum Ended {
    No,
    /// It died, and others are asked to go on with it.
    Asking(Asking, Died),
    /// The app has been told; the body ends in order.
    Told,
    Over,
}

impl KeptBody {
    /// An answer in the app's format; whether it comes in parts.
    pub(super) fn new(
        stream: Passing,
        told_in: Option<&'static dyn Dialect>,
        streams: bool,
        Keeper { rule, begun, dialect, leave, going_on }: Keeper<'_>,
    ) -> KeptBody {
        let now = Instant::now();
        let between = rule.deadlines.between_tokens.acting().filter(|_| streams);
        let total = rule.deadlines.total.acting().map(|total| (begun + total, total));
        let mut kept = KeptBody {
            stream,
            told_in,
            passes_over: streams && !dialect.raises_told_errors(),
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
            going_on,
            ended: Ended::No,
        };
        kept.alarm = kept.next().map(|(at, ..)| Box::pin(tokio::time::sleep_until(at)));
        kept
    }

    /// The deadline that passes next, with its key and length.
    fn next(&self) -> Option<(Instant, &'static str, Duration)> {
        let between = self.between.map(|between| (self.since + between, "betweenTokens", between));
        let total = self.total.map(|(at, total)| (at, TOTAL, total));
        between.into_iter().chain(total).min()
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        loop {
            match &mut self.ended {
                Ended::No => {}
                Ended::Asking(asking, _) => {
                    let rest = ready!(asking.as_mut().poll(cx));
                    match (rest, std::mem::replace(&mut self.ended, Ended::No)) {
                        (Some(rest), _) => self.goes_on(rest),
                        (None, Ended::Asking(_, died)) => return self.stays_dead(&died),
                        (None, _) => {}
                    }
                }
                Ended::Told => {
                    self.ended = Ended::Over;
                    return Poll::Ready(None);
                }
                Ended::Over => return Poll::Ready(None),
            }
            if let Some(class) = self.going_on.as_ref().and_then(|going_on| going_on.failed()) {
                match self.dies(Died { class, text: String::new(), how: How::Told }) {
                    Some(told) => return told,
                    None => continue,
                }
            }
            let polled = self.stream.poll_frame(cx);
            // Signs of life are none of what is waited for.
            if std::mem::take(&mut self.stream.observed().says) {
                self.is_waiting = false;
            }
            return match polled {
                Poll::Ready(Some(Ok(frame))) => {
                    match self.shown(frame) {
                        Some(frame) => Poll::Ready(Some(Ok(frame))),
                        // It is held back.
                        None => continue,
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    let text = "the provider's answer broke off before its end".to_owned();
                    match self.dies(Died { class: FailureClass::StreamCut, text, how: How::Cut }) {
                        Some(told) => told,
                        None => continue,
                    }
                }
                Poll::Ready(None) => {
                    let text = "the provider's answer ended before it was complete".to_owned();
                    let died = Died { class: FailureClass::StreamCut, text, how: How::Short };
                    let is_short = self.going_on.as_ref().is_some_and(|going_on| !going_on.is_whole());
                    match if is_short { self.dies(died) } else { Some(self.over(&died)) } {
                        Some(told) => told,
                        None => continue,
                    }
                }
                Poll::Pending => {
                    // An app that reads slowly is not the provider's silence.
                    if !self.is_waiting {
                        (self.is_waiting, self.since) = (true, Instant::now());
                    }
                    match ready!(self.poll_alarm(cx)) {
                        Some(told) => told,
                        None => continue,
                    }
                }
            };
        }
    }

    /// What the app gets of a frame; `None` while it is held back.
    fn shown(&mut self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let bytes = match frame.into_data() {
            Ok(bytes) => bytes,
            Err(other) => return Some(other),
        };
        let bytes = match &mut self.going_on {
            Some(going_on) => going_on.push(bytes),
            None => bytes,
        };
        self.note(&bytes);
        (self.going_on.is_none() || !bytes.is_empty()).then(|| Frame::data(bytes))
    }

    /// Rings when a deadline passes. What the app is told; `None` where others are asked.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<Option<Polled>> {
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
            if part == TOTAL {
                // Nobody has any time left.
                self.going_on = None;
            }
            return Poll::Ready(self.dies(Died { class: FailureClass::Timeout, text, how: How::Late }));
        }
    }

    /// The stream is dead: `None` where others are asked to go on with it, else what the app is told.
    fn dies(&mut self, died: Died) -> Option<Polled> {
        let asking = self.going_on.as_mut().and_then(|going_on| going_on.ask(&died));
        let (Some(asking), Some(going_on)) = (asking, &self.going_on) else { return Some(self.over(&died)) };
        self.stream.observed().leave();
        going_on.died(&died);
        self.judge(is_of_the_place(died.class));
        self.ended = Ended::Asking(asking, died);
        None
    }

    /// Another place goes on with it.
    fn goes_on(&mut self, rest: Rest) {
        (self.stream, self.leave, self.going_on) = (rest.stream, Some(rest.leave), None);
        (self.since, self.is_waiting) = (Instant::now(), true);
        self.alarm = self.next().map(|(at, ..)| Box::pin(tokio::time::sleep_until(at)));
        self.sleeper = None;
    }

    /// Nobody goes on with it.
    fn stays_dead(&mut self, died: &Died) -> Polled {
        let held = self.going_on.take().map(|mut going_on| {
            going_on.stays_dead(died);
            going_on.rest()
        });
        match held.filter(|_| died.how == How::Told) {
            // The provider's own words.
            Some(held) => {
                self.ended = Ended::Told;
                Poll::Ready(Some(Ok(Frame::data(held))))
            }
            None => self.break_off(died.class, &died.text),
        }
    }

    /// Nobody is asked to go on with it: the app is told, unless it was whole after all.
    fn over(&mut self, died: &Died) -> Polled {
        let held = self.going_on.take().map(|mut going_on| going_on.rest());
        let observed = self.stream.observed();
        match died.how {
            How::Cut => observed.end(End::Cut),
            How::Late => observed.fail(died.class, &died.text),
            How::Short => observed.complete(),
            How::Told => {
                observed.holds_end = false;
                let held = held.unwrap_or_default();
                self.note(&held);
                return Poll::Ready(Some(Ok(Frame::data(held))));
            }
        }
        let fared = self.stream.observed().fared;
        if died.how != How::Short || (fared.is_truncated && !self.is_translated()) {
            return self.break_off(died.class, &died.text);
        }
        let failed = fared.class.filter(|class| is_of_the_place(*class));
        if let Some(class) = failed.filter(|_| self.passes_over && !self.is_translated()) {
            return self.break_off(class, "the provider ended its answer with an error");
        }
        self.judge(failed.is_some());
        match held.filter(|held| !held.is_empty()) {
            Some(held) => {
                self.ended = Ended::Told;
                Poll::Ready(Some(Ok(Frame::data(held))))
            }
            None => {
                self.ended = Ended::Over;
                Poll::Ready(None)
            }
        }
    }

    /// Ends the stream so that no app takes it for complete: by an error in its format, or where it stands in the middle of an
    /// event by breaking the connection.
    fn break_off(&mut self, class: FailureClass, text: &str) -> Polled {
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
        // An app that hangs up says nothing against a place that answers, and nothing for one that is waited for.
        if self.is_waiting {
            drop(self.leave.take());
        }
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
