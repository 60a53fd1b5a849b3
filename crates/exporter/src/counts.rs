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
