//! Cohere's own format, version 2: chat, embeddings, reranking. What is billed differs from what was read and written.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::openai_embeddings::vector;
use crate::formats::{Parts, named, words};
use crate::script::{ErrorKind, Usage};

/// Tokens of the provider's own preamble, which are read and not billed.
const PREAMBLE: u64 = 480;

fn usage(used: &Usage) -> Value {
    let (input, output) = (used.input + used.cache_read, used.output + used.reasoning);
    json!({
        "billed_units": {"input_tokens": input, "output_tokens": output},
        "tokens": {"input_tokens": input + PREAMBLE, "output_tokens": output + 3},
        "cached_tokens": used.cache_read,
    })
}

fn id(ask: &Ask) -> String {
    format!("00000000-0000-4000-8000-{:012x}", ask.serial)
}

pub(crate) fn chat(ask: &Ask, told: &Told) -> Parts {
    let mut whole = json!({
        "id": id(ask), "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": told.text}]},
    });
    let mut end = json!({"type": "message-end", "id": id(ask), "delta": {"finish_reason": "COMPLETE"}});
    if let Some(used) = &told.usage {
        whole["usage"] = usage(used);
        end["delta"]["usage"] = usage(used);
    }
    let mut events = vec![
        named(&json!({"type": "message-start", "id": id(ask),
            "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}})),
        named(
            &json!({"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}),
        ),
    ];
    let first = events.len();
    events.extend(words(&told.text).into_iter().map(|word| {
        named(
            &json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": word}}}}),
        )
    }));
    let deltas = first..events.len();
    events.push(named(&json!({"type": "content-end", "index": 0})));
    events.push(named(&end));
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Parts::streamed(whole, events, deltas)
}

pub(crate) fn embed(ask: &Ask, told: &Told) -> Parts {
    let texts = ask.body["texts"].as_array().cloned().unwrap_or_default();
    let vectors: Vec<_> = (0..texts.len()).map(|place| vector(place, 8)).collect();
    let mut whole = json!({"id": id(ask), "response_type": "embeddings_by_type", "embeddings": {"float": vectors}, "texts": texts,
        "meta": {"api_version": {"version": "2"}}});
    if let Some(used) = &told.usage {
        whole["meta"]["billed_units"] = json!({"input_tokens": used.input});
    }
    Parts::plain(whole)
}

pub(crate) fn rerank(ask: &Ask, told: &Told) -> Parts {
    let documents = ask.body["documents"].as_array().map_or(0, Vec::len);
    let results: Vec<Value> = (0..documents)
        .map(|place| json!({"index": place, "relevance_score": 1.0 / (place as f64 + 1.0)}))
        .collect();
    let mut whole = json!({"id": id(ask), "results": results, "meta": {"api_version": {"version": "2"}}});
    if told.usage.is_some() {
        whole["meta"]["billed_units"] = json!({"search_units": 1});
    }
    Parts::plain(whole)
}

/// An answer that fails ends, and its end says so.
pub(crate) fn error_event(body: &Value) -> Bytes {
    named(&json!({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": body["message"]}}))
}

pub(crate) fn error(kind: ErrorKind) -> (u16, Value) {
    let (status, message) = match kind {
        ErrorKind::Authentication => (401, "invalid api token"),
        ErrorKind::Permission => (403, "this key may not use the model"),
        ErrorKind::NotFound => (404, "model 'house-9' not found"),
        ErrorKind::RateLimit => (429, "You are past the per minute request limit."),
        ErrorKind::Quota => (402, "Please add a payment method."),
        ErrorKind::ContextLength => {
            (400, "too many tokens: the total exceeds the model's maximum of 256000 tokens")
        }
        ErrorKind::InvalidRequest => (400, "invalid request: messages is missing"),
        ErrorKind::TooLarge => (413, "the request is too large"),
        ErrorKind::Overloaded => (503, "the service is unavailable"),
        ErrorKind::ServerError => (500, "internal server error"),
    };
    (status, json!({"id": "00000000-0000-4000-8000-000000000000", "message": message}))
}
