//! Streams written by hand, and who reads them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test they serve")]

use outrigger_providers::canonical::Reader;
use outrigger_providers::{Dialect, dialects};
use serde_json::{Value, json};

fn reader(dialect: &'static dyn Dialect) -> &'static dyn Reader {
    dialect.canonical().unwrap()
}

pub(crate) fn chat() -> &'static dyn Reader {
    reader(&dialects::openai_chat::OPENAI_CHAT)
}

pub(crate) fn messages() -> &'static dyn Reader {
    reader(&dialects::anthropic_messages::AnthropicMessages)
}

pub(crate) fn responses() -> &'static dyn Reader {
    reader(&dialects::openai_responses::OpenAiResponses)
}

pub(crate) fn gemini() -> &'static dyn Reader {
    reader(&dialects::gemini::Gemini)
}

pub(crate) fn converse() -> &'static dyn Reader {
    reader(&dialects::bedrock_converse::BedrockConverse)
}

/// Server-sent events with their names, if they have any.
pub(crate) fn sse(events: &[(&str, Value)]) -> Vec<u8> {
    let mut body = String::new();
    for (name, data) in events {
        if !name.is_empty() {
            body.push_str(&format!("event: {name}\n"));
        }
        body.push_str(&format!("data: {data}\n\n"));
    }
    body.into_bytes()
}

/// Chunks of Chat Completions, all of one choice.
pub(crate) fn deltas(index: u64, deltas: Vec<Value>) -> Vec<u8> {
    let chunk = |delta| ("", json!({"id": "r", "model": "m", "choices": [{"index": index, "delta": delta}]}));
    sse(&deltas.into_iter().map(chunk).collect::<Vec<_>>())
}

/// One message of AWS's framing: `kind` is `event` or `exception`, `name` which one.
pub(crate) fn aws(kind: &str, name: &str, payload: &Value) -> Vec<u8> {
    let payload = payload.to_string();
    let mut headers = Vec::new();
    let named = format!(":{kind}-type");
    for (header, value) in
        [(named.as_str(), name), (":content-type", "application/json"), (":message-type", kind)]
    {
        headers.push(u8::try_from(header.len()).unwrap());
        headers.extend(header.as_bytes());
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let mut bytes = u32::try_from(16 + headers.len() + payload.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(&headers);
    bytes.extend(payload.as_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

pub(crate) fn content_type(kind: &str) -> http::HeaderMap {
    [(http::header::CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect()
}
