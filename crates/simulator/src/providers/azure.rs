//! What Azure adds to OpenAI's formats: the deployment in the path, and the content filter's results.

use serde_json::{Value, json};

use crate::providers::{Parts, unnamed};

/// The deployment of `/openai/deployments/NAME/…`.
pub(super) fn deployment(path: &str) -> Option<&str> {
    path.strip_prefix("/openai/deployments/")?.split('/').next()
}

pub(super) fn headers(serial: usize) -> Vec<(&'static str, String)> {
    vec![
        ("apim-request-id", format!("00000000-0000-4000-8000-{serial:012x}")),
        ("x-ms-region", "Sweden Central".to_owned()),
    ]
}

fn passed() -> Value {
    let category = json!({"filtered": false, "severity": "safe"});
    json!({"hate": category, "self_harm": category, "sexual": category, "violence": category})
}

/// A plain answer tells of prompt and choice; a stream begins with a chunk that tells of the prompt alone.
pub(super) fn with_filters(mut parts: Parts) -> Parts {
    let prompt = json!([{"prompt_index": 0, "content_filter_results": passed()}]);
    parts.whole["prompt_filter_results"] = prompt.clone();
    parts.whole["choices"][0]["content_filter_results"] = passed();
    let first = json!({"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": prompt});
    parts.events.insert(0, unnamed(&first));
    parts.deltas = parts.deltas.start + 1..parts.deltas.end + 1;
    parts
}
