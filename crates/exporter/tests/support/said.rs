//! Calls with content, made as live ones are.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{Call, CallId, CallRecord, CallStart, End, Mode, Room, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::services;
use serde_json::json;

/// A call of Chat Completions that says and answers this.
pub(crate) fn call(request: &[u8], answer: &[u8], room: &Arc<Room>) -> CallRecord {
    let mut call = begun("api.openai.com", "/v1/chat/completions", room);
    call.request_chunk(request);
    call.response_head(StatusCode::OK, &HeaderMap::new(), Timestamp(2));
    call.response_chunk(answer, Timestamp(3));
    call.finish(End::Complete, Timestamp(4), PriceBook::builtin())
}

/// A call that has something under every name, and lacks something.
#[allow(dead_code, reason = "a unit test wants all of it")]
pub(crate) fn talkative() -> CallRecord {
    let mut call = begun("api.anthropic.com", "/v1/messages", &Arc::new(Room::new(1 << 20)));
    let request = json!({
        "model": "claude-sonnet-5",
        "system": "Be brief.",
        "messages": [{ "role": "user", "content": "Hello" }],
        "tools": [{ "name": "weather", "description": "Long", "input_schema": { "type": "object" } }],
    });
    call.request_chunk(request.to_string().as_bytes());
    let events = HeaderMap::from_iter([(CONTENT_TYPE, "text/event-stream".parse().unwrap())]);
    call.response_head(StatusCode::OK, &events, Timestamp(2));
    for event in [
        r#"{"type":"message_start","message":{"id":"m","model":"claude-sonnet-5","role":"assistant","content":[]}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
        "no JSON",
    ] {
        call.response_chunk(format!("data: {event}\n\n").as_bytes(), Timestamp(3));
    }
    call.finish(End::Cut, Timestamp(4), PriceBook::builtin())
}

/// A call of which nothing but its head has come.
fn begun(host: &str, path: &str, room: &Arc<Room>) -> Box<Call> {
    let service = services::by_host(host).unwrap();
    let headers = HeaderMap::new();
    Call::begin(CallStart {
        id: CallId([1; 16]),
        service,
        recognised: (service.recognise)(&Method::POST, path),
        mode: Mode::Connect,
        method: &Method::POST,
        path,
        query: None,
        headers: &headers,
        host,
        port: 443,
        http_version: "2",
        identity: &Arc::default(),
        at: Timestamp(1),
    })
    .with_room(Some(room), &headers)
}
