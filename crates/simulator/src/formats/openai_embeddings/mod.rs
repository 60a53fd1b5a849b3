//! Embeddings: numbers, or base64 of little-endian floats where that is asked for, as the Python SDK does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::Parts;

/// How long a vector is unless asked otherwise.
const DIMENSIONS: u64 = 8;

/// A vector for the n-th text.
pub(crate) fn vector(place: usize, dimensions: u64) -> Vec<f32> {
    (0..dimensions.min(4096)).map(|at| ((at + 1) as f32 / 16.0) - place as f32).collect()
}

/// How many texts there are: one, a list of them, or one as a list of tokens.
pub(crate) fn texts(input: &Value) -> usize {
    match input {
        Value::Array(list) if !list.iter().all(Value::is_number) => list.len(),
        _ => 1,
    }
}

pub(crate) fn answer(ask: &Ask, told: &Told) -> Parts {
    let dimensions = ask.body["dimensions"].as_u64().unwrap_or(DIMENSIONS);
    let base64 = ask.body["encoding_format"] == "base64";
    let data: Vec<Value> = (0..texts(&ask.body["input"]))
        .map(|place| {
            let vector = vector(place, dimensions);
            let embedding = if base64 {
                let bytes: Vec<u8> = vector.into_iter().flat_map(f32::to_le_bytes).collect();
                json!(STANDARD.encode(bytes))
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": place, "embedding": embedding})
        })
        .collect();
    let mut whole = json!({"id": format!("embd-{:032x}", ask.serial), "object": "list", "data": data, "model": told.model});
    if let Some(used) = &told.usage {
        whole["usage"] = json!({"prompt_tokens": used.input, "total_tokens": used.input});
    }
    Parts::plain(whole)
}
