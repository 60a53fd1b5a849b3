//! Spans of the sidecar's own work (docs/logs.md), for who asks for them. Never of a connection, a call or a frame.

/// A span of the control plane; what went wrong in it is told by [`failed`].
macro_rules! control_span {
    ($name:literal $(, $field:ident $(= $value:expr)?)*) => {
        tracing::info_span!(
            target: outrigger_exporter::CONTROL, $name $(, $field $(= $value)?)*,
            otel.status_code = tracing::field::Empty, otel.status_description = tracing::field::Empty
        )
    };
}
pub(crate) use control_span;

/// What the span stands for failed, and why.
pub(crate) fn failed(span: &tracing::Span, why: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", why);
}
