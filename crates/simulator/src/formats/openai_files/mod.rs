//! Files and batches, as far as a program that uploads one and asks after it needs them. They have no usage.

use http::Method;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::formats::Parts;
use crate::formats::openai_chat::CREATED;

pub(crate) fn files(ask: &Ask, path: &str) -> Parts {
    let file = |id: &str| {
        json!({"id": id, "object": "file", "bytes": 120, "created_at": CREATED, "filename": "calls.jsonl",
            "purpose": ask.body["purpose"].as_str().unwrap_or("batch"), "status": "processed"})
    };
    Parts::plain(of(ask, path, "/v1/files", "file-harbour", file))
}

pub(crate) fn batches(ask: &Ask, path: &str) -> Parts {
    let batch = |id: &str| {
        json!({"id": id, "object": "batch", "endpoint": "/v1/chat/completions", "errors": null,
            "input_file_id": "file-harbour", "completion_window": "24h", "status": "validating", "output_file_id": null,
            "error_file_id": null, "created_at": CREATED, "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": null})
    };
    Parts::plain(of(ask, path, "/v1/batches", "batch_harbour", batch))
}

/// One that is made or asked after, or all of them.
fn of(ask: &Ask, path: &str, all: &str, made: &str, one: impl Fn(&str) -> Value) -> Value {
    match path.strip_prefix(all).and_then(|rest| rest.strip_prefix('/')) {
        Some(id) => one(id.split('/').next().unwrap_or_default()),
        None if ask.method == Method::POST => one(made),
        None => json!({"object": "list", "data": [one(made)], "has_more": false}),
    }
}
