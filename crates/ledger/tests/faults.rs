//! Whatever of ours panics while a call is looked at: the call has its record, of what is known without who panicked.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{
    Call, CallId, CallRecord, CallStart, End, Mode, Outcome, Provenance, Timestamp, call_json,
};
use outrigger_pricing::{Completeness, Meter, PriceBook, TokenUsage};
use outrigger_providers::dialects::openai_chat::OPENAI_CHAT;
use outrigger_providers::{
    Dialect, Ended, Failure, Operation, OwnError, Peer, Reading, Recognised, RequestFacts, RequestReader,
    ResponseMeter, SocketEvent, SocketMeter, StreamEnd, Who, services,
};

/// Where a format panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Nowhere,
    RequestChunk,
    RequestEnd,
    ResponseChunk,
    ResponseEnd,
    Judging,
    MessagePart,
    MessageEnd,
    SocketEnd,
}

/// A format that panics there.
struct Reef(At);

static REEFS: [Reef; 9] = [
    Reef(At::Nowhere),
    Reef(At::RequestChunk),
    Reef(At::RequestEnd),
    Reef(At::ResponseChunk),
    Reef(At::ResponseEnd),
    Reef(At::Judging),
    Reef(At::MessagePart),
    Reef(At::MessageEnd),
    Reef(At::SocketEnd),
];

fn reef(at: At) -> &'static Reef {
    REEFS.iter().find(|reef| reef.0 == at).unwrap()
}

impl Reef {
    fn strike(&self, at: At) {
        assert!(self.0 != at, "struck a reef");
    }
}

impl RequestReader for &'static Reef {
    fn chunk(&mut self, _bytes: &[u8]) {
        self.strike(At::RequestChunk);
    }

    fn finish(&mut self) -> RequestFacts {
        self.strike(At::RequestEnd);
        RequestFacts { model: Some("gpt-5".to_owned()), stream: true, ..RequestFacts::default() }
    }
}

fn whole() -> Reading {
    Reading {
        model: Some("gpt-5-2025-08-07".to_owned()),
        usage: TokenUsage::ZERO.with(Meter::Input, 10).with(Meter::Output, 5),
        usage_final: true,
        end: StreamEnd::Complete,
        ..Reading::default()
    }
}

impl ResponseMeter for &'static Reef {
    fn chunk(&mut self, _bytes: &[u8]) -> bool {
        self.strike(At::ResponseChunk);
        true
    }

    fn finish(&mut self) -> Reading {
        self.strike(At::ResponseEnd);
        whole()
    }
}

/// Every message of the app asks for a response, and every one of the provider ends the oldest.
struct Messages {
    reef: &'static Reef,
    asked: u64,
    ended: u64,
}

impl SocketMeter for Messages {
    fn begin(&mut self, _from: Peer, _text: bool) {}

    fn part(&mut self, from: Peer, _bytes: &[u8]) -> bool {
        if from == Peer::Server {
            self.reef.strike(At::MessagePart);
        }
        true
    }

    fn end(&mut self, from: Peer, sink: &mut dyn FnMut(SocketEvent)) {
        match from {
            Peer::Client => {
                self.asked += 1;
                sink(SocketEvent::Asked(self.asked));
            }
            Peer::Server => {
                self.reef.strike(At::MessageEnd);
                self.ended += 1;
                sink(SocketEvent::Ended(Box::new(self.over(self.ended))));
            }
        }
    }

    fn finish(&mut self, sink: &mut dyn FnMut(SocketEvent)) {
        for number in self.ended + 1..=self.asked {
            sink(SocketEvent::Ended(Box::new(self.over(number))));
            self.reef.strike(At::SocketEnd);
        }
    }
}

impl Messages {
    fn over(&self, number: u64) -> Ended {
        Ended { number, operation: Operation::Chat, facts: RequestFacts::default(), reading: whole() }
    }
}

impl Dialect for Reef {
    fn name(&self) -> &'static str {
        "reef"
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        Box::new(reef(self.0))
    }

    fn response_meter(&'static self, _status: StatusCode, _headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        Box::new(self)
    }

    fn socket_meter(&self, _query: Option<&str>) -> Option<Box<dyn SocketMeter>> {
        Some(Box::new(Messages { reef: reef(self.0), asked: 0, ended: 0 }))
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
        self.strike(At::Judging);
        OPENAI_CHAT.classify(status, headers, reading)
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        OPENAI_CHAT.error_body(error)
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        word
    }
}

/// A call up to the head of its answer.
fn begun(at: At, status: StatusCode) -> Box<Call> {
    let headers: HeaderMap = [
        ("x-outrigger-step".parse().unwrap(), "plan".parse().unwrap()),
        ("authorization".parse().unwrap(), "Bearer sk-0123456789abcdefghij".parse().unwrap()),
    ]
    .into_iter()
    .collect();
    let mut call = Call::begin(CallStart {
        id: CallId([7; 16]),
        service: services::by_host("api.openai.com").unwrap(),
        recognised: Recognised { dialect: reef(at), operation: Operation::Chat },
        mode: Mode::Connect,
        method: &Method::POST,
        path: "/v1/chat/completions",
        query: None,
        headers: &headers,
        identity: &Arc::default(),
        host: "api.openai.com",
        port: 443,
        http_version: "1.1",
        at: Timestamp(1_000),
    });
    call.request_chunk(b"question");
    call.response_head(status, &HeaderMap::new(), Timestamp(2_000));
    call
}

fn ended(at: At, end: End) -> CallRecord {
    let mut call = begun(at, StatusCode::OK);
    call.response_chunk(b"an answer", Timestamp(3_000));
    call.response_chunk(b" and more", Timestamp(4_000));
    call.finish(end, Timestamp(5_000), PriceBook::builtin())
}

#[test]
fn without_a_fault_nothing_is_said_of_one() {
    let record = ended(At::Nowhere, End::Complete);
    assert_eq!((record.outcome, record.tokens.provenance), (Outcome::Answered, Provenance::Exact));
    assert!(!record.fault);
    assert_eq!(call_json(&record)["fault"], false);
}

#[test]
fn a_call_over_which_something_panics_has_one_record_of_what_is_known() {
    for at in [At::ResponseChunk, At::ResponseEnd, At::Judging] {
        for (end, outcome) in [
            (End::Complete, Outcome::Unknown),
            (End::Cancelled, Outcome::Cancelled),
            (End::Abandoned, Outcome::Unknown),
        ] {
            let record = ended(at, end);
            assert!(record.fault, "{at:?}");
            assert_eq!((record.outcome, &record.cause), (outcome, &None), "{at:?}");
            assert_eq!(
                (record.tokens.provenance, record.tokens.usage),
                (Provenance::Unknown, TokenUsage::UNKNOWN),
                "{at:?}"
            );
            assert_eq!(record.tokens.reason, Some("a fault of Outrigger's own ended the watching"), "{at:?}");
            assert_eq!(
                (record.cost.total, record.cost.completeness),
                (None, Completeness::Unpriced),
                "{at:?}"
            );
            // What nobody stumbled over is there: who asked, what for, how much passed and how long it took.
            assert_eq!(record.identity.get(Who::Step), Some("plan"), "{at:?}");
            assert_eq!(record.facts.model.as_deref(), Some("gpt-5"), "{at:?}");
            assert!(record.key.is_some() && record.attempts.len() == 1, "{at:?}");
            assert_eq!(record.attempts[0].status, Some(200), "{at:?}");
            assert_eq!((record.transport.request_bytes, record.transport.response_bytes), (8, 18), "{at:?}");
            assert_eq!(record.times.ended, Timestamp(5_000), "{at:?}");
        }
    }
}

#[test]
fn who_stumbles_over_the_request_still_reads_the_answer() {
    for at in [At::RequestChunk, At::RequestEnd] {
        let record = ended(at, End::Complete);
        assert!(record.fault, "{at:?}");
        assert_eq!(
            (record.outcome, record.tokens.provenance),
            (Outcome::Answered, Provenance::Exact),
            "{at:?}"
        );
        assert_eq!(record.served_model.as_deref(), Some("gpt-5-2025-08-07"));
        assert!(record.cost.total.is_some());
    }
}

/// A short text message, as the side sends it.
fn message(from: Peer) -> Vec<u8> {
    match from {
        // Masked with zeros.
        Peer::Client => b"\x81\x82\0\0\0\0hi".to_vec(),
        Peer::Server => b"\x81\x02yo".to_vec(),
    }
}

/// So many responses asked for, one answered; the socket then ends.
fn socket(at: At, asked: usize) -> (u64, Vec<CallRecord>) {
    let call = begun(at, StatusCode::SWITCHING_PROTOCOLS);
    let book = Arc::new(PriceBook::builtin().clone());
    let none = HeaderMap::new();
    let mut socket = call.into_socket(None, &none, &none, &book).ok().expect("the format has sockets");
    let mut records = Vec::new();
    for from in std::iter::repeat_n(Peer::Client, asked).chain([Peer::Server]) {
        socket.bytes(from, &message(from), Timestamp(6_000), &mut |record| records.push(record));
    }
    let begun = socket.begun();
    socket.finish(&End::Cut, Timestamp(7_000), &mut |record| records.push(record));
    (begun, records)
}

#[test]
fn every_response_of_a_socket_has_its_record_whatever_panics() {
    for at in [At::Nowhere, At::MessagePart, At::MessageEnd, At::SocketEnd, At::Judging] {
        let (begun, records) = socket(at, 3);
        let ids: std::collections::BTreeSet<String> = records.iter().map(|it| it.id.to_string()).collect();
        assert_eq!((begun, records.len(), ids.len()), (3, 3, 3), "{at:?}");
        let faults = records.iter().filter(|record| record.fault).count();
        let expected = match at {
            At::Nowhere => 0,
            // One was over by then, and another had been told.
            At::SocketEnd => 1,
            _ => 3,
        };
        assert_eq!(faults, expected, "{at:?}");
    }
}

#[test]
fn a_handshake_into_a_format_without_sockets_gives_the_call_back() {
    static PLAIN: Recognised = Recognised { dialect: &OPENAI_CHAT, operation: Operation::Chat };
    let headers = HeaderMap::new();
    let mut call = Call::begin(CallStart {
        id: CallId([8; 16]),
        service: services::by_host("api.openai.com").unwrap(),
        recognised: PLAIN,
        mode: Mode::Connect,
        method: &Method::GET,
        path: "/v1/chat/completions",
        query: None,
        headers: &headers,
        identity: &Arc::default(),
        host: "api.openai.com",
        port: 443,
        http_version: "1.1",
        at: Timestamp(1_000),
    });
    call.response_head(StatusCode::SWITCHING_PROTOCOLS, &headers, Timestamp(2_000));
    let book = Arc::new(PriceBook::builtin().clone());
    let Err(call) = call.into_socket(None, &headers, &headers, &book) else { panic!("no such format") };
    let record = call.finish(End::Abandoned, Timestamp(3_000), &book);
    assert_eq!((record.outcome, record.tokens.provenance), (Outcome::Unknown, Provenance::Unknown));
    assert_eq!(record.attempts[0].status, Some(101));
}
