//! OpenRouter: says what a call cost and who served it, and comments while it looks for someone.

use serde_json::{Number, Value, json};

use crate::formats::anthropic_messages;
use crate::formats::openai_chat::{Place, Style, Telling, details};
use crate::providers::{Provider, compatible};

pub(super) static ROW: Provider = Provider {
    name: "openrouter",
    hosts: &["openrouter.ai"],
    answer: |path, ask, told| match path {
        "/api/v1/messages" => Some(anthropic_messages::answer(ask, told)),
        path => compatible::answer(path, ask, told, &STYLE),
    },
    error: |kind, _, _| {
        let compatible::Fault { status, word, message } = compatible::fault(kind);
        (status, json!({"error": {"code": status, "message": message, "metadata": {"error_type": word}}}))
    },
    headers: |serial| vec![("x-generation-id", format!("gen-{serial:020x}"))],
    ..Provider::ROW
};

/// Dollars as a JSON number.
pub(super) fn dollars(text: &str) -> Value {
    text.parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

static STYLE: Style = Style {
    id: "gen-",
    usage: |told, used| {
        let mut usage = details(used);
        usage["prompt_tokens_details"]["cache_write_tokens"] =
            json!(used.cache_write_short + used.cache_write_long);
        usage["cost"] = dollars(&told.cost);
        usage["is_byok"] = json!(false);
        usage["cost_details"] = json!({"upstream_inference_cost": null,
            "upstream_inference_prompt_cost": 0, "upstream_inference_completions_cost": 0});
        usage
    },
    telling: Telling::OwnChunk,
    dress: |json, _, place| {
        json["provider"] = json!("Harbour");
        json["system_fingerprint"] = Value::Null;
        if place != Place::Usage {
            json["choices"][0]["native_finish_reason"] = json["choices"][0]["finish_reason"].clone();
            json["choices"][0]["logprobs"] = Value::Null;
        }
    },
    thoughts: Some("reasoning"),
    first: &[": OPENROUTER PROCESSING\n\n", ": OPENROUTER PROCESSING\n\n"],
    ..Style::PLAIN
};
