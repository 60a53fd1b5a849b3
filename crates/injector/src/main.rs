//! `outrigger-injector`: the admission webhook as a process. Settings in, SIGTERM out.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::{Parser, ValueEnum};
use outrigger_injector::Settings;
use outrigger_injector::certificates::{Cluster, Keeping};
use outrigger_injector::server::{Certificate, Files, Service, Webhook};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// How often the certificate's files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What was written on the pod that this runs in, which its environment has by the downward API: whether it was given a sidecar.
const POD_STATUS: &str = "OUTRIGGER_POD_STATUS";
/// And why not, or what is not as it was asked for.
const POD_REASON: &str = "OUTRIGGER_POD_REASON";

const EXIT_CODES: &str = "Exit codes:
  0  ended as asked
  1  did not start, or the answer is no
  2  the command line is wrong";

/// Gives pods their sidecar when they are created, and checks rules.
#[derive(Parser)]
#[command(version, about, after_help = EXIT_CODES)]
struct Arguments {
    /// YAML file with settings (docs/injection.md); all defaults without it.
    #[arg(long, value_name = "FILE", env = "OUTRIGGER_INJECTOR_CONFIG")]
    config: Option<PathBuf>,
    /// Say whether the settings are good, and end.
    #[arg(long)]
    check: bool,
    /// Say whether the pod that this runs in was given a sidecar, and end: `helm test` does, in a pod that asked for one.
    #[arg(long, conflicts_with = "check")]
    injected: bool,
    /// How to log; RUST_LOG says how much.
    #[arg(long, value_enum, default_value_t = Log::Json, env = "OUTRIGGER_LOG_FORMAT")]
    log: Log,
}

#[derive(Clone, Copy, ValueEnum)]
enum Log {
    /// For a person.
    Text,
    /// A JSON object a line.
    Json,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match arguments.log {
        Log::Text => log.init(),
        Log::Json => log.json().flatten_event(true).init(),
    }
    // What a panic says could hold a part of a pod; its place is enough.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a fault of ours: the pod is admitted as it is");
    }));
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            tracing::error!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    if arguments.injected {
        return injected();
    }
    let settings = match &arguments.config {
        None => Settings::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read the settings {}: {error}", path.display()))?;
            Settings::read(&text).map_err(|fault| format!("{}: {fault}", path.display()))?
        }
    };
    if arguments.check {
        return Ok(());
    }
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(serve(settings))
}

/// By what is written on the pod, which its environment has.
fn injected() -> Result<(), Box<dyn std::error::Error>> {
    let told = |name| std::env::var(name).unwrap_or_default();
    let reason = told(POD_REASON);
    match (told(POD_STATUS).as_str(), reason.as_str()) {
        ("injected", "") => tracing::info!("this pod was given its sidecar"),
        ("injected", reason) => tracing::info!(reason, "this pod was given its sidecar"),
        (_, "") => {
            return Err("this pod asked for a sidecar and nobody answered: the API server does not reach the injector, or its namespace is \
                        excluded; ask for the injector's pods and their logs, and see docs/helm.md, \"Where the control plane does not \
                        reach pods\""
                .into());
        }
        (_, reason) => return Err(format!("this pod asked for a sidecar and has none, {reason}").into()),
    }
    Ok(())
}

async fn serve(settings: Settings) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let grace = Duration::from_secs(settings.grace_seconds);
    let certificate = match settings.certificates {
        None => {
            Certificate::Files(Files { certificate: settings.certificate, key: settings.key }, LOOK_EVERY)
        }
        Some(names) => Certificate::Kept(Box::new(Keeping {
            cluster: Cluster::of_this_pod().map_err(|fault| format!("`certificates`: {fault}"))?,
            names,
            // On the host's network HOSTNAME is the node's.
            replica: ["POD_NAME", "HOSTNAME"]
                .iter()
                .find_map(|name| std::env::var(name).ok())
                .ok_or("`certificates`: neither POD_NAME nor HOSTNAME says which replica this is")?,
            rotation: settings.rotation.rotation(),
            clock: Arc::new(SystemTime::now),
        })),
    };
    let webhook = Webhook::bind(Service {
        listen: settings.listen,
        metrics: settings.metrics,
        certificate,
        options: settings.pods,
    })
    .await?;
    let (listen, metrics) = webhook.addresses()?;
    let drain = webhook.drain();
    tracing::info!(%listen, %metrics, version = outrigger_contract::VERSION, "ready");
    let serving = webhook.serve();
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    drain.begin();
    tracing::info!("leaving");
    // It ends with the time.
    let _elapsed = tokio::time::timeout(grace, serving).await;
    Ok(())
}
