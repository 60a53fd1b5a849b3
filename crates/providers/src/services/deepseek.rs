//! DeepSeek (wire formats, section 1.10). It tells cache hits and misses apart instead of naming a part of the prompt.

use serde::Deserialize;

use crate::Service;
use crate::dialects::openai_chat::{ChatUsage, OpenAiChat, Takes};
use crate::services::compatible::recognised;

static CHAT: OpenAiChat = OpenAiChat {
    amend,
    finish: &[("insufficient_system_resource", "error")],
    takes: &Takes {
        seed: None,
        penalties: true,
        stops: 16,
        image_urls: false,
        wants_thoughts: true,
        ..Takes::COMMON
    },
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "deepseek",
    otel_name: "deepseek",
    hosts: &["api.deepseek.com"],
    key_variable: "DEEPSEEK_API_KEY",
    key_headers: &["authorization", "x-api-key"],
    speaks: &[("openai_chat", "/chat/completions"), ("anthropic_messages", "/anthropic/v1/messages")],
    recognise: |method, path| recognised(&CHAT, method, path),
    ..Service::ROW
};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Own {
    prompt_cache_hit_tokens: Option<u64>,
    prompt_cache_miss_tokens: Option<u64>,
}

fn amend(raw: &[u8], usage: &mut ChatUsage) {
    let own: Own = serde_json::from_slice(raw).unwrap_or_default();
    let Some(hit) = own.prompt_cache_hit_tokens else { return };
    usage.prompt_tokens_details.get_or_insert_default().cached_tokens = Some(hit);
    if let Some(miss) = own.prompt_cache_miss_tokens {
        usage.prompt_tokens = usage.prompt_tokens.or_else(|| hit.checked_add(miss));
    }
}
