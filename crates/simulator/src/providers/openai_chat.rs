//! Chat Completions.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::{Ask, Told};
use crate::providers::{Parts, unnamed, words};
use crate::script::Usage;

const CREATED: u64 = 1_794_830_400;
const ARGUMENTS: [&str; 3] = ["{\"place\":", "\"Kiel\"", "}"];

/// On the wire cached and written tokens are inside the prompt, reasoning inside the completion.
fn usage(usage: &Usage) -> Value {
    let prompt = usage.input + usage.cache_read + usage.cache_write_short + usage.cache_write_long;
    let completion = usage.output + usage.reasoning;
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_short + usage.cache_write_long,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

pub(super) fn answer(ask: &Ask, told: &Told) -> Parts {
    let id = format!("chatcmpl-{:029x}", ask.serial);
    let call = format!("call_{:024x}", ask.serial);
    let tier = told.tier.clone().unwrap_or_else(|| "default".to_owned());
    let finish = if ask.tool.is_some() { "tool_calls" } else { "stop" };

    let message = match &ask.tool {
        None => json!({"role": "assistant", "content": told.text, "refusal": null, "annotations": []}),
        Some(tool) => json!({"role": "assistant", "content": null, "refusal": null, "annotations": [],
            "tool_calls": [{"id": call, "type": "function", "function": {"name": tool, "arguments": ARGUMENTS.concat()}}]}),
    };
    let mut whole = json!({
        "id": id, "object": "chat.completion", "created": CREATED, "model": told.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
        "service_tier": tier, "system_fingerprint": "fp_5b1c7a0e42",
    });
    if let Some(used) = &told.usage {
        whole["usage"] = usage(used);
    }

    let chunk = |delta: Value, finish: Value| {
        let mut chunk = json!({
            "id": id, "object": "chat.completion.chunk", "created": CREATED, "model": told.model,
            "service_tier": tier, "system_fingerprint": "fp_5b1c7a0e42",
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
            "obfuscation": "padding",
        });
        if ask.include_usage {
            chunk["usage"] = Value::Null;
        }
        unnamed(&chunk)
    };
    let mut events = vec![chunk(
        json!({"role": "assistant", "content": if ask.tool.is_some() { Value::Null } else { json!("") }, "refusal": null}),
        Value::Null,
    )];
    let first = events.len();
    match &ask.tool {
        None => events
            .extend(words(&told.text).into_iter().map(|word| chunk(json!({"content": word}), Value::Null))),
        Some(tool) => {
            events.push(chunk(
                json!({"tool_calls": [{"index": 0, "id": call, "type": "function", "function": {"name": tool, "arguments": ""}}]}),
                Value::Null,
            ));
            events.extend(ARGUMENTS.into_iter().map(|piece| {
                chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), Value::Null)
            }));
        }
    }
    let deltas = first..events.len();
    events.push(chunk(json!({}), json!(finish)));
    if let (true, Some(used)) = (ask.include_usage, &told.usage) {
        events.push(unnamed(&json!({
            "id": id, "object": "chat.completion.chunk", "created": CREATED, "model": told.model,
            "service_tier": tier, "system_fingerprint": "fp_5b1c7a0e42", "choices": [], "usage": usage(used), "obfuscation": "",
        })));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Parts { whole, events, deltas }
}
