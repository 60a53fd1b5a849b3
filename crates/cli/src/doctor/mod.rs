//! `outrigger doctor`: what on this machine leads calls around Outrigger, and what each installed runtime will trust.
//! Makes no connection off this machine unless asked to.

pub(crate) mod checks;
mod environment;
mod probe;
mod python;
pub(crate) mod runtimes;
mod stores;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use outrigger_contract::trust_files::SYSTEM_BUNDLES;
use outrigger_ledger::{CallRecord, Recorder};
use outrigger_providers::services;
use outrigger_sidecar::doctor::finding::{Finding, Output, Report};
use outrigger_sidecar::doctor::{self, round_trip::RoundTrip};
use outrigger_sidecar::{Bound, UpstreamOverride};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::task::JoinSet;

use crate::doctor::runtimes::{PROGRAMS, Runtime};
use crate::doctor::stores::Bundles;
use crate::exec::environment::{Listeners, UserEnvironment, for_child};
use crate::exec::{self, Mode, trust};
use crate::output;

/// Arguments of `doctor`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How to tell it.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Prove a round trip to each provider, without a key. Without this nothing leaves the machine.
    #[arg(long)]
    online: bool,
    /// Reach a provider's name at this address; its certificate is checked as always.
    #[arg(long, value_name = "HOST=ADDR")]
    upstream: Vec<UpstreamOverride>,
    /// PEM file with certificate authorities to trust upstream, beside the public ones.
    #[arg(long, value_name = "FILE")]
    extra_ca: Vec<PathBuf>,
}

/// What `exec` would bring into being here.
struct Aboard {
    bound: Bound,
    set: BTreeMap<String, OsString>,
    notes: Vec<String>,
    /// Deleted when dropped.
    _trust: tempfile::TempDir,
}

/// Examines the machine; the status says whether anything failed.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let report = Report { findings: runtime.block_on(examine(arguments)) };
            output::bytes(arguments.output.of(&report).as_bytes());
            if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            output::note(&format!("nothing can be examined: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn examine(arguments: &Arguments) -> Vec<Finding> {
    let user = UserEnvironment::read();
    let mut findings = environment::judge(&user);
    let aboard = aboard(arguments, &user);
    let mut set = BTreeMap::new();
    match &aboard {
        Ok(aboard) => {
            findings.push(
                checks::LISTENERS.found("listeners can be opened on loopback, and an authority can be made"),
            );
            findings.extend(aboard.notes.iter().map(|note| checks::AROUND.found(note)));
            set.clone_from(&aboard.set);
        }
        Err(error) => findings.push(checks::CANNOT_START.found(error.to_string())),
    }
    findings.push(stores::system(&SYSTEM_BUNDLES, SystemTime::now()));
    findings.extend(redirect(user.get("PATH").unwrap_or_default()).await);
    findings.extend(programs(&user, &set).await);
    match aboard {
        Ok(aboard) if arguments.online => findings.extend(online(aboard).await),
        Ok(_) => findings.push(checks::OFFLINE.found("nothing left this machine")),
        Err(_) => {}
    }
    findings
}

fn aboard(arguments: &Arguments, user: &UserEnvironment) -> Result<Aboard, Box<dyn std::error::Error>> {
    let bound = outrigger_sidecar::bind(&exec::settings(&arguments.upstream, &arguments.extra_ca, user))?;
    let directory = tempfile::Builder::new().prefix("outrigger-").tempdir()?;
    let mut trust = trust::write(directory.path(), &bound, &arguments.extra_ca, user, false)?;
    // Java is asked itself.
    trust.notes.retain(|note| note.readers != ["Java"]);
    let listeners = Listeners { connect: bound.connect_address(), base_url: bound.base_url_address() };
    let child = for_child(Mode::Proxy, user, &listeners, &trust);
    Ok(Aboard { bound, set: child.variables, notes: child.notes, _trust: directory })
}

/// Whether a redirect of ours stands on the host itself. Only root may look.
async fn redirect(path: &str) -> Option<Finding> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let nft = probe::find("nft", path)?;
    // Without the table it fails, and so it does without the right to look.
    probe::ask(&nft, &["list", "table", "inet", outrigger_contract::redirection::TABLE]).await.ok()?;
    Some(checks::REDIRECT.found("the nftables table `outrigger` stands on this host"))
}

/// Asks every runtime at once; told in the order of the table.
async fn programs(user: &UserEnvironment, set: &BTreeMap<String, OsString>) -> Vec<Finding> {
    let path = user.get("PATH").unwrap_or_default();
    let bundles = Arc::new(Bundles::read(set, user));
    let mut asked = JoinSet::new();
    let mut absent = Vec::new();
    match probe::find("python3", path).or_else(|| probe::find("python", path)) {
        Some(program) => {
            let (set, bundles) = (set.clone(), Arc::clone(&bundles));
            asked.spawn(async move { (0, ask_python(&program, &set, &bundles).await) });
        }
        None => absent.push("Python"),
    }
    for (number, runtime) in PROGRAMS.iter().enumerate() {
        let Some((name, arguments)) = runtime.program.split_first() else { continue };
        match probe::find(name, path) {
            Some(program) => {
                let (set, bundles) = (set.clone(), Arc::clone(&bundles));
                asked.spawn(async move {
                    (number + 1, ask_program(&program, arguments, runtime, &set, &bundles).await)
                });
            }
            None => absent.push(runtime.name),
        }
    }
    let mut told = asked.join_all().await;
    told.sort_by_key(|(number, _)| *number);
    let mut findings: Vec<Finding> = told.into_iter().flat_map(|(_, findings)| findings).collect();
    if !absent.is_empty() {
        findings.push(checks::ABSENT.found(format!("not on PATH: {}", absent.join(", "))));
    }
    findings
}

async fn ask_python(
    program: &std::path::Path,
    set: &BTreeMap<String, OsString>,
    bundles: &Bundles,
) -> Vec<Finding> {
    let modules = python::modules();
    let arguments: Vec<&str> = ["-c", python::SCRIPT].into_iter().chain(modules).collect();
    match probe::ask(program, &arguments).await {
        Ok(said) => match python::parse(&said.output) {
            Some(told) => python::judge(&told, set, bundles),
            None => vec![python::unreadable()],
        },
        Err(why) => vec![checks::UNPROBED.found(format!("Python at {}: {why}", program.display()))],
    }
}

async fn ask_program(
    program: &std::path::Path,
    arguments: &[&str],
    runtime: &Runtime,
    set: &BTreeMap<String, OsString>,
    bundles: &Bundles,
) -> Vec<Finding> {
    let said = match probe::ask(program, arguments).await {
        Ok(said) => said,
        Err(why) => {
            return vec![checks::UNPROBED.found(format!("{} at {}: {why}", runtime.name, program.display()))];
        }
    };
    // Java tells its version among its errors.
    let version = runtimes::version(&said.output).or_else(|| runtimes::version(&said.errors)).unwrap_or("?");
    let mut findings = vec![runtimes::judge(runtime, version, set)];
    if !runtime.store.is_empty() {
        // Git has none to tell unless one is configured, and fails then.
        let store = probe::ask(program, runtime.store).await.unwrap_or_default();
        let store = PathBuf::from(store.output.trim());
        findings.extend(bundles.judge(&format!("{} {version}", runtime.name), &store, runtime.trust));
    }
    findings
}

/// A round trip to each provider, as a program under `exec` would make it.
async fn online(aboard: Aboard) -> Vec<Finding> {
    let Ok(ca) = CertificateDer::from_pem_slice(aboard.bound.ca_pem().as_bytes()) else { return Vec::new() };
    let bundle = aboard.set.get("SSL_CERT_FILE").map(PathBuf::from).unwrap_or_default();
    let bundle: Vec<_> = CertificateDer::pem_file_iter(bundle)
        .map(|held| held.filter_map(Result::ok).collect())
        .unwrap_or_else(|_| vec![ca.clone()]);
    let connect = aboard.bound.connect_address();
    let running = match aboard.bound.serve(Arc::new(Unrecorded)) {
        Ok(running) => running,
        Err(error) => return vec![checks::CANNOT_START.found(error.to_string())],
    };
    let hosts = services::ALL.iter().filter_map(|service| service.hosts.first());
    let trips = hosts.map(|host| RoundTrip {
        connect,
        host: (*host).to_owned(),
        bundle: bundle.clone(),
        ca: ca.clone(),
    });
    let findings = doctor::all(trips).await;
    // It blocks until its thread has ended; whatever that one still does, the findings are there.
    let _ended = tokio::task::spawn_blocking(move || running.drain(Duration::ZERO)).await;
    findings
}

/// A doctor's visits are no calls.
struct Unrecorded;

impl Recorder for Unrecorded {
    fn try_record(&self, _: Arc<CallRecord>) {}
}

#[cfg(test)]
mod tests {
    use outrigger_sidecar::doctor::finding::reference;

    use super::*;

    /// The tables of `docs/doctor.md`, from the code.
    fn tables() -> [String; 3] {
        let mut runtimes =
            "| runtime | HTTPS_PROXY | trusts Outrigger by | besides |\n|---|---|---|---|\n".to_owned();
        for runtime in runtimes::PYTHON.iter().map(|(_, library)| library).chain(&PROGRAMS) {
            let Runtime { name, trust, caveat, .. } = runtime;
            let trust: Vec<String> = trust.iter().map(|variable| format!("`{variable}`")).collect();
            runtimes.push_str(&format!("| {name} | {} | {} | {caveat} |\n", runtime.proxy, trust.join(", ")));
        }
        [reference(doctor::checks::ALL), reference(checks::ALL), runtimes]
    }

    #[test]
    fn the_documentation_is_that_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/doctor.md");
        let text = std::fs::read_to_string(path).unwrap();
        for table in tables() {
            assert!(text.contains(&table), "docs/doctor.md lacks this table, or has an older one:\n{table}");
        }
    }

    #[test]
    fn no_id_means_two_things() {
        let mut ids: Vec<_> = doctor::checks::ALL.iter().chain(checks::ALL).map(|check| check.id).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }
}
