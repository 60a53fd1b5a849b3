//! How long to wait before a request is repeated.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// First wait.
const FIRST: Duration = Duration::from_millis(500);
/// Longest wait of our own; an endpoint may ask for more.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits that double, each shortened by up to half at random so that many pods do not return as one.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    jitter: RandomState,
    taken: u32,
}

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff { next: FIRST, jitter: RandomState::new(), taken: 0 }
    }

    /// Whether there was a wait already.
    pub(crate) fn waited(&self) -> bool {
        self.taken > 0
    }

    /// The next wait: at least what the endpoint asked for.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let share = self.jitter.hash_one(self.taken) % 512;
        self.taken = self.taken.wrapping_add(1);
        let wait = self.next - self.next.mul_f64(f64::from(u32::try_from(share).unwrap_or(0)) / 1024.0);
        self.next = (self.next * 2).min(LONGEST);
        asked.map_or(wait, |asked| asked.max(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_vary_by_half_at_most() {
        let mut backoff = Backoff::new();
        let mut full = FIRST;
        for _ in 0..12 {
            let wait = backoff.next(None);
            assert!(wait <= full && wait >= full / 2, "{wait:?} of {full:?}");
            full = (full * 2).min(LONGEST);
        }
    }

    #[test]
    fn a_longer_wait_that_was_asked_for_is_kept() {
        assert_eq!(Backoff::new().next(Some(Duration::from_secs(90))), Duration::from_secs(90));
        assert!(Backoff::new().next(Some(Duration::ZERO)) >= FIRST / 2);
    }
}
