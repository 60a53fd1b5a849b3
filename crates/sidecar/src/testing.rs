//! Calls for tests of what is handed their records.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{Call, CallId, CallRecord, CallStart, End, Mode, Room, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::services;

/// A call to OpenAI that was answered with this status, all of it at one time; with its content where there is room.
pub(crate) fn call(id: u8, status: StatusCode, at: Timestamp, room: Option<&Arc<Room>>) -> Arc<CallRecord> {
    let service = services::by_host("api.openai.com").unwrap();
    let path = "/v1/chat/completions";
    let mut call = Call::begin(CallStart {
        id: CallId([id; 16]),
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
        identity: &Arc::default(),
        at,
    })
    .with_room(room, &HeaderMap::new());
    call.request_chunk(br#"{"model":"gpt-5"}"#);
    call.response_head(status, &HeaderMap::new(), at);
    Arc::new(call.finish(End::Complete, at, PriceBook::builtin()))
}
