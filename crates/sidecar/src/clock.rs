//! Time of one call: wall clock once, then the monotonic clock, so that durations survive a clock step.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use outrigger_ledger::Timestamp;

/// Reads timestamps for one call.
#[derive(Clone, Copy)]
pub(crate) struct CallClock {
    wall: u64,
    mono: Instant,
}

impl CallClock {
    /// Starts at the present instant.
    pub(crate) fn start() -> CallClock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        CallClock { wall: u64::try_from(wall).unwrap_or(u64::MAX), mono: Instant::now() }
    }

    /// The instant at which the clock was started.
    pub(crate) const fn started(&self) -> Timestamp {
        Timestamp(self.wall)
    }

    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.mono.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Timestamp(self.wall.saturating_add(elapsed))
    }
}
