//! The body of a success: which items were not taken after all.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;

use super::{Reply, json, quoted};
use crate::settings::Signal;

/// Reads a success. A body that is not OTLP (some proxies send a plain `ok`) counts as a full success, because the
/// status said so.
pub(super) fn read(signal: Signal, body: &[u8]) -> Reply {
    let (rejected, message) = match signal {
        Signal::Traces => ExportTraceServiceResponse::decode(body)
            .ok()
            .and_then(|response| response.partial_success)
            .map(|partial| (partial.rejected_spans, partial.error_message)),
        Signal::Logs => ExportLogsServiceResponse::decode(body)
            .ok()
            .and_then(|response| response.partial_success)
            .map(|partial| (partial.rejected_log_records, partial.error_message)),
        Signal::Metrics => ExportMetricsServiceResponse::decode(body)
            .ok()
            .and_then(|response| response.partial_success)
            .map(|partial| (partial.rejected_data_points, partial.error_message)),
    }
    .unwrap_or_default();
    reply(rejected, &message)
}

/// Reads a success whose body is JSON.
pub(super) fn read_json(body: &[u8]) -> Reply {
    let (rejected, message) = json::rejected(body).unwrap_or_default();
    reply(rejected, &message)
}

fn reply(rejected: i64, message: &str) -> Reply {
    match u64::try_from(rejected) {
        Ok(lost) if lost > 0 => Reply::Partly { lost, why: quoted(message) },
        // Nothing rejected: a message beside it is only a warning of the endpoint to itself.
        _ => Reply::Taken,
    }
}
