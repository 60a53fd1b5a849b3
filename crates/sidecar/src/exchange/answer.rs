//! Answers of our own, in the format of the provider that the app believes it talks to. Per failed request.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use outrigger_providers::{Dialect, FailureClass, OwnError};

use crate::exchange::body::RelayedBody;

/// Marks an answer as ours.
pub(crate) const ERROR_HEADER: HeaderName = HeaderName::from_static("x-outrigger-error");

/// An error of our own.
pub(crate) fn error(
    dialect: &dyn Dialect,
    status: u16,
    class: FailureClass,
    text: &str,
) -> Response<RelayedBody> {
    let message = format!("outrigger: {text}");
    let body = dialect.error_body(&OwnError { status, class, message: &message });
    let mut response = Response::new(RelayedBody::Own(Some(Bytes::from(body))));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ERROR_HEADER, HeaderValue::from_static(class.as_str()));
    response
}

/// The status with which the app learns that its provider was not reached, or its own request not read.
pub(crate) const fn status_for(class: FailureClass) -> u16 {
    match class {
        FailureClass::InvalidRequest => 400,
        FailureClass::Timeout => 504,
        _ => 502,
    }
}
