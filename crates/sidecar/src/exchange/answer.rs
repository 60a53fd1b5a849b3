//! Answers of our own, in the format of the provider that the app believes it talks to. Per failed request.

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, Response};
use outrigger_providers::{Dialect, FailureClass, translate};

use crate::exchange::body::RelayedBody;

/// Marks an answer as ours.
pub(crate) const ERROR_HEADER: HeaderName = HeaderName::from_static("x-outrigger-error");

/// What is told of a call that a rule touched: the provider that answered, its model, how many attempts were made, and the id by which
/// log, span and record know the call.
pub(crate) const PROVIDER_HEADER: HeaderName = HeaderName::from_static("x-outrigger-provider");
pub(crate) const MODEL_HEADER: HeaderName = HeaderName::from_static("x-outrigger-model");
pub(crate) const ATTEMPTS_HEADER: HeaderName = HeaderName::from_static("x-outrigger-attempts");
pub(crate) const CALL_HEADER: HeaderName = HeaderName::from_static("x-outrigger-call-id");

/// An error of our own.
pub(crate) fn error(
    dialect: &dyn Dialect,
    status: u16,
    class: FailureClass,
    text: &str,
) -> Response<RelayedBody> {
    let told = translate::error(dialect, class, Some(status), text);
    let mut response = Response::new(RelayedBody::Own(Some(Bytes::from(told.body))));
    *response.status_mut() = told.status;
    *response.headers_mut() = told.headers;
    response.headers_mut().insert(ERROR_HEADER, HeaderValue::from_static(class.as_str()));
    response
}

/// The status with which the app learns that its provider was not reached, or not understood: a gateway's, whatever the family.
pub(crate) const fn status_for(class: FailureClass) -> u16 {
    match class {
        FailureClass::InvalidRequest => 400,
        FailureClass::Timeout => 504,
        _ => 502,
    }
}
