//! Gemini's generateContent, plain and streamed. The model and the method stand in the path.

pub(crate) mod embeddings;
pub(crate) mod errors;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::{Parts, words};
use crate::script::{Refused, Usage};

/// Model and method of `/v1beta/models/MODEL:METHOD`; a tuned model's path begins otherwise.
pub(crate) fn target(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v1beta/").or_else(|| path.strip_prefix("/v1/"))?;
    let (model, method) = rest.rsplit_once(':')?;
    (model.starts_with("models/") || model.starts_with("tunedModels/"))
        .then(|| (model.strip_prefix("models/").unwrap_or(model), method))
}

pub(crate) fn headers() -> Vec<(&'static str, String)> {
    vec![
        ("vary", "Origin".to_owned()),
        ("server", "scaffolding on HTTPServer2".to_owned()),
        ("server-timing", "gfet4t7; dur=412".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("alt-svc", "h3=\":443\"; ma=2592000,h3-29=\":443\"; ma=2592000".to_owned()),
    ]
}

/// On the wire the prompt contains what a cache held, and the candidates leave the thoughts out.
fn usage(used: &Usage, candidates: bool) -> Value {
    let prompt = used.input + used.cache_read;
    let answered = if candidates { used.output } else { 0 };
    let mut told = json!({
        "promptTokenCount": prompt,
        "totalTokenCount": prompt + answered + used.reasoning,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    });
    if candidates {
        told["candidatesTokenCount"] = json!(used.output);
    }
    if used.cache_read > 0 {
        told["cachedContentTokenCount"] = json!(used.cache_read);
        told["cacheTokensDetails"] = json!([{"modality": "TEXT", "tokenCount": used.cache_read}]);
    }
    if used.reasoning > 0 {
        told["thoughtsTokenCount"] = json!(used.reasoning);
    }
    told
}

/// An element of a stream.
pub(crate) fn event(data: &Value) -> Bytes {
    format!("data: {data}\r\n\r\n").into()
}

/// A prompt that is blocked has no candidate.
fn blocked(id: &str, told: &Told) -> Value {
    let mut chunk = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": told.model, "responseId": id});
    if let Some(used) = &told.usage {
        chunk["usageMetadata"] = usage(used, false);
    }
    chunk
}

fn count(told: &Told) -> Parts {
    let prompt = told.used().input;
    Parts::plain(
        json!({"totalTokens": prompt, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}]}),
    )
}

pub(crate) fn answer(method: &str, ask: &Ask, told: &Told) -> Option<Parts> {
    let id = format!("{:022x}", ask.serial);
    let finish = if told.refused.is_some() { "SAFETY" } else { "STOP" };
    let chunk = |parts: Value, last: bool| {
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
        if last {
            candidate["finishReason"] = json!(finish);
        }
        let mut chunk = json!({"candidates": [candidate], "modelVersion": told.model, "responseId": id});
        if let Some(used) = &told.usage {
            chunk["usageMetadata"] = usage(used, last);
        }
        chunk
    };
    let parts = |text: &str| match &ask.tool {
        None => json!([{"text": text}]),
        Some(tool) => json!([{"functionCall": {"name": tool, "args": {"place": "Kiel"}}}]),
    };
    let whole = match told.refused {
        Some(Refused::Prompt) => blocked(&id, told),
        _ => chunk(parts(&told.text), true),
    };
    if method == "generateContent" {
        return Some(Parts::plain(whole));
    }
    match method {
        "embedContent" => return Some(embeddings::answer(ask, told, false)),
        "batchEmbedContents" => return Some(embeddings::answer(ask, told, true)),
        "countTokens" => return Some(count(told)),
        "streamGenerateContent" => {}
        _ => return None,
    }
    let mut chunks = if told.refused == Some(Refused::Prompt) {
        Vec::new()
    } else if ask.tool.is_some() {
        vec![chunk(parts(""), false)]
    } else {
        words(&told.text).into_iter().map(|word| chunk(parts(word), false)).collect()
    };
    let deltas = 0..chunks.len();
    chunks.push(match told.refused {
        Some(Refused::Prompt) => whole,
        _ => chunk(json!([{"text": ""}]), true),
    });
    // Without `alt=sse` one JSON array comes, and it streams no events.
    let events = if ask.query_has("alt=sse") { chunks.iter().map(event).collect() } else { Vec::new() };
    Some(Parts::streamed(Value::Array(chunks), events, deltas))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_model_and_method() {
        for (path, expected) in [
            (
                "/v1beta/models/gemini-3.5-flash:generateContent",
                Some(("gemini-3.5-flash", "generateContent")),
            ),
            (
                "/v1/tunedModels/tide-1:streamGenerateContent",
                Some(("tunedModels/tide-1", "streamGenerateContent")),
            ),
            ("/v1beta/models", None),
            ("/v1beta/files:upload", None),
        ] {
            assert_eq!(target(path), expected, "{path}");
        }
    }
}
