//! Ids of a call and its place in a trace (W3C Trace Context).

/// Id of one call: the same sixteen bytes in record, span and log. Random; printed as 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallId(pub [u8; 16]);

/// A call's place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    /// The app's trace id, or a new one.
    pub trace_id: [u8; 16],
    /// This call's span id.
    pub span_id: [u8; 8],
    /// The app's span, if it sent `traceparent`.
    pub parent_span_id: Option<[u8; 8]>,
    /// Trace flags as the app sent them; `0x01` (sampled) without a parent.
    pub flags: u8,
}
