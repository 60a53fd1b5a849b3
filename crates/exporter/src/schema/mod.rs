//! How a call looks in OTLP: the one place that knows names, types and shapes. Version [`VERSION`] of that form stands
//! in every record; a change that a reader would notice raises it.

mod attempt;
pub(crate) mod keys;
mod log;
mod resource;
mod sampler;
mod span;
mod value;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use outrigger_ledger::CallRecord;
use prost::Message;

use crate::{CacheAttribute, Settings};

pub use sampler::Sampler;
pub(crate) use span::{cache_write, cost_status, is_openai, time_to_first_chunk};
pub(crate) use value::seconds;

/// Version of the form of records and spans.
pub const VERSION: u32 = 1;

/// Turns calls into requests of OTLP.
pub(crate) struct Schema {
    resource: Resource,
    cache: CacheAttribute,
}

impl Schema {
    /// The form under these settings.
    pub(crate) fn new(settings: &Settings) -> Schema {
        Schema { resource: resource::resource(settings), cache: settings.cache_attribute }
    }

    /// One request with the spans of all these calls.
    pub(crate) fn traces<'a>(&self, calls: impl Iterator<Item = &'a CallRecord>) -> Bytes {
        let mut spans = Vec::new();
        for call in calls {
            spans.push(span::logical(call, self.cache));
            spans.extend(attempt::spans(call));
        }
        encode(&ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans { scope: Some(scope()), spans, schema_url: String::new() }],
                schema_url: String::new(),
            }],
        })
    }

    /// One request with the records of all these calls.
    pub(crate) fn logs<'a>(&self, calls: impl Iterator<Item = &'a CallRecord>) -> Bytes {
        encode(&ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(self.resource.clone()),
                scope_logs: vec![ScopeLogs {
                    scope: Some(scope()),
                    log_records: calls.map(log::record).collect(),
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        })
    }

    /// Puts our resource on collected metrics, so that all signals name the same origin.
    pub(crate) fn adopt(&self, mut request: ExportMetricsServiceRequest) -> ExportMetricsServiceRequest {
        for metrics in &mut request.resource_metrics {
            metrics.resource = Some(self.resource.clone());
        }
        request
    }
}

/// How many spans a sampled call has: one for itself and one per attempt.
pub(crate) fn span_count(call: &CallRecord) -> u64 {
    1 + call.attempts.len() as u64
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

/// Encodes a request.
pub(crate) fn encode(request: &impl Message) -> Bytes {
    request.encode_to_vec().into()
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
mod tests;
