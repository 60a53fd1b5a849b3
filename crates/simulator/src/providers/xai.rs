//! xAI: reasoning stands beside the completion and not in it, the bill in ten-billionths of a dollar, errors flat.

use serde_json::json;

use crate::formats::openai_chat::{Style, Telling};
use crate::formats::openai_responses;
use crate::providers::{Provider, compatible};

pub(super) static ROW: Provider = Provider {
    name: "xai",
    hosts: &["api.x.ai"],
    answer: |path, ask, told| match path {
        "/v1/responses" => Some(openai_responses::answer(ask, told)),
        path => compatible::answer(path, ask, told, &STYLE),
    },
    error: |kind, _, _| {
        let compatible::Fault { status, word, message } = compatible::fault(kind);
        (status, json!({"code": word, "error": message}))
    },
    headers: |serial| vec![("x-request-id", format!("00000000-0000-4000-8000-{serial:012x}"))],
    ..Provider::ROW
};

static STYLE: Style = Style {
    id: "",
    usage: |told, used| {
        let prompt = used.input + used.cache_read;
        let ticks = told.cost.parse::<f64>().map_or(0, |dollars| (dollars * 1e10).round() as u64);
        json!({
            "prompt_tokens": prompt, "completion_tokens": used.output,
            "total_tokens": prompt + used.output + used.reasoning,
            "prompt_tokens_details":
                {"text_tokens": prompt, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": used.cache_read},
            "completion_tokens_details": {"reasoning_tokens": used.reasoning, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
            "num_sources_used": 0, "cost_in_usd_ticks": ticks,
        })
    },
    telling: Telling::OwnChunk,
    dress: |json, _, _| json["system_fingerprint"] = json!("fp_6ca29cf396"),
    thoughts: Some("reasoning_content"),
    ..Style::PLAIN
};
