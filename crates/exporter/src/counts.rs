//! What became of everything that was seen: counted without locks, on the call path too.
//! Per call: a few atomic additions; no allocation, no lock, no wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Signal;
use crate::spool::{self, SpoolStatus};

/// Why an item was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropCause {
    /// No room was left in memory.
    NoRoom,
    /// The endpoint does not take the signal.
    Refused,
    /// The endpoint turned a request down for good.
    Rejected,
    /// One item alone is larger than the endpoint takes.
    TooLarge,
    /// The endpoint took the rest of a request but not this (a partial success).
    Partial,
    /// Not taken before the end.
    Ended,
    /// A newer collection of metrics holds all that this one held.
    Superseded,
    /// It lay in the spool when the spool was full.
    SpoolFull,
    /// It lay in the spool for too long.
    SpoolAge,
    /// It lay in the spool and cannot be read any more.
    SpoolBroken,
}

impl DropCause {
    /// Every cause.
    pub const ALL: [DropCause; 10] = [
        DropCause::NoRoom,
        DropCause::Refused,
        DropCause::Rejected,
        DropCause::TooLarge,
        DropCause::Partial,
        DropCause::Ended,
        DropCause::Superseded,
        DropCause::SpoolFull,
        DropCause::SpoolAge,
        DropCause::SpoolBroken,
    ];

    /// The word used in metrics and in the status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DropCause::NoRoom => "no_room",
            DropCause::Refused => "refused",
            DropCause::Rejected => "rejected",
            DropCause::TooLarge => "too_large",
            DropCause::Partial => "partial_success",
            DropCause::Ended => "ended",
            DropCause::Superseded => "superseded",
            DropCause::SpoolFull => "spool_full",
            DropCause::SpoolAge => "spool_age",
            DropCause::SpoolBroken => "spool_broken",
        }
    }
}

/// Lost items by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops([u64; DropCause::ALL.len()]);

impl Drops {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those of one cause.
    #[must_use]
    pub const fn of(&self, cause: DropCause) -> u64 {
        self.0[cause as usize]
    }

    /// Every cause with its count, zeros too.
    pub fn each(&self) -> impl Iterator<Item = (DropCause, u64)> {
        DropCause::ALL.into_iter().zip(self.0)
    }
}

impl<const N: usize> From<[(DropCause, u64); N]> for Drops {
    fn from(counts: [(DropCause, u64); N]) -> Drops {
        let mut drops = Drops::default();
        for (cause, count) in counts {
            drops.0[cause as usize] += count;
        }
        drops
    }
}

/// What became of the items of one kind: `seen + recovered = exported + waiting + spooled + dropped`, in every snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Handed to the exporter.
    pub seen: u64,
    /// Found in the spool at the start: an earlier process had seen them.
    pub recovered: u64,
    /// Taken by the endpoint, which said so.
    pub exported: u64,
    /// Held in memory or on the way.
    pub waiting: u64,
    /// Kept on disk.
    pub spooled: u64,
    /// Lost, and why.
    pub dropped: Drops,
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

    /// Every kind with its word in metrics and in the status: calls, and each signal.
    #[must_use]
    pub const fn each(&self) -> [(&'static str, Count); 4] {
        [
            ("calls", self.calls),
            (Signal::Traces.as_str(), self.traces),
            (Signal::Logs.as_str(), self.logs),
            (Signal::Metrics.as_str(), self.metrics),
        ]
    }
}

/// Tells the counts of an exporter to whoever does not hold it, from any thread, also after its end.
#[derive(Debug, Clone)]
pub struct CountsReader(pub(crate) Arc<Tallies>);

impl CountsReader {
    /// What became of everything so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.snapshot()
    }

    /// How the spool is; nothing where none is configured.
    #[must_use]
    pub fn spool(&self) -> Option<SpoolStatus> {
        self.0.spool.status()
    }
}

/// The running count of one kind.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    seen: AtomicU64,
    recovered: AtomicU64,
    /// Ever kept on disk, and ever gone from there.
    kept: AtomicU64,
    left: AtomicU64,
    exported: AtomicU64,
    dropped: [AtomicU64; DropCause::ALL.len()],
}

impl Tally {
    /// Counts items in. Always before they can be settled.
    pub(crate) fn saw(&self, items: u64) {
        self.seen.fetch_add(items, Ordering::Release);
    }

    /// Counts items in that an earlier process left in the spool. Always before they are counted as kept.
    pub(crate) fn recovered(&self, items: u64) {
        self.recovered.fetch_add(items, Ordering::Release);
    }

    /// Counts items that the disk holds now.
    pub(crate) fn kept(&self, items: u64) {
        self.kept.fetch_add(items, Ordering::Release);
    }

    /// Counts items that the disk holds no longer. Always before they are settled.
    pub(crate) fn left(&self, items: u64) {
        self.left.fetch_add(items, Ordering::Release);
    }

    /// Counts items that arrived.
    pub(crate) fn exported(&self, items: u64) {
        self.exported.fetch_add(items, Ordering::Release);
    }

    /// Counts items that are lost.
    pub(crate) fn dropped(&self, cause: DropCause, items: u64) {
        self.dropped[cause as usize].fetch_add(items, Ordering::Release);
    }

    /// A consistent snapshot. What an item passes last is read first: seen, kept, left and settled come in this order, so no
    /// difference can be negative, and what waits is exactly what waited at some moment in between.
    pub(crate) fn snapshot(&self) -> Count {
        let exported = self.exported.load(Ordering::Acquire);
        let dropped = Drops(self.dropped.each_ref().map(|cause| cause.load(Ordering::Acquire)));
        let left = self.left.load(Ordering::Acquire);
        let spooled = self.kept.load(Ordering::Acquire).saturating_sub(left);
        let recovered = self.recovered.load(Ordering::Acquire);
        let seen = self.seen.load(Ordering::Acquire);
        let settled = exported + spooled + dropped.total();
        let waiting = (seen + recovered).saturating_sub(settled);
        Count { seen, recovered, exported, waiting, spooled, dropped }
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
    /// How the spool is.
    pub(crate) spool: spool::State,
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
        fn every_snapshot_adds_up(plan in proptest::collection::vec(proptest::collection::vec((1u64..50, 0..=DropCause::ALL.len(), any::<bool>()), 1..400), 1..4)) {
            let tally = Tally::default();
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let watcher = scope.spawn(|| {
                    let mut last = tally.snapshot();
                    while !done.load(Ordering::Acquire) {
                        let now = tally.snapshot();
                        assert_eq!(now.seen, now.exported + now.waiting + now.spooled + now.dropped.total());
                        assert!(now.seen >= last.seen && now.exported >= last.exported);
                        assert!(DropCause::ALL.iter().all(|cause| now.dropped.of(*cause) >= last.dropped.of(*cause)));
                        last = now;
                    }
                });
                let workers: Vec<_> = plan
                    .iter()
                    .map(|items| {
                        let tally = &tally;
                        scope.spawn(move || {
                            for (items, fate, spooled) in items {
                                tally.saw(*items);
                                if *spooled {
                                    tally.kept(*items);
                                    tally.left(*items);
                                }
                                match DropCause::ALL.get(*fate) {
                                    None => tally.exported(*items),
                                    Some(cause) => tally.dropped(*cause, *items),
                                }
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
            let sum = |wanted: usize| {
                plan.iter().flatten().filter(|(_, fate, _)| *fate == wanted).map(|(items, ..)| items).sum::<u64>()
            };
            let end = tally.snapshot();
            prop_assert_eq!((end.exported, end.waiting, end.spooled), (sum(DropCause::ALL.len()), 0, 0));
            for (cause, lost) in end.dropped.each() {
                prop_assert_eq!(lost, sum(cause as usize), "{}", cause.as_str());
            }
        }
    }
}
