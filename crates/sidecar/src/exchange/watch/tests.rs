//! Calls under watch, in any order, over a format that panics when told to.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{CallId, CallStart, Mode, Outcome};
use outrigger_pricing::{Atto, Completeness};
use outrigger_providers::{
    Dialect, Ended, Failure, Operation, OwnError, Reading, Recognised, RequestFacts, RequestReader,
    ResponseMeter, SocketEvent, SocketMeter, services,
};
use proptest::prelude::*;

use super::*;
use crate::calls::Calls;
use crate::exchange::after_flush::AfterFlush;

/// A recorder that keeps what it is given, or panics.
#[derive(Default)]
struct Kept {
    records: Mutex<Vec<Arc<CallRecord>>>,
    broken: AtomicBool,
}

impl Kept {
    fn outcomes(&self) -> Vec<Outcome> {
        self.records.lock().unwrap().iter().map(|record| record.outcome).collect()
    }

    fn len(&self) -> u64 {
        self.records.lock().unwrap().len() as u64
    }
}

impl Recorder for Kept {
    fn try_record(&self, record: Arc<CallRecord>) {
        assert!(!self.broken.load(Ordering::Relaxed), "a recorder that panics");
        self.records.lock().unwrap().push(record);
    }
}

/// A format whose readers panic at `!`, and at their end after `?`.
struct Moody;
static MOODY: Moody = Moody;

#[derive(Default)]
struct Mood {
    sulks: bool,
    asked: u64,
    ended: u64,
}

impl Mood {
    fn see(&mut self, bytes: &[u8]) {
        assert!(!bytes.contains(&b'!'), "a reader that panics");
        self.sulks |= bytes.contains(&b'?');
    }

    fn part_with(&self) {
        assert!(!self.sulks, "a reader that panics at its end");
    }
}

impl RequestReader for Mood {
    fn chunk(&mut self, bytes: &[u8]) {
        self.see(bytes);
    }

    fn finish(&mut self) -> RequestFacts {
        self.part_with();
        RequestFacts::default()
    }
}

impl ResponseMeter for Mood {
    fn chunk(&mut self, bytes: &[u8]) -> bool {
        self.see(bytes);
        true
    }

    fn finish(&mut self) -> Reading {
        self.part_with();
        Reading::default()
    }
}

/// Every message of the app asks for a response; every one of the provider ends the oldest.
impl SocketMeter for Mood {
    fn begin(&mut self, _from: Peer, _text: bool) {}

    fn part(&mut self, _from: Peer, bytes: &[u8]) -> bool {
        self.see(bytes);
        true
    }

    fn end(&mut self, from: Peer, sink: &mut dyn FnMut(SocketEvent)) {
        if from == Peer::Client {
            self.asked += 1;
            sink(SocketEvent::Asked(self.asked));
        } else if self.ended < self.asked {
            self.ended += 1;
            sink(ended(self.ended));
        }
    }

    fn finish(&mut self, sink: &mut dyn FnMut(SocketEvent)) {
        for number in self.ended + 1..=self.asked {
            self.part_with();
            sink(ended(number));
        }
    }
}

fn ended(number: u64) -> SocketEvent {
    SocketEvent::Ended(Box::new(Ended {
        number,
        operation: Operation::Chat,
        facts: RequestFacts::default(),
        reading: Reading::default(),
    }))
}

impl Dialect for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        Box::<Mood>::default()
    }

    fn response_meter(&'static self, _status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        assert!(!headers.contains_key("x-panic"), "a format that panics at the head");
        Box::<Mood>::default()
    }

    fn socket_meter(&self, query: Option<&str>) -> Option<Box<dyn SocketMeter>> {
        assert!(query != Some("panic"), "a format that panics at the handshake");
        query.is_none().then(|| Box::<Mood>::default() as Box<dyn SocketMeter>)
    }

    fn classify(&self, _status: StatusCode, _headers: &HeaderMap, _reading: &Reading) -> Option<Failure> {
        None
    }

    fn error_body(&self, _error: &OwnError<'_>) -> Vec<u8> {
        Vec::new()
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        word
    }
}

struct Scene {
    records: Rc<Records>,
    kept: Arc<Kept>,
    begun: u8,
}

impl Scene {
    fn new() -> Scene {
        let kept = Arc::new(Kept::default());
        let book = Arc::new(PriceBook::builtin().clone());
        let records = Rc::new(Records::new(
            Arc::clone(&kept) as _,
            book,
            Arc::default(),
            Arc::default(),
            Arc::default(),
        ));
        Scene { records, kept, begun: 0 }
    }

    fn begin(&mut self) -> Rc<Watch> {
        self.begun += 1;
        let clock = CallClock::start();
        let start = CallStart {
            id: CallId([self.begun; 16]),
            service: services::by_host("api.openai.com").unwrap(),
            recognised: Recognised { dialect: &MOODY, operation: Operation::Chat },
            mode: Mode::Connect,
            method: &Method::POST,
            path: "/v1/chat/completions",
            query: None,
            headers: &HeaderMap::new(),
            identity: &self.records.identity,
            host: "api.openai.com",
            port: 443,
            http_version: "1.1",
            at: clock.started(),
        };
        Rc::new(Watch::begin(start, clock, Rc::clone(&self.records), None))
    }

    fn calls(&self) -> Calls {
        self.records.counters.calls.snapshot()
    }

    fn panics(&self) -> u64 {
        self.records.counters.panics.load(Ordering::Relaxed)
    }
}

#[test]
fn a_meter_that_panics_ends_the_watching_and_leaves_one_record() {
    let mut scene = Scene::new();
    let watch = scene.begin();
    watch.show(|call| call.response_head(StatusCode::OK, &HeaderMap::new(), watch.clock.now()));
    watch.response_chunk(b"well!", watch.clock.now());
    watch.response_chunk(b"more", watch.clock.now());
    watch.finish(End::Complete);
    drop(watch);
    assert_eq!(scene.kept.outcomes(), [Outcome::Unknown]);
    let record = Arc::clone(&scene.kept.records.lock().unwrap()[0]);
    assert!(record.fault);
    assert_eq!(record.transport.response_bytes, 9, "what passes is counted on");
    assert_eq!((scene.panics(), scene.calls().recorded), (1, 1));
}

#[test]
fn a_request_is_read_when_it_has_left_or_before_anything_else_is_shown() {
    let mut scene = Scene::new();
    let is_read = |watch: &Watch| watch.kept.borrow().is_none();
    let watch = scene.begin();
    watch.keep(Bytes::from_static(b"question"));
    scene.records.left();
    assert!(!is_read(&watch), "nothing of it is on its way");
    watch.leaves();
    assert!(!is_read(&watch));
    scene.records.left();
    assert!(is_read(&watch), "it has left");
    watch.keep(Bytes::from_static(b", "));
    watch.leaves();
    watch.keep(Bytes::from_static(b"in parts"));
    watch.show(|_| ());
    assert!(is_read(&watch), "before anything else");
    watch.keep(Bytes::from_static(b"."));
    watch.finish(End::Complete);
    // Whoever has been told of it in vain asks nothing of a call that is over.
    drop(watch);
    scene.records.left();
    let dropped = scene.begin();
    dropped.keep(Bytes::from_static(b"cut o"));
    drop(dropped);
    let records = scene.kept.records.lock().unwrap();
    let bytes: Vec<_> = records.iter().map(|record| record.transport.request_bytes).collect();
    assert_eq!(bytes, ["question, in parts.".len() as u64, "cut o".len() as u64]);
}

#[test]
fn a_call_that_nobody_ends_was_given_up_by_the_app_or_by_us() {
    let mut scene = Scene::new();
    drop(scene.begin());
    assert_eq!(scene.kept.outcomes(), [Outcome::Cancelled]);
    let watch = scene.begin();
    let task = catch_unwind(AssertUnwindSafe(|| {
        let _held = watch;
        panic!("a fault in the task that holds it");
    }));
    assert!(task.is_err());
    let watch = scene.begin();
    scene.records.end();
    drop(watch);
    assert_eq!(scene.kept.outcomes()[1..], [Outcome::Unknown, Outcome::Unknown]);
}

#[test]
fn a_recorder_that_panics_costs_the_record_and_is_counted() {
    let mut scene = Scene::new();
    scene.kept.broken.store(true, Ordering::Relaxed);
    drop(scene.begin());
    let calls = scene.calls();
    assert_eq!((calls.begun, calls.recorded, calls.lost, scene.panics()), (1, 0, 1, 1));
}

#[test]
fn that_a_provider_reckons_otherwise_is_said_once_per_model() {
    let disputes = Disputes::default();
    let mut scene = Scene::new();
    drop(scene.begin());
    let mut record = CallRecord::clone(&scene.kept.records.lock().unwrap()[0]);
    record.cost.total = Some(Atto::parse("1").unwrap());
    record.cost.completeness = Completeness::Exact;
    for (model, reported, said) in
        [("grok-4.7", "1.009", 0), ("grok-4.7", "1.02", 1), ("grok-4.7", "2", 1), ("grok-4.3", "0.5", 2)]
    {
        record.served_model = Some(model.to_owned());
        record.reported_cost = Some(Atto::parse(reported).unwrap());
        disputes.say(&record);
        assert_eq!(disputes.0.borrow().len(), said, "{model} {reported}");
    }
    // Our own figure is only a lower bound: nothing to compare.
    record.served_model = Some("grok-2".to_owned());
    record.cost.completeness = Completeness::Partial;
    disputes.say(&record);
    assert_eq!(disputes.0.borrow().len(), 2);
}

#[derive(Debug, Clone)]
enum Step {
    Begin,
    /// Shown when it has left.
    Request(usize, u8),
    Left,
    Head(usize, bool),
    Chunk(usize, u8),
    /// Queued until a flush, as the traffic does it.
    Queued(usize, u8),
    Flush,
    Finish(usize, u8),
    QueuedFinish(usize, u8),
    Drop(usize),
    /// Whoever looks panics.
    Stumble(usize),
    /// The handshake succeeds; the query decides whether the format follows.
    Upgrade(usize, u8),
    Message(usize, bool, u8),
    Recorder {
        broken: bool,
    },
    Shutdown,
}

fn any_step() -> impl Strategy<Value = Step> {
    let at = || 0usize..12;
    // Mostly calm bytes.
    let byte = || prop_oneof![6 => Just(b'.'), 1 => Just(b'!'), 1 => Just(b'?')];
    prop_oneof![
        6 => Just(Step::Begin),
        3 => (at(), byte()).prop_map(|(at, byte)| Step::Request(at, byte)),
        2 => Just(Step::Left),
        5 => (at(), proptest::bool::weighted(0.1)).prop_map(|(at, panics)| Step::Head(at, panics)),
        3 => (at(), byte()).prop_map(|(at, byte)| Step::Chunk(at, byte)),
        3 => (at(), byte()).prop_map(|(at, byte)| Step::Queued(at, byte)),
        2 => Just(Step::Flush),
        2 => (at(), 0u8..5).prop_map(|(at, end)| Step::Finish(at, end)),
        2 => (at(), 0u8..5).prop_map(|(at, end)| Step::QueuedFinish(at, end)),
        3 => at().prop_map(Step::Drop),
        1 => at().prop_map(Step::Stumble),
        3 => (at(), 0u8..4).prop_map(|(at, how)| Step::Upgrade(at, how)),
        6 => (at(), any::<bool>(), byte()).prop_map(|(at, app, byte)| Step::Message(at, app, byte)),
        1 => any::<bool>().prop_map(|broken| Step::Recorder { broken }),
        1 => Just(Step::Shutdown),
    ]
}

fn an_end(kind: u8) -> End {
    match kind {
        0 => End::Complete,
        1 => End::Cut,
        2 => End::Cancelled,
        3 => End::Failed {
            class: outrigger_providers::FailureClass::Connect,
            text: "nobody there".to_owned(),
            status: 502,
        },
        _ => End::Abandoned,
    }
}

/// A message of one byte, in one frame.
fn frame(app: bool, byte: u8) -> Vec<u8> {
    if app { vec![0x81, 0x81, 0, 0, 0, 0, byte] } else { vec![0x81, 1, byte] }
}

/// What a slot holds.
enum Held {
    Call(Rc<Watch>),
    Socket(Box<SocketWatch>),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Calls begin, pass and end in any order and in every way, panics of every reader and of the recorder among them: at
    /// every moment each call that was begun is under way, recorded, upgraded or counted as lost, and in the end each
    /// has exactly one record unless the recorder broke.
    #[test]
    fn every_call_that_was_begun_has_one_record(steps in proptest::collection::vec(any_step(), 0..120)) {
        let mut scene = Scene::new();
        let after = AfterFlush::default();
        let mut held: BTreeMap<usize, Held> = BTreeMap::new();
        let mut next = 0;
        for step in steps {
            let call = |at: &usize| match held.get(at) {
                Some(Held::Call(watch)) => Some(watch),
                _ => None,
            };
            match step {
                Step::Begin => {
                    // What stood there is dropped, as when the app hangs up.
                    held.insert(next % 12, Held::Call(scene.begin()));
                    next += 1;
                }
                Step::Request(at, byte) => {
                    if let Some(watch) = call(&at) {
                        watch.keep(Bytes::copy_from_slice(&[byte]));
                        watch.leaves();
                    }
                }
                Step::Left => scene.records.left(),
                Step::Head(at, panics) => {
                    let mut headers = HeaderMap::new();
                    if panics {
                        headers.insert("x-panic", http::HeaderValue::from_static("yes"));
                    }
                    if let Some(watch) = call(&at) {
                        watch.show(|call| call.response_head(StatusCode::OK, &headers, Timestamp(1)));
                    }
                }
                Step::Chunk(at, byte) => {
                    if let Some(watch) = call(&at) { watch.response_chunk(&[byte], Timestamp(2)); }
                }
                Step::Queued(at, byte) => {
                    if let Some(watch) = call(&at) {
                        after.chunk(watch, Bytes::copy_from_slice(&[byte]), Timestamp(2));
                    }
                }
                Step::Flush => after.run(),
                Step::Finish(at, end) => {
                    if let Some(watch) = call(&at) { watch.finish(an_end(end)); }
                    if let Some(Held::Socket(socket)) = held.get_mut(&at) { socket.finish(&an_end(end)); }
                }
                Step::QueuedFinish(at, end) => {
                    if let Some(watch) = call(&at) { after.finish(Rc::clone(watch), an_end(end)); }
                }
                Step::Drop(at) => { held.remove(&at); }
                Step::Stumble(at) => {
                    if let Some(watch) = call(&at) { watch.show(|_| panic!("a look that panics")); }
                }
                Step::Upgrade(at, how) => {
                    let query = match how {
                        0 => Some("panic"),
                        1 => Some("unknown"),
                        _ => None,
                    };
                    let (none, pulses) = (HeaderMap::new(), Rc::default());
                    let socket = call(&at).and_then(|watch| watch.take_socket(query, &none, &none, &pulses));
                    if let Some(socket) = socket {
                        held.insert(at, Held::Socket(Box::new(socket)));
                    }
                }
                Step::Message(at, app, byte) => {
                    if let Some(Held::Socket(socket)) = held.get_mut(&at) {
                        socket.bytes(if app { Peer::Client } else { Peer::Server }, &frame(app, byte));
                    }
                }
                Step::Recorder { broken } => scene.kept.broken.store(broken, Ordering::Relaxed),
                Step::Shutdown => scene.records.end(),
            }
            let calls = scene.calls();
            let ended = calls.recorded + calls.upgraded + calls.lost;
            prop_assert!(ended <= calls.begun, "{calls:?}");
            prop_assert_eq!(calls.begun, calls.under_way + ended);
            prop_assert_eq!(calls.recorded, scene.kept.len());
        }
        held.clear();
        drop(after);
        let calls = scene.calls();
        prop_assert_eq!(calls.under_way, 0, "{:?}", calls);
        prop_assert_eq!(calls.recorded, scene.kept.len());
        let records = scene.kept.records.lock().unwrap();
        let mut ids: Vec<[u8; 16]> = records.iter().map(|record| record.id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), records.len(), "no call has two records");
        // Each request is recorded, upgraded or lost; the others of these are responses of sockets.
        let requests = ids.iter().filter(|id| id.iter().all(|byte| *byte == id[0])).count() as u64;
        prop_assert!(requests + calls.upgraded <= u64::from(scene.begun));
        if calls.lost == 0 {
            prop_assert_eq!(requests + calls.upgraded, u64::from(scene.begun));
        }
    }
}
