//! Streams written by hand, and who reads them.

#![allow(dead_code, reason = "several suites share this module")]
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
