//! Whether a share of bad calls is a change or noise. Few calls are judged one by one, many by their share in a window
//! against what was usual before.

use outrigger_ledger::Timestamp;

const SECOND: u64 = 1_000_000_000;
/// Width of a slice of the window.
const SLICE: u64 = SECOND;
/// The window that begins a verdict.
const NEAR: usize = 5;
/// The window that ends one.
const FAR: usize = 30;
/// From so many calls in the near window on, shares are judged; below it each call.
const MANY: u32 = 20;
/// Of few calls: so many bad ones in a row, or so many among the last eight. One call in a hundred fails in ordinary traffic; by
/// chance three of them in a row come once in a million calls.
const IN_A_ROW: u32 = 3;
const AMONG_EIGHT: u32 = 4;
/// Of many calls: at least this share, per cent.
const SHARE: u32 = 10;
/// What is taken for usual before anything is known, and never less: 1 %.
const USUAL: f64 = 0.01;
/// Calls after which half of what was usual is forgotten.
const HALF_LIFE: f64 = 2000.0;
/// Good calls, and seconds since the last bad one, that end a verdict over few calls.
const GOOD_AGAIN: u32 = 3;
const CALM: u64 = 10 * SECOND;
/// What is not seen for so long is over, whatever it was.
const SILENCE: u64 = 300 * SECOND;
pub(crate) const UNSEEN: &str = "it was not seen for five minutes";

/// Whether something that was last seen then is over by silence alone.
pub(crate) const fn is_silent(last: Timestamp, now: Timestamp) -> bool {
    now.since(last) >= SILENCE
}

#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    /// Which second it counts.
    at: u64,
    calls: u32,
    bad: u32,
}

/// Calls of one kind in one place, good and bad.
#[derive(Debug, Clone)]
pub(crate) struct Trend {
    slices: [Slice; FAR],
    /// The last eight calls, the newest in the lowest bit; 1 is bad.
    last_eight: u8,
    seen: u32,
    good_since: u32,
    usual: f64,
    last_bad: Timestamp,
    last: Timestamp,
    pub(crate) active: bool,
}

/// What a call changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Begins,
    Ends(&'static str),
}

/// How many calls of the near past were bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) bad: u32,
    pub(crate) calls: u32,
}

impl Trend {
    pub(crate) fn new() -> Trend {
        Trend {
            slices: [Slice::default(); FAR],
            last_eight: 0,
            seen: 0,
            good_since: 0,
            usual: USUAL,
            last_bad: Timestamp(0),
            last: Timestamp(0),
            active: false,
        }
    }

    /// Takes one call in.
    pub(crate) fn call(&mut self, at: Timestamp, bad: bool) -> Option<Turn> {
        let second = at.0 / SLICE;
        let slice = &mut self.slices[(second % FAR as u64) as usize];
        if slice.at != second {
            *slice = Slice { at: second, ..Slice::default() };
        }
        slice.calls = slice.calls.saturating_add(1);
        slice.bad = slice.bad.saturating_add(u32::from(bad));
        self.last_eight = self.last_eight << 1 | u8::from(bad);
        self.seen = self.seen.saturating_add(1);
        self.last = at;
        if bad {
            self.last_bad = at;
            self.good_since = 0;
        } else {
            self.good_since = self.good_since.saturating_add(1);
        }
        let near = self.share(at, NEAR);
        let turn = if self.active {
            self.is_over(at, near).then_some(Turn::Ends("calls succeed again"))
        } else {
            (bad && self.is_much(near)).then_some(Turn::Begins)
        };
        match turn {
            Some(Turn::Begins) => self.active = true,
            Some(Turn::Ends(_)) => self.active = false,
            // What happens during a verdict is not usual.
            None if !self.active => {
                self.usual += (f64::from(u8::from(bad)) - self.usual) / HALF_LIFE;
            }
            None => {}
        }
        turn
    }

    /// Time passes without a call.
    pub(crate) fn time(&mut self, now: Timestamp) -> Option<Turn> {
        let over = self.active && is_silent(self.last_bad, now);
        self.active &= !over;
        over.then_some(Turn::Ends(UNSEEN))
    }

    /// Whether nothing is known any more that matters.
    pub(crate) fn is_stale(&self, now: Timestamp) -> bool {
        !self.active && is_silent(self.last, now)
    }

    /// Bad calls among those of the last seconds, or of the last eight where that is more.
    pub(crate) fn recent(&self, at: Timestamp) -> Share {
        let near = self.share(at, NEAR);
        let calls = self.seen.min(8);
        let eight = Share { bad: self.last_eight.count_ones().min(calls), calls };
        if near.calls > eight.calls { near } else { eight }
    }

    fn share(&self, at: Timestamp, seconds: usize) -> Share {
        let second = at.0 / SLICE;
        self.slices.iter().filter(|slice| slice.at <= second && second - slice.at < seconds as u64).fold(
            Share { bad: 0, calls: 0 },
            |sum, slice| Share {
                bad: sum.bad.saturating_add(slice.bad),
                calls: sum.calls.saturating_add(slice.calls),
            },
        )
    }

    fn is_much(&self, near: Share) -> bool {
        if near.calls < MANY {
            return self.last_eight.trailing_ones() >= IN_A_ROW
                || self.last_eight.count_ones() >= AMONG_EIGHT;
        }
        let (bad, calls) = (f64::from(near.bad), f64::from(near.calls));
        let usual = self.usual.max(USUAL);
        // Four standard deviations of what is usual, and three calls more for the smallest windows.
        let chance = usual * calls + 4.0 * (calls * usual * (1.0 - usual)).sqrt() + 3.0;
        near.bad.saturating_mul(100) >= near.calls.saturating_mul(SHARE) && bad > chance
    }

    fn is_over(&self, at: Timestamp, near: Share) -> bool {
        if near.calls < MANY {
            return self.good_since >= GOOD_AGAIN && at.since(self.last_bad) >= CALM;
        }
        let far = self.share(at, FAR);
        let bearable = (2.0 * self.usual.max(USUAL)).min(f64::from(SHARE) / 200.0);
        let within = |share: Share| f64::from(share.bad) <= f64::from(share.calls) * bearable;
        // The last seconds are good, and they are no chance: so is a tenth of the far window or the whole of it.
        within(near) && (within(far) || self.good_since >= far.calls / 10)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: u64 = 60 * SECOND;

    /// Calls at an even pace; a small generator decides which are bad.
    struct Traffic {
        trend: Trend,
        at: u64,
        pace: u64,
        state: u64,
        turns: Vec<(u64, Turn)>,
    }

    impl Traffic {
        fn new(pace: u64, seed: u64) -> Traffic {
            Traffic { trend: Trend::new(), at: 1_000 * SECOND, pace, state: seed | 1, turns: Vec::new() }
        }

        fn random(&mut self) -> f64 {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            (self.state >> 11) as f64 / (1u64 << 53) as f64
        }

        fn run(&mut self, calls: u32, bad: f64) {
            for _ in 0..calls {
                self.at += self.pace;
                let bad = self.random() < bad;
                if let Some(turn) = self.trend.call(Timestamp(self.at), bad) {
                    self.turns.push((self.at, turn));
                }
            }
        }
    }

    #[test]
    fn three_failures_in_a_row_are_enough_where_there_are_few_calls() {
        let mut few = Traffic::new(20 * SECOND, 1);
        few.run(30, 0.0);
        few.run(2, 1.0);
        assert!(few.turns.is_empty());
        few.run(1, 1.0);
        assert_eq!(few.turns, [(few.at, Turn::Begins)]);
        few.run(2, 0.0);
        assert_eq!(few.turns.len(), 1);
        few.run(1, 0.0);
        assert_eq!(few.turns[1], (few.at, Turn::Ends("calls succeed again")));
    }

    #[test]
    fn half_of_many_calls_failing_is_seen_within_seconds_and_so_is_its_end() {
        let mut many = Traffic::new(SECOND / 300, 7);
        many.run(30_000, 0.01);
        assert!(many.turns.is_empty(), "{:?}", many.turns);
        let begun = many.at;
        many.run(3000, 0.5);
        assert_eq!(many.turns.len(), 1, "{:?}", many.turns);
        assert!(many.turns[0].0 - begun < 5 * SECOND);
        let ended = many.at;
        many.run(20_000, 0.01);
        assert_eq!(many.turns.len(), 2, "{:?}", many.turns);
        assert!(many.turns[1].0 - ended < 30 * SECOND);
    }

    #[test]
    fn silence_ends_a_verdict_that_no_call_ends() {
        let mut few = Traffic::new(SECOND, 1);
        few.run(3, 1.0);
        assert_eq!(few.trend.time(Timestamp(few.at + 4 * MINUTE)), None);
        assert!(matches!(few.trend.time(Timestamp(few.at + 5 * MINUTE)), Some(Turn::Ends(_))));
        assert_eq!(few.trend.time(Timestamp(few.at + 6 * MINUTE)), None);
        assert!(few.trend.is_stale(Timestamp(few.at + 6 * MINUTE)));
    }

    /// 1 % of random errors, at 3 calls a minute as at 300 a second. By chance three of them come in a row, once in a million calls.
    #[test]
    fn ordinary_noise_begins_next_to_nothing() {
        let (mut calls, mut begun) = (0, 0);
        for pace in [20 * SECOND, SECOND, SECOND / 10, SECOND / 300] {
            for seed in 1..=40 {
                let mut traffic = Traffic::new(pace, seed * 7919);
                traffic.run(2500, 0.01);
                calls += 2500;
                begun += traffic.turns.iter().filter(|(_, turn)| *turn == Turn::Begins).count();
            }
        }
        assert!(begun * 100_000 <= calls, "{begun} verdicts over {calls} good calls");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// However calls fall, beginnings and ends take turns.
        #[test]
        fn turns_alternate(calls in prop::collection::vec((0u64..40 * SECOND, any::<bool>()), 0..400)) {
            let (mut trend, mut at, mut active) = (Trend::new(), 0, false);
            for (pause, bad) in calls {
                at += pause;
                for turn in [trend.time(Timestamp(at)), trend.call(Timestamp(at), bad)].into_iter().flatten() {
                    prop_assert_eq!(matches!(turn, Turn::Begins), !active);
                    active = !active;
                }
                prop_assert_eq!(trend.active, active);
            }
        }
    }
}
