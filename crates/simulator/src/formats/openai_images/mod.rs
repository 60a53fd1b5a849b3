//! Images, made and edited, whole or with the pictures that come before the last.

use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::openai_chat::CREATED;
use crate::formats::{Parts, named};
use crate::script::Usage;

/// One transparent pixel as PNG.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// What is written is text; what is drawn is an image.
fn usage(used: &Usage) -> Value {
    let input = used.input + used.input_image;
    json!({
        "input_tokens": input,
        "input_tokens_details": {"text_tokens": used.input, "image_tokens": used.input_image},
        "output_tokens": used.output,
        "output_tokens_details": {"image_tokens": used.output, "text_tokens": 0},
        "total_tokens": input + used.output,
    })
}

pub(crate) fn answer(ask: &Ask, told: &Told, edited: bool) -> Parts {
    let count = match &ask.body["n"] {
        Value::String(text) => text.parse().unwrap_or(1),
        n => n.as_u64().unwrap_or(1),
    };
    let used = told.usage.as_ref().map(usage);
    let settings =
        json!({"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"});
    let mut whole = settings.clone();
    whole["created"] = json!(CREATED);
    whole["data"] = (0..count).map(|_| json!({"b64_json": PIXEL})).collect();
    if let Some(used) = &used {
        whole["usage"] = used.clone();
    }
    let event = |kind: &str| {
        let mut event = settings.clone();
        event["type"] = json!(format!("image_{}.{kind}", if edited { "edit" } else { "generation" }));
        event["created_at"] = json!(CREATED);
        event["b64_json"] = json!(PIXEL);
        event
    };
    let mut partial = event("partial_image");
    partial["partial_image_index"] = json!(0);
    let mut last = event("completed");
    if let Some(used) = used {
        last["usage"] = used;
    }
    Parts::streamed(whole, vec![named(&partial), named(&last)], 0..1)
}
