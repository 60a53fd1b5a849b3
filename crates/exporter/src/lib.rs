//! `CallRecord` to OTLP: one log record, one span tree and the core metrics per call. Never blocks a call.
//!
//! ```text
//! call's thread      inbox        counts, bounded queue; full = counted drop
//! exporter's thread  worker       spreads calls over lanes and metrics
//!                    lane         one per signal: batch, send, repeat, give up; every item counted once
//!                    schema       how a call looks in OTLP
//!                    transport    gRPC or HTTP; what an answer means
//!                    spool        what an endpoint that is away has not taken, on disk
//!                    herald       says once what a person must know
//! ```

mod announcer;
mod backoff;
mod content;
mod control;
mod counts;
mod exporter;
mod herald;
mod inbox;
mod lane;
pub mod metrics;
mod schema;
mod settings;
mod spool;
#[cfg(test)]
mod testing;
mod transport;
mod worker;

pub use announcer::Announcer;
pub use content::{PatternError, Redaction};
pub use control::{CONTROL, ControlSpans, control_spans};
pub use counts::{Count, Counts, CountsReader, DropCause, Drops};
pub use exporter::{Exporter, StartError};
pub use metrics::{About, Exposition, Scrape};
pub use opentelemetry_sdk::trace::SdkTracer;
pub use schema::{
    ExportedAttempt, ExportedBefore, ExportedCall, ExportedCause, ExportedCost, ExportedLine, ExportedName,
    ExportedPlace, ExportedTokens, ReadError, Sampler, VERSION as SCHEMA_VERSION,
};
pub use settings::{
    AppInstrumented, AppTelemetry, Batching, CacheAttribute, CallSignal, Capture, Endpoint, GenAiMetrics,
    LeftOut, MetricSignal, NamedFile, Pod, Protocol, Pull, Settings, SettingsError, Signal, SpanLimits,
    Target, Temporality,
};
pub use spool::{SpoolSettings, SpoolStatus};
