//! `CallRecord` to OTLP: one log record, one span tree and the core metrics per call. Never blocks a call.

mod counts;
mod exporter;
mod settings;

pub use counts::{Count, Counts};
pub use exporter::{Exporter, StartError};
pub use settings::{
    Batching, CacheAttribute, CallSignal, Endpoint, GenAiMetrics, MetricSignal, NamedFile, Protocol,
    Settings, SettingsError, Signal, Target, Temporality,
};
