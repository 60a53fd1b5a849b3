//! Anthropic's errors (wire formats, section 1.13).

use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::dialects::openai_errors::by_status;
use crate::scrub::scrubbed;
use crate::{Failure, FailureClass, OwnError, Reading};

const KNOWN: [(&str, FailureClass); 12] = [
    ("authentication_error", FailureClass::Authentication),
    ("permission_error", FailureClass::Permission),
    ("not_found_error", FailureClass::NotFound),
    ("rate_limit_error", FailureClass::RateLimit),
    ("billing_error", FailureClass::Quota),
    ("enforced_spend_limit_reached", FailureClass::Quota),
    ("contract_spend_limit_reached", FailureClass::Quota),
    ("request_too_large", FailureClass::TooLarge),
    ("invalid_request_error", FailureClass::InvalidRequest),
    ("overloaded_error", FailureClass::Overloaded),
    ("timeout_error", FailureClass::Timeout),
    ("api_error", FailureClass::ServerError),
];

/// Phrases by which a 400 says that the prompt is too long.
const TOO_LONG: [&str; 3] =
    ["prompt is too long", "exceed context limit", "input length and `max_tokens` exceed"];

/// `error` on the wire.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WireError {
    pub(crate) r#type: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) details: Option<WireDetails>,
}

/// Its finer code.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WireDetails {
    pub(crate) error_code: Option<String>,
}

impl WireError {
    /// Puts the failure into the reading.
    pub(crate) fn note(&self, reading: &mut Reading) {
        let finer = self.details.as_ref().and_then(|details| details.error_code.as_deref());
        let known = [finer, self.r#type.as_deref()]
            .into_iter()
            .flatten()
            .find_map(|word| KNOWN.iter().find(|(name, _)| *name == word));
        let message = self.message.as_deref().unwrap_or_default();
        let mut failure = match known {
            Some((name, class)) => Failure { class: *class, code: Some(name) },
            None => Failure { class: FailureClass::Other, code: None },
        };
        if failure.class == FailureClass::InvalidRequest
            && TOO_LONG.iter().any(|phrase| message.contains(phrase))
        {
            failure.class = FailureClass::ContextLength;
        }
        reading.failure = Some(failure);
        reading.failure_message = Some(scrubbed(message)).filter(|text| !text.is_empty());
    }
}

/// What a response's head and the error in its body mean together.
pub(crate) fn classify(status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
    let told = reading.failure.clone();
    if status.is_success() || told.as_ref().is_some_and(|failure| failure.class != FailureClass::Other) {
        return told;
    }
    let class = by_status(status.as_u16(), headers).unwrap_or(FailureClass::Other);
    Some(Failure { class, code: None })
}

/// An error of ours in Anthropic's shape.
pub(super) fn body(error: &OwnError<'_>) -> Vec<u8> {
    value(error).to_string().into_bytes()
}

/// The same as a JSON value.
pub(super) fn value(error: &OwnError<'_>) -> serde_json::Value {
    let kind = match error.class {
        FailureClass::Authentication => "authentication_error",
        FailureClass::Permission => "permission_error",
        FailureClass::NotFound => "not_found_error",
        FailureClass::RateLimit => "rate_limit_error",
        FailureClass::Quota => "billing_error",
        FailureClass::ContextLength | FailureClass::InvalidRequest | FailureClass::ContentPolicy => {
            "invalid_request_error"
        }
        FailureClass::TooLarge => "request_too_large",
        FailureClass::Overloaded => "overloaded_error",
        FailureClass::Timeout => "timeout_error",
        _ => "api_error",
    };
    serde_json::json!({"type": "error", "error": {"type": kind, "message": error.message}, "request_id": null})
}

/// The status of a class where it is Anthropic's own.
pub(super) const fn status(class: FailureClass) -> u16 {
    match class {
        FailureClass::Quota => 402,
        FailureClass::Overloaded => 529,
        other => other.status(),
    }
}

/// Anthropic has no code for a prompt that is too long.
pub(super) const fn phrase(class: FailureClass) -> Option<&'static str> {
    match class {
        FailureClass::ContextLength => Some(TOO_LONG[0]),
        _ => None,
    }
}
