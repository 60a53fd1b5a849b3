//! Google's errors.

use serde_json::{Value, json};

use crate::script::ErrorKind;

pub(crate) fn error(kind: ErrorKind) -> (u16, Value) {
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
