//! AWS's errors, as an answer and inside a stream.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::formats::bedrock::event_stream::message;
use crate::script::ErrorKind;

/// Status, the word of `x-amzn-errortype` and the message.
const fn fault(kind: ErrorKind) -> (u16, &'static str, &'static str) {
    match kind {
        ErrorKind::Authentication => {
            (403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        ErrorKind::Permission => {
            (403, "AccessDeniedException", "You don't have access to the model with the specified model ID.")
        }
        ErrorKind::NotFound => (404, "ResourceNotFoundException", "The model could not be found."),
        ErrorKind::RateLimit => {
            (429, "ThrottlingException", "Too many requests, please wait before trying again.")
        }
        ErrorKind::Quota => {
            (400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account.")
        }
        ErrorKind::ContextLength => (400, "ValidationException", "Input is too long for requested model."),
        ErrorKind::InvalidRequest => {
            (400, "ValidationException", "A conversation must start with a user message.")
        }
        ErrorKind::TooLarge => (413, "RequestEntityTooLargeException", "The request is too large."),
        ErrorKind::Overloaded => {
            (503, "ServiceUnavailableException", "The service is unable to process your request.")
        }
        ErrorKind::ServerError => (500, "InternalServerException", "An internal server error occurred."),
    }
}

pub(crate) fn error(kind: ErrorKind) -> (u16, Value) {
    let (status, _, message) = fault(kind);
    (status, json!({"message": message}))
}

pub(crate) fn headers(kind: ErrorKind) -> Vec<(&'static str, String)> {
    vec![("x-amzn-errortype", fault(kind).1.to_owned())]
}

/// An error inside a stream: an exception whose name begins in lower case.
pub(crate) fn exception(kind: ErrorKind) -> Bytes {
    let (_, word, text) = fault(kind);
    let name = format!("{}{}", word[..1].to_ascii_lowercase(), &word[1..]);
    let headers = [
        (":exception-type", name.as_str()),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    message(&headers, json!({"message": text}).to_string().as_bytes())
}
