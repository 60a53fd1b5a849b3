//! Where it is told what is wrong: as events beside the records of calls, and as a state in the metrics. A few times an hour.

use std::sync::Arc;

use outrigger_diagnosis::Change;
use outrigger_ledger::Timestamp;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::counts::Tallies;
use crate::metrics::About;
use crate::{DropCause, Signal};

/// Changes that may wait for the exporter's thread.
const ROOM: usize = 64;

/// One change on its way out, and when it came about.
#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) change: Change,
    pub(crate) at: Timestamp,
}

/// Tells what is wrong. May be kept beyond the exporter's end; what it is told then is dropped and counted.
#[derive(Debug, Clone)]
pub struct Announcer {
    about: About,
    /// `None` where no log records are sent.
    events: Option<mpsc::Sender<Announced>>,
    tallies: Arc<Tallies>,
}

/// An announcer, and where its events come out.
pub(crate) fn announcer(
    about: About,
    logs: bool,
    tallies: &Arc<Tallies>,
) -> (Announcer, mpsc::Receiver<Announced>) {
    let (sender, events) = mpsc::channel(ROOM);
    let tallies = Arc::clone(tallies);
    (Announcer { about, events: logs.then_some(sender), tallies }, events)
}

impl Announcer {
    /// A verdict began or ended. Waits for nothing.
    pub fn say(&self, change: &Change, at: Timestamp) {
        self.about.verdict(change);
        let Some(events) = &self.events else { return };
        let records = self.tallies.of(Signal::Logs);
        records.saw(1);
        match events.try_send(Announced { change: change.clone(), at }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => records.dropped(DropCause::NoRoom, 1),
            Err(TrySendError::Closed(_)) => records.dropped(DropCause::Ended, 1),
        }
    }
}
