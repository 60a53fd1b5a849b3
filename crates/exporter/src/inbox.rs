//! Where finished calls are handed over. Per call, on the thread of the call: a few atomic additions and one push into
//! a bounded queue; no lock, no wait, no encoding. The exporter's thread is woken at most once per [`PAUSE`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use outrigger_ledger::{CallRecord, Recorder, Wants};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::counts::{Tallies, Tally};
use crate::schema::{self, Tracing};
use crate::{DropCause, Signal};

/// Calls held between two visits of the exporter's thread; a burst of 80,000 calls a second fits.
pub(crate) const ROOM: usize = 4096;

/// The exporter's thread looks at most this often, unless the inbox is half full: a wake-up costs more than a call's
/// whole telemetry, so calls that end close together share one.
const PAUSE: Duration = Duration::from_millis(50);

/// Which signals a call is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Spans: off, or of which calls.
    pub(crate) traces: Option<Tracing>,
    /// Log records.
    pub(crate) logs: bool,
    /// The event of a call's details.
    pub(crate) details: bool,
}

/// What both ends share.
#[derive(Debug)]
struct Shared {
    tallies: Arc<Tallies>,
    wanted: Wanted,
    /// Whether the exporter's thread waits to be woken by the next call.
    asleep: AtomicBool,
    bell: Notify,
}

impl Shared {
    fn count(&self, record: &CallRecord, count: impl Fn(&Tally, u64)) {
        count(&self.tallies.calls, 1);
        if self.wanted.logs {
            count(self.tallies.of(Signal::Logs), schema::log_count(record, self.wanted.details));
        }
        if self.wanted.traces.is_some_and(|tracing| tracing.wants(record)) {
            count(self.tallies.of(Signal::Traces), schema::span_count(record));
        }
    }
}

/// The end that calls use.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    queue: mpsc::Sender<Arc<CallRecord>>,
    shared: Arc<Shared>,
    wants: Wants,
}

impl Slot {
    /// The same, whose calls come with what is wanted beside their records.
    pub(crate) fn with(self, wants: Wants) -> Slot {
        Slot { wants, ..self }
    }
}

/// The end that the exporter's thread reads.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: mpsc::Receiver<Arc<CallRecord>>,
    shared: Arc<Shared>,
    visited: Option<Instant>,
}

/// An inbox and its slot.
pub(crate) fn inbox(room: usize, wanted: Wanted, tallies: Arc<Tallies>) -> (Slot, Inbox) {
    let (sender, receiver) = mpsc::channel(room);
    let shared = Arc::new(Shared { tallies, wanted, asleep: AtomicBool::new(false), bell: Notify::new() });
    (
        Slot { queue: sender, shared: Arc::clone(&shared), wants: Wants::default() },
        Inbox { queue: receiver, shared, visited: None },
    )
}

impl Recorder for Slot {
    fn try_record(&self, record: Arc<CallRecord>) {
        // Seen before it can be settled, so that no snapshot shows more settled than seen.
        self.shared.count(&record, Tally::saw);
        if let Err(refused) = self.queue.try_send(record) {
            let (record, cause) = match refused {
                TrySendError::Full(record) => (record, DropCause::NoRoom),
                TrySendError::Closed(record) => (record, DropCause::Ended),
            };
            self.shared.count(&record, |tally, items| tally.dropped(cause, items));
            return;
        }
        // The swap comes after the push, and the reader looks again after it has set the flag: one of the two sees
        // the other.
        let crowded = self.queue.capacity() < self.queue.max_capacity() / 2;
        if self.shared.asleep.swap(false, Ordering::SeqCst) || crowded {
            self.shared.bell.notify_one();
        }
    }

    fn wants(&self) -> Wants {
        self.wants.clone()
    }
}

impl Inbox {
    /// Waits for calls, at least [`PAUSE`] since the last visit unless they crowd. Returns when the first came.
    pub(crate) async fn ready(&mut self) -> Instant {
        self.shared.asleep.store(true, Ordering::SeqCst);
        if self.queue.is_empty() {
            self.shared.bell.notified().await;
        }
        self.shared.asleep.store(false, Ordering::SeqCst);
        let since = Instant::now();
        let pause = self.visited.map_or(since, |visited| visited + PAUSE);
        let crowded = self.queue.len() > self.queue.max_capacity() / 2;
        if pause > since && !crowded {
            tokio::select! {
                () = tokio::time::sleep_until(pause) => {}
                () = self.shared.bell.notified() => {}
            }
        }
        self.visited = Some(Instant::now());
        since
    }

    /// The next call that is there.
    pub(crate) fn take(&mut self) -> Option<Arc<CallRecord>> {
        self.queue.try_recv().ok()
    }

    /// Takes no more calls; what comes from now on is dropped and counted where it comes.
    pub(crate) fn close(&mut self) {
        self.queue.close();
    }

    /// The next call of a closed inbox; `None` when none can follow.
    pub(crate) async fn rest(&mut self) -> Option<Arc<CallRecord>> {
        self.queue.recv().await
    }

    /// Counts a call that was taken out but will not be sent: the end has come.
    pub(crate) fn give_up(&self, record: &CallRecord) {
        self.shared.count(record, |tally, items| tally.dropped(DropCause::Ended, items));
    }
}

/// Whoever drops the inbox, a fault of ours included, has lost what it held, and that is counted.
impl Drop for Inbox {
    fn drop(&mut self) {
        self.close();
        while let Some(record) = self.take() {
            self.give_up(&record);
        }
    }
}
