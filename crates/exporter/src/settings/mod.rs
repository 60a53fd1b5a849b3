//! What the exporter is told: the standard `OTEL_*` variables, read once through a getter, into checked values.

mod capture;
mod endpoint;
mod environment;
mod error;
mod in_part;
mod limits;
mod pod;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderMap;

use crate::{Redaction, Sampler, SpoolSettings};

pub use capture::Capture;
pub use endpoint::Endpoint;
pub use error::SettingsError;
pub use in_part::LeftOut;
pub use pod::Pod;
pub(crate) use values::headers_of;

/// Bytes of an attribute's text where nobody set a bound: a store that is in wide use cuts at 2,048.
pub(crate) const LONGEST_VALUE: usize = 2047;

/// The kinds of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records: one per call.
    Logs,
    /// Metrics.
    Metrics,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

    /// The word used in variables' values, metrics and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        }
    }

    /// The word inside variable names.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        match self {
            Signal::Traces => "TRACES",
            Signal::Logs => "LOGS",
            Signal::Metrics => "METRICS",
        }
    }
}

/// How OTLP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// Protobuf over HTTP/1.1.
    HttpProtobuf,
    /// JSON over HTTP/1.1.
    HttpJson,
    /// Not at all: JSON on standard error.
    Console,
}

/// Where and how one signal is sent.
#[derive(Clone)]
pub struct Target {
    /// Where to; with the signal's path for HTTP.
    pub endpoint: Endpoint,
    /// How.
    pub protocol: Protocol,
    /// Headers (or gRPC metadata) of every request; may hold credentials, so they are marked sensitive.
    pub headers: HeaderMap,
    /// File of further ones, read again for each request, and the variable that named it.
    pub headers_file: Option<NamedFile>,
    /// How long one request may take, connecting included.
    pub timeout: Duration,
    /// Whether bodies are compressed with gzip.
    pub gzip: bool,
    /// Whether what was taken is also written to standard error.
    pub console: bool,
    /// File of additional trusted CA certificates (PEM), and the variable that named it.
    pub certificate: Option<NamedFile>,
    /// File of our client certificate chain (PEM).
    pub client_certificate: Option<NamedFile>,
    /// File of our client key (PEM).
    pub client_key: Option<NamedFile>,
}

impl Target {
    /// Standard error alone.
    fn on_console() -> Target {
        Target {
            endpoint: Endpoint::console(),
            protocol: Protocol::Console,
            headers: HeaderMap::new(),
            headers_file: None,
            timeout: Duration::from_secs(10),
            gzip: false,
            console: true,
            certificate: None,
            client_certificate: None,
            client_key: None,
        }
    }
}

impl std::fmt::Debug for Target {
    // Header values stay out whatever a caller prints.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("endpoint", &self.endpoint)
            .field("protocol", &self.protocol)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("headers_file", &self.headers_file)
            .field("timeout", &self.timeout)
            .field("gzip", &self.gzip)
            .finish_non_exhaustive()
    }
}

/// A file that a variable names; the variable is kept for the message should it be unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The variable.
    pub variable: String,
    /// The file.
    pub path: PathBuf,
}

/// How the calls of one signal are gathered into requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// How long the first item of a batch waits for company.
    pub delay: Duration,
    /// Whether a failed call may go before the delay is over: only where the user set no delay.
    pub hurry: bool,
    /// Calls held in memory at most; what comes beyond is dropped and counted.
    pub queue: usize,
    /// Calls in one request at most.
    pub batch: usize,
}

/// One signal that goes out call by call.
#[derive(Debug, Clone)]
pub struct CallSignal {
    /// Where to.
    pub target: Target,
    /// In what portions.
    pub batching: Batching,
}

/// Metrics.
#[derive(Debug, Clone)]
pub struct MetricSignal {
    /// Where to.
    pub target: Target,
    /// How often they are collected and sent.
    pub interval: Duration,
    /// Whether sums are sent from the start or since the last time.
    pub temporality: Temporality,
}

/// Reference point of sums and histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Temporality {
    /// Everything since the start.
    #[default]
    Cumulative,
    /// What came since the last collection.
    Delta,
    /// Delta, but cumulative where delta would need memory (observable instruments).
    LowMemory,
}

/// Which generation of the GenAI metrics is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GenAiMetrics {
    /// `gen_ai.client.inference.*` only.
    Latest,
    /// The names of conventions v1.41 only, which packaged dashboards query.
    V1_41,
    /// Both.
    #[default]
    Both,
}

/// Name of the span attribute that counts tokens written to a cache. Never both: readers would add them up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheAttribute {
    /// `gen_ai.usage.cache_write.input_tokens`.
    #[default]
    CacheWrite,
    /// `gen_ai.usage.cache_creation.input_tokens`, the name before the rename.
    CacheCreation,
}

/// What the variables say about scraping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Pull {
    /// Nothing: where the program offers it.
    #[default]
    Offered,
    /// Not at all: `OTEL_METRICS_EXPORTER` names others, or the SDK is disabled.
    Off,
    /// `OTEL_METRICS_EXPORTER` lists `prometheus`: at this host and port unless the program has its own.
    At(String, u16),
}

/// How much a span holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanLimits {
    /// Bytes of a text, or of all texts of a list.
    pub longest_value: usize,
    /// Attributes.
    pub attributes: usize,
    /// Links.
    pub links: usize,
}

/// What becomes of the spans of calls that a GenAI span of the app's own covers: their tokens would be counted twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AppTelemetry {
    /// They are complete.
    #[default]
    Both,
    /// They are linked to the app's and carry no token or dollar under a name that readers add up.
    Link,
    /// There are none; records and metrics go on.
    MetricsOnly,
}

/// Which spans of the app count tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AppInstrumented {
    /// Those of an SDK that is known to do so, as its requests show.
    #[default]
    Recognised,
    /// All: the operator knows that every call is instrumented.
    Always,
}

/// Everything the exporter is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Spans; `None` is off.
    pub traces: Option<CallSignal>,
    /// Log records; `None` is off.
    pub logs: Option<CallSignal>,
    /// Metrics; `None` is off.
    pub metrics: Option<MetricSignal>,
    /// `service.name` as the user gave it.
    pub service_name: Option<String>,
    /// `service.name` otherwise.
    pub fallback_service_name: String,
    /// Further resource attributes as the user gave them, in their order.
    pub resource: Vec<(String, String)>,
    /// `service.instance.id` where the user gave none.
    pub instance: Option<String>,
    /// The pod that this runs in, as far as it is told.
    pub pod: Pod,
    /// Bytes of a text in records and in the resource at most.
    pub longest_value: usize,
    /// How much a span holds at most.
    pub spans: SpanLimits,
    /// Whether metrics may be scraped, by the variables.
    pub pull: Pull,
    /// Whether they are: see [`Settings::scraped`].
    pub scraped: bool,
    /// Which calls have spans.
    pub sampler: Sampler,
    /// Series that metrics may have at most, as Prometheus counts them.
    pub series: usize,
    /// Whether money and tokens are told apart by the step that the app names.
    pub metrics_by_step: bool,
    /// Whether the times between the pieces of streams are told.
    pub metrics_by_chunk: bool,
    /// Whether histograms have exponential buckets in place of the conventions' own.
    pub exponential_histograms: bool,
    /// Which GenAI metrics are sent.
    pub genai_metrics: GenAiMetrics,
    /// Which cache attribute spans carry.
    pub cache_attribute: CacheAttribute,
    /// Whether spans tell tokens by modality, where there is more than one.
    pub modality_attributes: bool,
    /// What becomes of spans that the app's own cover.
    pub app_telemetry: AppTelemetry,
    /// Which of the app's spans do.
    pub app_instrumented: AppInstrumented,
    /// Where prompts and answers are shown.
    pub capture: Capture,
    /// What is taken out of them first; without it none is shown.
    pub redaction: Option<Redaction>,
    /// What is kept on disk while an endpoint is away; `None` is nothing.
    pub spool: Option<SpoolSettings>,
}

impl Settings {
    /// Reads the settings through `get`, which returns a variable's value. `endpoint_override` is an endpoint given
    /// by hand (`--otlp`); it wins over every endpoint variable, for all signals.
    ///
    /// Returns `None` when there is nothing to send to: no endpoint is configured anywhere, the SDK is disabled, or
    /// every signal is switched off. A signal without an endpoint of its own or in common is off. Empty variables
    /// count as unset.
    ///
    /// # Errors
    /// The first variable that cannot be understood, with its value and the mend.
    pub fn from_env(
        endpoint_override: Option<&str>,
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Settings>, SettingsError> {
        Ok(Some(Settings::read(endpoint_override, get)?).filter(Settings::sends))
    }

    /// Reads the settings as [`Settings::from_env`] does, also where there is nothing to send to.
    ///
    /// # Errors
    /// The first variable that cannot be understood, with its value and the mend.
    pub fn read(
        endpoint_override: Option<&str>,
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, SettingsError> {
        environment::read(endpoint_override, &get, &[]).map_err(|fault| fault.error)
    }

    /// Reads the settings as [`Settings::read`] does, for a program that shall run whatever they say: what cannot be used is left
    /// out and told. Nothing is then sent elsewhere, or to a peer that is checked less, or more openly than was asked for.
    pub fn read_in_part(
        endpoint_override: Option<&str>,
        get: impl Fn(&str) -> Option<String>,
    ) -> (Settings, Vec<LeftOut>) {
        in_part::read(endpoint_override, &get)
    }

    /// Whether any signal is sent.
    #[must_use]
    pub const fn sends(&self) -> bool {
        self.traces.is_some() || self.logs.is_some() || self.metrics.is_some()
    }

    /// Where prompts and answers are sent, in plain words; `None` is nowhere.
    #[must_use]
    pub const fn content(&self) -> Option<&'static str> {
        self.capture.places(self.traces.is_some(), self.logs.is_some())
    }

    /// The same with metrics that can be scraped, unless the variables forbid it; [`crate::Exporter::scrape`] gives them.
    #[must_use]
    pub fn scraped(self) -> Settings {
        Settings { scraped: self.pull != Pull::Off, ..self }
    }

    /// `service.name` as telemetry carries it.
    #[must_use]
    pub fn service_name(&self) -> &str {
        self.service_name.as_deref().unwrap_or(&self.fallback_service_name)
    }

    /// Sets the service name that is used when neither `OTEL_SERVICE_NAME` nor `OTEL_RESOURCE_ATTRIBUTES` gives one.
    #[must_use]
    pub fn default_service_name(mut self, name: &str) -> Settings {
        if !name.is_empty() {
            name.clone_into(&mut self.fallback_service_name);
        }
        self
    }

    /// Keeps on disk what an endpoint that is away does not take.
    #[must_use]
    pub fn with_spool(self, spool: Option<SpoolSettings>) -> Settings {
        Settings { spool, ..self }
    }

    /// The endpoints in use, without secrets, each once: for a person to read.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        let targets = [
            self.traces.as_ref().map(|signal| &signal.target),
            self.logs.as_ref().map(|signal| &signal.target),
            self.metrics.as_ref().map(|signal| &signal.target),
        ];
        let mut shown: Vec<String> =
            targets.into_iter().flatten().map(|target| target.endpoint.base().to_owned()).collect();
        shown.dedup();
        shown
    }
}

#[cfg(test)]
mod tests;
