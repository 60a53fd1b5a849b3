//! `outrigger-sidecar`: the sidecar as a process of its own. Settings in, SIGTERM out.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use outrigger_contract::ports;
use outrigger_exporter::{CONTROL, ControlSpans, Exporter, Scrape, Settings as ExporterSettings};
use outrigger_sidecar::call_log::logged;
use outrigger_sidecar::diagnostician::{Diagnostician, diagnosed};
use outrigger_sidecar::doctor::finding::Output;
use outrigger_sidecar::logging::Logging;
use outrigger_sidecar::{
    Admin, FailurePolicy, Feed, Look, MetricsPort, Probe, Running, Seen, Settings, UpstreamOverride, Version,
    bind, doctor, key_names, logging, older_than, panics, rules_faults, tail,
};
use rustix::process::DumpableBehavior;
use tokio::signal::unix::{SignalKind, signal};

/// Of the program, not of the library: what else links the library chooses for itself.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long the diagnosis may take over the last records.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How long the last records may take to leave.
const LAST_EXPORT: Duration = Duration::from_secs(5);

const EXIT_CODES: &str = "Exit codes:
  0  ended as asked; doctor: nothing failed; --check: nothing is wrong; probe: yes; tail: the call that was asked for was
     shown, or the reader left
  1  did not start; doctor: something failed; --check: something is wrong; probe: no; tail: no sidecar answers
  2  the command line is wrong";

/// Forwards a pod's HTTPS and watches its LLM calls.
#[derive(Parser)]
#[command(version, about, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// YAML file with settings; `OUTRIGGER_*` variables and the options below win over it.
    #[arg(long, value_name = "FILE", global = true)]
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
    /// Unix socket on which the sidecar tells its state to `doctor`.
    #[arg(long, value_name = "FILE", global = true)]
    admin_socket: Option<PathBuf>,
    /// Rules: a file, or the folder where a ConfigMap with `rules.yaml` is mounted.
    #[arg(long, value_name = "FILE|DIR")]
    rules: Option<PathBuf>,
    /// Folder of the files that the rules' backups are paid by.
    #[arg(long, value_name = "DIR")]
    credentials: Option<PathBuf>,
    /// OTLP endpoint; wins over the `OTEL_*` variables.
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// Start nothing: say all that is wrong with the settings, the variables and, unless `values` is asked for, the files that they
    /// name.
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    check: Option<Look>,
    /// With `--check`: that this program is as new as this, since what its settings say is of that version.
    #[arg(long, value_name = "VERSION", requires = "check")]
    not_older_than: Option<Version>,
}

#[derive(Subcommand)]
enum Command {
    /// Examine the sidecar that runs in this container: what it sees, what it published, and a round trip.
    Doctor {
        /// How to tell it.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Show each call of the sidecar that runs in this container, as it ends.
    Tail(tail::Asked),
    /// Ask the sidecar that runs in this container what a kubelet asks: for kubelets that cannot ask over the network.
    Probe {
        /// What to ask.
        what: Probe,
        /// Its metrics port.
        #[arg(long, value_name = "PORT", default_value_t = ports::METRICS)]
        port: u16,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (logging, spans) = match (&arguments.command, arguments.check) {
        (Some(_), _) => (logging::start("warn"), None),
        // What it says it says itself.
        (None, Some(_)) => (logging::start("off"), None),
        (None, None) => logging::start_with_control("info"),
    };
    panics::print_place_only();
    let done = match arguments.command {
        Some(Command::Doctor { output }) => examine(&arguments, output),
        Some(Command::Tail(ref asked)) => watch(&arguments, asked),
        Some(Command::Probe { what, port }) => what.ask(port).map(|()| ExitCode::SUCCESS).map_err(Into::into),
        None if arguments.check.is_some() => Ok(check(&arguments)),
        None => run(&arguments, &logging, spans).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn examine(arguments: &Arguments, output: Output) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut settings = Settings::read(arguments.config.as_deref())?;
    settings.admin_socket = arguments.admin_socket.clone().or(settings.admin_socket);
    let report = doctor::examine(&settings)?;
    // Who asked may have gone.
    let _gone = std::io::stdout().lock().write_all(output.of(&report).as_bytes());
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn watch(arguments: &Arguments, asked: &tail::Asked) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut settings = Settings::read(arguments.config.as_deref())?;
    settings.admin_socket = arguments.admin_socket.clone().or(settings.admin_socket);
    let socket = settings.admin_path().ok_or("there is no admin socket: set `admin_socket` or `ca_dir`")?;
    let note = |text: &str| {
        let _gone = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
    };
    let tail = tail::Tail { socket, asked: asked.clone(), returns: true };
    tail.run(|line| std::io::stdout().lock().write_all(line.as_bytes()), note)?;
    Ok(ExitCode::SUCCESS)
}

/// All that is wrong with what is set.
fn faults(arguments: &Arguments, look: Look) -> Vec<String> {
    let (settings, telemetry) = match settings(arguments, look) {
        Ok(found) => found,
        Err(error) => return vec![error.to_string()],
    };
    let mut faults: Vec<String> = settings.in_part.left_out.iter().map(|one| one.fault.clone()).collect();
    if look == Look::All {
        faults.extend(rules_faults(&settings));
        faults.extend(telemetry.headers_faults());
    }
    faults
}

fn check(arguments: &Arguments) -> ExitCode {
    let look = arguments.check.unwrap_or(Look::All);
    let faults = match arguments.not_older_than.and_then(older_than) {
        // What else is wrong may be so for that.
        Some(fault) => vec![fault],
        None => faults(arguments, look),
    };
    let (code, said) = match faults.is_empty() {
        true => (ExitCode::SUCCESS, "nothing is wrong with the settings".to_owned()),
        false => (ExitCode::FAILURE, faults.join("\n")),
    };
    // Who asked may have gone.
    let _gone = std::io::stdout().lock().write_all(format!("{said}\n").as_bytes());
    code
}

/// Everything that is set, without what cannot be used: that is told in `in_part`.
fn settings(
    given: &Arguments,
    look: Look,
) -> Result<(Settings, ExporterSettings), Box<dyn std::error::Error>> {
    let mut settings = Settings::read(given.config.as_deref())?;
    settings.upstreams.extend(given.upstream.iter().cloned());
    settings.extra_cas.extend(given.extra_ca.iter().cloned());
    settings.rules = given.rules.clone().or(settings.rules);
    settings.credentials = given.credentials.clone().or(settings.credentials);
    settings.trust_dir = given.trust_dir.clone().or(settings.trust_dir);
    settings.ca_dir = given.ca_dir.clone().or(settings.ca_dir);
    settings.admin_socket = given.admin_socket.clone().or(settings.admin_socket);
    settings.leave_out_unusable(look);

    let variable = |name: &str| std::env::var(name).ok();
    let (mut telemetry, mut left_out) = ExporterSettings::read_in_part(given.otlp.as_deref(), variable);
    // Somebody is there who reads the answer.
    if let Some(typed) = left_out.iter().find(|one| one.is_by_hand()) {
        return Err(typed.fault.clone().into());
    }
    if look == Look::All {
        left_out.extend(telemetry.leave_out_unreadable()?);
    }
    settings.in_part.left_out.extend(left_out);
    Ok((settings, telemetry))
}

/// Says what is left out; under `closed` nothing may be.
fn say_what_is_left_out(settings: &Settings) -> Result<(), String> {
    let left_out = &settings.in_part.left_out;
    if settings.failure_policy == FailurePolicy::Open {
        left_out.iter().for_each(|one| tracing::error!("{one}"));
        return Ok(());
    }
    left_out.iter().for_each(|one| tracing::error!("{}", one.fault));
    match left_out.len() {
        0 => Ok(()),
        number => Err(format!(
            "settings that cannot be used: {number}, and `failure_policy` is `closed`, so the sidecar does not start; correct them, or \
             set `failure_policy: open` to do without"
        )),
    }
}

fn run(
    arguments: &Arguments,
    logging: &Logging,
    spans: Option<ControlSpans>,
) -> Result<(), Box<dyn std::error::Error>> {
    let starting = tracing::info_span!(target: CONTROL, "start").entered();
    let (settings, telemetry) =
        tracing::info_span!(target: CONTROL, "settings").in_scope(|| settings(arguments, Look::All))?;
    say_what_is_left_out(&settings)?;

    // Neither a core file nor another process of the same user shall hold the issuing key.
    if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the memory of this process can be dumped");
    }
    let bound = bind(&settings)?;
    let port = settings.metrics.and_then(open_metrics);
    let telemetry = if port.is_some() { telemetry.scraped() } else { telemetry };
    let bound = bound.with_service(telemetry.service_name());
    let sends = telemetry.sends();
    let telemetry = telemetry.with_spool(settings.spool().filter(|_| sends));
    if let Some(places) = telemetry.content() {
        tracing::info!("prompts and answers are sent {places}, redacted: docs/content.md");
    }
    if spans.is_some() && telemetry.traces.is_none() {
        tracing::warn!(
            "spans of the control plane are asked for, but traces are sent nowhere; set OTEL_EXPORTER_OTLP_ENDPOINT"
        );
    }
    let exporter =
        match (sends || telemetry.scraped).then(|| Exporter::start_with(telemetry, spans)).transpose() {
            Err(error) if settings.failure_policy == FailurePolicy::Open => {
                tracing::error!("{error}. Until then nothing is exported");
                None
            }
            started => started?,
        };
    let bound = match &exporter {
        Some(exporter) => bound.with_about(exporter.about()),
        None => bound,
    };
    if let Some(exporter) = &exporter {
        exporter.about().settings_left_out(settings.in_part.left_out.len());
    }
    if let (Some(exporter), Some(until)) = (&exporter, bound.authority_until()) {
        exporter.about().authority_until(until);
    }
    let recorder = logged(settings.log_calls, exporter.as_ref().map(Exporter::recorder), sends);
    // Behind the diagnosis, so that what is watched has the verdicts too.
    let feed = Feed::default();
    let (recorder, diagnostician) =
        diagnosed(feed.shown(recorder), exporter.as_ref().map(Exporter::announcer));
    let diagnostician = diagnostician.with_key_sources(key_names::read(|name| std::env::var(name).ok()));
    let bound = bound.with_verdicts(diagnostician.verdicts());
    let ca = bound.custody().ca.as_str();
    let (connect, base_url) = (bound.connect_address(), bound.base_url_address());
    let bound = match &exporter {
        Some(exporter) => bound.with_telemetry(exporter.counts_reader()),
        None => bound,
    };
    let bound = match &port {
        Some(port) => bound.with_metrics_at(port.address()),
        None => bound,
    };
    let running = bound.serve(recorder)?;
    let admin = open_admin(&settings);
    let scrape = exporter.as_ref().and_then(Exporter::scrape);
    let seen = control(
        running,
        admin.map(|admin| (admin, feed)),
        port.map(|port| (port, scrape)),
        diagnostician,
        logging,
        settings.grace(),
        || {
            drop(starting);
            tracing::info!(%connect, %base_url, ca, "ready");
        },
    )?;
    tracing::info!(?seen, "drained");
    if let Some(exporter) = exporter {
        let spool = exporter.counts_reader();
        let counts = exporter.shutdown(LAST_EXPORT);
        tracing::info!(?counts, "telemetry");
        if let Some(spool) = spool.spool().filter(|_| counts.logs.spooled + counts.traces.spooled > 0) {
            tracing::warn!(
                directory = %spool.directory.display(), bytes = spool.bytes,
                calls = counts.calls.spooled, records = counts.logs.spooled, spans = counts.traces.spooled,
                "telemetry that its endpoint did not take is left in the spool: the next start on this directory sends it; if the \
                 volume goes with the pod, it is lost"
            );
        }
    }
    Ok(())
}

/// Traffic does not depend on it: what goes wrong here is said, and the sidecar serves.
fn open_admin(settings: &Settings) -> Option<Admin> {
    Admin::open(&settings.admin_path()?)
        .inspect_err(|error| tracing::error!("{error}; `doctor` will find no sidecar here"))
        .ok()
}

/// Traffic does not depend on it either.
fn open_metrics(address: std::net::SocketAddr) -> Option<MetricsPort> {
    MetricsPort::open(address)
        .inspect_err(|error| tracing::error!("{error}; metrics and probes find nobody here"))
        .ok()
}

/// The control thread's work: looks at records, answers on the admin socket and the metrics port, waits for the end, drains. It is `ready` once the end can be heard.
fn control(
    running: Running,
    admin: Option<(Admin, Feed)>,
    metrics: Option<(MetricsPort, Option<Scrape>)>,
    diagnostician: Diagnostician,
    logging: &Logging,
    grace: Duration,
    ready: impl FnOnce(),
) -> std::io::Result<Seen> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        ready();
        tokio::spawn(logging.repeats());
        let diagnosis = tokio::spawn(diagnostician.run());
        if let Some((admin, feed)) = admin {
            let observer = running.observer();
            tokio::spawn(async move {
                if let Err(error) = admin.serve(observer, feed).await {
                    tracing::error!(%error, "the admin socket is not served");
                }
            });
        }
        if let Some((port, scrape)) = metrics {
            let observer = running.observer();
            tokio::spawn(async move {
                if let Err(error) = port.serve(observer, scrape).await {
                    tracing::error!(%error, "the metrics port is not served");
                }
            });
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let drain = tracing::info_span!(target: CONTROL, "drain", grace_seconds = grace.as_secs());
        let seen = tokio::task::spawn_blocking(move || drain.in_scope(|| running.drain(grace)))
            .await
            .map_err(std::io::Error::other);
        // It ends with the last record, which has come by now.
        let _late = tokio::time::timeout(LAST_WORD, diagnosis).await;
        seen
    })
}
