//! Perplexity: counts citations, reasoning and searches beside the completion, and says what the call cost, request fees
//! included. Its streams tell the usage unasked and end with their finish reason.

use outrigger_pricing::Meter;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::openai_chat::{ChatUsage, OpenAiChat, Takes};
use crate::services::compatible::recognised;
use crate::services::dollars;
use crate::{Service, StreamedUsage};

static CHAT: OpenAiChat = OpenAiChat {
    amend,
    ends_at_finish: true,
    // The user and the model speak in turns, and nothing is called.
    takes: &Takes {
        tools: false,
        system_anywhere: false,
        schema: true,
        seed: None,
        penalties: true,
        top_k: true,
        usage: false,
        ..Takes::COMMON
    },
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "perplexity",
    otel_name: "perplexity",
    hosts: &["api.perplexity.ai"],
    key_variable: "PERPLEXITY_API_KEY",
    streamed_usage: StreamedUsage::Unasked,
    speaks: &[("openai_chat", "/chat/completions")],
    recognise: |method, path| recognised(&CHAT, method, path),
    ..Service::ROW
};

#[derive(Deserialize)]
struct Own<'a> {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
    #[serde(default)]
    citation_tokens: Option<u64>,
    #[serde(default)]
    num_search_queries: Option<u64>,
    #[serde(default, borrow)]
    cost: Option<Cost<'a>>,
}

#[derive(Deserialize)]
struct Cost<'a> {
    #[serde(default, borrow)]
    total_cost: Option<&'a RawValue>,
}

fn amend(raw: &[u8], usage: &mut ChatUsage) {
    let Ok(own) = serde_json::from_slice::<Own<'_>>(raw) else { return };
    usage.cost = own.cost.and_then(|cost| cost.total_cost).and_then(dollars);
    if let Some(reasoning) = own.reasoning_tokens {
        usage.completion_tokens = usage.completion_tokens.and_then(|visible| visible.checked_add(reasoning));
        usage.completion_tokens_details.get_or_insert_default().reasoning_tokens = Some(reasoning);
    }
    let beside = [(Meter::Citation, own.citation_tokens), (Meter::WebSearch, own.num_search_queries)];
    usage.beside.extend(beside.into_iter().filter_map(|(meter, count)| Some((meter, count?))));
}
