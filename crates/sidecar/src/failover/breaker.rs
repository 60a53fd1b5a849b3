//! Leaves a place alone that fails, tries now and then whether it answers again, and comes back to it step by step. One per
//! target; per attempt, without allocation. Time is handed in: paused in tests.

use std::time::Duration;

use outrigger_rules::Breaker as Limits;
use tokio::time::Instant;

/// Slices that a window is counted in.
const SLICES: usize = 10;
/// A probe that has not come back by then is given up, so that another may go.
const PROBING: Duration = Duration::from_secs(60);
/// While a place recovers: the share of calls that go there, per cent, and how long each share lasts.
const STEPS: [u32; 4] = [10, 25, 50, 75];
const STEP: Duration = Duration::from_secs(2);

/// Whether a call may go to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// As usual.
    Yes,
    /// As the one call that tries.
    Probe,
    /// It is left alone.
    No,
}

/// What an attempt changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// From here on the place is left alone.
    Opened,
    /// It has answered a probe.
    Recovering,
    /// It is a place as any other.
    Closed,
}

/// When somebody was let in. What was sent before the place was left alone, or before its last probe, tells nothing new of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since {
    epoch: u32,
    is_probe: bool,
}

/// Watches one place.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// Slices are numbered from here.
    began: Instant,
    state: State,
    slices: [Slice; SLICES],
    in_a_row: u32,
    /// Counts how often it was opened and probed.
    epoch: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// All calls go there.
    Closed,
    /// None does until it is time for a probe.
    Open { probe_at: Instant },
    /// One is on its way.
    Probing { since: Instant },
    /// More and more go there.
    Recovering { since: Instant, asked: u32, admitted: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    number: u64,
    calls: u32,
    failed: u32,
}

impl Slice {
    const NONE: Slice = Slice { number: 0, calls: 0, failed: 0 };
}

impl Breaker {
    pub(crate) const fn new(now: Instant) -> Breaker {
        Breaker { began: now, state: State::Closed, slices: [Slice::NONE; SLICES], in_a_row: 0, epoch: 0 }
    }

    /// Whether a call may go there now. Whoever is let in must tell how it went.
    pub(crate) fn admit(&mut self, now: Instant) -> Admission {
        match &mut self.state {
            State::Closed => Admission::Yes,
            State::Open { probe_at } if now >= *probe_at => self.probe(now),
            State::Probing { since } if now.duration_since(*since) >= PROBING => self.probe(now),
            State::Open { .. } | State::Probing { .. } => Admission::No,
            State::Recovering { since, asked, admitted } => {
                let step = (now.duration_since(*since).as_secs() / STEP.as_secs()) as usize;
                let Some(share) = STEPS.get(step) else {
                    self.close();
                    return Admission::Yes;
                };
                *asked = asked.saturating_add(1);
                // The first of them goes there: of few calls a share would be none.
                if u64::from(*admitted) * 100 < u64::from(*asked) * u64::from(*share) {
                    *admitted += 1;
                    Admission::Yes
                } else {
                    Admission::No
                }
            }
        }
    }

    fn probe(&mut self, now: Instant) -> Admission {
        self.state = State::Probing { since: now };
        self.epoch = self.epoch.wrapping_add(1);
        Admission::Probe
    }

    /// What whoever is let in now shows when it tells how it went.
    pub(crate) fn since(&self, admission: Admission) -> Since {
        Since { epoch: self.epoch, is_probe: admission == Admission::Probe }
    }

    /// Whether it is a place as any other. Asks for nothing.
    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether it is left alone. Asks for nothing.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. } | State::Probing { .. })
    }

    /// A stream has begun that may yet break off: enough to come back to the place, not enough to count.
    pub(crate) fn began(&mut self, since: Since, now: Instant) {
        if since.epoch == self.epoch && matches!(self.state, State::Probing { .. }) {
            self.state = State::Recovering { since: now, asked: 0, admitted: 0 };
        }
    }

    /// An attempt went well.
    pub(crate) fn succeeded(&mut self, since: Since, limits: &Limits, now: Instant) -> Option<Turn> {
        if since.epoch != self.epoch {
            return None;
        }
        self.in_a_row = 0;
        self.count(limits, now, false);
        match self.state {
            State::Probing { .. } => {
                self.state = State::Recovering { since: now, asked: 0, admitted: 0 };
                Some(Turn::Recovering)
            }
            State::Recovering { since, .. } if is_recovered(since, now) => {
                self.close();
                Some(Turn::Closed)
            }
            _ => None,
        }
    }

    /// An attempt failed in a way that is the place's own fault.
    pub(crate) fn failed(&mut self, since: Since, limits: &Limits, now: Instant) -> Option<Turn> {
        if since.epoch != self.epoch {
            return None;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.count(limits, now, true);
        let opens = match self.state {
            State::Closed => self.is_bad(limits, now),
            // It was asked all the same.
            State::Open { .. } => false,
            State::Probing { .. } | State::Recovering { .. } => true,
        };
        if !opens {
            return None;
        }
        let was_closed = self.state == State::Closed;
        self.state = State::Open { probe_at: now + limits.probe_every };
        self.epoch = self.epoch.wrapping_add(1);
        was_closed.then_some(Turn::Opened)
    }

    /// An attempt ended without telling anything of the place: the app hung up.
    pub(crate) fn unknown(&mut self, since: Since, now: Instant) {
        // Only that of the probe itself makes room for another.
        let is_the_probe = since.is_probe && since.epoch == self.epoch;
        if is_the_probe && matches!(self.state, State::Probing { .. }) {
            self.state = State::Open { probe_at: now };
        }
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.slices = [Slice::NONE; SLICES];
        self.in_a_row = 0;
    }

    fn slice(&self, limits: &Limits, now: Instant) -> u64 {
        let width = (limits.window / SLICES as u32).max(Duration::from_millis(1));
        // Not from 0: a slice that was never used has that.
        (now.duration_since(self.began).as_nanos() / width.as_nanos()) as u64 + SLICES as u64
    }

    fn count(&mut self, limits: &Limits, now: Instant, failed: bool) {
        let number = self.slice(limits, now);
        let slice = &mut self.slices[(number % SLICES as u64) as usize];
        if slice.number != number {
            *slice = Slice { number, ..Slice::NONE };
        }
        slice.calls = slice.calls.saturating_add(1);
        slice.failed = slice.failed.saturating_add(u32::from(failed));
    }

    fn is_bad(&self, limits: &Limits, now: Instant) -> bool {
        if self.in_a_row >= limits.consecutive {
            return true;
        }
        let number = self.slice(limits, now);
        let near = self.slices.iter().filter(|slice| slice.number + SLICES as u64 > number);
        let (calls, failed) = near.fold((0u64, 0u64), |(calls, failed), slice| {
            (calls + u64::from(slice.calls), failed + u64::from(slice.failed))
        });
        calls >= u64::from(limits.min_calls) && failed * 100 >= calls * u64::from(limits.opens_at)
    }
}

fn is_recovered(since: Instant, now: Instant) -> bool {
    now.duration_since(since) >= STEP * STEPS.len() as u32
}

#[cfg(test)]
mod tests;
