//! OpenRouter (wire formats, section 1.10). It says what the call cost; with a key of the customer's own that is its fee
//! alone, and the rest is told beside it. Its streams end with the usage, asked or not.

use outrigger_pricing::Meter;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::openai_chat::{ChatUsage, OpenAiChat, TakenEffort, Takes};
use crate::services::compatible::recognised;
use crate::services::dollars;
use crate::{FailureClass, Service, StreamedUsage};

static CHAT: OpenAiChat = OpenAiChat {
    amend,
    codes: &[
        ("provider_overloaded", FailureClass::Overloaded),
        ("provider_unavailable", FailureClass::Overloaded),
        ("content_filtered", FailureClass::ContentPolicy),
    ],
    // A refusal by moderation.
    statuses: &[(403, FailureClass::ContentPolicy)],
    takes: &Takes {
        parallel: true,
        strict: true,
        effort: TakenEffort::Steps(&["minimal", "low", "medium", "high"]),
        penalties: true,
        top_k: true,
        lists: true,
        documents: true,
        ..Takes::COMMON
    },
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "openrouter",
    otel_name: "openrouter",
    hosts: &["openrouter.ai"],
    key_variable: "OPENROUTER_API_KEY",
    key_headers: &["authorization", "x-api-key"],
    request_id_header: "x-generation-id",
    streamed_usage: StreamedUsage::Unasked,
    speaks: &[
        ("openai_chat", "/api/v1/chat/completions"),
        ("openai_responses", "/api/v1/responses"),
        ("openai_completions", "/api/v1/completions"),
        ("anthropic_messages", "/api/v1/messages"),
    ],
    recognise: |method, path| recognised(&CHAT, method, path),
    ..Service::ROW
};

#[derive(Deserialize)]
struct Own<'a> {
    #[serde(default, borrow)]
    cost: Option<&'a RawValue>,
    #[serde(default)]
    is_byok: bool,
    #[serde(default, borrow)]
    cost_details: Option<CostDetails<'a>>,
    #[serde(default)]
    server_tool_use: Option<ServerTools>,
}

#[derive(Deserialize)]
struct CostDetails<'a> {
    #[serde(default, borrow)]
    upstream_inference_cost: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ServerTools {
    #[serde(default)]
    web_search_requests: Option<u64>,
}

fn amend(raw: &[u8], usage: &mut ChatUsage) {
    let Ok(own) = serde_json::from_slice::<Own<'_>>(raw) else { return };
    let upstream = own.cost_details.and_then(|details| details.upstream_inference_cost).and_then(dollars);
    usage.cost = match (own.cost.and_then(dollars), upstream) {
        (Some(fee), Some(upstream)) if own.is_byok => fee.checked_add(upstream),
        (cost, _) => cost,
    };
    if let Some(searches) = own.server_tool_use.and_then(|tools| tools.web_search_requests) {
        usage.beside.push((Meter::WebSearch, searches));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(raw: &str) -> Option<String> {
        let mut usage = ChatUsage::default();
        amend(raw.as_bytes(), &mut usage);
        usage.cost.map(|cost| cost.to_string())
    }

    #[test]
    fn with_a_key_of_ones_own_the_cost_is_fee_and_upstream() {
        assert_eq!(cost(r#"{"cost":0.00014}"#).as_deref(), Some("0.00014"));
        assert_eq!(cost(r#"{"cost":1.4e-05}"#).as_deref(), Some("0.000014"));
        let own_key = r#"{"cost":0.95,"is_byok":true,"cost_details":{"upstream_inference_cost":19}}"#;
        assert_eq!(cost(own_key).as_deref(), Some("19.95"));
        let credits = r#"{"cost":0.95,"is_byok":false,"cost_details":{"upstream_inference_cost":19}}"#;
        assert_eq!(cost(credits).as_deref(), Some("0.95"));
        assert_eq!(cost(r#"{"cost":null}"#), None);
    }
}
