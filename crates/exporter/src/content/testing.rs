//! Calls with content, made as live ones are.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{Call, CallId, CallRecord, CallStart, Captured, End, Mode, Room, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::services;
use serde_json::Value;

/// A call of Chat Completions that says and answers this.
pub(crate) fn call(request: &[u8], answer: &[u8], room: &Arc<Room>) -> CallRecord {
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
    let mut call = call.with_room(Some(room), &headers);
    call.request_chunk(request);
    call.response_head(StatusCode::OK, &headers, Timestamp(2));
    call.response_chunk(answer, Timestamp(3));
    call.finish(End::Complete, Timestamp(4), PriceBook::builtin())
}

/// Content of these two bodies.
pub(crate) fn captured(request: &Value, answer: &Value) -> Arc<Captured> {
    let room = Arc::new(Room::new(1 << 20));
    call(request.to_string().as_bytes(), answer.to_string().as_bytes(), &room).content.unwrap()
}

/// Content that has something under every name, and lacks something.
pub(crate) fn talkative() -> Arc<Captured> {
    let service = services::by_host("api.anthropic.com").unwrap();
    let (path, headers) = ("/v1/messages", HeaderMap::new());
    let call = Call::begin(CallStart {
        id: CallId([2; 16]),
        service,
        recognised: (service.recognise)(&Method::POST, path),
        mode: Mode::Connect,
        method: &Method::POST,
        path,
        query: None,
        headers: &headers,
        host: "api.anthropic.com",
        port: 443,
        http_version: "2",
        identity: &Arc::default(),
        at: Timestamp(1),
    });
    let mut call = call.with_room(Some(&Arc::new(Room::new(1 << 20))), &headers);
    let request = serde_json::json!({
        "model": "claude-sonnet-5",
        "system": "Be brief.",
        "messages": [{ "role": "user", "content": "Hello" }],
        "tools": [{ "name": "weather", "description": "Long", "input_schema": { "type": "object" } }],
    });
    call.request_chunk(request.to_string().as_bytes());
    let events = HeaderMap::from_iter([(http::header::CONTENT_TYPE, "text/event-stream".parse().unwrap())]);
    call.response_head(StatusCode::OK, &events, Timestamp(2));
    for event in [
        r#"{"type":"message_start","message":{"id":"m","model":"claude-sonnet-5","role":"assistant","content":[]}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
        "no JSON",
    ] {
        call.response_chunk(format!("data: {event}\n\n").as_bytes(), Timestamp(3));
    }
    call.finish(End::Cut, Timestamp(4), PriceBook::builtin()).content.unwrap()
}
