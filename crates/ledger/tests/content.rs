//! Whether the bodies of a call are kept within their bounds, read as they were sent, only where somebody asked, and at no cost where
//! nobody did.

use std::io::Write as _;
use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use outrigger_ledger::{Call, CallId, CallRecord, CallStart, End, Mode, OF_ONE_CALL, Room, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::services;

const CHAT: &str = "/v1/chat/completions";
const REQUEST: &[u8] = br#"{"model":"gpt-5","messages":[{"role":"user","content":"a secret question"}]}"#;
const ANSWER: &[u8] =
    br#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"an answer"},"finish_reason":"stop"}]}"#;

/// A call of which its head has come.
fn begun(method: &Method, path: &str) -> Box<Call> {
    let service = services::by_host("api.openai.com").unwrap();
    Call::begin(CallStart {
        id: CallId([1; 16]),
        service,
        recognised: (service.recognise)(method, path),
        mode: Mode::Connect,
        method,
        path,
        query: None,
        headers: &HeaderMap::new(),
        host: "api.openai.com",
        port: 443,
        http_version: "2",
        identity: &Arc::default(),
        at: Timestamp(1),
    })
}

/// The same with its bodies, which come in pieces of so many bytes.
fn passed(
    mut call: Box<Call>,
    request: &[u8],
    answer: &[u8],
    coding: Option<&str>,
    piece: usize,
) -> CallRecord {
    request.chunks(piece).for_each(|bytes| call.request_chunk(bytes));
    let coding = coding
        .map(|word| (HeaderName::from_static("content-encoding"), HeaderValue::from_str(word).unwrap()));
    call.response_head(StatusCode::OK, &HeaderMap::from_iter(coding), Timestamp(2));
    answer.chunks(piece).for_each(|bytes| call.response_chunk(bytes, Timestamp(3)));
    call.finish(End::Complete, Timestamp(4), PriceBook::builtin())
}

/// A call of Chat Completions whose bodies come byte by byte.
fn call(room: Option<&Arc<Room>>, request: &[u8], answer: &[u8], coding: Option<&str>) -> CallRecord {
    let call = begun(&Method::POST, CHAT).with_room(room, &HeaderMap::new());
    passed(call, request, answer, coding, 1)
}

#[test]
fn nothing_is_kept_unless_somebody_asked() {
    assert!(call(None, REQUEST, ANSWER, None).content.is_none());
}

#[test]
fn nothing_is_kept_of_what_asks_for_no_text() {
    let room = Arc::new(Room::new(1 << 20));
    for (method, path) in [(Method::POST, "/v1/embeddings"), (Method::GET, "/v1/responses/resp_1")] {
        let call = begun(&method, path).with_room(Some(&room), &HeaderMap::new());
        assert!(passed(call, REQUEST, ANSWER, None, 1).content.is_none(), "{path}");
    }
    assert_eq!(room.used(), 0);
}

#[test]
fn both_bodies_are_read_as_they_were_sent_and_the_room_is_given_back() {
    let room = Arc::new(Room::new(1 << 20));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(ANSWER).unwrap();
    let packed = gzip.finish().unwrap();
    for (answer, coding) in [(ANSWER, None), (&packed, Some("gzip"))] {
        let record = call(Some(&room), REQUEST, answer, coding);
        let read = record.content.as_ref().unwrap().read();
        assert_eq!(read.request.unwrap().messages.len(), 1);
        assert_eq!(read.answer.unwrap().choices.len(), 1);
        assert!(read.lacks.is_empty() && room.used() > 0, "{:?}", read.lacks);
        drop(record);
        assert_eq!(room.used(), 0);
    }
}

#[test]
fn what_is_printed_of_a_record_shows_no_content() {
    let room = Arc::new(Room::new(1 << 20));
    let shown = format!("{:?}", call(Some(&room), REQUEST, ANSWER, None));
    assert!(shown.contains("Captured") && !shown.contains("secret question"), "{shown}");
}

#[test]
fn a_call_keeps_no_more_than_its_bound_and_a_process_no_more_than_its_room() {
    let room = Arc::new(Room::new(OF_ONE_CALL));
    let long = vec![b'x'; OF_ONE_CALL + 1];
    let lacks = |record: &CallRecord| record.content.as_ref().unwrap().read().lacks;

    // A request that is too long gives its room back: its answer is kept.
    let first = call(Some(&room), &long, ANSWER, None);
    assert_eq!((lacks(&first), room.used()), (vec!["request too_long"], 4096));
    let second = call(Some(&room), REQUEST, &long, None);
    assert_eq!(lacks(&second), ["response no_room"]);
    let third = call(Some(&room), &long[..OF_ONE_CALL / 2], ANSWER, None);
    assert_eq!(lacks(&third)[0], "request no_room");
    assert!(room.used() <= OF_ONE_CALL);
    drop((first, second, third));
    assert_eq!(room.used(), 0);

    let room = Arc::new(Room::new(2 * OF_ONE_CALL));
    assert_eq!(lacks(&call(Some(&room), REQUEST, &long, None)), ["response too_long"]);
}

/// What a call takes on the thread that carries it.
fn taken(call: impl FnOnce() -> Box<Call>, body: &[u8]) -> AllocationInfo {
    measure(|| drop(passed(call(), body, body, None, 16 * 1024)))
}

#[test]
fn a_call_costs_no_allocation_more_where_nobody_asked() {
    // What is made ready once.
    taken(|| begun(&Method::POST, CHAT), REQUEST);
    let plain = taken(|| begun(&Method::POST, CHAT), REQUEST);
    let unasked = taken(|| begun(&Method::POST, CHAT).with_room(None, &HeaderMap::new()), REQUEST);
    assert_eq!((unasked.count_total, unasked.bytes_total), (plain.count_total, plain.bytes_total));
}

#[test]
fn bodies_of_two_mebibytes_take_no_more_memory_than_the_bound_of_a_call() {
    let body = vec![b' '; 2 * 1024 * 1024];
    let room = Arc::new(Room::new(64 * OF_ONE_CALL));
    let plain = taken(|| begun(&Method::POST, CHAT), &body);
    let asked = taken(|| begun(&Method::POST, CHAT).with_room(Some(&room), &HeaderMap::new()), &body);
    // While a buffer grows the smaller one is there beside it.
    let bound = (OF_ONE_CALL + OF_ONE_CALL / 2 + 1024) as u64;
    assert!(asked.bytes_max <= plain.bytes_max + bound, "{plain:?} {asked:?}");
    assert!(asked.count_total <= plain.count_total + 20, "{plain:?} {asked:?}");
    assert_eq!(room.used(), 0);
}
