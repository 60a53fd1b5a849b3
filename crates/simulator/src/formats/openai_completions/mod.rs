//! The legacy Completions.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::openai_chat::{CREATED, plain_usage};
use crate::formats::{Parts, unnamed, words};

pub(crate) fn answer(ask: &Ask, told: &Told) -> Parts {
    let object = |text: &str, finish: Value| {
        json!({
            "id": format!("cmpl-{:029x}", ask.serial), "object": "text_completion", "created": CREATED, "model": told.model,
            "choices": [{"text": text, "index": 0, "logprobs": null, "finish_reason": finish}],
        })
    };
    let mut whole = object(&told.text, json!("stop"));
    if let Some(used) = &told.usage {
        whole["usage"] = plain_usage(used);
    }
    let mut events: Vec<Bytes> =
        words(&told.text).into_iter().map(|word| unnamed(&object(word, Value::Null))).collect();
    let deltas = 0..events.len();
    events.push(unnamed(&object("", json!("stop"))));
    if let (true, Some(used)) = (ask.include_usage, &told.usage) {
        let mut last = object("", Value::Null);
        last["choices"] = json!([]);
        last["usage"] = plain_usage(used);
        events.push(unnamed(&last));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Parts::streamed(whole, events, deltas)
}
