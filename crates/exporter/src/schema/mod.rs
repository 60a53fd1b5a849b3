//! How a call looks in OTLP: the one place that knows names, types and shapes. Version [`VERSION`] of that form stands
//! in every record; a change that a reader would notice raises it.

mod attempt;
mod details;
mod diagnosis;
pub(crate) mod keys;
mod log;
mod read;
mod resource;
mod sampler;
mod span;
mod value;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use outrigger_diagnosis::Change;
use outrigger_ledger::{CallRecord, Outcome, Timestamp};
use prost::Message as _;

use crate::content::Told;
use crate::lane::Content;
use crate::{CacheAttribute, Capture, Redaction, Settings};

pub use read::{
    ExportedAttempt, ExportedBefore, ExportedCall, ExportedCause, ExportedCost, ExportedLine, ExportedName,
    ExportedPlace, ExportedTokens, ReadError,
};
pub(crate) use resource::{attributes as resource_attributes, random_instance};
pub use sampler::Sampler;
pub(crate) use sampler::Tracing;
pub(crate) use span::{cache_write, cost_status, is_openai, model, reasoning, time_to_first_chunk};
pub(crate) use value::seconds;
use value::{Bounds, delimited};

/// Version of the form of records and spans.
pub const VERSION: u32 = 4;

/// Fields of the requests, which have one shape for all signals.
const RESOURCE_ITEMS: u32 = 1;
const RESOURCE: u32 = 1;
const SCOPE_ITEMS: u32 = 2;
const SCOPE_FIELD: u32 = 1;
const ITEMS: u32 = 2;

/// Bytes up to which a request takes content: receivers commonly refuse more than 4 MiB, and records must arrive.
const CONTENT_UP_TO: usize = 2 * 1024 * 1024;

/// Turns calls into requests of OTLP.
pub(crate) struct Schema {
    /// `Resource`, encoded.
    resource: Vec<u8>,
    /// `InstrumentationScope`, encoded.
    scope: Vec<u8>,
    form: Form,
    /// Of records.
    bounds: Bounds,
    capture: Capture,
    /// Without it no content is shown.
    redaction: Option<Redaction>,
}

/// What has log records.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry<'a> {
    Call(&'a CallRecord),
    /// A verdict began or ended, and when.
    Verdict(&'a Change, Timestamp),
}

/// What has spans.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Traced<'a> {
    Call(&'a CallRecord),
    /// A span of the control plane, encoded.
    Control(&'a [u8]),
}

/// What the settings say about the form of spans.
#[derive(Debug, Clone, Copy)]
struct Form {
    cache: CacheAttribute,
    modalities: bool,
    tracing: Tracing,
    bounds: Bounds,
    /// Links of a span at most.
    links: usize,
}

impl Form {
    /// Whether the call's span counts its tokens and dollars under names that readers add up.
    fn counts(self, call: &CallRecord) -> bool {
        self.tracing.counts(call)
    }
}

impl Schema {
    /// The form under these settings.
    pub(crate) fn new(settings: &Settings) -> Schema {
        Schema {
            resource: resource::resource(settings),
            scope: scope().encode_to_vec(),
            form: Form {
                cache: settings.cache_attribute,
                modalities: settings.modality_attributes,
                tracing: Tracing::of(settings),
                bounds: Bounds { longest: settings.spans.longest_value, left: settings.spans.attributes },
                links: settings.spans.links,
            },
            bounds: Bounds { longest: settings.longest_value, ..Bounds::default() },
            capture: settings.capture,
            redaction: settings.redaction.clone(),
        }
    }

    /// One `ExportTraceServiceRequest` with the spans of all these.
    pub(crate) fn traces<'a>(&self, traced: impl Iterator<Item = Traced<'a>>, content: Content) -> Bytes {
        let (mut items, mut item) = (self.items(), Vec::new());
        for one in traced {
            let call = match one {
                Traced::Call(call) => call,
                Traced::Control(span) => {
                    delimited(&mut items, ITEMS, span);
                    continue;
                }
            };
            item.clear();
            let told = self.told(call, self.capture.spans, content, items.len());
            span::logical(call, self.form, told.as_ref(), &mut item);
            delimited(&mut items, ITEMS, &item);
            for attempt in 0..call.attempts.len() {
                item.clear();
                attempt::of_call(call, attempt, self.form.bounds, &mut item);
                delimited(&mut items, ITEMS, &item);
            }
        }
        self.request(&items)
    }

    /// One `ExportLogsServiceRequest` with the records of all these.
    pub(crate) fn logs<'a>(&self, entries: impl Iterator<Item = Entry<'a>>, content: Content) -> Bytes {
        let (mut items, mut item) = (self.items(), Vec::new());
        for entry in entries {
            item.clear();
            match entry {
                Entry::Call(call) => {
                    log::record(call, self.bounds, &mut item);
                    delimited(&mut items, ITEMS, &item);
                    item.clear();
                    if log::exception(call, self.bounds, &mut item) {
                        delimited(&mut items, ITEMS, &item);
                    }
                    if has_details(call, self.capture.emits) {
                        item.clear();
                        let told = self.told(call, self.capture.events, content, items.len());
                        details::event(call, self.form, told.as_ref(), &mut item);
                        delimited(&mut items, ITEMS, &item);
                    }
                }
                Entry::Verdict(change, at) => {
                    diagnosis::event(change, at, self.bounds, &mut item);
                    delimited(&mut items, ITEMS, &item);
                }
            }
        }
        self.request(&items)
    }

    /// What a call said, where it is to be shown in a request that is so large already.
    fn told(&self, call: &CallRecord, wanted: bool, content: Content, size: usize) -> Option<Told> {
        let captured = call.content.as_ref().filter(|_| wanted)?;
        let redaction = self.redaction.as_ref()?;
        Some(match content {
            Content::Left => Told::left_out("export spooled"),
            Content::Whole if size >= CONTENT_UP_TO => Told::left_out("export full"),
            Content::Whole => Told::of(captured, redaction),
        })
    }

    /// Collected metrics, with our resource on them so that all signals name the same origin.
    pub(crate) fn metrics(&self, request: ExportMetricsServiceRequest) -> Bytes {
        let mut bytes = Vec::new();
        for mut metrics in request.resource_metrics {
            metrics.resource = None;
            let mut metrics = metrics.encode_to_vec();
            delimited(&mut metrics, RESOURCE, &self.resource);
            delimited(&mut bytes, RESOURCE_ITEMS, &metrics);
        }
        bytes.into()
    }

    /// `ScopeSpans` or `ScopeLogs` without anything in it.
    fn items(&self) -> Vec<u8> {
        let mut items = Vec::new();
        delimited(&mut items, SCOPE_FIELD, &self.scope);
        items
    }

    /// The request around a `ScopeSpans` or `ScopeLogs`.
    fn request(&self, items: &[u8]) -> Bytes {
        let mut resource = Vec::with_capacity(items.len() + self.resource.len() + 16);
        delimited(&mut resource, RESOURCE, &self.resource);
        delimited(&mut resource, SCOPE_ITEMS, items);
        let mut request = Vec::with_capacity(resource.len() + 8);
        delimited(&mut request, RESOURCE_ITEMS, &resource);
        request.into()
    }
}

/// How many spans a sampled call has: one for itself and one per attempt.
pub(crate) fn span_count(call: &CallRecord) -> u64 {
    1 + call.attempts.len() as u64
}

/// Whether a call has an event of its details, where there are such: the conventions have it for the making of texts alone.
fn has_details(call: &CallRecord, details: bool) -> bool {
    details && call.operation.generates_text()
}

/// How many log records a call has: its own, the event of its failure, and that of its details where there are such.
pub(crate) fn log_count(call: &CallRecord, details: bool) -> u64 {
    1 + u64::from(has_details(call, details))
        + u64::from(call.outcome == Outcome::Failed && call.cause.is_some())
}

/// How many points are in collected metrics.
pub(crate) fn point_count(request: &ExportMetricsServiceRequest) -> u64 {
    let metrics = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    metrics
        .flat_map(|scope| &scope.metrics)
        .map(|metric| match &metric.data {
            Some(Data::Gauge(data)) => data.data_points.len(),
            Some(Data::Sum(data)) => data.data_points.len(),
            Some(Data::Histogram(data)) => data.data_points.len(),
            Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
            Some(Data::Summary(data)) => data.data_points.len(),
            None => 0,
        } as u64)
        .sum()
}

// No schema URL: the GenAI conventions' own is not settled (they moved out of the core conventions).
fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: SCOPE.to_owned(),
        version: outrigger_contract::VERSION.to_owned(),
        ..InstrumentationScope::default()
    }
}

/// Name of our instrumentation scope.
pub(crate) const SCOPE: &str = outrigger_contract::telemetry::NAMESPACE;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
