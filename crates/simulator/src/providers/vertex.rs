//! Vertex AI: the formats of several publishers, told apart by the path, with an access token for a key, or a key.

use crate::formats::gemini::{self, embeddings, errors};
use crate::formats::openai_chat::{Style, details};
use crate::formats::{Parts, Whole, anthropic_messages};
use crate::providers::{Provider, bearer, compatible, of_body, text};
use serde_json::json;

pub(super) static ROW: Provider = Provider {
    name: "vertex",
    hosts: &[
        "aiplatform.googleapis.com",
        "aiplatform.us.rep.googleapis.com",
        "aiplatform.eu.rep.googleapis.com",
        "us-central1-aiplatform.googleapis.com",
        "us-east5-aiplatform.googleapis.com",
        "europe-west1-aiplatform.googleapis.com",
    ],
    on_gateway: |path| path.contains("/publishers/"),
    asked: |path, body| match target(path) {
        // The path says less than the body where the counting of tokens stands in a model's place.
        Some((_, model, method)) if model != "count-tokens" => {
            (model.to_owned(), method.starts_with("stream"))
        }
        _ => of_body(body),
    },
    key: |headers, _| bearer(headers).or_else(|| text(headers, "x-goog-api-key")),
    answer: |path, ask, told| match target(path) {
        Some(("anthropic", "count-tokens", _)) => Some(anthropic_messages::count(told)),
        Some(("anthropic", ..)) => Some(anthropic_messages::answer(ask, told)),
        Some(("google", model, "predict")) if model.contains("embedding") => {
            Some(embeddings::predictions(ask, told))
        }
        Some(("google", _, method)) => gemini::answer(method, ask, told).map(on_demand),
        _ if path.contains("/endpoints/") => compatible::answer(path, ask, told, &STYLE),
        _ => None,
    },
    error: |kind, _, _| errors::error(kind),
    error_headers: |_| Vec::new(),
    error_event: |path, kind, body, _| match target(path) {
        Some(("anthropic", ..)) => {
            anthropic_messages::errors::event(&anthropic_messages::errors::error(kind, 0).1)
        }
        _ => gemini::event(body),
    },
    headers: |_| gemini::headers(),
};

/// Publisher, model and method of `…/publishers/P/models/M:METHOD`.
fn target(path: &str) -> Option<(&str, &str, &str)> {
    let (publisher, rest) = path.split_once("/publishers/")?.1.split_once("/models/")?;
    let (model, method) = rest.rsplit_once(':')?;
    Some((publisher, model, method))
}

static STYLE: Style = Style { id: "", usage: |_, used| details(used), ..Style::PLAIN };

/// What a whole answer says of how it was paid for.
fn on_demand(mut parts: Parts) -> Parts {
    if let Whole::Json(json) = &mut parts.whole
        && let Some(usage) = json.get_mut("usageMetadata")
    {
        usage["trafficType"] = json!("ON_DEMAND");
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_publisher_model_and_method() {
        let claude = "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-5-5@20260922:rawPredict";
        assert_eq!(target(claude), Some(("anthropic", "claude-opus-5-5@20260922", "rawPredict")));
        assert_eq!(target("/v1/projects/p/locations/l/endpoints/openapi/chat/completions"), None);
    }
}
