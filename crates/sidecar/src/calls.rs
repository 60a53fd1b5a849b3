//! What became of the calls that were begun, counted without locks. Per call: two atomic additions.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the calls that were begun: `begun = under_way + recorded + upgraded + lost`, in every snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Inference requests of the app, and responses asked for on its WebSockets.
    pub begun: u64,
    /// Not yet over.
    pub under_way: u64,
    /// Over, and their record handed to the recorder, which counts on from there.
    pub recorded: u64,
    /// Handshakes that became a WebSocket, whose responses are calls of their own.
    pub upgraded: u64,
    /// Over without a record, by a fault of our own.
    pub lost: u64,
}

/// The running count.
#[derive(Default)]
pub(crate) struct Tally {
    begun: AtomicU64,
    recorded: AtomicU64,
    upgraded: AtomicU64,
    lost: AtomicU64,
}

impl Tally {
    /// Counts a call in. Always before it can end.
    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn recorded(&self) {
        self.recorded.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn upgraded(&self) {
        self.upgraded.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn lost(&self) {
        self.lost.fetch_add(1, Ordering::Release);
    }

    /// A consistent snapshot: ends are read before beginnings, so that nothing has ended which was not begun.
    pub(crate) fn snapshot(&self) -> Calls {
        let recorded = self.recorded.load(Ordering::Acquire);
        let upgraded = self.upgraded.load(Ordering::Acquire);
        let lost = self.lost.load(Ordering::Acquire);
        let begun = self.begun.load(Ordering::Acquire);
        let under_way = begun.saturating_sub(recorded).saturating_sub(upgraded).saturating_sub(lost);
        Calls { begun, under_way, recorded, upgraded, lost }
    }
}
