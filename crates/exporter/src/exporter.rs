//! The exporter as a whole: a thread of its own, a recorder to feed it, an orderly end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use outrigger_ledger::{Recorder, Room, Wants};
use tokio::runtime;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::announcer::{Announcer, announcer};
use crate::control::ControlSpans;
use crate::counts::Tallies;
use crate::inbox::{self, Slot, Wanted, inbox};
use crate::metrics::{About, Kept, Metrics, Scrape};
use crate::schema::{self, Tracing};
use crate::settings::Target;
use crate::spool::Spool;
use crate::transport::{MachineRoots, TlsError, Transport};
use crate::worker::{Wires, Worker};
use crate::{Counts, CountsReader, Settings, Signal};

/// What the thread may take beyond the deadline to put its things away.
const GRACE: Duration = Duration::from_millis(500);

/// How much the exporter gives way, of 19: a tenth of the weight of a thread at 0.
const NICENESS: i32 = 10;

/// Bytes of prompts and answers that are held at most, of calls under way and of those that wait to be sent.
const CONTENT: usize = 16 * 1024 * 1024;

/// Longest end that is waited for; a longer one could lie beyond the clock.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Why an exporter cannot start.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StartError(#[from] Reason);

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(
        "the exporter gets no thread or no event queue from the system: {0}; raise the limits of processes and open files"
    )]
    System(#[from] std::io::Error),
}

/// Sends what recorders are given. Lives on its own thread; calls never wait for it.
///
/// Dropped without [`Exporter::shutdown`] it ends at once, and what it holds is lost (and counted, for whoever kept
/// looking).
#[derive(Debug)]
pub struct Exporter {
    slot: Slot,
    announcer: Announcer,
    tallies: Arc<Tallies>,
    about: About,
    scrape: Option<Scrape>,
    end: watch::Sender<Option<Instant>>,
    /// Closed when our threads have ended.
    ended: mpsc::Receiver<Infallible>,
}

impl Exporter {
    /// Starts the exporter's thread. Opens no connection: an endpoint that is down is noticed when there is something
    /// to send.
    ///
    /// # Errors
    /// A certificate file that cannot be read or understood, or no thread to be had.
    pub fn start(settings: Settings) -> Result<Exporter, StartError> {
        Self::start_with(settings, None)
    }

    /// The same; the control plane's spans go out among those of calls, where traces are sent at all.
    ///
    /// # Errors
    /// As for [`Exporter::start`].
    pub fn start_with(settings: Settings, control: Option<ControlSpans>) -> Result<Exporter, StartError> {
        Self::try_start(settings, control).map_err(StartError)
    }

    fn try_start(settings: Settings, control: Option<ControlSpans>) -> Result<Exporter, Reason> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            // Only name look-ups block, one at a time.
            .max_blocking_threads(1)
            .thread_name("outrigger-lookup")
            .build()?;
        let mut wires = {
            let _context = runtime.enter();
            wires(&settings)?
        };
        let traced = wires.traces.as_ref().map(|_| Tracing::of(&settings));
        let (logs, capture) = (wires.logs.is_some(), settings.capture);
        let wanted = Wanted { traces: traced, logs, details: capture.emits };
        let room = capture.wants(wires.traces.is_some(), logs).then(|| Arc::new(Room::new(CONTENT)));
        let tallies = Arc::new(Tallies::default());
        let (ending, ended) = mpsc::channel();
        wires.spool =
            settings.spool.as_ref().map(|spool| Spool::start(spool, &tallies, ending.clone())).transpose()?;
        let (slot, inbox) = inbox(inbox::ROOM, wanted, Arc::clone(&tallies));
        let (end, ends) = watch::channel(None);
        let counted = Arc::clone(&tallies);
        let about = About::default();
        let (announcer, announced) = announcer(about.clone(), wires.logs.is_some(), &tallies);
        let metrics = Kept::by(&settings).map(|kept| Metrics::new(kept, Arc::clone(&tallies), &about));
        let slot = slot.with(Wants { room, chunk_times: metrics.as_ref().is_some_and(Metrics::by_chunk) });
        let scrape = metrics.as_ref().and_then(|it| it.scrape(schema::resource_attributes(&settings)));
        std::thread::Builder::new().name("outrigger-export".to_owned()).spawn(move || {
            give_way();
            // The worker is made here because its parts are bound to this thread.
            let worker = Worker::new(&settings, wires, metrics, (inbox, announced), counted, ends)
                .with_control(control);
            runtime.block_on(LocalSet::new().run_until(worker.run()));
            // A name look-up that hangs must not hold the end up.
            runtime.shutdown_background();
            drop(ending);
        })?;
        Ok(Exporter { slot, announcer, tallies, about, scrape, end, ended })
    }

    /// Where finished calls go. May be kept beyond the exporter's end; what it is given then is dropped and counted.
    #[must_use]
    pub fn recorder(&self) -> Arc<dyn Recorder> {
        Arc::new(self.slot.clone())
    }

    /// The metrics for who scrapes them; `None` unless the settings are [`Settings::scraped`].
    #[must_use]
    pub fn scrape(&self) -> Option<Scrape> {
        self.scrape.clone()
    }

    /// Where the program tells facts of itself, for its metrics.
    #[must_use]
    pub fn about(&self) -> About {
        self.about.clone()
    }

    /// Where it is told what is wrong.
    #[must_use]
    pub fn announcer(&self) -> Announcer {
        self.announcer.clone()
    }

    /// What became of everything so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.tallies.snapshot()
    }

    /// Tells the counts from elsewhere, such as in a status.
    #[must_use]
    pub fn counts_reader(&self) -> CountsReader {
        CountsReader(Arc::clone(&self.tallies))
    }

    /// Sends what is held, waits at most `deadline` for it, then stops. What could not be sent is in the spool, or counted as
    /// dropped.
    /// An endpoint that cannot be reached is tried once more, not until the deadline. Blocks the calling thread: from
    /// async code call it through `spawn_blocking`.
    #[must_use]
    pub fn shutdown(self, deadline: Duration) -> Counts {
        let deadline = deadline.min(LONGEST);
        self.end.send_replace(Some(Instant::now() + deadline));
        let _ended = self.ended.recv_timeout(deadline + GRACE);
        self.tallies.snapshot()
    }
}

/// Lowers this thread's priority: where both share a core, traffic must not wait for a batch to be encoded.
pub(crate) fn give_way() {
    // On Linux priorities are per thread, and nobody named means the caller.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the exporter keeps its priority");
    }
}

fn wires(settings: &Settings) -> Result<Wires<Transport>, TlsError> {
    let machine = MachineRoots::default();
    let wire = |signal, target: Option<&Target>| {
        target.map(|target| Transport::new(signal, target, &machine)).transpose()
    };
    Ok(Wires {
        traces: wire(Signal::Traces, settings.traces.as_ref().map(|signal| &signal.target))?,
        logs: wire(Signal::Logs, settings.logs.as_ref().map(|signal| &signal.target))?,
        metrics: wire(Signal::Metrics, settings.metrics.as_ref().map(|signal| &signal.target))?,
        spool: None,
    })
}
