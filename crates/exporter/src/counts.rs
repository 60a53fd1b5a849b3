//! What became of everything that was seen: counted without locks, on the call path too.
//! Per call: a few atomic additions; no allocation, no lock, no wait.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Signal;

/// What became of the items of one kind: `seen = exported + waiting + dropped`, in every snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Handed to the exporter.
    pub seen: u64,
    /// Taken by the endpoint, which said so.
    pub exported: u64,
    /// Held in memory or on the way.
    pub waiting: u64,
    /// Lost: refused, overflown, or not taken before the end.
    pub dropped: u64,
}

/// What became of everything. The four counts are each consistent; they are read one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Calls. One is exported when its record or its spans arrived, dropped when nothing of it did.
    pub calls: Count,
    /// Spans: one per call and one per attempt.
    pub traces: Count,
    /// Log records: one per call.
    pub logs: Count,
    /// Metric points, counted at each collection.
    pub metrics: Count,
}

impl Counts {
    /// The count of one signal.
    #[must_use]
    pub const fn of(&self, signal: Signal) -> Count {
        match signal {
            Signal::Traces => self.traces,
            Signal::Logs => self.logs,
            Signal::Metrics => self.metrics,
        }
    }
}

/// The running count of one kind.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    seen: AtomicU64,
    exported: AtomicU64,
    dropped: AtomicU64,
}

impl Tally {
    /// Counts items in. Always before they can be settled.
    pub(crate) fn saw(&self, items: u64) {
        self.seen.fetch_add(items, Ordering::Release);
    }

    /// Counts items that arrived.
    pub(crate) fn exported(&self, items: u64) {
        self.exported.fetch_add(items, Ordering::Release);
    }

    /// Counts items that are lost.
    pub(crate) fn dropped(&self, items: u64) {
        self.dropped.fetch_add(items, Ordering::Release);
    }

    /// A consistent snapshot. What is settled is read before what was seen: an item is seen first, so the difference
    /// can never be negative, and it is exactly what waited at some moment in between.
    pub(crate) fn snapshot(&self) -> Count {
        let exported = self.exported.load(Ordering::Acquire);
        let dropped = self.dropped.load(Ordering::Acquire);
        let seen = self.seen.load(Ordering::Acquire);
        Count { seen, exported, waiting: seen.saturating_sub(exported).saturating_sub(dropped), dropped }
    }
}

/// The running counts of everything.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    /// Calls.
    pub(crate) calls: Tally,
    traces: Tally,
    logs: Tally,
    metrics: Tally,
}

impl Tallies {
    /// The tally of one signal.
    pub(crate) const fn of(&self, signal: Signal) -> &Tally {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
            Signal::Metrics => &self.metrics,
        }
    }

    /// A snapshot of everything.
    pub(crate) fn snapshot(&self) -> Counts {
        Counts {
            calls: self.calls.snapshot(),
            traces: self.traces.snapshot(),
            logs: self.logs.snapshot(),
            metrics: self.metrics.snapshot(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        /// Several threads count items in and settle them while another looks: no snapshot shows more settled than
        /// seen, none runs backwards, and the last one holds everything.
        #[test]
        fn every_snapshot_adds_up(plan in proptest::collection::vec(proptest::collection::vec((1u64..50, any::<bool>()), 1..400), 1..4)) {
            let tally = Tally::default();
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let watcher = scope.spawn(|| {
                    let mut last = tally.snapshot();
                    while !done.load(Ordering::Acquire) {
                        let now = tally.snapshot();
                        assert_eq!(now.seen, now.exported + now.waiting + now.dropped);
                        assert!(now.seen >= last.seen && now.exported >= last.exported && now.dropped >= last.dropped);
                        last = now;
                    }
                });
                let workers: Vec<_> = plan
                    .iter()
                    .map(|items| {
                        let tally = &tally;
                        scope.spawn(move || {
                            for (items, arrives) in items {
                                tally.saw(*items);
                                if *arrives { tally.exported(*items) } else { tally.dropped(*items) }
                            }
                        })
                    })
                    .collect();
                for worker in workers {
                    worker.join().unwrap();
                }
                done.store(true, Ordering::Release);
                watcher.join().unwrap();
            });
            let sum = |arrived: bool| {
                plan.iter().flatten().filter(|(_, arrives)| *arrives == arrived).map(|(items, _)| items).sum::<u64>()
            };
            let end = tally.snapshot();
            prop_assert_eq!((end.exported, end.dropped, end.waiting), (sum(true), sum(false), 0));
        }
    }
}
