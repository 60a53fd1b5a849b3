//! Telemetry on disk while its endpoint is away: encoded requests in a bounded, checksummed log, sent in order when the endpoint
//! is back. Nothing here runs while the endpoint takes what it is given, but for one look at what an earlier run left.
//!
//! The disk has a thread of its own: a volume that hangs holds up neither calls, nor the other signals, nor the end; what comes
//! meanwhile waits in the lanes' bounded memory.
//!
//! ```text
//! mod       what a lane asks for
//! disk      the directory: one process, a cap, an age, what is given up first
//! load      what moves
//! log       one signal's segments, written at one end and read at the other
//! format    bytes of a segment
//! cursor    up to where it was sent
//! sink      where segments go
//! halves    a request that is too large, in two
//! ```

mod cursor;
mod disk;
mod format;
mod halves;
mod load;
mod log;
mod sink;
mod state;
#[cfg(test)]
pub(crate) mod testing;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use crate::Signal;
use crate::counts::Tallies;
use crate::exporter::give_way;
use disk::Disk;

pub(crate) use cursor::Place;
pub(crate) use halves::halves;
pub(crate) use load::{Batch, Most};
pub use state::SpoolStatus;
pub(crate) use state::State;

/// Where and how much is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolSettings {
    /// The directory; made where it is missing. One process at a time.
    pub directory: PathBuf,
    /// Most bytes it may take; else 128 MiB, or half of what the volume has free where that is less.
    pub bytes: Option<u64>,
    /// How long telemetry is kept in it.
    pub age: Duration,
    /// Whether prompts and answers go in, where they are captured.
    pub content: bool,
}

impl SpoolSettings {
    /// The smallest cap that makes sense: some requests of a few calls.
    pub const LEAST_BYTES: u64 = 1024 * 1024;
}

/// One encoded request on its way to the disk.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The encoded request.
    pub(crate) body: Bytes,
    /// Spans or records in it.
    pub(crate) items: u32,
    /// Calls whose fate it decides.
    pub(crate) calls: u32,
}

/// Whether an entry is kept: where it ends, or why not.
pub(crate) type Kept = Result<Place, Refusal>;

/// Why an entry is not kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no spool after all, which was said.
    Gone,
    /// A request of so many bytes is longer than it takes.
    TooLong(u64),
    /// There is too little room for it now; for less there may be.
    NoRoom(String),
    /// The disk does not take anything now.
    Faulty(String),
}

/// What a lane asks of the disk. Answered in the order of asking.
pub(crate) enum Command {
    /// Keep this.
    Append { signal: Signal, entry: Entry, answer: oneshot::Sender<Kept> },
    /// Hand out what is oldest.
    Head { signal: Signal, most: Most, answer: oneshot::Sender<Option<Batch>> },
    /// What was handed out is settled.
    Done { signal: Signal },
    /// What was handed out comes back.
    Release { signal: Signal },
}

/// What lanes and disk both see.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Items in each log.
    held: [AtomicU64; 2],
    /// Rung when a log begins to hold something.
    bells: [Notify; 2],
}

/// A lane's end of the spool.
pub(crate) struct Spool {
    post: Box<dyn Fn(Command) + Send>,
    shared: Arc<Shared>,
    content: bool,
}

impl Spool {
    /// Opens the spool on a thread of its own, which ends with the last of its handles and then drops `ended`. Returns at once: a
    /// directory that cannot be used is said by the thread.
    ///
    /// # Errors
    /// No thread is to be had.
    pub(crate) fn start(
        settings: &SpoolSettings,
        tallies: &Arc<Tallies>,
        ended: impl Send + 'static,
    ) -> std::io::Result<Spool> {
        Spool::start_on(sink::files, settings, tallies, ended)
    }

    fn start_on(
        make: impl Fn() -> sink::Make + Send + 'static,
        settings: &SpoolSettings,
        tallies: &Arc<Tallies>,
        ended: impl Send + 'static,
    ) -> std::io::Result<Spool> {
        let (sender, commands) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        tallies.spool.named(&settings.directory);
        let (owned, counted, seen) = (settings.clone(), Arc::clone(tallies), Arc::clone(&shared));
        std::thread::Builder::new().name("outrigger-spool".to_owned()).spawn(move || {
            give_way();
            match Disk::open(&owned, Arc::clone(&counted), seen, make) {
                Ok(mut disk) => {
                    while let Ok(command) = commands.recv() {
                        disk.obey(command);
                    }
                    disk.close();
                }
                Err(why) => {
                    tracing::error!(
                        why,
                        "there is no spool: telemetry is held in memory only; correct spool_dir (OUTRIGGER_SPOOL_DIR)"
                    );
                    counted.spool.failed(why);
                }
            }
            drop(ended);
        })?;
        let post = move |command| {
            // A thread that is gone drops the answer's sender, and that is the answer.
            let _gone = sender.send(command);
        };
        Ok(Spool { post: Box::new(post), shared, content: settings.content })
    }

    /// Keeps a request. Once this returns a place, neither the end of this process nor a full disk loses it.
    pub(crate) async fn append(&self, signal: Signal, entry: Entry) -> Kept {
        let (answer, answered) = oneshot::channel();
        (self.post)(Command::Append { signal, entry, answer });
        answered.await.unwrap_or(Err(Refusal::Gone))
    }

    /// The oldest requests of a signal, as one; they stay until [`Spool::done`]. Nothing when none is left.
    pub(crate) async fn head(&self, signal: Signal, most: Most) -> Option<Batch> {
        let (answer, answered) = oneshot::channel();
        (self.post)(Command::Head { signal, most, answer });
        answered.await.unwrap_or_else(|_| {
            self.shared.held[index(signal)].store(0, Ordering::Release);
            None
        })
    }

    /// What was handed out last is settled.
    pub(crate) fn done(&self, signal: Signal) {
        (self.post)(Command::Done { signal });
    }

    /// What was handed out last is not sent for a while.
    pub(crate) fn release(&self, signal: Signal) {
        (self.post)(Command::Release { signal });
    }

    /// Whether it holds anything of a signal.
    pub(crate) fn holds(&self, signal: Signal) -> bool {
        self.shared.held[index(signal)].load(Ordering::Acquire) > 0
    }

    /// Waits until it begins to hold something of a signal. May return early.
    pub(crate) async fn found(&self, signal: Signal) {
        self.shared.bells[index(signal)].notified().await;
    }

    /// Whether captured prompts and answers may go in.
    pub(crate) const fn content(&self) -> bool {
        self.content
    }

    /// One on a disk that hangs in every write until it is let go.
    #[cfg(test)]
    pub(crate) fn on_a_disk_that_hangs(
        settings: &SpoolSettings,
        tallies: &Arc<Tallies>,
        hold: testing::Hold,
        ended: impl Send + 'static,
    ) -> Spool {
        Spool::start_on(move || testing::hanging(&hold), settings, tallies, ended).unwrap()
    }

    /// One whose disk works on the thread of the test, so that paused time does not run ahead of it.
    #[cfg(test)]
    pub(crate) fn on_this_thread(
        settings: &SpoolSettings,
        tallies: &Arc<Tallies>,
        volume: &testing::Volume,
    ) -> Result<Spool, String> {
        let shared = Arc::new(Shared::default());
        tallies.spool.named(&settings.directory);
        let disk = Disk::open(settings, Arc::clone(tallies), Arc::clone(&shared), || volume.make())?;
        let disk = std::cell::RefCell::new(disk);
        let post = move |command| disk.borrow_mut().obey(command);
        Ok(Spool { post: Box::new(post), shared, content: settings.content })
    }
}

/// Metrics are not spooled: their log would be empty.
const fn index(signal: Signal) -> usize {
    match signal {
        Signal::Traces => 0,
        Signal::Logs | Signal::Metrics => 1,
    }
}
