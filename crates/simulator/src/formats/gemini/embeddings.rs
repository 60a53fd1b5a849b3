//! Gemini's embeddings, by both of their paths, and Vertex's, which are predictions.

use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::Parts;
use crate::formats::openai_embeddings::vector;

/// `embedContent`: one; `batchEmbedContents`: as many as are asked for.
pub(crate) fn answer(ask: &Ask, told: &Told, batch: bool) -> Parts {
    let values = |place: usize| json!({"values": vector(place, 8)});
    let mut whole = if batch {
        let count = ask.body["requests"].as_array().map_or(0, Vec::len);
        json!({"embeddings": (0..count).map(values).collect::<Vec<_>>()})
    } else {
        json!({"embedding": values(0)})
    };
    if let Some(used) = &told.usage {
        whole["usageMetadata"] = json!({"promptTokenCount": used.input, "totalTokenCount": used.input});
    }
    Parts::plain(whole)
}

/// `predict` of an embedding model: each text with its own count. All of them are those of the first.
pub(crate) fn predictions(ask: &Ask, told: &Told) -> Parts {
    let count = ask.body["instances"].as_array().map_or(0, Vec::len);
    let predictions: Vec<Value> = (0..count)
        .map(|place| {
            let tokens = if place == 0 { told.used().input } else { 0 };
            let statistics = told.usage.map(|_| json!({"truncated": false, "token_count": tokens}));
            json!({"embeddings": {"values": vector(place, 8), "statistics": statistics}})
        })
        .collect();
    Parts::plain(json!({"predictions": predictions, "metadata": {"billableCharacterCount": 40}}))
}
