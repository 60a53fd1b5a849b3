//! Whether the bodies of a call are kept within their bounds, read as they were sent, and only where somebody asked.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test they serve")]

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use outrigger_ledger::{Call, CallId, CallRecord, CallStart, End, Mode, OF_ONE_CALL, Room, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::services;

const REQUEST: &[u8] = br#"{"model":"gpt-5","messages":[{"role":"user","content":"a secret question"}]}"#;
const ANSWER: &[u8] =
    br#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"an answer"},"finish_reason":"stop"}]}"#;

/// A call of Chat Completions whose bodies come byte by byte.
fn call(room: Option<&Arc<Room>>, request: &[u8], answer: &[u8], coding: Option<&str>) -> CallRecord {
    let service = services::by_host("api.openai.com").unwrap();
    let (path, headers) = ("/v1/chat/completions", HeaderMap::new());
    let call = Call::begin(CallStart {
        id: CallId([1; 16]),
        service,
        recognised: (service.recognise)(&Method::POST, path),
        mode: Mode::Connect,
        method: &Method::POST,
        path,
        query: None,
        headers: &headers,
        host: "api.openai.com",
        port: 443,
        http_version: "2",
        identity: &Arc::default(),
        at: Timestamp(1),
    });
    let mut call = call.with_room(room, &headers);
    request.chunks(1).for_each(|byte| call.request_chunk(byte));
    let coding = coding
        .map(|word| (HeaderName::from_static("content-encoding"), HeaderValue::from_str(word).unwrap()));
    call.response_head(StatusCode::OK, &HeaderMap::from_iter(coding), Timestamp(2));
    answer.chunks(1).for_each(|byte| call.response_chunk(byte, Timestamp(3)));
    call.finish(End::Complete, Timestamp(4), PriceBook::builtin())
}

#[test]
fn nothing_is_kept_unless_somebody_asked() {
    assert!(call(None, REQUEST, ANSWER, None).content.is_none());
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
    let first = call(Some(&room), &long, ANSWER, None);
    assert!(room.used() <= OF_ONE_CALL);
    let second = call(Some(&room), REQUEST, ANSWER, None);
    assert_eq!(first.content.as_ref().unwrap().read().lacks, ["request too_long", "response no_room"]);
    assert_eq!(second.content.as_ref().unwrap().read().lacks, ["request no_room", "response no_room"]);
    drop((first, second));
    assert_eq!(room.used(), 0);
}
