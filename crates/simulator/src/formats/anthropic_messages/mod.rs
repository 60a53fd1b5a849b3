//! Anthropic's Messages.

pub(crate) mod batches;
pub(crate) mod errors;

use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::{Parts, named, words};
use crate::script::{Refused, Usage};

const ARGUMENTS: [&str; 3] = ["{\"place\": ", "\"Kiel\"", "}"];

pub(crate) fn headers(serial: usize) -> Vec<(&'static str, String)> {
    vec![
        ("request-id", format!("req_011C{serial:020x}")),
        ("anthropic-organization-id", "0b0e2f0a-5c4b-4f6e-9d53-6a3c1f9f2d11".to_owned()),
        ("anthropic-ratelimit-requests-limit", "4000".to_owned()),
        ("anthropic-ratelimit-requests-remaining", "3999".to_owned()),
        ("anthropic-ratelimit-requests-reset", "2026-11-16T12:00:01Z".to_owned()),
        ("anthropic-ratelimit-input-tokens-limit", "2000000".to_owned()),
        ("anthropic-ratelimit-input-tokens-remaining", "1999000".to_owned()),
        ("anthropic-ratelimit-output-tokens-limit", "400000".to_owned()),
        ("anthropic-ratelimit-output-tokens-remaining", "399000".to_owned()),
    ]
}

/// On the wire the input is the uncached rest, and the output contains the thinking.
fn usage(told: &Told, used: &Usage) -> Value {
    let (tier, speed) = match told.tier.as_deref() {
        Some("fast") => ("standard", "fast"),
        other => (other.unwrap_or("standard"), "standard"),
    };
    json!({
        "input_tokens": used.input,
        "cache_creation_input_tokens": used.cache_write_short + used.cache_write_long,
        "cache_read_input_tokens": used.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": used.cache_write_short,
            "ephemeral_1h_input_tokens": used.cache_write_long,
        },
        "output_tokens": used.output + used.reasoning,
        "output_tokens_details": {"thinking_tokens": used.reasoning},
        "server_tool_use": if used.web_searches > 0 {
            json!({"web_search_requests": used.web_searches, "web_fetch_requests": 0})
        } else {
            Value::Null
        },
        "service_tier": tier, "speed": speed, "inference_geo": "global",
    })
}

pub(crate) fn answer(ask: &Ask, told: &Told) -> Parts {
    let id = format!("msg_01{:022x}", ask.serial);
    let tool_id = format!("toolu_01{:022x}", ask.serial);
    let stop = match (told.refused, &ask.tool) {
        (Some(_), _) => "refusal",
        (None, Some(_)) => "tool_use",
        (None, None) => "end_turn",
    };
    let details = match told.refused {
        Some(_) => {
            json!({"type": "refusal", "category": "bio", "explanation": "The request touches a policy."})
        }
        None => Value::Null,
    };
    let block = match &ask.tool {
        None => json!({"type": "text", "text": told.text, "citations": null}),
        Some(tool) => json!({"type": "tool_use", "id": tool_id, "name": tool, "input": {"place": "Kiel"}}),
    };
    let message = |content: Value, stop: Value, usage: Value| {
        let details = if stop.is_null() { &Value::Null } else { &details };
        json!({"id": id, "type": "message", "role": "assistant", "model": told.model, "content": content,
            "stop_reason": stop, "stop_sequence": null, "stop_details": details, "container": null, "usage": usage})
    };
    let content = if told.refused == Some(Refused::Prompt) { json!([]) } else { json!([block]) };
    let used = told.usage.unwrap_or_default();
    let mut whole = message(content, json!(stop), usage(told, &used));
    if told.usage.is_none()
        && let Some(object) = whole.as_object_mut()
    {
        object.remove("usage");
    }

    let mut starting = usage(told, &used);
    starting["output_tokens"] = json!(1);
    if let Some(object) = starting.as_object_mut() {
        object.remove("output_tokens_details");
        object.remove("server_tool_use");
    }
    let begun = message(json!([]), Value::Null, if told.usage.is_some() { starting } else { json!({}) });
    let mut events = vec![named(&json!({"type": "message_start", "message": begun}))];
    let opened = match &ask.tool {
        None => json!({"type": "text", "text": ""}),
        Some(tool) => json!({"type": "tool_use", "id": tool_id, "name": tool, "input": {}}),
    };
    events.push(named(&json!({"type": "content_block_start", "index": 0, "content_block": opened})));
    events.push(named(&json!({"type": "ping"})));
    let first = events.len();
    let delta = |delta: Value| named(&json!({"type": "content_block_delta", "index": 0, "delta": delta}));
    match &ask.tool {
        None => events.extend(
            words(&told.text).into_iter().map(|word| delta(json!({"type": "text_delta", "text": word}))),
        ),
        Some(_) => events.extend(
            ARGUMENTS
                .into_iter()
                .map(|piece| delta(json!({"type": "input_json_delta", "partial_json": piece}))),
        ),
    }
    let deltas = first..events.len();
    events.push(named(&json!({"type": "content_block_stop", "index": 0})));
    let ending = match &told.usage {
        Some(used) => {
            let mut all = usage(told, used);
            if let Some(object) = all.as_object_mut() {
                object.retain(|name, _| {
                    !matches!(name.as_str(), "service_tier" | "speed" | "inference_geo" | "cache_creation")
                });
            }
            all
        }
        None => json!({}),
    };
    // Nothing was answered: there is no block, and nothing that could be repeated.
    let deltas = if told.refused == Some(Refused::Prompt) {
        events.truncate(1);
        1..1
    } else {
        deltas
    };
    events.push(named(&json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null, "stop_details": details}, "usage": ending})));
    events.push(named(&json!({"type": "message_stop"})));
    Parts::streamed(whole, events, deltas)
}

pub(crate) fn count(told: &Told) -> Parts {
    Parts::plain(json!({"input_tokens": told.usage.unwrap_or_default().input}))
}
