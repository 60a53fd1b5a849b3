//! How many calls may be tried again: a share of all calls of late, so that retries never multiply an outage. One per rule; per
//! call and retry, without allocation. Time is handed in.

use tokio::time::Instant;

/// The time that is looked back.
const WINDOW: u64 = 10;
/// Retries that a window has in any case: a share of few calls would be none.
const FLOOR: u64 = 3;

/// Counts calls and retries of late.
#[derive(Debug)]
pub(crate) struct Budget {
    began: Instant,
    /// One for each second of the window.
    seconds: [Second; WINDOW as usize],
}

#[derive(Debug, Clone, Copy, Default)]
struct Second {
    number: u64,
    calls: u32,
    retries: u32,
}

impl Budget {
    pub(crate) fn new(now: Instant) -> Budget {
        Budget { began: now, seconds: [Second::default(); WINDOW as usize] }
    }

    /// A call came, of which a retry may follow.
    pub(crate) fn call(&mut self, now: Instant) {
        let second = self.second(now);
        second.calls = second.calls.saturating_add(1);
    }

    /// Takes one retry, if the share (in hundredths of the calls) allows it.
    pub(crate) fn take(&mut self, share: u8, now: Instant) -> bool {
        let number = self.second(now).number;
        let near = self.seconds.iter().filter(|second| second.number + WINDOW > number);
        let (calls, retries) = near.fold((0u64, 0u64), |(calls, retries), second| {
            (calls + u64::from(second.calls), retries + u64::from(second.retries))
        });
        let allowed = retries < (calls * u64::from(share) / 100).max(FLOOR);
        if allowed {
            let second = self.second(now);
            second.retries = second.retries.saturating_add(1);
        }
        allowed
    }

    fn second(&mut self, now: Instant) -> &mut Second {
        // Not from 0: a second that was never used has that.
        let number = now.duration_since(self.began).as_secs() + WINDOW;
        let second = &mut self.seconds[(number % WINDOW) as usize];
        if second.number != number {
            *second = Second { number, ..Second::default() };
        }
        second
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const LOOKED_BACK: Duration = Duration::from_secs(WINDOW);

    #[test]
    fn retries_are_a_share_of_the_calls_and_a_few_in_any_case() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        assert_eq!((0..10).filter(|_| budget.take(20, now)).count() as u64, FLOOR);
        for _ in 0..100 {
            budget.call(now);
        }
        assert_eq!((0..100).filter(|_| budget.take(20, now)).count() as u64, 20 - FLOOR);
        let later = now + LOOKED_BACK;
        assert_eq!(
            (0..10).filter(|_| budget.take(20, later)).count() as u64,
            FLOOR,
            "what is past is forgotten"
        );
    }

    proptest! {
        /// However calls and retries fall, none is taken that would be more than the window's share.
        #[test]
        fn no_window_exceeds_it(share in 0u8..=100, steps in prop::collection::vec((0u64..900, 0u32..30), 1..200)) {
            let mut now = Instant::now();
            let mut budget = Budget::new(now);
            let mut log: Vec<(Instant, u64, u64)> = Vec::new();
            for (pause, calls) in steps {
                now += Duration::from_millis(pause);
                for _ in 0..calls {
                    budget.call(now);
                }
                let taken = (0..calls).filter(|_| budget.take(share, now)).count() as u64;
                log.push((now, calls.into(), taken));
                // Whole seconds are forgotten: the shortest time that is looked back is one less.
                let near = log.iter().filter(|(at, ..)| now.duration_since(*at) < LOOKED_BACK - Duration::from_secs(1));
                let retries: u64 = near.map(|(.., retries)| retries).sum();
                let far = log.iter().filter(|(at, ..)| now.duration_since(*at) <= LOOKED_BACK);
                let calls: u64 = far.map(|(_, calls, _)| calls).sum();
                // Where none was taken the calls that allowed the others may be forgotten.
                prop_assert!(taken == 0 || retries <= (calls * u64::from(share) / 100).max(FLOOR));
            }
        }
    }
}
