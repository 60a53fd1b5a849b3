//! Gemini's generateContent, plain and streamed. The model and the method stand in the path.

use serde_json::{Value, json};

use crate::answer::{Ask, Told};
use crate::providers::{Parts, words};
use crate::script::{ErrorKind, Usage};

/// Model and method of `/v1beta/models/MODEL:METHOD`; a tuned model's path begins otherwise.
pub(super) fn target(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v1beta/").or_else(|| path.strip_prefix("/v1/"))?;
    let (model, method) = rest.rsplit_once(':')?;
    (model.starts_with("models/") || model.starts_with("tunedModels/"))
        .then(|| (model.strip_prefix("models/").unwrap_or(model), method))
}

pub(super) fn headers() -> Vec<(&'static str, String)> {
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

pub(super) fn answer(path: &str, ask: &Ask, told: &Told) -> Option<Parts> {
    let (_, method) = target(path)?;
    let id = format!("{:022x}", ask.serial);
    let chunk = |parts: Value, last: bool| {
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
        if last {
            candidate["finishReason"] = json!("STOP");
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
    let whole = chunk(parts(&told.text), true);
    if method == "generateContent" {
        return Some(Parts { whole, events: Vec::new(), deltas: 0..0 });
    }
    if method != "streamGenerateContent" {
        return None;
    }
    let mut chunks = if ask.tool.is_some() {
        vec![chunk(parts(""), false)]
    } else {
        words(&told.text).into_iter().map(|word| chunk(parts(word), false)).collect()
    };
    let deltas = 0..chunks.len();
    chunks.push(chunk(json!([{"text": ""}]), true));
    // Without `alt=sse` one JSON array comes, and it streams no events.
    let events = if ask.server_sent {
        chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n").into()).collect()
    } else {
        Vec::new()
    };
    Some(Parts { whole: Value::Array(chunks), events, deltas })
}

pub(super) fn error(kind: ErrorKind) -> (u16, Value) {
    let info = |reason: &str| json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}]);
    let (status, word, message, details) = match kind {
        ErrorKind::Authentication => (
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            info("API_KEY_INVALID"),
        ),
        ErrorKind::Permission => {
            (403, "PERMISSION_DENIED", "The caller does not have permission", Value::Null)
        }
        ErrorKind::NotFound => {
            (404, "NOT_FOUND", "The model is not found for this API version.", Value::Null)
        }
        ErrorKind::RateLimit => (
            429,
            "RESOURCE_EXHAUSTED",
            "Too many requests for this minute. Please retry in 1s.",
            json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}]),
        ),
        ErrorKind::Quota => (
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota, please check your plan and billing details.",
            json!([{"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]}]),
        ),
        ErrorKind::ContextLength => (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            Value::Null,
        ),
        ErrorKind::InvalidRequest => (
            400,
            "INVALID_ARGUMENT",
            "* GenerateContentRequest.contents: contents is not specified",
            Value::Null,
        ),
        ErrorKind::TooLarge => {
            (413, "INVALID_ARGUMENT", "Request payload size exceeds the limit.", Value::Null)
        }
        ErrorKind::Overloaded => {
            (503, "UNAVAILABLE", "The model is overloaded. Please try again later.", Value::Null)
        }
        ErrorKind::ServerError => (500, "INTERNAL", "An internal error has occurred.", Value::Null),
    };
    let mut error = json!({"code": status, "message": message, "status": word});
    if !details.is_null() {
        error["details"] = details;
    }
    (status, json!({"error": error}))
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
