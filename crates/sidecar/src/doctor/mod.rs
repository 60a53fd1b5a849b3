//! `outrigger-sidecar doctor`: asks the running sidecar, looks at what it published, and proves a round trip.

mod ask;
pub mod checks;
pub mod finding;
pub mod round_trip;
mod rules;
mod state;
mod trust;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use outrigger_contract::trust_files;
use outrigger_providers::services;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::task::JoinSet;

use crate::Settings;
use crate::doctor::ask::Silence;
use crate::doctor::finding::{Finding, Level, Report};
use crate::doctor::round_trip::RoundTrip;
use crate::downstream::classify::plain;
use crate::status::Status;

/// Of an operator's own hosts as many are tried.
const TRIED: usize = 8;

/// Examines the sidecar that runs with these settings. Blocks for at most a minute.
///
/// # Errors
/// No runtime could be started.
pub fn examine(settings: &Settings) -> std::io::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(Report { findings: runtime.block_on(findings(settings)) })
}

async fn findings(settings: &Settings) -> Vec<Finding> {
    let Some(socket) = settings.admin_path() else {
        return vec![checks::ADMIN_OFF.found("no admin socket is configured here")];
    };
    let status = match ask::status(&socket).await {
        Ok(status) => status,
        Err(silence) => return vec![unanswered(&socket, &silence)],
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut findings = state::judge(&status, round_trip::own_fingerprint().as_deref(), now);
    // Nothing is read until the pod restarts, and what is published belongs to another authority.
    if status.authority.fault.is_some() {
        return findings;
    }
    // A sidecar tells its own certificate.
    let Ok(ca) = CertificateDer::from_pem_slice(status.authority.ca_pem.as_bytes()) else {
        findings.push(checks::ANSWER.found("the sidecar told no certificate of its authority"));
        return findings;
    };
    let mut bundle = vec![ca.clone()];
    match &status.settings.trust_dir {
        None => findings.push(checks::TRUST_OFF.found("no trust directory is configured")),
        Some(dir) => {
            findings.extend(trust::judge(dir, &ca));
            // What cannot be read was found above, and proves itself again below.
            bundle = CertificateDer::pem_file_iter(dir.join(trust_files::BUNDLE))
                .map(|held| held.filter_map(Result::ok).collect())
                .unwrap_or_default();
        }
    }
    findings.extend(round_trips(&status, &bundle, &ca).await);
    findings
}

fn unanswered(socket: &Path, silence: &Silence) -> Finding {
    let socket = socket.display();
    match silence {
        Silence::Nobody(error) => {
            checks::NOT_RUNNING.found(format!("no sidecar answers on {socket} ({error}): none runs here"))
        }
        Silence::Forbidden => checks::FORBIDDEN.found(format!("{socket} may not be opened by this user")),
        Silence::Unreadable(why) => {
            checks::ANSWER.found(format!("what answers on {socket} cannot be read: {why}"))
        }
    }
}

async fn round_trips(
    status: &Status,
    bundle: &[CertificateDer<'static>],
    ca: &CertificateDer<'static>,
) -> Vec<Finding> {
    let hosts = hosts_to_try(status);
    if hosts.is_empty() {
        return vec![checks::TRIP_NONE.found("every listed host passes through")];
    }
    let trips = hosts.into_iter().map(|host| RoundTrip {
        connect: status.listeners.connect,
        host,
        bundle: bundle.to_vec(),
        ca: ca.clone(),
    });
    all(trips).await
}

/// The findings of several round trips, made at once, in the order given. Where one host answered, another that cannot be
/// reached may be one that this pod has no business with: that is a warning.
pub async fn all(trips: impl IntoIterator<Item = RoundTrip>) -> Vec<Finding> {
    let mut running = JoinSet::new();
    for (number, trip) in trips.into_iter().enumerate() {
        running.spawn(async move { (number, round_trip::judge(&trip.host, &trip.run().await)) });
    }
    let mut findings = running.join_all().await;
    findings.sort_by_key(|(number, _)| *number);
    let mut findings: Vec<Finding> = findings.into_iter().map(|(_, finding)| finding).collect();
    weaken(&mut findings);
    findings
}

fn weaken(findings: &mut [Finding]) {
    let far = [&checks::TRIP_DNS, &checks::TRIP_CONNECT, &checks::TRIP_TLS, &checks::TRIP_TIMEOUT];
    if findings.iter().any(|finding| finding.id == checks::TRIP_OK.id) {
        for finding in findings.iter_mut().filter(|finding| far.iter().any(|check| check.id == finding.id)) {
            finding.level = Level::Warn;
        }
    }
}

/// One host per provider, and the operator's own, as far as they are read.
fn hosts_to_try(status: &Status) -> Vec<String> {
    let passing: Vec<String> = status.settings.passthrough_hosts.iter().map(|host| plain(host)).collect();
    let read = |host: &str| {
        let covered = status.authority.covered.iter().any(|one| one == host);
        covered && !passing.iter().any(|one| one == host)
    };
    let providers = services::ALL
        .iter()
        .filter_map(|service| service.hosts.iter().find(|host| read(host)).map(|host| (*host).to_owned()));
    let own = status.settings.hosts.iter().filter(|host| read(host)).take(TRIED).cloned();
    providers.chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_that_answers_excuses_another_that_is_far_and_nothing_nearer() {
        let ok = checks::TRIP_OK.found("a");
        let far = checks::TRIP_CONNECT.found("b");
        let near = checks::TRIP_TRUST.found("c");
        let mut all_far = [far.clone(), far.clone()];
        weaken(&mut all_far);
        assert!(all_far.iter().all(|finding| finding.level == Level::Fail));
        let mut mixed = [ok, far, near];
        weaken(&mut mixed);
        assert_eq!(mixed.map(|finding| finding.level), [Level::Ok, Level::Warn, Level::Fail]);
    }
}
