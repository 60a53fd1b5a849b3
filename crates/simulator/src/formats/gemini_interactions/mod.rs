//! Gemini's Interactions: steps, the usage with the end, and a word at the stream's end as OpenAI has it.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::{Parts, words};
use crate::script::Usage;

const CREATED: &str = "2026-11-16T12:00:00Z";

fn usage(used: &Usage) -> Value {
    let input = used.input + used.cache_read;
    let told = |count: u64| json!([{"modality": "text", "tokens": count}]);
    json!({
        "total_input_tokens": input, "total_cached_tokens": used.cache_read, "total_output_tokens": used.output,
        "total_thought_tokens": used.reasoning, "total_tool_use_tokens": 0,
        "total_tokens": input + used.output + used.reasoning,
        "input_tokens_by_modality": told(input), "output_tokens_by_modality": told(used.output),
    })
}

pub(crate) fn answer(ask: &Ask, told: &Told) -> Parts {
    let id = format!("v1_{:040x}", ask.serial);
    let interaction = |status: &str| {
        json!({"id": id, "object": "interaction", "model": told.model, "status": status, "created": CREATED,
            "updated": CREATED, "role": "model"})
    };
    let mut done = interaction("completed");
    if let Some(used) = &told.usage {
        done["usage"] = usage(used);
    }
    let step = |text: &str| json!({"type": "model_output", "content": [{"type": "text", "text": text}]});
    let mut whole = done.clone();
    whole["steps"] = json!([step(&told.text)]);

    let mut data = vec![
        json!({"event_type": "interaction.created", "interaction": interaction("in_progress")}),
        json!({"event_type": "interaction.status_update", "interaction_id": id, "status": "in_progress"}),
        json!({"event_type": "step.start", "index": 0, "step": {"type": "model_output"}}),
    ];
    let first = data.len();
    data.extend(words(&told.text).into_iter().map(
        |word| json!({"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": word}}),
    ));
    let deltas = first..data.len();
    data.push(json!({"event_type": "step.stop", "index": 0}));
    data.push(json!({"event_type": "interaction.completed", "interaction": done}));
    let mut events: Vec<Bytes> = data
        .iter_mut()
        .enumerate()
        .map(|(number, event)| {
            event["event_id"] = json!(format!("e{number}"));
            let name = event["event_type"].as_str().unwrap_or_default();
            Bytes::from(format!("event: {name}\ndata: {event}\n\n"))
        })
        .collect();
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Parts::streamed(whole, events, deltas)
}
