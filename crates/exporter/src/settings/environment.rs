//! From variables to [`Settings`]: which variable governs what, and in which order they win.

use std::time::Duration;

use http::HeaderMap;

use super::capture;
use super::endpoint::Written;
use super::error::SettingsError;
use super::limits;
use super::values::{Found, Variables, attributes, headers_of};
use super::{
    AppInstrumented, AppTelemetry, Batching, CacheAttribute, CallSignal, GenAiMetrics, MetricSignal,
    NamedFile, Pod, Protocol, Pull, Settings, Signal, Target, Temporality,
};
use crate::{Sampler, schema};

/// Spans and records leave this soon where the user set no delay.
const CALL_DELAY: Duration = Duration::from_secs(1);
/// Metrics leave this often where the user set no interval.
const METRIC_INTERVAL: Duration = Duration::from_secs(10);
/// The standard's request timeout.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Calls held where the user set no bound: twice the standard's, about 6 MiB of records.
const QUEUE: usize = 4096;
/// The standard's batch size.
const BATCH: usize = 512;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// How the endpoint given by hand is called in messages.
pub(super) const OVERRIDE: &str = "--otlp";

/// What cannot be used, and which signal cannot do without it; none where it is no signal's.
pub(super) struct Fault {
    pub(super) error: SettingsError,
    pub(super) signal: Option<Signal>,
}

impl From<SettingsError> for Fault {
    fn from(error: SettingsError) -> Fault {
        Fault { error, signal: None }
    }
}

/// Reads everything but where the signals go that are `off`.
pub(super) fn read(
    endpoint_override: Option<&str>,
    get: &dyn Fn(&str) -> Option<String>,
    off: &[Signal],
) -> Result<Settings, Fault> {
    let variables = Variables::new(get);
    if variables.flag("OTEL_SDK_DISABLED")? {
        // Of a disabled SDK no other variable is looked at.
        let none = |_: &str| None;
        return Ok(Settings { pull: Pull::Off, ..read(None, &none, &[])? });
    }
    let endpoint_override = endpoint_override.map(str::trim).filter(|text| !text.is_empty());
    let reader = Reader { variables: &variables, endpoint_override, off };

    let of = |signal| move |error| Fault { error, signal: Some(signal) };
    let traces = reader.call_signal(Signal::Traces, "OTEL_BSP").map_err(of(Signal::Traces))?;
    let logs = reader.call_signal(Signal::Logs, "OTEL_BLRP").map_err(of(Signal::Logs))?;
    let metrics = reader.metric_signal().map_err(of(Signal::Metrics))?;
    let capture = capture::capture(&variables)?;

    let mut resource = match variables.find("OTEL_RESOURCE_ATTRIBUTES") {
        Some(found) => attributes(&found)?,
        None => Vec::new(),
    };
    let in_resource = resource.iter().position(|(key, _)| key == "service.name");
    let in_resource = in_resource.map(|index| resource.remove(index).1).filter(|name| !name.is_empty());
    let service_name = variables.find("OTEL_SERVICE_NAME").map(|found| found.value).or(in_resource);
    let pod = Pod::read(&variables);

    Ok(Settings {
        traces,
        logs,
        metrics,
        service_name,
        fallback_service_name: pod
            .service_name(&resource)
            .unwrap_or_else(|| outrigger_contract::telemetry::NAMESPACE.to_owned()),
        instance: pod.instance().or_else(schema::random_instance),
        resource,
        pod,
        longest_value: limits::longest(&variables, &["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"])?,
        spans: limits::spans(&variables)?,
        pull: reader.pull()?,
        scraped: false,
        sampler: sampler(&variables)?,
        series: limits::series(&variables)?,
        metrics_by_step: variables.flag("OUTRIGGER_METRICS_STEP")?,
        metrics_by_chunk: variables.flag("OUTRIGGER_METRICS_CHUNKS")?,
        exponential_histograms: exponential(&variables)?,
        genai_metrics: genai_metrics(&variables)?,
        cache_attribute: cache_attribute(&variables)?,
        modality_attributes: modality_attributes(&variables)?,
        app_telemetry: app_telemetry(&variables)?,
        app_instrumented: app_instrumented(&variables)?,
        capture,
        redaction: capture::redaction(&variables, capture)?,
        spool: None,
    })
}

/// Where a signal goes.
#[derive(Debug, Clone, Copy, Default)]
struct Exporters {
    otlp: bool,
    console: bool,
}

struct Reader<'a> {
    variables: &'a Variables<'a>,
    endpoint_override: Option<&'a str>,
    /// Signals that are sent nowhere, whatever else is said of them.
    off: &'a [Signal],
}

impl Reader<'_> {
    /// A signal's own form of an exporter variable, else the common one.
    fn own_or_common(&self, signal: Signal, what: &str) -> Option<Found> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.variable());
        let common = format!("OTEL_EXPORTER_OTLP_{what}");
        self.variables.first([own.as_str(), common.as_str()])
    }

    /// A signal's own headers and their file, else those of all: what is for one endpoint does not go to another as well.
    fn headers(&self, signal: Signal) -> Result<(HeaderMap, Option<NamedFile>), SettingsError> {
        let named = |part: &str| {
            let held = self.variables.find(&format!("OTEL_EXPORTER_OTLP_{part}HEADERS"));
            let file = self.variables.find(&format!("OUTRIGGER_OTLP_{part}HEADERS_FILE"));
            (held.is_some() || file.is_some()).then_some((held, file))
        };
        let own = named(&format!("{}_", signal.variable()));
        let Some((held, file)) = own.or_else(|| named("")) else { return Ok((HeaderMap::new(), None)) };
        let held = held.map(|found| headers_of(&found.variable, &found.value)).transpose()?;
        Ok((held.unwrap_or_default(), file.map(named_file)))
    }

    /// Where the signal's exporter variable sends it.
    fn exporters(&self, signal: Signal) -> Result<Exporters, SettingsError> {
        let Some(found) = self.variables.find(&format!("OTEL_{}_EXPORTER", signal.variable())) else {
            return Ok(Exporters { otlp: true, console: false });
        };
        let metrics = signal == Signal::Metrics;
        let mut exporters = Exporters::default();
        let words = || found.value.split(',').map(str::trim);
        for word in words() {
            match word {
                "otlp" => exporters.otlp = true,
                "console" => exporters.console = true,
                "none" if words().count() == 1 => {}
                "prometheus" if metrics => {}
                // Exporters that another SDK in the same environment may have been told to use.
                "logging" | "zipkin" | "jaeger" => {}
                "none" => {
                    return Err(found.fault("none stands alone", "write none, or the others without it"));
                }
                _ => {
                    let scraped = if metrics { "prometheus, " } else { "" };
                    return Err(found.fault(
                        "not an exporter this version knows",
                        format!("write otlp, {scraped}console or none"),
                    ));
                }
            }
        }
        Ok(exporters)
    }

    /// Where metrics may be scraped. The standard's host and port are for where no other address is set.
    fn pull(&self) -> Result<Pull, SettingsError> {
        let Some(found) = self.variables.find("OTEL_METRICS_EXPORTER") else { return Ok(Pull::Offered) };
        if !found.value.split(',').any(|word| word.trim() == "prometheus") {
            return Ok(Pull::Off);
        }
        let host = self.variables.find("OTEL_EXPORTER_PROMETHEUS_HOST");
        let host = host.map_or_else(|| "localhost".to_owned(), |found| found.value);
        let port = match self.variables.find("OTEL_EXPORTER_PROMETHEUS_PORT") {
            None => 9464,
            Some(found) => found
                .value
                .parse()
                .map_err(|_| found.fault("not a port", "write a number from 0 to 65535"))?,
        };
        Ok(Pull::At(host, port))
    }

    fn target(&self, signal: Signal) -> Result<Option<Target>, SettingsError> {
        let Exporters { otlp, console } = self.exporters(signal)?;
        if self.off.contains(&signal) {
            return Ok(None);
        }
        let sent = if otlp { self.sent(signal)? } else { None };
        Ok(match sent {
            Some(target) => Some(Target { console, ..target }),
            None => console.then(Target::on_console),
        })
    }

    fn sent(&self, signal: Signal) -> Result<Option<Target>, SettingsError> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.variable());
        let own = self.variables.find(&own).filter(|_| self.endpoint_override.is_none());
        let common = self.variables.find(ENDPOINT);
        let written = match (self.endpoint_override, &own, &common) {
            (Some(text), _, _) => Written { variable: OVERRIDE, text, common: true },
            (None, Some(own), _) => Written { variable: &own.variable, text: &own.value, common: false },
            (None, None, Some(common)) => Written { variable: ENDPOINT, text: &common.value, common: true },
            (None, None, None) => return Ok(None),
        };
        let protocol = match self.own_or_common(signal, "PROTOCOL") {
            Some(found) => protocol(&found)?,
            None => written.implied_protocol(),
        };
        let insecure = match self.own_or_common(signal, "INSECURE") {
            Some(found) => self.variables.flag(&found.variable)?,
            None => false,
        };
        let (headers, headers_file) = self.headers(signal)?;
        let timeout = match self.own_or_common(signal, "TIMEOUT") {
            Some(found) => self.variables.milliseconds(&found.variable, 1)?.unwrap_or(TIMEOUT),
            None => TIMEOUT,
        };
        let gzip = match self.own_or_common(signal, "COMPRESSION") {
            Some(found) => compression(&found)?,
            None => false,
        };
        let file = |what| self.own_or_common(signal, what).map(named_file);
        let (client_certificate, client_key) = (file("CLIENT_CERTIFICATE"), file("CLIENT_KEY"));
        match (&client_certificate, &client_key) {
            (Some(file), None) => return Err(half_identity(file, "CLIENT_KEY")),
            (None, Some(file)) => return Err(half_identity(file, "CLIENT_CERTIFICATE")),
            _ => {}
        }
        Ok(Some(Target {
            endpoint: written.read(signal, protocol, insecure)?,
            protocol,
            headers,
            headers_file,
            timeout,
            gzip,
            console: false,
            certificate: file("CERTIFICATE"),
            client_certificate,
            client_key,
        }))
    }

    fn call_signal(&self, signal: Signal, prefix: &str) -> Result<Option<CallSignal>, SettingsError> {
        let Some(target) = self.target(signal)? else { return Ok(None) };
        let target = self.within(target, &format!("{prefix}_EXPORT_TIMEOUT"))?;
        let delay = self.variables.milliseconds(&format!("{prefix}_SCHEDULE_DELAY"), 0)?;
        let queue = self.variables.count(&format!("{prefix}_MAX_QUEUE_SIZE"))?.unwrap_or(QUEUE);
        let batch = self.variables.count(&format!("{prefix}_MAX_EXPORT_BATCH_SIZE"))?.unwrap_or(BATCH);
        Ok(Some(CallSignal {
            target,
            batching: Batching {
                delay: delay.unwrap_or(CALL_DELAY),
                hurry: delay.is_none(),
                queue,
                batch: batch.min(queue),
            },
        }))
    }

    /// Requests take no longer than an export may. What an endpoint did not take then is tried again, not lost.
    fn within(&self, target: Target, variable: &str) -> Result<Target, SettingsError> {
        let most = self.variables.milliseconds(variable, 1)?.unwrap_or(target.timeout);
        Ok(Target { timeout: target.timeout.min(most), ..target })
    }

    fn metric_signal(&self) -> Result<Option<MetricSignal>, SettingsError> {
        let Some(target) = self.target(Signal::Metrics)? else { return Ok(None) };
        let target = self.within(target, "OTEL_METRIC_EXPORT_TIMEOUT")?;
        let interval = self.variables.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 1)?;
        let temporality = match self.variables.find("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE") {
            Some(found) => temporality(&found)?,
            None => Temporality::default(),
        };
        Ok(Some(MetricSignal { target, interval: interval.unwrap_or(METRIC_INTERVAL), temporality }))
    }
}

fn named_file(found: Found) -> NamedFile {
    NamedFile { variable: found.variable, path: found.value.into() }
}

fn half_identity(file: &NamedFile, missing: &str) -> SettingsError {
    SettingsError::new(
        &file.variable,
        &file.path.display().to_string(),
        "a client certificate needs its key, and a key its certificate",
        format!("set OTEL_EXPORTER_OTLP_{missing} too"),
    )
}

fn protocol(found: &Found) -> Result<Protocol, SettingsError> {
    match found.value.as_str() {
        "grpc" => Ok(Protocol::Grpc),
        "http/protobuf" => Ok(Protocol::HttpProtobuf),
        "http/json" => Ok(Protocol::HttpJson),
        _ => Err(found.fault("not a protocol of OTLP", "write http/protobuf, http/json or grpc")),
    }
}

fn compression(found: &Found) -> Result<bool, SettingsError> {
    match found.value.as_str() {
        "gzip" => Ok(true),
        "none" => Ok(false),
        _ => Err(found.fault("not a compression that is spoken", "write gzip or none")),
    }
}

fn temporality(found: &Found) -> Result<Temporality, SettingsError> {
    match found.value.to_ascii_lowercase().as_str() {
        "cumulative" => Ok(Temporality::Cumulative),
        "delta" => Ok(Temporality::Delta),
        "lowmemory" => Ok(Temporality::LowMemory),
        _ => Err(found.fault("not a temporality", "write cumulative, delta or lowmemory")),
    }
}

fn sampler(variables: &Variables<'_>) -> Result<Sampler, SettingsError> {
    let Some(found) = variables.find("OTEL_TRACES_SAMPLER") else { return Ok(Sampler::default()) };
    let ratio = || match variables.find("OTEL_TRACES_SAMPLER_ARG") {
        None => Ok(1.0),
        Some(share) => match share.value.parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
            _ => Err(share.fault("not a share of traces", "write a number from 0 to 1 such as 0.25")),
        },
    };
    match found.value.as_str() {
        "always_on" => Ok(Sampler::Fixed(true)),
        "always_off" => Ok(Sampler::Fixed(false)),
        "traceidratio" => ratio().map(Sampler::Ratio),
        "parentbased_always_on" => Ok(Sampler::Parent(1.0)),
        "parentbased_always_off" => Ok(Sampler::Parent(0.0)),
        "parentbased_traceidratio" => ratio().map(Sampler::Parent),
        _ => Err(found.fault(
            "not a sampler this version knows",
            "write parentbased_always_on, parentbased_traceidratio, always_on, always_off or traceidratio",
        )),
    }
}

fn exponential(variables: &Variables<'_>) -> Result<bool, SettingsError> {
    let name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    let Some(found) = variables.find(name) else { return Ok(false) };
    match found.value.to_ascii_lowercase().as_str() {
        "explicit_bucket_histogram" => Ok(false),
        "base2_exponential_bucket_histogram" => Ok(true),
        _ => Err(found.fault(
            "not a histogram's aggregation",
            "write explicit_bucket_histogram or base2_exponential_bucket_histogram",
        )),
    }
}

fn genai_metrics(variables: &Variables<'_>) -> Result<GenAiMetrics, SettingsError> {
    let Some(found) = variables.find("OUTRIGGER_GENAI_METRICS") else { return Ok(GenAiMetrics::default()) };
    match found.value.as_str() {
        "latest" => Ok(GenAiMetrics::Latest),
        "v1.41" => Ok(GenAiMetrics::V1_41),
        "both" => Ok(GenAiMetrics::Both),
        _ => Err(found.fault("not a set of GenAI metrics", "write latest, v1.41 or both")),
    }
}

fn cache_attribute(variables: &Variables<'_>) -> Result<CacheAttribute, SettingsError> {
    let Some(found) = variables.find("OUTRIGGER_GENAI_CACHE_ATTRIBUTE") else {
        return Ok(CacheAttribute::default());
    };
    match found.value.as_str() {
        "cache_write" => Ok(CacheAttribute::CacheWrite),
        "cache_creation" => Ok(CacheAttribute::CacheCreation),
        _ => Err(found.fault("not a name of the cache attribute", "write cache_write or cache_creation")),
    }
}

/// On unless switched off: readers that add up every `gen_ai.usage.…` would count these twice.
fn modality_attributes(variables: &Variables<'_>) -> Result<bool, SettingsError> {
    match variables.find("OUTRIGGER_GENAI_MODALITY_ATTRIBUTES") {
        Some(found) => variables.flag(&found.variable),
        None => Ok(true),
    }
}

fn app_telemetry(variables: &Variables<'_>) -> Result<AppTelemetry, SettingsError> {
    let Some(found) = variables.find("OUTRIGGER_APP_TELEMETRY") else { return Ok(AppTelemetry::default()) };
    match found.value.as_str() {
        "both" => Ok(AppTelemetry::Both),
        "link" => Ok(AppTelemetry::Link),
        "metrics_only" => Ok(AppTelemetry::MetricsOnly),
        _ => {
            Err(found
                .fault("not a way to live with the app's own telemetry", "write both, link or metrics_only"))
        }
    }
}

fn app_instrumented(variables: &Variables<'_>) -> Result<AppInstrumented, SettingsError> {
    let Some(found) = variables.find("OUTRIGGER_APP_INSTRUMENTED") else {
        return Ok(AppInstrumented::default());
    };
    match found.value.as_str() {
        "recognised" => Ok(AppInstrumented::Recognised),
        "always" => Ok(AppInstrumented::Always),
        _ => Err(found.fault("not a rule for which calls are instrumented", "write recognised or always")),
    }
}
