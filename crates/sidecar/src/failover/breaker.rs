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
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        opens_at: 50,
        window: Duration::from_secs(30),
        min_calls: 20,
        consecutive: 3,
        probe_every: Duration::from_secs(10),
    };

    /// A place and the time.
    struct Place {
        breaker: Breaker,
        now: Instant,
    }

    impl Place {
        fn new() -> Place {
            let now = Instant::now();
            Place { breaker: Breaker::new(now), now }
        }

        fn pass(&mut self, time: Duration) {
            self.now += time;
        }

        /// Somebody who was let in just now, as usual.
        fn end(&mut self, good: bool) -> Option<Turn> {
            self.end_of(self.breaker.since(Admission::Yes), good)
        }

        fn end_of(&mut self, since: Since, good: bool) -> Option<Turn> {
            if good {
                self.breaker.succeeded(since, &LIMITS, self.now)
            } else {
                self.breaker.failed(since, &LIMITS, self.now)
            }
        }

        /// The next probe.
        fn probe(&mut self) -> Since {
            self.pass(LIMITS.probe_every);
            let admission = self.admit();
            assert_eq!(admission, Admission::Probe);
            self.breaker.since(admission)
        }

        fn open() -> Place {
            let mut place = Place::new();
            assert_eq!([false; 3].map(|good| place.end(good)), [None, None, Some(Turn::Opened)]);
            place
        }

        fn admit(&mut self) -> Admission {
            self.breaker.admit(self.now)
        }
    }

    #[test]
    fn few_calls_open_it_by_three_failures_in_a_row() {
        let mut place = Place::new();
        for good in [false, false, true, false, false] {
            assert_eq!(place.end(good), None);
            place.pass(Duration::from_secs(20));
        }
        assert_eq!(place.end(false), Some(Turn::Opened));
        assert_eq!(place.admit(), Admission::No);
    }

    #[test]
    fn many_calls_open_it_by_their_share_within_the_window() {
        let mut place = Place::new();
        for number in 0..19 {
            assert_eq!(place.end(number % 2 == 0), None);
        }
        assert_eq!(place.end(false), Some(Turn::Opened), "10 of 20");
        let mut place = Place::new();
        for _ in 0..10 {
            place.end(false);
            place.end(true);
            place.pass(Duration::from_secs(4));
        }
        assert!(place.breaker.is_closed(), "what was before the window does not count");
    }

    #[test]
    fn one_call_at_a_time_tries_whether_it_answers() {
        let mut place = Place::open();
        place.pass(LIMITS.probe_every - Duration::from_millis(1));
        assert_eq!(place.admit(), Admission::No);
        place.pass(Duration::from_millis(1));
        assert_eq!([(); 3].map(|()| place.admit()), [Admission::Probe, Admission::No, Admission::No]);
        assert_eq!(place.end(false), None, "it was open before");
        assert_eq!(place.admit(), Admission::No);
        let probe = place.probe();
        place.breaker.unknown(probe, place.now);
        assert_eq!(place.admit(), Admission::Probe, "what told nothing gives way to another");
        place.pass(PROBING);
        assert_eq!(place.admit(), Admission::Probe, "so does what never came back");
    }

    #[test]
    fn traffic_returns_step_by_step_within_thirty_seconds() {
        let mut place = Place::open();
        let recovers = place.now;
        place.pass(LIMITS.probe_every);
        assert_eq!(place.admit(), Admission::Probe);
        assert_eq!(place.end(true), Some(Turn::Recovering));
        let mut shares = Vec::new();
        while !place.breaker.is_closed() {
            let admitted = (0..100).filter(|_| place.admit() == Admission::Yes).count();
            shares.push(admitted);
            place.end(true);
            place.pass(STEP);
        }
        assert_eq!(shares.len(), STEPS.len() + 1, "{shares:?}");
        assert!(shares.is_sorted() && shares[0] <= 10 && shares[STEPS.len()] == 100, "{shares:?}");
        assert!(place.now.duration_since(recovers) < Duration::from_secs(30));
    }

    #[test]
    fn a_stream_that_begins_brings_calls_back_and_one_that_breaks_off_takes_them_away() {
        let mut place = Place::open();
        let probe = place.probe();
        place.breaker.began(probe, place.now);
        assert_eq!(place.admit(), Admission::Yes, "a long stream keeps nobody waiting");
        assert_eq!(place.end(false), None);
        assert_eq!(place.admit(), Admission::No);
    }

    #[test]
    fn what_was_sent_before_it_was_left_alone_tells_nothing_of_it_any_more() {
        let mut place = Place::new();
        let admission = place.admit();
        let before = place.breaker.since(admission);
        for _ in 0..3 {
            place.end(false);
        }
        let probe = place.probe();
        for good in [false, true] {
            assert_eq!(place.end_of(before, good), None);
            assert_eq!(place.admit(), Admission::No, "the probe alone decides");
        }
        place.breaker.began(before, place.now);
        place.breaker.unknown(before, place.now);
        assert_eq!(place.admit(), Admission::No, "nor is there room for another one");
        place.breaker.unknown(place.breaker.since(Admission::No), place.now);
        assert_eq!(place.admit(), Admission::No, "nor by one that went there all the same");
        assert_eq!(place.end_of(probe, true), Some(Turn::Recovering));
        assert_eq!(place.end_of(before, false), None);
        assert_eq!(place.admit(), Admission::Yes, "it goes on recovering");
        place.pass(STEP * STEPS.len() as u32);
        assert_eq!(place.end(true), Some(Turn::Closed));
        for _ in 0..3 {
            assert_eq!(place.end_of(before, false), None);
        }
        assert!(place.breaker.is_closed());
    }

    #[test]
    fn a_probe_that_was_given_up_is_none_any_more() {
        let mut place = Place::open();
        let lost = place.probe();
        place.pass(PROBING);
        assert_eq!(place.admit(), Admission::Probe);
        place.breaker.unknown(lost, place.now);
        place.end_of(lost, false);
        assert_eq!(place.admit(), Admission::No, "the second one is under way");
        place.pass(PROBING);
        assert_eq!(place.admit(), Admission::Probe, "and was not sent back by what the first one met");
    }

    #[test]
    fn a_relapse_opens_it_again() {
        let mut place = Place::open();
        place.pass(LIMITS.probe_every);
        place.admit();
        place.end(true);
        assert_eq!(place.admit(), Admission::Yes, "of few calls the first goes there");
        assert_eq!(place.end(false), None);
        assert_eq!(place.admit(), Admission::No);
    }
}
