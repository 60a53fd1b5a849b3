//! The times between the pieces of a streamed answer, sorted into buckets as they pass. Per frame, where they are asked for: a subtraction
//! and two additions; the one allocation is the call's.

use crate::Timestamp;

/// Nanoseconds of the first bucket; each further one ends at twice the time.
const FIRST: u64 = 10_000_000;
/// Buckets, the one to infinity included.
const BUCKETS: usize = ChunkTimes::BOUNDS.len() + 1;

/// Times between what arrived together of one answer, from its first content on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkTimes {
    last: Timestamp,
    buckets: [(u32, u64); BUCKETS],
}

impl ChunkTimes {
    /// Upper bounds of the buckets in seconds, by the GenAI conventions; a time that is one of them lies below it.
    pub const BOUNDS: [f64; 14] =
        [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

    /// None yet; the first content came at this time.
    #[must_use]
    pub const fn since(first: Timestamp) -> ChunkTimes {
        ChunkTimes { last: first, buckets: [(0, 0); BUCKETS] }
    }

    /// The next piece came.
    pub fn piece(&mut self, at: Timestamp) {
        let took = at.since(self.last);
        self.last = at;
        // The doublings of the first bound that the time lies above.
        let doublings = u64::BITS - (took.saturating_sub(1) / FIRST).leading_zeros();
        let bucket = usize::try_from(doublings).map_or(BUCKETS - 1, |at| at.min(BUCKETS - 1));
        let (count, sum) = &mut self.buckets[bucket];
        *count = count.saturating_add(1);
        *sum = sum.saturating_add(took);
    }

    /// Of each bucket that has any: how many times lie in it, and their mean in nanoseconds, which lies in it too.
    pub fn means(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.buckets
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|&(count, sum)| (count, sum / u64::from(count)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_time_is_in_its_bucket_and_none_is_lost(
            times in prop::collection::vec(prop_oneof![0..100_000_000_000_u64, (0..15_u32, 0..3_u64).prop_map(|(of, off)| (FIRST << of) + off - 1)], 1..50),
        ) {
            let mut at = 5;
            let mut chunks = ChunkTimes::since(Timestamp(at));
            for time in &times {
                at += time;
                chunks.piece(Timestamp(at));
            }
            for (bucket, &(count, sum)) in chunks.buckets.iter().enumerate() {
                let above = bucket.checked_sub(1).map_or(0, |bucket| FIRST << bucket);
                let up_to = if bucket == BUCKETS - 1 { u64::MAX } else { FIRST << bucket };
                let in_it = times.iter().filter(|time| (**time > above || bucket == 0) && **time <= up_to);
                prop_assert_eq!((count as usize, sum), (in_it.clone().count(), in_it.sum()));
            }
        }
    }

    #[test]
    fn the_bounds_are_the_doublings_of_the_first() {
        for (bucket, bound) in ChunkTimes::BOUNDS.iter().enumerate() {
            assert!((bound * 1e9 - (FIRST << bucket) as f64).abs() < 1.0, "{bound}");
        }
    }
}
