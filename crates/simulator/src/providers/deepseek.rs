//! DeepSeek: hits and misses of its cache, reasoning beside the content, comments and empty lines while it waits.

use serde_json::json;

use crate::formats::anthropic_messages;
use crate::formats::openai_chat::{Style, details};
use crate::providers::{Provider, compatible};

pub(super) static ROW: Provider = Provider {
    name: "deepseek",
    hosts: &["api.deepseek.com"],
    answer: |path, ask, told| match path {
        "/anthropic/v1/messages" => Some(anthropic_messages::answer(ask, told)),
        path => compatible::answer(path, ask, told, &STYLE),
    },
    error: |kind, _, _| compatible::nested(kind),
    error_headers: |_| Vec::new(),
    ..Provider::ROW
};

static STYLE: Style = Style {
    id: "",
    usage: |_, used| {
        let mut usage = details(used);
        usage["prompt_cache_hit_tokens"] = json!(used.cache_read);
        usage["prompt_cache_miss_tokens"] = json!(used.input);
        usage
    },
    dress: |json, _, _| json["system_fingerprint"] = json!("fp_ds_harbour"),
    thoughts: Some("reasoning_content"),
    first: &[": keep-alive\n\n", ": keep-alive\n\n"],
    lead: "\n\n",
    ..Style::PLAIN
};
