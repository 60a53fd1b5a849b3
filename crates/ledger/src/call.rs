//! One call while it passes: shown bytes, in the end a record. Per chunk: no allocation in the steady state.

use std::net::SocketAddr;

use http::{HeaderMap, Method, StatusCode};
use outrigger_pricing::PriceBook;
use outrigger_providers::{FailureClass, Recognised, Service};

use crate::{CallId, CallRecord, Mode, Timestamp};

/// What is known when a request's head has been read.
pub struct CallStart<'a> {
    /// Random id; the span ids are derived from it.
    pub id: CallId,
    /// The provider.
    pub service: &'static Service,
    /// What the request is.
    pub recognised: Recognised,
    /// How the connection reached us.
    pub mode: Mode,
    /// The request's method.
    pub method: &'a Method,
    /// Path without query.
    pub path: &'a str,
    /// The request's headers as the app sent them.
    pub headers: &'a HeaderMap,
    /// Name and port dialled.
    pub host: &'a str,
    /// Port dialled.
    pub port: u16,
    /// `1.1` or `2`.
    pub http_version: &'static str,
    /// When the head had been read.
    pub at: Timestamp,
}

/// How the passing of a response ended.
pub enum End {
    /// The body passed to its end.
    Complete,
    /// The provider, or the way to it, broke the body off.
    Cut,
    /// The app hung up.
    Cancelled,
    /// No response came; the class and plain words say why. The status is what we answered the app.
    Failed {
        /// Kind of failure.
        class: FailureClass,
        /// Plain words.
        text: String,
        /// Status of our own answer.
        status: u16,
    },
    /// The process is ending and cannot follow the call further.
    Abandoned,
}

/// One call while it passes.
pub struct Call {}

impl Call {
    /// Starts watching. Inference operations only.
    #[must_use]
    pub fn begin(start: CallStart<'_>) -> Call;
    /// The next bytes of the request body, as the app sent them.
    pub fn request_chunk(&mut self, bytes: &[u8]);
    /// An upstream connection carries the call.
    pub fn connected(&mut self, peer: Option<SocketAddr>);
    /// The response's head.
    pub fn response_head(&mut self, status: StatusCode, headers: &HeaderMap, at: Timestamp);
    /// The next bytes of the response body, as the provider sent them (still encoded).
    pub fn response_chunk(&mut self, bytes: &[u8], at: Timestamp);
    /// Ends the call.
    #[must_use]
    pub fn finish(self, end: End, at: Timestamp, book: &PriceBook) -> CallRecord;
}
