//! OpenAI's errors: one shape for both of its wire formats (wire formats, section 1.13).

use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::dialects::google_errors;
use crate::framing::{JsonScan, Path};
use crate::media::{Media, media};
use crate::scrub::scrubbed;
use crate::{Failure, FailureClass, OwnError, Reading};

/// Where an error may stand in a JSON body: under its name, flat beside other members, in a list of one.
pub(crate) const ERROR_PATHS: [Path; 6] =
    [&["error"], &["code"], &["type"], &["message"], &["detail"], &["*", "error"]];

/// The codes and types that may stand in a label, and what each means. Anything else is classified by status.
static KNOWN: [(&str, FailureClass); 28] = [
    ("invalid_api_key", FailureClass::Authentication),
    ("incorrect_api_key", FailureClass::Authentication),
    ("authentication_error", FailureClass::Authentication),
    ("account_deactivated", FailureClass::Permission),
    ("permission_denied", FailureClass::Permission),
    ("unsupported_country_region_territory", FailureClass::Permission),
    ("data_residency_mismatch", FailureClass::Permission),
    ("model_not_found", FailureClass::NotFound),
    ("insufficient_quota", FailureClass::Quota),
    ("credit_balance_exhausted", FailureClass::Quota),
    ("organization_spend_limit_exceeded", FailureClass::Quota),
    ("project_spend_limit_exceeded", FailureClass::Quota),
    ("organization_usage_limit_exceeded", FailureClass::Quota),
    ("billing_hard_limit_reached", FailureClass::Quota),
    ("rate_limit_exceeded", FailureClass::RateLimit),
    ("slow_down", FailureClass::RateLimit),
    ("context_length_exceeded", FailureClass::ContextLength),
    ("string_above_max_length", FailureClass::ContextLength),
    ("content_policy_violation", FailureClass::ContentPolicy),
    ("content_filter", FailureClass::ContentPolicy),
    ("invalid_prompt", FailureClass::ContentPolicy),
    ("bio_policy", FailureClass::ContentPolicy),
    ("misalignment_policy_violation", FailureClass::ContentPolicy),
    ("server_is_overloaded", FailureClass::Overloaded),
    ("server_error", FailureClass::ServerError),
    ("internal_server_error", FailureClass::ServerError),
    ("vector_store_timeout", FailureClass::Timeout),
    ("invalid_request_error", FailureClass::InvalidRequest),
];

/// Phrases by which servers that send no code say that a prompt is too long.
const TOO_LONG: [&str; 4] = [
    "maximum context length is",
    "exceed context limit",
    "is longer than the model's context length",
    "exceeds the available context size",
];

/// An error as it stands on the wire. Some servers send numbers for codes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WireError {
    pub(crate) code: Option<serde_json::Value>,
    pub(crate) r#type: Option<String>,
    pub(crate) message: Option<String>,
    /// Google's word for it: where Google speaks this format its errors keep their own shape. Azure has a number here.
    pub(crate) status: Option<serde_json::Value>,
    #[serde(skip)]
    pub(crate) google: Option<google_errors::WireError>,
}

impl WireError {
    /// Reads an error's value, an object or a bare text.
    pub(crate) fn read(raw: &[u8]) -> WireError {
        let error: WireError = serde_json::from_slice(raw).unwrap_or_else(|_| WireError {
            message: serde_json::from_slice(raw).ok(),
            ..WireError::default()
        });
        let word = error.status.as_ref().is_some_and(serde_json::Value::is_string);
        let google = word.then(|| google_errors::WireError::read(raw));
        WireError { google, ..error }
    }

    /// The error of a body, in any of the shapes that servers give it. A flat one is looked for only where `refused` says
    /// that the body is an error, or a bare text under `error` does.
    pub(crate) fn scanned(scan: &JsonScan, refused: bool) -> Option<WireError> {
        let flat = |message: Option<String>| WireError {
            code: scan.read(ERROR_PATHS[1]),
            r#type: scan.read(ERROR_PATHS[2]),
            message,
            ..WireError::default()
        };
        if let Some(raw) = scan.value(ERROR_PATHS[0]).or_else(|| scan.value(ERROR_PATHS[5])) {
            if raw == b"null" {
                return None;
            }
            return Some(match serde_json::from_slice::<String>(raw) {
                Ok(text) => flat(Some(text)),
                Err(_) => WireError::read(raw),
            });
        }
        let message: Option<String> =
            scan.read(ERROR_PATHS[3]).or_else(|| scan.read(ERROR_PATHS[4])).filter(|_| refused);
        message.map(|message| flat(Some(message)))
    }

    /// Puts the failure into the reading. `codes` are those of the service beside OpenAI's own.
    pub(crate) fn note(&self, reading: &mut Reading, codes: &'static [(&'static str, FailureClass)]) {
        if let Some(google) = self.google.as_ref().filter(|google| google.is_known()) {
            google.note(reading);
            return;
        }
        let words = [self.code.as_ref().and_then(serde_json::Value::as_str), self.r#type.as_deref()];
        let known = words
            .into_iter()
            .flatten()
            .find_map(|word| codes.iter().chain(&KNOWN).find(|(name, _)| *name == word));
        // Some servers put the status they mean there, also under 200.
        let number = match &self.code {
            Some(serde_json::Value::Number(code)) => code.as_u64().and_then(|code| u16::try_from(code).ok()),
            Some(serde_json::Value::String(code)) => code.parse().ok(),
            _ => None,
        };
        let by_number = number.and_then(|number| by_status(number, &HeaderMap::new()));
        let message = self.message.as_deref().unwrap_or_default();
        let lower = message.to_ascii_lowercase();
        let failure = if TOO_LONG.iter().any(|phrase| lower.contains(phrase)) {
            Failure { class: FailureClass::ContextLength, code: Some("context_length_exceeded") }
        } else {
            match known {
                Some((name, class)) => Failure { class: *class, code: Some(name) },
                None => Failure { class: by_number.unwrap_or(FailureClass::Other), code: None },
            }
        };
        reading.failure = Some(failure);
        reading.failure_message = Some(scrubbed(message)).filter(|text| !text.is_empty());
    }
}

/// What a response's head and the error in its body mean together.
pub(crate) fn classify(status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
    let told = reading.failure.clone();
    if status.is_success() {
        return told;
    }
    let code = told.as_ref().and_then(|failure| failure.code);
    // `slow_down` and the like come with two statuses, and `invalid_request_error` is the type of nearly everything:
    // there the status says more.
    let class = match (told.as_ref().map(|failure| failure.class), status.as_u16()) {
        (Some(class), _)
            if !matches!(
                class,
                FailureClass::Other | FailureClass::InvalidRequest | FailureClass::RateLimit
            ) =>
        {
            class
        }
        (told, number) => by_status(number, headers).or(told).unwrap_or(FailureClass::Other),
    };
    Some(Failure { class, code })
}

/// What a status means where the body says nothing.
pub(crate) fn by_status(status: u16, headers: &HeaderMap) -> Option<FailureClass> {
    let from_edge = media(headers) == Media::Other;
    Some(match status {
        401 => FailureClass::Authentication,
        402 => FailureClass::Quota,
        403 if from_edge => FailureClass::Edge,
        403 => FailureClass::Permission,
        404 => FailureClass::NotFound,
        408 | 504 => FailureClass::Timeout,
        413 => FailureClass::TooLarge,
        429 => FailureClass::RateLimit,
        520..=527 | 530 => FailureClass::Edge,
        502 | 503 if from_edge => FailureClass::Edge,
        503 | 529 => FailureClass::Overloaded,
        500..=599 => FailureClass::ServerError,
        400 | 405 | 415 | 422 => FailureClass::InvalidRequest,
        _ => return None,
    })
}

/// An error of ours in OpenAI's shape.
pub(crate) fn body(error: &OwnError<'_>) -> Vec<u8> {
    value(error).to_string().into_bytes()
}

/// The same as a JSON value. The codes are those that apps ask for; where the status alone tells, there is none.
pub(crate) fn value(error: &OwnError<'_>) -> serde_json::Value {
    const INVALID: &str = "invalid_request_error";
    let (kind, code) = match error.class {
        FailureClass::Authentication => (INVALID, Some("invalid_api_key")),
        FailureClass::NotFound => (INVALID, None),
        FailureClass::RateLimit => ("requests", Some("rate_limit_exceeded")),
        FailureClass::Quota => ("insufficient_quota", Some("insufficient_quota")),
        FailureClass::ContextLength => (INVALID, Some("context_length_exceeded")),
        FailureClass::ContentPolicy => (INVALID, Some("content_policy_violation")),
        FailureClass::Overloaded => ("server_error", Some("server_is_overloaded")),
        FailureClass::InvalidRequest | FailureClass::Permission | FailureClass::TooLarge => (INVALID, None),
        FailureClass::Timeout => ("timeout", None),
        _ => ("server_error", None),
    };
    serde_json::json!({"error": {"message": error.message, "type": kind, "param": null, "code": code}})
}
