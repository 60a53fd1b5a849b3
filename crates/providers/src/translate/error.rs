//! Errors in the app's format: a backup's, or our own. Per failed call.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::canonical::Asked;
use crate::{Dialect, Failure, FailureClass, OwnError, Reading};

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Its kind.
    pub class: FailureClass,
    /// What happened, in plain words, free of secrets.
    pub message: String,
}

impl Failed {
    pub(super) fn new(class: FailureClass, message: &str) -> Failed {
        Failed { class, message: message.to_owned() }
    }

    /// What a provider told, in its own words where it has any.
    pub(super) fn told(failure: &Failure, reading: &Reading) -> Failed {
        let said = reading.failure_message.as_deref().or(failure.code);
        Failed::new(failure.class, said.unwrap_or("the provider failed without a word"))
    }

    /// Shows it as an error of ours in a family's words.
    pub(super) fn with<T>(&self, to: &dyn Dialect, show: impl FnOnce(&OwnError<'_>) -> T) -> T {
        let message = marked(to, self.class, &self.message);
        show(&OwnError { status: to.error_status(self.class), class: self.class, message: &message })
    }
}

/// An error as the app is to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// With this status.
    pub status: StatusCode,
    /// And these headers, the content type among them.
    pub headers: HeaderMap,
    /// And this body.
    pub body: Vec<u8>,
}

/// An error in the words of a family. Its status is that of its class unless one is given, as that of the first provider asked.
#[must_use]
pub fn error(to: &dyn Dialect, class: FailureClass, status: Option<u16>, text: &str) -> Told {
    let status = status.unwrap_or_else(|| to.error_status(class));
    let message = marked(to, class, text);
    let error = OwnError { status, class, message: &message };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    to.error_headers(&error, &mut headers);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    Told { status, headers, body: to.error_body(&error) }
}

/// The same in the middle of a stream; `None` where the family streams nothing.
#[must_use]
pub fn broken_off(to: &dyn Dialect, class: FailureClass, text: &str) -> Option<Vec<u8>> {
    let mut writer = to.answers()?.stream(&Asked::default());
    let mut bytes = Vec::new();
    Failed::new(class, text).with(to, |error| writer.fail(error, &mut bytes));
    Some(bytes)
}

/// Ours by its first word. Where a family has no code for a class, apps look for its phrase.
fn marked(to: &dyn Dialect, class: FailureClass, text: &str) -> String {
    match to.error_phrase(class).filter(|phrase| !text.contains(phrase)) {
        Some(phrase) => format!("outrigger: {phrase}: {text}"),
        None => format!("outrigger: {text}"),
    }
}
