//! Azure: OpenAI's formats with the deployment in the path, and the content filter's results.

use serde_json::{Value, json};

use crate::formats::openai_chat::{Place, Style, details};
use crate::formats::{anthropic_messages, openai_responses};
use crate::providers::{Provider, bearer, compatible, text};

pub(super) static ROW: Provider = Provider {
    name: "azure",
    hosts: &["*.openai.azure.com", "*.services.ai.azure.com"],
    asked: |path, body| {
        let model = deployment(path).or(body["model"].as_str()).unwrap_or_default();
        (model.to_owned(), body["stream"].as_bool().unwrap_or(false))
    },
    key: |headers, _| {
        text(headers, "api-key").or_else(|| text(headers, "x-api-key")).or_else(|| bearer(headers))
    },
    answer: |path, ask, told| match path {
        path if path.ends_with("/anthropic/v1/messages") => Some(anthropic_messages::answer(ask, told)),
        path if path.ends_with("/responses") => Some(openai_responses::answer(ask, told)),
        path => compatible::answer(path, ask, told, &STYLE),
    },
    headers: |serial| {
        vec![
            ("apim-request-id", format!("00000000-0000-4000-8000-{serial:012x}")),
            ("x-ms-region", "Sweden Central".to_owned()),
        ]
    },
    ..Provider::ROW
};

/// A plain answer tells of prompt and choice; a stream begins with a chunk that tells of the prompt alone.
static STYLE: Style = Style {
    usage: |_, used| details(used),
    dress: |json, _, place| {
        json["system_fingerprint"] = json!("fp_5b1c7a0e42");
        if place == Place::Whole {
            json["prompt_filter_results"] = of_prompt();
        }
        if place != Place::Usage {
            json["choices"][0]["content_filter_results"] = passed();
        }
    },
    prompt_chunk: Some(
        || json!({"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": of_prompt()}),
    ),
    ..Style::PLAIN
};

/// The deployment of `/openai/deployments/NAME/…`.
fn deployment(path: &str) -> Option<&str> {
    path.strip_prefix("/openai/deployments/")?.split('/').next()
}

fn of_prompt() -> Value {
    json!([{"prompt_index": 0, "content_filter_results": passed()}])
}

fn passed() -> Value {
    let category = json!({"filtered": false, "severity": "safe"});
    json!({"hate": category, "self_harm": category, "sexual": category, "violence": category})
}
