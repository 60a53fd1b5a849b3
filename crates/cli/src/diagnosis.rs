//! The diagnosis of an app's calls, on a thread of its own: what it says goes to the log, to the bill and out as telemetry.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use outrigger_diagnosis::KeySources;
use outrigger_exporter::Announcer;
use outrigger_ledger::Recorder;
use outrigger_sidecar::diagnostician::{Diagnostician, diagnosed};

use crate::bill::Bill;
use crate::output;

/// How long it may take over the last records.
const LAST_WORD: Duration = Duration::from_secs(1);

/// It runs until no record can come any more.
pub(crate) struct Diagnosing(Receiver<()>);

/// A recorder before this one that has the calls diagnosed; where that cannot be, this one.
pub(crate) fn start(
    recorder: Arc<dyn Recorder>,
    announcer: Option<Announcer>,
    keys: KeySources,
    bill: &Arc<Bill>,
) -> (Arc<dyn Recorder>, Option<Diagnosing>) {
    let (before, diagnostician) = diagnosed(Arc::clone(&recorder), announcer);
    let bill = Arc::clone(bill);
    let diagnostician =
        diagnostician.with_key_sources(keys).with_listener(move |change| bill.changed(change));
    match run(diagnostician) {
        Ok(diagnosing) => (before, Some(diagnosing)),
        Err(error) => {
            output::note(&format!("calls are watched but not diagnosed: {error}"));
            (recorder, None)
        }
    }
}

fn run(diagnostician: Diagnostician) -> io::Result<Diagnosing> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (running, ended) = channel();
    std::thread::Builder::new().name("outrigger-diagnosis".to_owned()).spawn(move || {
        runtime.block_on(diagnostician.run());
        drop(running);
    })?;
    Ok(Diagnosing(ended))
}

impl Diagnosing {
    /// Waits until it has seen the last record; for a while, should one be held somewhere.
    pub(crate) fn end(self) {
        let _over = self.0.recv_timeout(LAST_WORD);
    }
}
