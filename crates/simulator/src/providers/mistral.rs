//! Mistral: cached tokens under names of its own, the usage in the last chunk of every stream, errors flat.

use serde_json::json;

use crate::formats::openai_chat::{Style, Telling, plain_usage};
use crate::providers::{Provider, compatible};

pub(super) static ROW: Provider = Provider {
    name: "mistral",
    hosts: &["api.mistral.ai"],
    answer: |path, ask, told| compatible::answer(path, ask, told, &STYLE),
    error: |kind, _, _| {
        let compatible::Fault { status, word, message } = compatible::fault(kind);
        (status, json!({"object": "error", "message": message, "type": word, "param": null, "code": "1000"}))
    },
    headers: |serial| vec![("mistral-correlation-id", format!("{serial:032x}"))],
    ..Provider::ROW
};

static STYLE: Style = Style {
    id: "",
    usage: |_, used| {
        let mut usage = plain_usage(used);
        usage["num_cached_tokens"] = json!(used.cache_read);
        usage
    },
    telling: Telling::LastChunk,
    ..Style::PLAIN
};
