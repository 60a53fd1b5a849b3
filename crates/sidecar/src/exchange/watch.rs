//! The ledger's view of one exchange, guarded: a fault in a meter ends the watching, never the traffic.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use outrigger_ledger::{
    Calibrations, Call, CallId, CallRecord, CallStart, Deployments, End, IdentityRules, Recorder, Socket,
    Timestamp, Trail, Wants,
};
use outrigger_pricing::PriceBook;
use outrigger_providers::{FailureClass, Peer, RequestFacts};
use outrigger_rules::{Policy, Rule};

use crate::clock::CallClock;
use crate::exchange::pulse::{Pulses, SocketPulse};
use crate::exchange::reporting::{Reporting, Waits};
use crate::seen::Counters;

/// Where finished records go.
pub(crate) struct Records {
    recorder: Arc<dyn Recorder>,
    /// Where bodies are kept, if anybody asked for content.
    wants: Wants,
    book: Arc<PriceBook>,
    pub(crate) deployments: Arc<Deployments>,
    /// Which names of users, sessions and steps are believed.
    pub(crate) identity: Arc<IdentityRules>,
    /// The calls of late, by which a call's place is known.
    trail: RefCell<Trail>,
    /// What reported calls have taught of tokenizers.
    calibrations: Arc<Calibrations>,
    disputes: Disputes,
    /// Calls a part of whose request is on its way.
    leaving: RefCell<Vec<Weak<Watch>>>,
    pub(crate) counters: Arc<Counters>,
    ending: Cell<bool>,
}

impl Records {
    pub(crate) fn new(
        recorder: Arc<dyn Recorder>,
        book: Arc<PriceBook>,
        deployments: Arc<Deployments>,
        identity: Arc<IdentityRules>,
        counters: Arc<Counters>,
    ) -> Records {
        Records {
            wants: recorder.wants(),
            recorder,
            book,
            deployments,
            identity,
            trail: RefCell::default(),
            calibrations: Arc::default(),
            disputes: Disputes::default(),
            leaving: RefCell::default(),
            counters,
            ending: Cell::new(false),
        }
    }

    /// Prices and facts of models.
    pub(crate) fn book(&self) -> &PriceBook {
        &self.book
    }

    /// What was on its way to a provider has left: its calls are shown it.
    pub(crate) fn left(&self) {
        loop {
            // The borrow ends before the call is shown anything.
            let watch = self.leaving.borrow_mut().pop();
            match watch {
                Some(watch) => watch.upgrade().iter().for_each(|watch| watch.catch_up()),
                None => break,
            }
        }
    }

    /// Hands the record of a call that was counted as begun over, with its place among the others. A fault on the way costs
    /// the place, never the record. A recorder that panics has lost it.
    fn take(&self, mut record: CallRecord) {
        let place = || self.trail.borrow_mut().place(&mut record);
        if catch_unwind(AssertUnwindSafe(place)).is_err() {
            record.fault = true;
        }
        if record.fault {
            Counters::count(&self.counters.panics);
        }
        self.disputes.say(&record);
        match catch_unwind(AssertUnwindSafe(|| self.recorder.try_record(Arc::new(record)))) {
            Ok(()) => self.counters.calls.recorded(),
            Err(_) => self.lose(),
        }
    }

    /// A call that was begun will have no record.
    fn lose(&self) {
        Counters::count(&self.counters.panics);
        self.counters.calls.lost();
    }

    /// How a call ends that nobody ended.
    pub(crate) fn unended(&self) -> End {
        // What unwinds is ours, not the app's.
        if self.ending.get() || std::thread::panicking() { End::Abandoned } else { End::Cancelled }
    }

    /// A program did not accept our certificate.
    pub(crate) fn untrusted(&self, provider: &'static str) {
        self.recorder.try_untrusted(provider, CallClock::start().started());
    }

    /// Tells which streams have fallen silent, for as long as the thread lives.
    pub(crate) async fn watch_for_silence(&self, pulses: &Pulses) {
        pulses.watch(&*self.recorder, || CallClock::start().started()).await;
    }

    /// From here on a call that is dropped was given up by us, not by the app.
    pub(crate) fn end(&self) {
        self.ending.set(true);
    }
}

/// Says once per model that the provider's own figure for a call is not ours.
#[derive(Default)]
struct Disputes(RefCell<BTreeSet<String>>);

/// Models of which that is said.
const DISPUTED: usize = 256;

impl Disputes {
    fn say(&self, record: &CallRecord) {
        let Some((theirs, ours)) = record.disputed_cost() else { return };
        let model = record.model().unwrap_or("(unnamed)");
        let key = format!("{} {model}", record.provider);
        let mut said = self.0.borrow_mut();
        if said.len() < DISPUTED && said.insert(key) {
            tracing::warn!(
                id = %record.id, provider = record.provider, model, reported = %theirs, computed = %ours,
                "the provider says that this call cost something else than its tokens at the prices in the book; its own figure is \
                 the charge. Said once for this model; the metric outrigger.cost_difference.usd tells how much \
                 that comes to, and prices of your own (setting `prices`) mend it"
            );
        }
    }
}

/// How a call fared, as far as its rule must know.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fared {
    /// Whether the app has only a part of an answer.
    pub(crate) is_truncated: bool,
    /// Its kind of failure, if it failed.
    pub(crate) class: Option<FailureClass>,
}

/// One call under watch. Whoever holds it last ends it: a call that nobody ended was given up by the app.
pub(crate) struct Watch {
    call: RefCell<Option<Box<Call>>>,
    pub(crate) id: CallId,
    pub(crate) clock: CallClock,
    records: Rc<Records>,
    /// Rules that may have something to report.
    reporting: Option<Reporting>,
    pub(crate) waits: Waits,
    /// When the last head of an answer came.
    responded: Cell<Option<Timestamp>>,
    /// What of the request the call has not been shown yet.
    kept: RefCell<Option<Bytes>>,
}

impl Watch {
    /// Begins to watch. From here on the call is accounted for.
    pub(crate) fn begin(
        start: CallStart<'_>,
        clock: CallClock,
        records: Rc<Records>,
        reporting: Option<Reporting>,
    ) -> Watch {
        records.counters.calls.begin();
        let id = start.id;
        let call = catch_unwind(AssertUnwindSafe(|| {
            let headers = start.headers;
            Call::begin(start)
                .with_room(records.wants.room.as_ref(), headers)
                .with_chunk_times(records.wants.chunk_times)
                .with_deployments(&records.deployments)
                .with_calibrations(&records.calibrations)
        }))
        .ok();
        if call.is_none() {
            records.lose();
        }
        let (call, waits, responded) = (RefCell::new(call), Waits::default(), Cell::default());
        Watch { call, id, clock, records, reporting, waits, responded, kept: RefCell::default() }
    }

    /// The head of an answer came.
    pub(crate) fn answered(&self) {
        self.responded.set(Some(self.clock.now()));
    }

    /// When it did.
    pub(crate) fn responded(&self) -> Timestamp {
        self.responded.get().unwrap_or_else(|| self.clock.now())
    }

    /// Whether a rule may ask how long was waited.
    pub(crate) const fn reports(&self) -> bool {
        self.reporting.is_some()
    }

    /// The rules that the call keeps, and the one of them that decides it, if it is for this model.
    pub(crate) fn decide(&self, model: Option<&str>) -> Option<(&Arc<Policy>, &Rule)> {
        self.reporting.as_ref()?.decide(model)
    }

    /// The next part of a stream is waited for.
    pub(crate) fn wait(&self) {
        if self.reporting.is_some() {
            self.waits.wait(|| self.clock.now());
        }
    }

    /// It came.
    pub(crate) fn came(&self, now: Timestamp) {
        if self.reporting.is_some() {
            let after_content = self.call.borrow().as_ref().is_some_and(|call| call.has_content());
            self.waits.came(after_content, now);
        }
    }

    /// The next part of the request. The call is shown it before anything else, and at the latest when it has left: the provider need not
    /// wait until it has been read.
    pub(crate) fn keep(&self, bytes: Bytes) {
        self.catch_up();
        if !bytes.is_empty() {
            self.kept.replace(Some(bytes));
        }
    }

    /// What is kept is on its way.
    pub(crate) fn leaves(self: &Rc<Watch>) {
        if self.kept.borrow().is_some() {
            self.records.leaving.borrow_mut().push(Rc::downgrade(self));
        }
    }

    fn catch_up(&self) {
        let kept = self.kept.borrow_mut().take();
        if let Some(bytes) = kept {
            self.note(|call| call.request_chunk(&bytes));
        }
    }

    /// Shows the call something. A panic on the way ends the watching.
    pub(crate) fn show(&self, look: impl FnOnce(&mut Call)) {
        self.catch_up();
        self.note(look);
    }

    /// The same for what has nothing to do with its bodies.
    pub(crate) fn note(&self, look: impl FnOnce(&mut Call)) {
        let stumbled = {
            let mut slot = self.call.borrow_mut();
            let Some(call) = slot.as_mut() else { return };
            catch_unwind(AssertUnwindSafe(|| look(call))).is_err()
        };
        if stumbled {
            Counters::count(&self.records.counters.panics);
            self.finish(End::Abandoned);
        }
    }

    /// Whether the answer has come to the end that its format tells, and said nothing against it.
    pub(crate) fn has_ended(&self) -> bool {
        let mut ended = false;
        self.show(|call| ended = call.has_ended());
        ended
    }

    /// What the call asks for.
    pub(crate) fn asked(&self) -> Arc<RequestFacts> {
        let mut facts = None;
        self.show(|call| facts = Some(call.asked()));
        facts.unwrap_or_default()
    }

    pub(crate) fn response_chunk(&self, bytes: &[u8], at: Timestamp) {
        self.show(|call| call.response_chunk(bytes, at));
    }

    /// The call was the handshake of a WebSocket, and the provider has agreed to it. What is not known to be spoken so is not
    /// followed.
    pub(crate) fn take_socket(
        &self,
        query: Option<&str>,
        request: &HeaderMap,
        response: &HeaderMap,
        pulses: &Rc<Pulses>,
    ) -> Option<SocketWatch> {
        let call = self.call.borrow_mut().take()?;
        match call.into_socket(query, request, response, &self.records.book) {
            Ok(socket) => {
                self.records.counters.calls.upgraded();
                let accounts = SocketAccounts { records: Rc::clone(&self.records), begun: 0, over: 0 };
                let pulse = SocketPulse::new(pulses);
                Some(SocketWatch { socket: Some(socket), accounts, pulse, clock: self.clock })
            }
            Err(call) => {
                *self.call.borrow_mut() = Some(call);
                self.finish(End::Abandoned);
                None
            }
        }
    }

    /// Whether the process is ending: nothing new is to be begun for the call.
    pub(crate) fn is_ending(&self) -> bool {
        self.records.ending.get()
    }

    /// Makes the record and hands it over; further ends are ignored.
    pub(crate) fn finish(&self, end: End) -> Fared {
        self.catch_up();
        let Some(call) = self.call.borrow_mut().take() else { return Fared::default() };
        let at = self.clock.now();
        // The ledger guards what it asks; this is for what it does itself.
        match catch_unwind(AssertUnwindSafe(|| call.finish(end, at, &self.records.book))) {
            Ok(mut record) => {
                let class = record.cause.as_ref().map(|cause| cause.class);
                let fared = Fared { is_truncated: record.is_truncated(), class };
                if let Some(reporting) = &self.reporting {
                    reporting.note(&mut record, &self.waits);
                }
                self.records.take(record);
                fared
            }
            Err(_) => {
                self.records.lose();
                Fared::default()
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.finish(self.records.unended());
    }
}

/// One WebSocket under watch, guarded in the same way. Each of its responses is a call.
pub(crate) struct SocketWatch {
    socket: Option<Socket>,
    accounts: SocketAccounts,
    pulse: SocketPulse,
    clock: CallClock,
}

/// Keeps the calls of one WebSocket in the count.
struct SocketAccounts {
    records: Rc<Records>,
    /// Responses counted as begun, and as over.
    begun: u64,
    over: u64,
}

impl SocketAccounts {
    /// So many have been begun by now.
    fn begin(&mut self, begun: u64) {
        for _ in self.begun..begun {
            self.records.counters.calls.begin();
        }
        self.begun = self.begun.max(begun);
    }

    /// One is over. It may have been begun by the very bytes that ended it.
    fn take(&mut self, record: CallRecord) {
        self.over += 1;
        self.begin(self.over);
        self.records.take(record);
    }

    /// Those that are still open will have no record.
    fn lose(&mut self) {
        for _ in self.over..self.begun {
            self.records.lose();
        }
        self.over = self.begun;
    }
}

impl SocketWatch {
    /// Shows bytes that have been handed on.
    pub(crate) fn bytes(&mut self, from: Peer, bytes: &[u8]) {
        let Some(socket) = self.socket.as_mut() else { return };
        let (at, accounts) = (self.clock.now(), &mut self.accounts);
        let look = || {
            socket.bytes(from, bytes, at, &mut |record| accounts.take(record));
            accounts.begin(socket.begun());
            self.pulse.passed(socket.under_way());
        };
        if catch_unwind(AssertUnwindSafe(look)).is_err() {
            Counters::count(&self.accounts.records.counters.panics);
            self.finish(&End::Abandoned);
        }
    }

    /// Whether the app has taken all that the provider has sent.
    pub(crate) fn waits(&self, waiting: bool) {
        self.pulse.waits(waiting);
    }

    /// Which side took its leave first.
    pub(crate) fn leaving(&self) -> Option<Peer> {
        self.socket.as_ref().and_then(Socket::leaving)
    }

    /// What is still open ends so; further ends are ignored.
    pub(crate) fn finish(&mut self, end: &End) {
        let Some(socket) = self.socket.take() else { return };
        self.pulse.passed(None);
        let (at, accounts) = (self.clock.now(), &mut self.accounts);
        accounts.begin(socket.begun());
        let finish = || socket.finish(end, at, &mut |record| accounts.take(record));
        // As with a call: the ledger guards what it asks.
        if catch_unwind(AssertUnwindSafe(finish)).is_err() {
            self.accounts.lose();
        }
    }
}

impl Drop for SocketWatch {
    fn drop(&mut self) {
        self.finish(&self.accounts.records.unended());
    }
}

#[cfg(test)]
mod tests;
