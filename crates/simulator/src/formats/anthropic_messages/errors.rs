//! Anthropic's errors, as an answer and inside a stream.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::script::ErrorKind;

pub(crate) fn event(body: &Value) -> Bytes {
    format!("event: error\ndata: {body}\n\n").into()
}

pub(crate) fn error(kind: ErrorKind, serial: usize) -> (u16, Value) {
    let (status, word, message) = match kind {
        ErrorKind::Authentication => (401, "authentication_error", "invalid x-api-key"),
        ErrorKind::Permission => {
            (403, "permission_error", "This key has no permission for the requested resource.")
        }
        ErrorKind::NotFound => (404, "not_found_error", "model: not found"),
        ErrorKind::RateLimit => (429, "rate_limit_error", "The rate limit of this organization was reached."),
        ErrorKind::Quota => (402, "billing_error", "The credit balance is too low."),
        ErrorKind::ContextLength => {
            (400, "invalid_request_error", "prompt is too long: 1200000 tokens > 1000000 maximum")
        }
        ErrorKind::InvalidRequest => {
            (400, "invalid_request_error", "messages: at least one message is required")
        }
        ErrorKind::TooLarge => (413, "request_too_large", "Request exceeds the maximum size"),
        ErrorKind::Overloaded => (529, "overloaded_error", "Overloaded"),
        ErrorKind::ServerError => (500, "api_error", "Internal server error"),
    };
    (
        status,
        json!({"type": "error", "error": {"type": word, "message": message}, "request_id": format!("req_011C{serial:020x}")}),
    )
}
