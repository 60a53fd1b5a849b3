//! What those who imitate OpenAI share: where they take the key, and a plain table of errors that each shapes in its way.

use serde_json::{Value, json};

use crate::ask::{Ask, Told};
use crate::formats::openai_chat::{Style, styled};
use crate::formats::{Parts, openai_completions, openai_embeddings};
use crate::script::ErrorKind;

/// An error: status, word and message.
pub(super) struct Fault {
    pub(super) status: u16,
    pub(super) word: &'static str,
    pub(super) message: &'static str,
}

/// What most of them answer.
pub(super) const fn fault(kind: ErrorKind) -> Fault {
    let (status, word, message) = match kind {
        ErrorKind::Authentication => (401, "invalid_api_key", "Invalid API key."),
        ErrorKind::Permission => (403, "permission_denied", "This key may not use the model."),
        ErrorKind::NotFound => (404, "model_not_found", "The model does not exist."),
        ErrorKind::RateLimit => (429, "rate_limit_exceeded", "Too many requests; wait a moment."),
        ErrorKind::Quota => (402, "insufficient_balance", "The balance is used up."),
        ErrorKind::ContextLength => (
            400,
            "context_length_exceeded",
            "This model's maximum context length is 131072 tokens, but the request has 150000.",
        ),
        ErrorKind::InvalidRequest => (400, "invalid_request_error", "`messages` is missing."),
        ErrorKind::TooLarge => (413, "request_too_large", "The request is too large."),
        ErrorKind::Overloaded => (503, "service_unavailable", "The service is overloaded."),
        ErrorKind::ServerError => (500, "internal_server_error", "Something went wrong."),
    };
    Fault { status, word, message }
}

/// In OpenAI's shape.
pub(super) fn nested(kind: ErrorKind) -> (u16, Value) {
    let Fault { status, word, message } = fault(kind);
    (status, json!({"error": {"message": message, "type": word, "param": null, "code": word}}))
}

/// The paths that most of them serve under a prefix.
pub(super) fn answer(path: &str, ask: &Ask, told: &Told, style: &Style) -> Option<Parts> {
    match path {
        path if path.ends_with("/chat/completions") => Some(styled(ask, told, style)),
        path if path.ends_with("/completions") => Some(openai_completions::answer(ask, told)),
        path if path.ends_with("/embeddings") => Some(openai_embeddings::answer(ask, told)),
        _ => None,
    }
}
