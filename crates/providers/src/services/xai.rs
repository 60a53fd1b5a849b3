//! xAI (wire formats, section 1.10). Its chat counts reasoning beside the completion, may cache more than the prompt, and
//! says what the call cost.

use outrigger_pricing::{Atto, Meter, Region};
use serde::Deserialize;

use crate::dialects::openai_chat::{ChatUsage, OpenAiChat, TakenEffort, Takes};
use crate::services::compatible::{recognised, recognised_socket};
use crate::{Addressed, Service};

/// A tick is 1e-10 dollars.
const ATTO_PER_TICK: u64 = 100_000_000;

static CHAT: OpenAiChat = OpenAiChat {
    amend,
    // Its reasoning models take neither penalties nor texts that end the answer.
    takes: &Takes {
        newest_bound: true,
        parallel: true,
        strict: true,
        effort: TakenEffort::Steps(&["low", "high"]),
        stops: 0,
        lists: true,
        ..Takes::COMMON
    },
    ..OpenAiChat::PLAIN
};

pub(super) static SERVICE: Service = Service {
    id: "xai",
    otel_name: "x_ai",
    hosts: &["api.x.ai", "us-east-1.api.x.ai", "eu-west-1.api.x.ai"],
    key_variable: "XAI_API_KEY",
    speaks: &[
        ("openai_chat", "/v1/chat/completions"),
        ("openai_responses", "/v1/responses"),
        ("anthropic_messages", "/v1/messages"),
    ],
    recognise: |method, path| recognised(&CHAT, method, path),
    recognise_socket: recognised_socket,
    addressed: |host, _| Addressed {
        region: if host == "api.x.ai" { Region::Global } else { Region::Resident },
        ..Addressed::default()
    },
    ..Service::ROW
};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Own {
    total_tokens: Option<u64>,
    cost_in_usd_ticks: Option<u64>,
    server_side_tool_usage_details: Option<Tools>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tools {
    web_search_calls: Option<u64>,
    x_search_calls: Option<u64>,
    code_interpreter_calls: Option<u64>,
    file_search_calls: Option<u64>,
}

fn amend(raw: &[u8], usage: &mut ChatUsage) {
    let own: Own = serde_json::from_slice(raw).unwrap_or_default();
    usage.cost =
        own.cost_in_usd_ticks.and_then(|ticks| Atto::from_units(ticks.into()).checked_mul(ATTO_PER_TICK));
    let (prompt, completion) = (usage.prompt_tokens.unwrap_or(0), usage.completion_tokens.unwrap_or(0));
    if let Some(details) = &mut usage.prompt_tokens_details {
        details.cached_tokens = details.cached_tokens.map(|cached| cached.min(prompt));
    }
    // The total tells on which side of the completion the reasoning stands.
    let reasoning = usage.completion_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0);
    if own.total_tokens != prompt.checked_add(completion) {
        usage.completion_tokens = completion.checked_add(reasoning);
    }
    let tools = own.server_side_tool_usage_details.unwrap_or_default();
    let counted = [
        (Meter::WebSearch, tools.web_search_calls),
        (Meter::SocialSearch, tools.x_search_calls),
        (Meter::CodeRun, tools.code_interpreter_calls),
        (Meter::FileSearch, tools.file_search_calls),
    ];
    usage.beside.extend(
        counted.into_iter().filter_map(|(meter, count)| Some((meter, count.filter(|count| *count > 0)?))),
    );
}
