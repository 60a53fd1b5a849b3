//! Message batches, as far as a program that makes one and asks after it needs them. They have no usage.

use serde_json::json;

use crate::formats::Parts;

pub(crate) fn answer(path: &str) -> Parts {
    let id = path.split('/').nth(4).unwrap_or("msgbatch_01harbour");
    Parts::plain(json!({
        "id": id, "type": "message_batch", "processing_status": "in_progress",
        "request_counts": {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
        "ended_at": null, "created_at": "2026-11-16T12:00:00Z", "expires_at": "2026-11-17T12:00:00Z", "archived_at": null,
        "cancel_initiated_at": null, "results_url": null,
    }))
}
