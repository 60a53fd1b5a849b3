//! Spans of the control plane (docs/logs.md) on their way into the lane of traces. A few a minute; calls and frames have none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_proto::tonic::trace::v1::Span as Encoded;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor};
use prost::Message as _;
use tokio::sync::mpsc;
use tracing::field::Empty;

use crate::Signal;
use crate::schema::SCOPE;
use crate::transport::Reply;

/// Target of the spans of the control plane; no other span of the program's has it.
pub const CONTROL: &str = "outrigger::control";

/// Spans that may wait for the exporter's thread.
const ROOM: usize = 256;

/// Where the control plane's spans come out, for [`crate::Exporter::start_with`].
#[derive(Debug)]
pub struct ControlSpans {
    pub(crate) spans: mpsc::Receiver<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

/// Their way in: no thread, no lock, no wait.
#[derive(Debug)]
struct Way {
    spans: mpsc::Sender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

/// A tracer for spans of the control plane, and where they come out.
#[must_use]
pub fn control_spans() -> (SdkTracer, ControlSpans) {
    let (sender, spans) = mpsc::channel(ROOM);
    let lost = Arc::new(AtomicU64::new(0));
    let provider = SdkTracerProvider::builder()
        .with_span_processor(Way { spans: sender, lost: Arc::clone(&lost) })
        // What the app set for its own traces does not hold here, and our resource is the exporter's.
        .with_sampler(Sampler::AlwaysOn)
        .with_resource(Resource::builder_empty().build())
        .build();
    (provider.tracer(SCOPE), ControlSpans { spans, lost })
}

impl ControlSpans {
    /// How many found no room since it was last asked.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

impl SpanProcessor for Way {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(Encoded::from(span).encode_to_vec()).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The span of one request of ours, repeats included. Told when it is dropped.
pub(crate) struct Request {
    span: tracing::Span,
    attempts: u64,
    outcome: &'static str,
    fault: Option<String>,
}

impl Request {
    /// Of so many items. Not `wanted` where nothing is in it but spans of the control plane: their own sending would be told by a
    /// span that has to be sent, for ever.
    pub(crate) fn new(signal: Signal, items: u64, wanted: bool) -> Request {
        let span = if wanted {
            tracing::info_span!(
                target: CONTROL, parent: None, "export", signal = signal.as_str(), items,
                attempts = Empty, outcome = Empty, otel.status_code = Empty, otel.status_description = Empty
            )
        } else {
            tracing::Span::none()
        };
        Request { span, attempts: 0, outcome: "ended", fault: None }
    }

    /// The endpoint answered, or nobody did.
    pub(crate) fn answered(&mut self, reply: &Reply) {
        self.attempts += 1;
        let (outcome, fault) = match reply {
            Reply::Taken => ("taken", None),
            Reply::Partly { why, .. } => ("taken_in_part", Some(why)),
            Reply::Later { why, .. } => ("later", Some(why)),
            Reply::Refused { why } => ("refused", Some(why)),
            Reply::TooLarge { why } => ("too_large", Some(why)),
            Reply::Rejected { why, .. } => ("rejected", Some(why)),
        };
        self.outcome = outcome;
        self.fault = fault.filter(|_| !self.span.is_disabled()).cloned();
    }

    /// The spool has it.
    pub(crate) fn spooled(&mut self) {
        self.outcome = "spooled";
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.span.is_disabled() {
            return;
        }
        self.span.record("attempts", self.attempts);
        self.span.record("outcome", self.outcome);
        if let Some(fault) = &self.fault {
            self.span.record("otel.status_code", "ERROR");
            self.span.record("otel.status_description", fault.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later() -> Reply {
        Reply::Later { after: None, reached: false, why: "connection refused".to_owned() }
    }

    #[test]
    fn a_request_is_one_span_however_often_it_is_sent_and_none_without_news() {
        let (tracer, mut out) = control_spans();
        let _guard = crate::testing::trace(tracer);
        let mut request = Request::new(Signal::Logs, 7, true);
        request.answered(&later());
        request.answered(&Reply::Taken);
        assert!(out.spans.try_recv().is_err(), "not before its end");
        drop(request);
        let span = Encoded::decode(&*out.spans.try_recv().unwrap()).unwrap();
        assert_eq!(span.name, "export");
        assert_eq!(span.status.unwrap().code, 0, "in the end it was taken");
        let keys: Vec<&str> = span.attributes.iter().map(|pair| &*pair.key).collect();
        for key in ["signal", "items", "attempts", "outcome"] {
            assert_eq!(keys.iter().filter(|one| **one == key).count(), 1, "{keys:?}");
        }
        let mut lost = Request::new(Signal::Logs, 7, true);
        lost.answered(&Reply::Refused { why: "HTTP status 404".to_owned() });
        drop(lost);
        let span = Encoded::decode(&*out.spans.try_recv().unwrap()).unwrap();
        let status = span.status.unwrap();
        assert_eq!((status.code, &*status.message), (2, "HTTP status 404"));
        drop(Request::new(Signal::Traces, 1, false));
        assert!(out.spans.try_recv().is_err(), "the sending of spans of sending has none");
    }

    #[test]
    fn what_finds_no_room_is_counted_and_holds_nobody_up() {
        let (tracer, out) = control_spans();
        let _guard = crate::testing::trace(tracer);
        for _ in 0..ROOM + 3 {
            drop(Request::new(Signal::Logs, 1, true));
        }
        assert_eq!(out.lost(), 3);
        assert_eq!(out.lost(), 0);
    }
}
