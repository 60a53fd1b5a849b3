//! `outrigger-sidecar`: the sidecar as a process of its own. Settings in, SIGTERM out.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use outrigger_exporter::{Exporter, Settings as ExporterSettings};
use outrigger_ledger::{CallRecord, Recorder};
use outrigger_sidecar::{Settings, UpstreamOverride, bind, logging, panics};
use rustix::process::DumpableBehavior;
use tokio::signal::unix::{SignalKind, signal};

/// How long the last records may take to leave.
const LAST_EXPORT: Duration = Duration::from_secs(5);

/// Forwards a pod's HTTPS and watches its LLM calls.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// YAML file with settings; `OUTRIGGER_*` variables and the options below win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Reach a provider's name at this address; its certificate is checked as always.
    #[arg(long, value_name = "HOST=ADDR")]
    upstream: Vec<UpstreamOverride>,
    /// PEM file with certificate authorities to trust upstream, beside the public ones.
    #[arg(long, value_name = "FILE")]
    extra_ca: Vec<PathBuf>,
    /// Directory into which the public trust files are written.
    #[arg(long, value_name = "DIR")]
    trust_dir: Option<PathBuf>,
    /// Private directory in which the certificate authority outlives a restart of the sidecar.
    #[arg(long, value_name = "DIR")]
    ca_dir: Option<PathBuf>,
    /// OTLP endpoint; wins over the `OTEL_*` variables.
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start("info");
    panics::print_place_only();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = Settings::load(arguments.config.as_deref())?;
    settings.upstreams.extend(arguments.upstream);
    settings.extra_cas.extend(arguments.extra_ca);
    settings.trust_dir = arguments.trust_dir.or(settings.trust_dir);
    settings.ca_dir = arguments.ca_dir.or(settings.ca_dir);

    // Neither a core file nor another process of the same user shall hold the issuing key.
    if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the memory of this process can be dumped");
    }
    let bound = bind(&settings)?;
    let exporter = ExporterSettings::from_env(arguments.otlp.as_deref(), |name| std::env::var(name).ok())?
        .map(Exporter::start)
        .transpose()?;
    let recorder: Arc<dyn Recorder> = match &exporter {
        Some(exporter) => exporter.recorder(),
        None => Arc::new(Unrecorded),
    };
    let ca = bound.custody().ca.as_str();
    tracing::info!(connect = %bound.connect_address(), base_url = %bound.base_url_address(), ca, "ready");
    let running = bound.serve(recorder)?;

    wait_for_the_end()?;
    let seen = running.drain(settings.grace());
    tracing::info!(?seen, "drained");
    if let Some(exporter) = exporter {
        let counts = exporter.shutdown(LAST_EXPORT);
        tracing::info!(?counts, "telemetry");
    }
    Ok(())
}

fn wait_for_the_end() -> std::io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}

/// Without an endpoint the record of a call is one line of log.
struct Unrecorded;

impl Recorder for Unrecorded {
    fn try_record(&self, record: Arc<CallRecord>) {
        let cost = record.cost.total.map(|total| total.to_string());
        match &record.cause {
            None => tracing::info!(
                id = %record.id, provider = record.provider, model = record.model(), outcome = record.outcome.as_str(), cost, "call"
            ),
            Some(cause) => tracing::warn!(
                id = %record.id, provider = record.provider, model = record.model(), outcome = record.outcome.as_str(), "{}", cause.text
            ),
        }
    }
}
