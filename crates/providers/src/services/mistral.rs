//! Mistral (wire formats, section 1.10). It counts cached tokens under names of its own, and its streams
//! always end with the usage.

use outrigger_pricing::Meter;
use serde::Deserialize;

use crate::canonical::IdRule;
use crate::dialects::openai_chat::{ChatUsage, Details, OpenAiChat, Takes};
use crate::services::compatible::recognised;
use crate::{Service, StreamedUsage};

static CHAT: OpenAiChat = OpenAiChat {
    amend,
    finish: &[("model_length", "length")],
    // It refuses members that it does not know.
    takes: &Takes {
        parallel: true,
        strict: true,
        seed: Some("random_seed"),
        penalties: true,
        required: "any",
        lists: true,
        usage: false,
        ids: IdRule::Exactly(9),
        ..Takes::COMMON
    },
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "mistral",
    otel_name: "mistral_ai",
    hosts: &["api.mistral.ai"],
    key_variable: "MISTRAL_API_KEY",
    streamed_usage: StreamedUsage::Unasked,
    speaks: &[("openai_chat", "/v1/chat/completions"), ("openai_embeddings", "/v1/embeddings")],
    recognise: |method, path| recognised(&CHAT, method, path),
    ..Service::ROW
};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Own {
    num_cached_tokens: Option<u64>,
    prompt_token_details: Option<Details>,
    prompt_audio_seconds: Option<f64>,
}

fn amend(raw: &[u8], usage: &mut ChatUsage) {
    let own: Own = serde_json::from_slice(raw).unwrap_or_default();
    let details = usage.prompt_tokens_details.get_or_insert(own.prompt_token_details.unwrap_or_default());
    details.cached_tokens = details.cached_tokens.or(own.num_cached_tokens);
    if let Some(seconds) = own.prompt_audio_seconds.filter(|seconds| *seconds > 0.0) {
        usage.beside.push((Meter::AudioSecond, seconds.ceil() as u64));
    }
}
