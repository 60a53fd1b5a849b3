//! `outrigger exec`: the sidecar in this process, a program beside it, the bill at the end.
//!
//! It must not cost the program anything: whatever of ours cannot start is said, and the program runs without it.

mod admin;
mod child;
pub(crate) mod environment;
mod metrics;
pub(crate) mod trust;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use outrigger_contract::trust_variables::Trust;
use outrigger_diagnosis::KeySources;
use outrigger_exporter::Exporter;
use outrigger_ledger::{CallRecord, Recorder, Wants};
use outrigger_sidecar::{Deployment, Feed, MetricsPort, Running, Settings, UpstreamOverride, status};

use crate::bill::{Bill, Telemetry};
use crate::diagnosis::{self, Diagnosing};
use crate::exec::environment::{Listeners, UserEnvironment};
use crate::output;

/// Calls of processes that the program left behind may take this long to finish.
const GRACE: Duration = Duration::from_secs(5);
/// The last records may take this long to leave.
const LAST_EXPORT: Duration = Duration::from_secs(5);

/// What the names of the folders begin with in which programs find their trust files, and `tail` their admin socket.
pub(crate) const FOLDER: &str = "outrigger-";

/// How the program's calls are led through the sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Mode {
    /// Through `HTTPS_PROXY`, with a certificate authority that the program is given to trust.
    #[default]
    Proxy,
    /// Through the SDKs' base-URL variables; needs no trust, reaches only programs that read them.
    BaseUrl,
}

/// Arguments of `exec`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Send telemetry to this OTLP endpoint; wins over the `OTEL_*` variables.
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// Offer metrics for a scrape at this address, `/metrics`; port 0 lets the system choose, and says which.
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// How the calls are led through Outrigger.
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Reach a provider's name at this address; its certificate is checked as always.
    #[arg(long, value_name = "HOST=ADDR")]
    upstream: Vec<UpstreamOverride>,
    /// Read this host too, beside the providers' own: a gateway, a private endpoint, a server of one's own.
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// What model stands behind a deployment of Azure or an ARN of Bedrock; RESOURCE is the first label of the host, or `*`.
    #[arg(long, value_name = "RESOURCE/NAME=MODEL")]
    deployment: Vec<Deployment>,
    /// Rules (docs/rules.md): a file, or a folder with `rules.yaml`; read again when it changes.
    #[arg(long, value_name = "FILE|DIR")]
    rules: Option<PathBuf>,
    /// Folder of the files that the rules' backups are paid by.
    #[arg(long, value_name = "DIR")]
    credentials: Option<PathBuf>,
    /// PEM file with certificate authorities to trust upstream, beside the public ones.
    #[arg(long, value_name = "FILE")]
    extra_ca: Vec<PathBuf>,
    /// Watch Java programs too: JAVA_TOOL_OPTIONS names the proxy, and a trust store in the place of Java's own. It holds what the
    /// system trusts; what only Java's own `cacerts` holds is not in it.
    #[arg(long)]
    trust_java: bool,
    /// Change no request: a stream whose usage the program does not ask for then has unknown tokens.
    #[arg(long)]
    no_include_usage: bool,
    /// Print the bill so far at this interval, such as 30s, 5m or 1h (SIGUSR1 prints it at once).
    #[arg(long, value_name = "TIME", value_parser = interval)]
    summary_every: Option<Duration>,
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD ARGS…")]
    command: Vec<OsString>,
}

fn interval(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| format!("{error}; write 30s, 5m or 1h"))?;
    if time < Duration::from_secs(1) { Err("it must be at least 1s".to_owned()) } else { Ok(time) }
}

/// What runs beside the program.
struct Aboard {
    running: Running,
    /// `None` where it could not be started.
    diagnosing: Option<Diagnosing>,
    exporter: Option<Exporter>,
    /// Empty where telemetry is not sent.
    telemetry_to: Vec<String>,
    variables: BTreeMap<String, OsString>,
    /// Deleted when dropped.
    _trust: tempfile::TempDir,
}

/// Runs the program; the status is its own.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let bill = Arc::new(Bill::new(true));
    let aboard = match start(&arguments, &bill) {
        Ok(aboard) => Some(aboard),
        Err(error) => {
            output::note(&format!("{error}; the program runs without Outrigger"));
            None
        }
    };
    let nothing = BTreeMap::new();
    let variables = aboard.as_ref().map_or(&nothing, |aboard| &aboard.variables);
    let every = arguments.summary_every;
    let ended = child::run(&arguments.command, variables, every, || {
        if aboard.is_some() {
            output::block(&bill.summary(None, None));
        }
    });
    let Some(aboard) = aboard else { return ended.code };

    let seen = aboard.running.drain(GRACE);
    // Records that may be a sign of something go on from there.
    if let Some(diagnosing) = aboard.diagnosing {
        diagnosing.end();
    }
    let counts = aboard.exporter.map(|exporter| exporter.shutdown(LAST_EXPORT));
    let telemetry = counts
        .filter(|_| !aboard.telemetry_to.is_empty())
        .map(|counts| Telemetry { counts, endpoints: aboard.telemetry_to });
    if ended.ran {
        output::block(&bill.summary(Some(&seen), telemetry.as_ref()));
        if seen.connections == 0 {
            output::note(&never_appeared(&arguments));
        }
    }
    ended.code
}

fn never_appeared(arguments: &Arguments) -> String {
    let program = arguments.command.first().map(|name| name.to_string_lossy()).unwrap_or_default();
    match arguments.mode {
        Mode::Proxy => format!(
            "no connection of `{program}` reached Outrigger: either it made none, or it does not read HTTPS_PROXY \
             (Node before 24, Java without `--trust-java` and others do not). Try `--mode base-url`."
        ),
        Mode::BaseUrl => format!(
            "no connection of `{program}` reached Outrigger: either it made none, or it does not read the base-URL \
             variables. Try `--mode proxy`."
        ),
    }
}

fn start(arguments: &Arguments, bill: &Arc<Bill>) -> Result<Aboard, Box<dyn std::error::Error>> {
    let user = UserEnvironment::read();
    let mut telemetry =
        outrigger_exporter::Settings::read(arguments.otlp.as_deref(), |name| std::env::var(name).ok())?
            .default_service_name(&service_name(arguments));
    let port = metrics::address(arguments.metrics, &telemetry)?.map(MetricsPort::open).transpose()?;
    if port.is_some() {
        telemetry = telemetry.scraped();
    }
    let bound = outrigger_sidecar::bind(&Settings {
        hosts: arguments.host.clone(),
        deployments: arguments.deployment.clone(),
        include_usage: !arguments.no_include_usage,
        rules: arguments.rules.clone(),
        credentials: arguments.credentials.clone(),
        ..settings(&arguments.upstream, &arguments.extra_ca, &user)
    })?;
    let bound = bound.with_service(telemetry.service_name());
    if let Some(rules) = bound.rules().filter(|rules| rules.hash.is_empty()) {
        output::note(&format!(
            "no rules are in force: {}; calls are watched, nothing else",
            without_rules(&rules)
        ));
    }
    for why in bound.rules().into_iter().flat_map(|rules| rules.unpaid) {
        output::note(&why);
    }
    let directory = tempfile::Builder::new().prefix(FOLDER).tempdir()?;
    let trust = trust::write(directory.path(), &bound, &arguments.extra_ca, &user, arguments.trust_java)?;
    let trust = without_java_unless_it_runs(trust, arguments);
    let listeners = Listeners { connect: bound.connect_address(), base_url: bound.base_url_address() };
    let child = environment::for_child(arguments.mode, &user, &listeners, &trust);
    for note in &child.notes {
        output::note(note);
    }
    let telemetry_to = telemetry.endpoints();
    let exporter =
        (telemetry.sends() || telemetry.scraped).then(|| Exporter::start(telemetry)).transpose()?;
    let bound = match &exporter {
        Some(exporter) => bound.with_about(exporter.about()),
        None => bound,
    };
    // The names of the program's variables, for it has the user's; what is set beside holds no key.
    let variables = user.all().iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let feed = Feed::default();
    let (recorder, diagnosing) = diagnosis::start(
        feed.shown(recorder(bill, exporter.as_ref())),
        exporter.as_ref().map(Exporter::announcer),
        KeySources::of_environment(variables),
        bill,
    );
    let running = bound.serve(recorder)?;
    admin::serve(directory.path(), running.observer(), feed);
    if let Some(port) = port {
        metrics::serve(port, running.observer(), exporter.as_ref().and_then(Exporter::scrape))?;
    }
    Ok(Aboard { running, diagnosing, exporter, telemetry_to, variables: child.variables, _trust: directory })
}

/// Why none are in force.
fn without_rules(rules: &status::Rules) -> String {
    let path = rules.path.display();
    if rules.faults.is_empty() {
        format!("there is none at {path}")
    } else {
        format!("`outrigger rules check {path}` says what is wrong")
    }
}

/// The settings of a sidecar beside one program on a host.
pub(crate) fn settings(
    upstreams: &[UpstreamOverride],
    extra_cas: &[PathBuf],
    user: &UserEnvironment,
) -> Settings {
    Settings {
        transparent_port: None,
        // The user may reach these anyway.
        connect_to_local: true,
        connect: ([127, 0, 0, 1], 0).into(),
        base_url: ([127, 0, 0, 1], 0).into(),
        upstreams: upstreams.to_vec(),
        extra_cas: extra_cas.iter().cloned().chain(user.trusted_file()).collect(),
        upstream_proxy: user.proxy(),
        ..Settings::default()
    }
}

/// That Java goes unobserved is news to those alone who run Java.
fn without_java_unless_it_runs(mut trust: Trust, arguments: &Arguments) -> Trust {
    if service_name(arguments) != "java" {
        trust.notes.retain(|note| note.readers != ["Java"]);
    }
    trust
}

/// Every record goes to the bill and, where there is one, to the exporter.
fn recorder(bill: &Arc<Bill>, exporter: Option<&Exporter>) -> Arc<dyn Recorder> {
    match exporter {
        None => Arc::clone(bill) as Arc<dyn Recorder>,
        Some(exporter) => Arc::new(Both(exporter.recorder(), Arc::clone(bill))),
    }
}

struct Both(Arc<dyn Recorder>, Arc<Bill>);

impl Recorder for Both {
    fn try_record(&self, record: Arc<CallRecord>) {
        self.0.try_record(Arc::clone(&record));
        self.1.try_record(record);
    }

    fn wants(&self) -> Wants {
        self.0.wants()
    }
}

fn service_name(arguments: &Arguments) -> String {
    let program = arguments.command.first().map(PathBuf::from).unwrap_or_default();
    program.file_stem().map_or_else(|| "outrigger".to_owned(), |name| name.to_string_lossy().into_owned())
}
