//! What OpenAI's two formats share: errors, headers, the model list.

use serde_json::{Value, json};

use crate::formats::Parts;
use crate::script::ErrorKind;

pub(crate) fn headers(serial: usize) -> Vec<(&'static str, String)> {
    vec![
        ("x-request-id", format!("req_{serial:032x}")),
        ("openai-processing-ms", "187".to_owned()),
        ("openai-version", "2020-10-01".to_owned()),
        ("openai-organization", "harbour-tests".to_owned()),
        ("x-ratelimit-limit-requests", "10000".to_owned()),
        ("x-ratelimit-remaining-requests", "9999".to_owned()),
        ("x-ratelimit-reset-requests", "6ms".to_owned()),
        ("x-ratelimit-limit-tokens", "2000000".to_owned()),
        ("x-ratelimit-remaining-tokens", "1999700".to_owned()),
        ("x-ratelimit-reset-tokens", "6m0s".to_owned()),
        ("alt-svc", "h3=\":443\"; ma=86400".to_owned()),
    ]
}

/// The key as OpenAI repeats it: its middle starred out.
fn masked(key: &str) -> String {
    if key.len() < 12 || !key.is_ascii() {
        return "*".repeat(key.len().max(4));
    }
    format!("{}{}{}", &key[..8], "*".repeat(key.len() - 12), &key[key.len() - 4..])
}

pub(crate) fn error(kind: ErrorKind, key: Option<&str>) -> (u16, Value) {
    let shape = |status: u16, message: String, kind: &str, param: Value, code: Value| {
        (status, json!({"error": {"message": message, "type": kind, "param": param, "code": code}}))
    };
    let refused = "invalid_request_error";
    match kind {
        ErrorKind::Authentication => match key {
            Some("") => shape(
                401,
                "You didn't provide an API key. Send it in an Authorization header with the Bearer scheme."
                    .to_owned(),
                refused,
                Value::Null,
                Value::Null,
            ),
            key => shape(
                401,
                format!(
                    "Incorrect API key provided: {}. Your keys are listed in the platform's settings.",
                    masked(key.unwrap_or("none"))
                ),
                refused,
                Value::Null,
                json!("invalid_api_key"),
            ),
        },
        ErrorKind::Permission => shape(
            403,
            "The project has no access to this model.".to_owned(),
            refused,
            Value::Null,
            json!("permission_denied"),
        ),
        ErrorKind::NotFound => shape(
            404,
            "The model does not exist or you do not have access to it.".to_owned(),
            refused,
            Value::Null,
            json!("model_not_found"),
        ),
        ErrorKind::RateLimit => shape(
            429,
            "Rate limit reached for requests per minute: limit 500, used 500. Try again in 120ms.".to_owned(),
            "requests",
            Value::Null,
            json!("rate_limit_exceeded"),
        ),
        ErrorKind::Quota => shape(
            429,
            "The credit balance of this organization is used up.".to_owned(),
            "insufficient_quota",
            Value::Null,
            json!("credit_balance_exhausted"),
        ),
        ErrorKind::ContextLength => shape(
            400,
            "This model's maximum context length is 272000 tokens, but the messages come to 300000."
                .to_owned(),
            refused,
            json!("messages"),
            json!("context_length_exceeded"),
        ),
        ErrorKind::InvalidRequest => shape(
            400,
            "Missing required parameter: 'messages'.".to_owned(),
            refused,
            json!("messages"),
            json!("missing_required_parameter"),
        ),
        ErrorKind::TooLarge => {
            shape(413, "The request is too large.".to_owned(), refused, Value::Null, Value::Null)
        }
        ErrorKind::Overloaded => shape(
            503,
            "The server is overloaded at the moment.".to_owned(),
            "server_error",
            Value::Null,
            json!("server_is_overloaded"),
        ),
        ErrorKind::ServerError => shape(
            500,
            "The server had an error while processing your request.".to_owned(),
            "server_error",
            Value::Null,
            Value::Null,
        ),
    }
}

pub(crate) fn models() -> Parts {
    let model =
        |id: &str| json!({"id": id, "object": "model", "created": 1_790_000_000, "owned_by": "openai"});
    Parts::plain(json!({"object": "list", "data": [model("gpt-5-mini"), model("gpt-6.1-terra")]}))
}
