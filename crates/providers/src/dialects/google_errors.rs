//! Google's errors: one shape for all of its wire formats (wire formats, sections 1.8 and 1.13). Per failed call.

use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::dialects::openai_errors::by_status;
use crate::scrub::scrubbed;
use crate::{Failure, FailureClass, OwnError, Reading};

/// The words that may stand in a label, and what each means: canonical codes, reasons, the codes of Interactions.
const KNOWN: [(&str, FailureClass); 31] = [
    ("API_KEY_INVALID", FailureClass::Authentication),
    ("API_KEY_EXPIRED", FailureClass::Authentication),
    ("ACCESS_TOKEN_EXPIRED", FailureClass::Authentication),
    ("API_KEY_SERVICE_BLOCKED", FailureClass::Permission),
    ("SERVICE_DISABLED", FailureClass::Permission),
    ("BILLING_DISABLED", FailureClass::Quota),
    ("UNAUTHENTICATED", FailureClass::Authentication),
    ("PERMISSION_DENIED", FailureClass::Permission),
    ("NOT_FOUND", FailureClass::NotFound),
    ("RESOURCE_EXHAUSTED", FailureClass::RateLimit),
    ("INVALID_ARGUMENT", FailureClass::InvalidRequest),
    ("FAILED_PRECONDITION", FailureClass::InvalidRequest),
    ("OUT_OF_RANGE", FailureClass::InvalidRequest),
    ("UNIMPLEMENTED", FailureClass::InvalidRequest),
    ("UNAVAILABLE", FailureClass::Overloaded),
    ("INTERNAL", FailureClass::ServerError),
    ("UNKNOWN", FailureClass::ServerError),
    ("DATA_LOSS", FailureClass::ServerError),
    ("DEADLINE_EXCEEDED", FailureClass::Timeout),
    ("unauthenticated", FailureClass::Authentication),
    ("permission_denied", FailureClass::Permission),
    ("not_found", FailureClass::NotFound),
    ("too_many_requests", FailureClass::RateLimit),
    ("quota_exceeded", FailureClass::Quota),
    ("payment_required", FailureClass::Quota),
    ("invalid_request", FailureClass::InvalidRequest),
    ("invalid_argument", FailureClass::InvalidRequest),
    ("unavailable", FailureClass::Overloaded),
    ("service_unavailable", FailureClass::Overloaded),
    ("internal_error", FailureClass::ServerError),
    ("deadline_exceeded", FailureClass::Timeout),
];

/// Phrases by which a 400 says that the prompt is too long.
const TOO_LONG: [&str; 3] = [
    "exceeds the maximum number of tokens",
    "input tokens exceed the configured limit",
    "exceeds the maximum number of input tokens",
];

/// `error` on the wire. The code is a number, or in Interactions a word.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WireError {
    code: Option<serde_json::Value>,
    status: Option<String>,
    message: Option<String>,
    details: Vec<Detail>,
}

/// What an error has to say beside its code; only what finds the cause is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    reason: Option<String>,
    violations: Vec<Violation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Violation {
    #[serde(rename = "quotaId")]
    quota_id: Option<String>,
}

impl WireError {
    /// Reads `error`; one that is not understood is an error all the same.
    pub(crate) fn read(raw: &[u8]) -> WireError {
        serde_json::from_slice(raw).unwrap_or_default()
    }

    /// The same where no more was read than its word and its text.
    pub(crate) fn of(status: String, message: Option<String>) -> WireError {
        WireError { status: Some(status), message, ..WireError::default() }
    }

    /// Whether its word is one of Google's.
    pub(crate) fn is_known(&self) -> bool {
        self.status.as_deref().is_some_and(|status| KNOWN.iter().any(|(name, _)| *name == status))
    }

    /// Puts the failure into the reading.
    pub(crate) fn note(&self, reading: &mut Reading) {
        let reasons = self.details.iter().filter_map(|detail| detail.reason.as_deref());
        let code = self.code.as_ref().and_then(serde_json::Value::as_str);
        let known = reasons
            .chain([code, self.status.as_deref()].into_iter().flatten())
            .find_map(|word| KNOWN.iter().find(|(name, _)| *name == word));
        let message = self.message.as_deref().unwrap_or_default();
        let mut failure = match known {
            Some((name, class)) => Failure { class: *class, code: Some(name) },
            None => Failure { class: FailureClass::Other, code: None },
        };
        failure.class = match failure.class {
            FailureClass::InvalidRequest if TOO_LONG.iter().any(|phrase| message.contains(phrase)) => {
                FailureClass::ContextLength
            }
            // Old servers say so in words alone.
            FailureClass::InvalidRequest if message.contains("API key not valid") => {
                FailureClass::Authentication
            }
            // A day's allowance does not come back by waiting a minute.
            FailureClass::RateLimit if self.is_daily() => FailureClass::Quota,
            class => class,
        };
        reading.failure = Some(failure);
        reading.failure_message = Some(scrubbed(message)).filter(|text| !text.is_empty());
    }

    fn is_daily(&self) -> bool {
        self.details
            .iter()
            .flat_map(|detail| &detail.violations)
            .filter_map(|violation| violation.quota_id.as_deref())
            .any(|id| id.contains("PerDay"))
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

/// An error of ours in Google's shape.
pub(crate) fn body(error: &OwnError<'_>) -> Vec<u8> {
    value(error).to_string().into_bytes()
}

/// The same as a JSON value.
pub(crate) fn value(error: &OwnError<'_>) -> serde_json::Value {
    let word = match error.class {
        FailureClass::Authentication => "UNAUTHENTICATED",
        FailureClass::Permission => "PERMISSION_DENIED",
        FailureClass::NotFound => "NOT_FOUND",
        FailureClass::RateLimit | FailureClass::Quota => "RESOURCE_EXHAUSTED",
        FailureClass::ContextLength
        | FailureClass::InvalidRequest
        | FailureClass::ContentPolicy
        | FailureClass::TooLarge => "INVALID_ARGUMENT",
        FailureClass::ServerError => "INTERNAL",
        FailureClass::Timeout => "DEADLINE_EXCEEDED",
        _ => "UNAVAILABLE",
    };
    serde_json::json!({"error": {"code": error.status, "message": error.message, "status": word}})
}

/// Google has no code for a prompt that is too long.
pub(crate) const fn phrase(class: FailureClass) -> Option<&'static str> {
    match class {
        FailureClass::ContextLength => Some(TOO_LONG[0]),
        _ => None,
    }
}
