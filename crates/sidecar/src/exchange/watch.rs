//! The ledger's view of one exchange, guarded: a fault in a meter ends the watching, never the traffic.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;
use outrigger_ledger::{Call, CallRecord, Deployments, End, IdentityRules, Recorder, Socket, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::Peer;

use crate::clock::CallClock;
use crate::seen::Counters;

/// Where finished records go.
pub(crate) struct Records {
    recorder: Arc<dyn Recorder>,
    book: Arc<PriceBook>,
    pub(crate) deployments: Arc<Deployments>,
    /// Which names of users, sessions and steps are believed.
    pub(crate) identity: Arc<IdentityRules>,
    pub(crate) counters: Arc<Counters>,
    ending: Cell<bool>,
}

impl Records {
    pub(crate) const fn new(
        recorder: Arc<dyn Recorder>,
        book: Arc<PriceBook>,
        deployments: Arc<Deployments>,
        identity: Arc<IdentityRules>,
        counters: Arc<Counters>,
    ) -> Records {
        Records { recorder, book, deployments, identity, counters, ending: Cell::new(false) }
    }

    /// Hands a finished record over.
    pub(crate) fn take(&self, record: CallRecord) {
        self.recorder.try_record(Arc::new(record));
    }

    /// How a call ends that nobody ended.
    pub(crate) fn unended(&self) -> End {
        if self.ending.get() { End::Abandoned } else { End::Cancelled }
    }

    /// From here on a call that is dropped was given up by us, not by the app.
    pub(crate) fn end(&self) {
        self.ending.set(true);
    }
}

/// One call under watch. Whoever holds it last ends it: a call that nobody ended was given up by the app.
pub(crate) struct Watch {
    call: RefCell<Option<Call>>,
    pub(crate) clock: CallClock,
    records: Rc<Records>,
}

impl Watch {
    pub(crate) const fn new(call: Call, clock: CallClock, records: Rc<Records>) -> Watch {
        Watch { call: RefCell::new(Some(call)), clock, records }
    }

    /// Shows the call something. A panic on the way ends the watching.
    pub(crate) fn show(&self, look: impl FnOnce(&mut Call)) {
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

    pub(crate) fn response_chunk(&self, bytes: &[u8], at: Timestamp) {
        self.show(|call| call.response_chunk(bytes, at));
    }

    /// The call was the handshake of a WebSocket, and the provider has agreed to it.
    pub(crate) fn take_socket(
        &self,
        query: Option<&str>,
        request: &HeaderMap,
        response: &HeaderMap,
    ) -> Option<SocketWatch> {
        let call = self.call.borrow_mut().take()?;
        let socket = call.into_socket(query, request, response, &self.records.book)?;
        Some(SocketWatch { socket: Some(socket), clock: self.clock, records: Rc::clone(&self.records) })
    }

    /// Makes the record and hands it over; further ends are ignored.
    pub(crate) fn finish(&self, end: End) {
        let Some(call) = self.call.borrow_mut().take() else { return };
        let at = self.clock.now();
        let made: Result<CallRecord, _> =
            catch_unwind(AssertUnwindSafe(|| call.finish(end, at, &self.records.book)));
        match made {
            Ok(record) => self.records.take(record),
            Err(_) => Counters::count(&self.records.counters.panics),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.finish(self.records.unended());
    }
}

/// One WebSocket under watch, guarded in the same way.
pub(crate) struct SocketWatch {
    socket: Option<Socket>,
    clock: CallClock,
    records: Rc<Records>,
}

impl SocketWatch {
    /// Shows bytes that have been handed on.
    pub(crate) fn bytes(&mut self, from: Peer, bytes: &[u8]) {
        let Some(socket) = self.socket.as_mut() else { return };
        let (at, records) = (self.clock.now(), &self.records);
        let look = || socket.bytes(from, bytes, at, &mut |record| records.take(record));
        if catch_unwind(AssertUnwindSafe(look)).is_err() {
            Counters::count(&self.records.counters.panics);
            self.finish(&End::Abandoned);
        }
    }

    /// Which side took its leave first.
    pub(crate) fn leaving(&self) -> Option<Peer> {
        self.socket.as_ref().and_then(Socket::leaving)
    }

    /// What is still open ends so; further ends are ignored.
    pub(crate) fn finish(&mut self, end: &End) {
        let Some(socket) = self.socket.take() else { return };
        let (at, records) = (self.clock.now(), &self.records);
        let finish = || socket.finish(end, at, &mut |record| records.take(record));
        if catch_unwind(AssertUnwindSafe(finish)).is_err() {
            Counters::count(&self.records.counters.panics);
        }
    }
}

impl Drop for SocketWatch {
    fn drop(&mut self) {
        self.finish(&self.records.unended());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::Ordering;

    use http::{HeaderMap, Method};
    use outrigger_ledger::{CallId, CallStart, Mode, Outcome};
    use outrigger_providers::services;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<Arc<CallRecord>>>);

    impl Recorder for Kept {
        fn try_record(&self, record: Arc<CallRecord>) {
            self.0.lock().unwrap().push(record);
        }
    }

    fn watched() -> (Rc<Watch>, Rc<Records>, Arc<Kept>) {
        let kept = Arc::new(Kept::default());
        let records = Rc::new(Records::new(
            Arc::clone(&kept) as _,
            Arc::new(PriceBook::builtin().clone()),
            Arc::default(),
            Arc::default(),
            Arc::default(),
        ));
        let service = services::by_host("api.openai.com").unwrap();
        let path = "/v1/chat/completions";
        let clock = CallClock::start();
        let call = Call::begin(CallStart {
            id: CallId([1; 16]),
            service,
            recognised: (service.recognise)(&Method::POST, path),
            mode: Mode::Connect,
            method: &Method::POST,
            path,
            query: None,
            headers: &HeaderMap::new(),
            host: "api.openai.com",
            port: 443,
            http_version: "1.1",
            identity: &records.identity,
            at: clock.started(),
        });
        (Rc::new(Watch::new(call, clock, Rc::clone(&records))), records, kept)
    }

    fn outcomes(kept: &Kept) -> Vec<Outcome> {
        kept.0.lock().unwrap().iter().map(|record| record.outcome).collect()
    }

    #[test]
    fn a_meter_that_panics_ends_the_watching_and_leaves_one_record() {
        let (watch, records, kept) = watched();
        watch.show(|_| panic!("a fault in a meter"));
        watch.response_chunk(b"more", watch.clock.now());
        watch.finish(End::Complete);
        drop(watch);
        assert_eq!(outcomes(&kept), [Outcome::Unknown]);
        assert_eq!(records.counters.panics.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_call_that_nobody_ends_was_given_up_by_the_app_or_at_the_end_by_us() {
        let (watch, _, kept) = watched();
        drop(watch);
        assert_eq!(outcomes(&kept), [Outcome::Cancelled]);
        let (watch, records, kept) = watched();
        records.end();
        drop(watch);
        assert_eq!(outcomes(&kept), [Outcome::Unknown]);
    }
}
