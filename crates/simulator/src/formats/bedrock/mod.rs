//! Bedrock's Converse and Claude by InvokeModel, plain and streamed. The model stands in the path, percent-encoded.

pub(crate) mod errors;
mod event_stream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::bedrock::event_stream::message;
use crate::formats::{Parts, Whole, anthropic_messages, words};
use crate::script::Usage;

/// Model and operation of `/model/MODEL/OPERATION`.
pub(crate) fn target(path: &str) -> Option<(String, &str)> {
    let (encoded, operation) = path.strip_prefix("/model/")?.rsplit_once('/')?;
    Some((decoded(encoded)?, operation))
}

fn decoded(encoded: &str) -> Option<String> {
    let mut model = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        let (byte, read) = match escaped.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => (byte, 2),
            None => (*first, 0),
        };
        model.push(byte);
        rest = &tail[read..];
    }
    String::from_utf8(model).ok()
}

pub(crate) fn headers(serial: usize) -> Vec<(&'static str, String)> {
    vec![("x-amzn-requestid", format!("00000000-0000-4000-8000-{serial:012x}"))]
}

fn usage(used: &Usage) -> Value {
    let written = used.cache_write_short + used.cache_write_long;
    let output = used.output + used.reasoning;
    json!({
        "inputTokens": used.input, "outputTokens": output,
        "totalTokens": used.input + used.cache_read + written + output,
        "cacheReadInputTokens": used.cache_read, "cacheWriteInputTokens": written,
        "cacheDetails": [
            {"ttl": "5m", "inputTokens": used.cache_write_short},
            {"ttl": "1h", "inputTokens": used.cache_write_long},
        ],
    })
}

fn event(name: &str, payload: &Value) -> Bytes {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, payload.to_string().as_bytes())
}

pub(crate) fn answer(path: &str, ask: &Ask, told: &Told) -> Option<Parts> {
    match target(path)?.1 {
        "converse" | "converse-stream" => Some(converse(ask, told)),
        "invoke" | "invoke-with-response-stream" => Some(invoke(ask, told)),
        _ => None,
    }
}

fn converse(ask: &Ask, told: &Told) -> Parts {
    let id = format!("tooluse_{:022x}", ask.serial);
    let (block, stop) = match &ask.tool {
        None => (json!({"text": told.text}), "end_turn"),
        Some(tool) => {
            (json!({"toolUse": {"toolUseId": id, "name": tool, "input": {"place": "Kiel"}}}), "tool_use")
        }
    };
    let mut metadata = json!({"metrics": {"latencyMs": 411}});
    if let Some(used) = &told.usage {
        metadata["usage"] = usage(used);
    }
    if let Some(tier) = &told.tier {
        metadata["serviceTier"] = json!({"type": tier});
    }
    let mut whole = metadata.clone();
    whole["output"] = json!({"message": {"content": [block], "role": "assistant"}});
    whole["stopReason"] = json!(stop);

    let mut events = vec![event("messageStart", &json!({"role": "assistant", "p": "abcdefgh"}))];
    let delta = |delta: Value| {
        event("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": delta, "p": "abcd"}))
    };
    if let Some(tool) = &ask.tool {
        let start = json!({"toolUse": {"toolUseId": id, "name": tool}});
        events.push(event("contentBlockStart", &json!({"contentBlockIndex": 0, "start": start, "p": "ab"})));
    }
    let first = events.len();
    match &ask.tool {
        None => events.extend(words(&told.text).into_iter().map(|word| delta(json!({"text": word})))),
        Some(_) => events.push(delta(json!({"toolUse": {"input": "{\"place\": \"Kiel\"}"}}))),
    }
    let deltas = first..events.len();
    events.push(event("contentBlockStop", &json!({"contentBlockIndex": 0, "p": "abc"})));
    events.push(event("messageStop", &json!({"stopReason": stop, "p": "abcdef"})));
    metadata["p"] = json!("ab");
    events.push(event("metadata", &metadata));
    stream(Whole::Json(whole), events, deltas)
}

/// Claude's own format: as it is, or event by event inside chunks.
fn invoke(ask: &Ask, told: &Told) -> Parts {
    let parts = anthropic_messages::answer(ask, told);
    let last = parts.events.len().saturating_sub(1);
    let wrapped = |(at, sse): (usize, &Bytes)| {
        let text = String::from_utf8_lossy(sse);
        let data = text.split_once("data: ").map_or("{}", |(_, data)| data.trim_end());
        let mut value: Value = serde_json::from_str(data).unwrap_or_default();
        if let Some(used) = told.usage.filter(|_| at == last) {
            value["amazon-bedrock-invocationMetrics"] = json!({
                "inputTokenCount": used.input, "outputTokenCount": used.output + used.reasoning,
                "invocationLatency": 411, "firstByteLatency": 120,
                "cacheReadInputTokenCount": used.cache_read,
                "cacheWriteInputTokenCount": used.cache_write_short + used.cache_write_long,
            });
        }
        event("chunk", &json!({"bytes": STANDARD.encode(value.to_string()), "p": "abcdefghijkl"}))
    };
    let events = parts.events.iter().enumerate().map(wrapped).collect();
    stream(parts.whole, events, parts.deltas)
}

fn stream(whole: Whole, events: Vec<Bytes>, deltas: std::ops::Range<usize>) -> Parts {
    Parts { whole, events, deltas, stream_type: "application/vnd.amazon.eventstream" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_read_out_of_the_path() {
        for (path, expected) in [
            ("/model/us.anthropic.claude-v1%3A0/converse", Some("us.anthropic.claude-v1:0")),
            ("/model/arn%3Aaws%2Fx/converse-stream", Some("arn:aws/x")),
            ("/model/odd%/converse", Some("odd%")),
            ("/guardrail/x/apply", None),
        ] {
            assert_eq!(target(path).map(|(model, _)| model).as_deref(), expected, "{path}");
        }
    }
}
