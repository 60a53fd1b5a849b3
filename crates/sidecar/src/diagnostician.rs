//! Shows every record to the diagnosis and says what it concludes: one line of log when a verdict begins, one when it ends.
//! Per call, on the control thread; the data path only hands a reference over, and wakes nobody for a call that is well: a wake-up
//! costs more than the diagnosis does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use outrigger_diagnosis::{Change, Diagnosis, KeySources, Kind, Verdict, is_sign};
use outrigger_exporter::Announcer;
use outrigger_ledger::{CallRecord, Recorder, SilentStream, Timestamp, Wants};
use outrigger_pricing::PriceBook;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::{Notify, mpsc};

use crate::clock::CallClock;

/// Records that may wait. Past it some are not looked at: of a flood the rest says the same.
const WAITING: usize = 1024;
/// So many calls that are well are looked at together: a wake-up is dear, and so is what they hold meanwhile.
const TOGETHER: usize = 64;
/// While something is wrong, how often it is looked for calls that end it.
const TICK: Duration = Duration::from_secs(1);

/// The verdicts that hold, for whoever asks.
#[derive(Debug, Clone, Default)]
pub struct Verdicts(Arc<Mutex<Vec<Verdict>>>);

impl Verdicts {
    /// As of now.
    #[must_use]
    pub fn now(&self) -> Vec<Verdict> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, verdicts: Vec<Verdict>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = verdicts;
    }
}

/// What the data path hands over.
enum Sight {
    /// A call that is well; it has been handed on.
    Well(Arc<CallRecord>),
    /// One that may be a sign of something; it is still to be handed on.
    Sign(Arc<CallRecord>),
    Silent(Vec<SilentStream>),
    Untrusted(&'static str, Timestamp),
}

/// Takes records from a [`Recorder`] that hands them on.
pub struct Diagnostician {
    sights: mpsc::Receiver<Sight>,
    bell: Arc<Notify>,
    diagnosis: Diagnosis,
    verdicts: Verdicts,
    /// Where records go that are a sign of something, once they are judged.
    recorder: Arc<dyn Recorder>,
    /// Who else is told.
    announcer: Option<Announcer>,
    listener: Option<Listener>,
}

/// Hears of every change, on the diagnostician's thread.
type Listener = Box<dyn Fn(&Change) + Send>;

/// A recorder that shows every record to the diagnostician. Those that are well it hands on at once; those that may be a sign of
/// something the diagnostician hands on, with the verdicts that they show.
#[must_use]
pub fn diagnosed(
    recorder: Arc<dyn Recorder>,
    announcer: Option<Announcer>,
) -> (Arc<dyn Recorder>, Diagnostician) {
    let (shown, sights) = mpsc::channel(WAITING);
    let diagnosis = Diagnosis::new(Arc::new(PriceBook::builtin().clone()));
    let bell = Arc::new(Notify::new());
    let diagnostician = Diagnostician {
        sights,
        bell: Arc::clone(&bell),
        diagnosis,
        verdicts: Verdicts::default(),
        recorder: Arc::clone(&recorder),
        announcer,
        listener: None,
    };
    (Arc::new(Shown { recorder, shown, bell: Bell(bell) }), diagnostician)
}

struct Shown {
    recorder: Arc<dyn Recorder>,
    shown: mpsc::Sender<Sight>,
    /// Last, so that it rings when the sender is gone.
    bell: Bell,
}

/// Rings at its end, too.
struct Bell(Arc<Notify>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Recorder for Shown {
    fn try_record(&self, record: Arc<CallRecord>) {
        let sign = is_sign(&record);
        // The bodies take far more memory than the record.
        let heavy = record.content.is_some();
        if sign {
            // Who has no room for it, or has ended, hands nothing on.
            if let Err(TrySendError::Full(sight) | TrySendError::Closed(sight)) =
                self.shown.try_send(Sight::Sign(record))
                && let Sight::Sign(record) = sight
            {
                self.recorder.try_record(record);
            }
        } else {
            let _full = self.shown.try_send(Sight::Well(Arc::clone(&record)));
            self.recorder.try_record(record);
        }
        // Calls that are well wait for one that is not, or for some company: each holds its record in memory.
        if sign || heavy || self.shown.capacity() <= WAITING - TOGETHER {
            self.bell.0.notify_one();
        }
    }

    fn try_silent(&self, streams: Vec<SilentStream>) {
        let _full = self.shown.try_send(Sight::Silent(streams));
        self.bell.0.notify_one();
    }

    fn try_untrusted(&self, provider: &'static str, at: Timestamp) {
        let _full = self.shown.try_send(Sight::Untrusted(provider, at));
        self.bell.0.notify_one();
    }

    fn wants(&self) -> Wants {
        self.recorder.wants()
    }
}

impl Diagnostician {
    /// The same; verdicts on keys tell where these may come from.
    #[must_use]
    pub fn with_key_sources(self, sources: KeySources) -> Diagnostician {
        Diagnostician { diagnosis: self.diagnosis.with_key_sources(sources), ..self }
    }

    /// The same, and this hears of every change.
    #[must_use]
    pub fn with_listener(self, listener: impl Fn(&Change) + Send + 'static) -> Diagnostician {
        Diagnostician { listener: Some(Box::new(listener)), ..self }
    }

    /// The verdicts that hold, also while it runs.
    #[must_use]
    pub fn verdicts(&self) -> Verdicts {
        self.verdicts.clone()
    }

    /// Looks at records until none can come any more.
    pub async fn run(mut self) {
        loop {
            let holds = self.diagnosis.active().next().is_some();
            tokio::select! {
                () = self.bell.notified() => {}
                // Where nothing is wrong no time wakes it.
                () = tokio::time::sleep(TICK), if holds => {}
            }
            let none_can_come = self.look();
            if holds {
                let changes = self.diagnosis.time(now());
                self.tell(&changes);
            }
            if none_can_come {
                return;
            }
        }
    }

    /// Looks at what waits. True when nothing can follow.
    fn look(&mut self) -> bool {
        loop {
            match self.sights.try_recv() {
                Ok(Sight::Well(record)) => {
                    let changes = self.ask(|diagnosis| diagnosis.call(&record));
                    self.tell(&changes);
                }
                Ok(Sight::Sign(record)) => self.judge(record),
                Ok(Sight::Untrusted(provider, at)) => {
                    let changes = self.diagnosis.untrusted(provider, at);
                    self.tell(&changes);
                }
                Ok(Sight::Silent(streams)) => {
                    let changes = self.diagnosis.silent(&streams, now());
                    self.tell(&changes);
                }
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    /// Asks the diagnosis. A fault of it costs the verdict, never the record.
    fn ask<T: Default>(&mut self, look: impl FnOnce(&mut Diagnosis) -> T) -> T {
        catch_unwind(AssertUnwindSafe(|| look(&mut self.diagnosis))).unwrap_or_default()
    }

    /// Takes in a record that may be a sign, and hands it on with the verdicts that it shows.
    fn judge(&mut self, mut record: Arc<CallRecord>) {
        let (changes, shown) = self.ask(|diagnosis| (diagnosis.call(&record), diagnosis.shown_by(&record)));
        if !shown.is_empty() {
            Arc::make_mut(&mut record).verdicts = shown.into_iter().map(Kind::as_str).collect();
        }
        self.recorder.try_record(record);
        self.tell(&changes);
    }

    fn tell(&self, changes: &[Change]) {
        if !changes.is_empty() {
            for change in changes {
                say(change);
                if let Some(announcer) = &self.announcer {
                    announcer.say(change, now());
                }
                if let Some(listener) = &self.listener {
                    listener(change);
                }
            }
            self.verdicts.set(self.diagnosis.active().cloned().collect());
        }
    }
}

fn now() -> Timestamp {
    CallClock::start().started()
}

fn say(change: &Change) {
    match change {
        Change::Began(verdict) => {
            let Verdict { kind, provider, model, key, .. } = verdict;
            let (model, key) = (model.as_deref(), key.as_deref());
            tracing::warn!(verdict = kind.as_str(), provider, model, key, "{verdict}");
        }
        Change::Ended(verdict, why) => {
            let Verdict { kind, provider, model, key, calls, .. } = verdict;
            let (model, key) = (model.as_deref(), key.as_deref());
            tracing::info!(verdict = kind.as_str(), provider, model, key, calls, "over: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use outrigger_ledger::Room;

    use super::*;
    use crate::testing;

    #[derive(Default)]
    struct Kept(Mutex<usize>);

    impl Recorder for Kept {
        fn try_record(&self, _: Arc<CallRecord>) {
            *self.0.lock().unwrap() += 1;
        }
    }

    fn call(status: StatusCode, room: Option<&Arc<Room>>) -> Arc<CallRecord> {
        testing::call(1, status, now(), room)
    }

    #[tokio::test(start_paused = true)]
    async fn records_are_handed_on_however_many_wait_and_what_they_show_holds() {
        let kept = Arc::new(Kept::default());
        let (recorder, diagnostician) = diagnosed(Arc::clone(&kept) as _, None);
        let verdicts = diagnostician.verdicts();
        for _ in 0..2 * WAITING {
            recorder.try_record(call(StatusCode::UNAUTHORIZED, None));
        }
        assert_eq!(*kept.0.lock().unwrap(), WAITING, "what has no room does not wait");
        drop(recorder);
        diagnostician.run().await;
        assert_eq!(*kept.0.lock().unwrap(), 2 * WAITING);
        let held: Vec<_> = verdicts.now().iter().map(|verdict| verdict.kind.as_str()).collect();
        assert_eq!(held, ["missing_key"]);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_are_not_held_until_other_calls_come() {
        let (recorder, diagnostician) = diagnosed(Arc::new(Kept::default()), None);
        let running = tokio::spawn(diagnostician.run());
        let room = Arc::new(Room::new(1 << 20));
        recorder.try_record(call(StatusCode::OK, Some(&room)));
        assert!(room.used() > 0);
        // Paused time passes only when nobody has anything to do.
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(room.used(), 0);
        drop(recorder);
        running.await.unwrap();
    }
}
