//! Responses.

use std::ops::Range;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::{Parts, named, words};
use crate::script::Usage;

const CREATED: u64 = 1_794_830_400;
const ARGUMENTS: [&str; 3] = ["{\"place\":", "\"Kiel\"", "}"];

fn usage(usage: &Usage) -> Value {
    let written = usage.cache_write_short + usage.cache_write_long;
    let input = usage.input + usage.cache_read + written;
    let output = usage.output + usage.reasoning;
    json!({
        "input_tokens": input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": written,
            "cache_write_tokens_details": {
                "ttl_30m_tokens": usage.cache_write_short,
                "ttl_12h_tokens": usage.cache_write_long,
            },
        },
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": input + output,
    })
}

/// The response object around its output; status and usage change as it grows.
fn response(ask: &Ask, told: &Told, status: &str, output: Value) -> Value {
    json!({
        "id": format!("resp_{:032x}", ask.serial), "object": "response", "created_at": CREATED, "status": status,
        "background": false, "error": null, "incomplete_details": null, "instructions": null, "max_output_tokens": null,
        "model": told.model, "output": output, "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null}, "service_tier": told.tier.as_deref().unwrap_or("default"),
        "store": true, "temperature": 1.0, "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": null, "metadata": {},
    })
}

/// The error event: flat, and without the status that its body has elsewhere. It stands in the place of the event of this number.
pub(crate) fn error_event(body: &Value, number: usize) -> Bytes {
    let error = &body["error"];
    let code = if error["code"].is_null() { &error["type"] } else { &error["code"] };
    named(
        &json!({"type": "error", "code": code, "message": error["message"], "param": error["param"], "sequence_number": number}),
    )
}

pub(crate) fn answer(ask: &Ask, told: &Told) -> Parts {
    let (whole, data, deltas) = parts(ask, told);
    Parts::streamed(whole, data.iter().map(named).collect(), deltas)
}

/// How many tokens a request would have.
pub(crate) fn count(told: &Told) -> Parts {
    Parts::plain(json!({"object": "response.input_tokens", "input_tokens": told.used().input}))
}

/// The events as a WebSocket carries them.
pub(crate) fn events(ask: &Ask, told: &Told) -> Vec<Value> {
    parts(ask, told).1
}

fn parts(ask: &Ask, told: &Told) -> (Value, Vec<Value>, Range<usize>) {
    let item_id = format!("msg_{:032x}", ask.serial);
    let done_item = match &ask.tool {
        None => json!({"id": item_id, "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": told.text, "annotations": [], "logprobs": []}]}),
        Some(tool) => {
            json!({"id": format!("fc_{:032x}", ask.serial), "type": "function_call", "status": "completed",
            "call_id": format!("call_{:024x}", ask.serial), "name": tool, "arguments": ARGUMENTS.concat()})
        }
    };
    let mut whole = response(ask, told, "completed", json!([done_item]));
    if let Some(used) = &told.usage {
        whole["usage"] = usage(used);
        if used.web_searches > 0 {
            whole["tool_usage"] = json!({"web_search": {"num_requests": used.web_searches}});
        }
    }

    let mut data = Vec::new();
    let begun = response(ask, told, "in_progress", json!([]));
    data.push(json!({"type": "response.created", "response": begun}));
    data.push(json!({"type": "response.in_progress", "response": begun}));
    let mut open_item = done_item.clone();
    open_item["status"] = json!("in_progress");
    let first;
    let last;
    match &ask.tool {
        None => {
            open_item["content"] = json!([]);
            data.push(json!({"type": "response.output_item.added", "output_index": 0, "item": open_item}));
            let part =
                |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
            data.push(json!({"type": "response.content_part.added", "item_id": item_id, "output_index": 0, "content_index": 0, "part": part("")}));
            first = data.len();
            for word in words(&told.text) {
                data.push(
                    json!({"type": "response.output_text.delta", "item_id": item_id, "output_index": 0,
                    "content_index": 0, "delta": word, "logprobs": [], "obfuscation": "padding"}),
                );
            }
            last = data.len();
            data.push(json!({"type": "response.output_text.done", "item_id": item_id, "output_index": 0, "content_index": 0, "text": told.text, "logprobs": []}));
            data.push(json!({"type": "response.content_part.done", "item_id": item_id, "output_index": 0, "content_index": 0, "part": part(&told.text)}));
        }
        Some(tool) => {
            open_item["arguments"] = json!("");
            let id = open_item["id"].clone();
            data.push(json!({"type": "response.output_item.added", "output_index": 0, "item": open_item}));
            first = data.len();
            for piece in ARGUMENTS {
                data.push(json!({"type": "response.function_call_arguments.delta", "item_id": id, "output_index": 0, "delta": piece, "obfuscation": "padding"}));
            }
            last = data.len();
            data.push(json!({"type": "response.function_call_arguments.done", "item_id": id, "output_index": 0, "name": tool, "arguments": ARGUMENTS.concat()}));
        }
    }
    data.push(json!({"type": "response.output_item.done", "output_index": 0, "item": done_item}));
    data.push(json!({"type": "response.completed", "response": whole}));
    for (number, event) in data.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    (whole, data, first..last)
}
