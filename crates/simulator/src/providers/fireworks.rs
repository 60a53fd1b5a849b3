//! Fireworks: cached tokens as details, what it measured in headers.

use serde_json::json;

use crate::formats::openai_chat::{Style, Telling, plain_usage};
use crate::providers::{Provider, compatible};

pub(super) static ROW: Provider = Provider {
    name: "fireworks",
    hosts: &["api.fireworks.ai"],
    answer: |path, ask, told| compatible::answer(path, ask, told, &STYLE),
    error: |kind, _, _| compatible::nested(kind),
    headers: |_| {
        vec![
            ("fireworks-server-time-to-first-token", "0.114".to_owned()),
            ("fireworks-prompt-tokens", "1".to_owned()),
        ]
    },
    ..Provider::ROW
};

static STYLE: Style = Style {
    id: "",
    usage: |_, used| {
        let mut usage = plain_usage(used);
        usage["prompt_tokens_details"] = json!({"cached_tokens": used.cache_read});
        usage
    },
    telling: Telling::LastChunk,
    ..Style::PLAIN
};
