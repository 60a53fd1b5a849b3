//! AWS's errors: a message in the body, the kind in a header or in the name of an exception (wire formats, sections 1.9
//! and 1.13). Per failed call.

use http::{HeaderMap, HeaderValue, StatusCode};

use crate::dialects::answer::{Framing, Told};
use crate::dialects::openai_errors::by_status;
use crate::framing::{EventStreamMessage, JsonScan, Path};
use crate::media::Media;
use crate::scrub::scrubbed;
use crate::{Failure, FailureClass, OwnError, Reading};

/// Where the words of an error stand in a body; services spell the first either way.
pub(crate) const MESSAGE: [Path; 2] = [&["message"], &["Message"]];

/// The exceptions that may stand in a label, without their last word.
static KNOWN: [(&str, FailureClass); 19] = [
    ("ThrottlingException", FailureClass::RateLimit),
    ("ModelNotReadyException", FailureClass::Overloaded),
    ("ServiceUnavailableException", FailureClass::Overloaded),
    ("ServiceQuotaExceededException", FailureClass::Quota),
    ("AccessDeniedException", FailureClass::Permission),
    ("UnrecognizedClientException", FailureClass::Authentication),
    ("InvalidSignatureException", FailureClass::Authentication),
    ("ExpiredTokenException", FailureClass::Authentication),
    ("MissingAuthenticationTokenException", FailureClass::Authentication),
    ("IncompleteSignatureException", FailureClass::Authentication),
    ("InvalidClientTokenId", FailureClass::Authentication),
    ("ResourceNotFoundException", FailureClass::NotFound),
    ("ValidationException", FailureClass::InvalidRequest),
    ("ModelErrorException", FailureClass::ServerError),
    ("ModelStreamErrorException", FailureClass::ServerError),
    ("InternalServerException", FailureClass::ServerError),
    ("ModelTimeoutException", FailureClass::Timeout),
    ("RequestEntityTooLargeException", FailureClass::TooLarge),
    ("ConflictException", FailureClass::Other),
];

/// Phrases by which a validation says that the prompt is too long.
const TOO_LONG: [&str; 5] = [
    "too long",
    "Too many input tokens",
    "too many tokens",
    "exceeds the maximum number of tokens",
    "maximum context length",
];

/// The class of an exception; in a stream its name begins in lower case, in a header an address may follow it.
fn known(name: &str) -> Option<&'static (&'static str, FailureClass)> {
    let name = name.split(':').next().unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or(name);
    KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
}

fn refined(class: FailureClass, message: &str) -> FailureClass {
    match class {
        FailureClass::InvalidRequest if TOO_LONG.iter().any(|phrase| message.contains(phrase)) => {
            FailureClass::ContextLength
        }
        // One status and one exception stand for a wrong key and for a missing right.
        FailureClass::Permission
            if message.contains("security token") || message.contains("API Key is not valid") =>
        {
            FailureClass::Authentication
        }
        class => class,
    }
}

fn note(reading: &mut Reading, name: Option<&str>, message: &str) {
    let found = name.and_then(known);
    let class = found.map_or(FailureClass::Other, |(_, class)| *class);
    reading.failure = Some(Failure { class: refined(class, message), code: found.map(|(name, _)| *name) });
    reading.failure_message = Some(scrubbed(message)).filter(|text| !text.is_empty());
}

const ERROR_TYPE: http::HeaderName = http::HeaderName::from_static("x-amzn-errortype");

/// The one header of an error that its meter needs.
pub(crate) fn kept(headers: &HeaderMap) -> HeaderMap {
    headers.get(&ERROR_TYPE).map(|value| (ERROR_TYPE, value.clone())).into_iter().collect()
}

/// Puts the error of a body into the reading, if there is one.
pub(crate) fn note_body(reading: &mut Reading, scan: &JsonScan, headers: &HeaderMap) {
    let name = headers.get(&ERROR_TYPE).and_then(|value| value.to_str().ok());
    let message: Option<String> = scan.read(MESSAGE[0]).or_else(|| scan.read(MESSAGE[1]));
    if name.is_some() || message.is_some() {
        note(reading, name, message.as_deref().unwrap_or_default());
    }
}

/// Puts a message that is no event into the reading.
pub(crate) fn note_exception(message: &EventStreamMessage<'_>, told: &mut Told) {
    let name = match message.header(":message-type") {
        Some("exception") => message.header(":exception-type"),
        Some("error") => message.header(":error-code"),
        _ => return told.stumble("a message is neither an event nor an exception"),
    };
    let mut scan = JsonScan::new(&MESSAGE);
    scan.push(message.payload);
    let text: Option<String> = scan.read(MESSAGE[0]).or_else(|| scan.read(MESSAGE[1]));
    let text = text.or_else(|| message.header(":error-message").map(str::to_owned));
    note(&mut told.reading, name, text.as_deref().unwrap_or_default());
}

/// How AWS frames a body of this type.
pub(crate) const fn framing(media: Media) -> Option<Framing> {
    match media {
        Media::AwsEvents => Some(Framing::Messages),
        Media::Json => Some(Framing::Whole),
        Media::EventStream | Media::Lines | Media::Other => None,
    }
}

/// What a response's head and the error in its body mean together.
pub(crate) fn classify(status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
    let told = reading.failure.clone();
    if status.is_success() || told.as_ref().is_some_and(|failure| failure.class != FailureClass::Other) {
        return told;
    }
    let code = told.and_then(|failure| failure.code);
    let class = match status.as_u16() {
        // The model itself failed.
        424 => FailureClass::ServerError,
        number => by_status(number, headers).unwrap_or(FailureClass::Other),
    };
    Some(Failure { class, code })
}

/// An error of ours in AWS's shape.
pub(crate) fn body(error: &OwnError<'_>) -> Vec<u8> {
    serde_json::json!({"message": error.message}).to_string().into_bytes()
}

/// The status of a class where it is AWS's own.
pub(crate) const fn status(class: FailureClass) -> u16 {
    match class {
        FailureClass::Authentication => 403,
        FailureClass::Quota => 400,
        other => other.status(),
    }
}

/// The exception by which SDKs know a class.
pub(crate) const fn exception(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Authentication => "UnrecognizedClientException",
        FailureClass::Permission => "AccessDeniedException",
        FailureClass::NotFound => "ResourceNotFoundException",
        FailureClass::RateLimit => "ThrottlingException",
        FailureClass::Quota => "ServiceQuotaExceededException",
        FailureClass::ContextLength | FailureClass::InvalidRequest | FailureClass::ContentPolicy => {
            "ValidationException"
        }
        FailureClass::TooLarge => "RequestEntityTooLargeException",
        FailureClass::Overloaded => "ServiceUnavailableException",
        FailureClass::Timeout => "ModelTimeoutException",
        _ => "InternalServerException",
    }
}

/// The exception by which a stream tells a class: it knows fewer, and they begin in lower case.
pub(crate) const fn in_stream(class: FailureClass) -> &'static str {
    match class {
        FailureClass::RateLimit | FailureClass::Quota => "throttlingException",
        FailureClass::ContextLength
        | FailureClass::InvalidRequest
        | FailureClass::ContentPolicy
        | FailureClass::TooLarge => "validationException",
        FailureClass::Overloaded => "serviceUnavailableException",
        FailureClass::ServerError => "internalServerException",
        _ => "modelStreamErrorException",
    }
}

/// The header that names it.
pub(crate) fn header(error: &OwnError<'_>, headers: &mut HeaderMap) {
    headers.insert(ERROR_TYPE, HeaderValue::from_static(exception(error.class)));
}

/// AWS has no exception for a prompt that is too long.
pub(crate) const fn phrase(class: FailureClass) -> Option<&'static str> {
    match class {
        FailureClass::ContextLength => Some(TOO_LONG[4]),
        _ => None,
    }
}
