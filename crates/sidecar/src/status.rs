//! What a running sidecar tells of itself: one shape, written by the admin socket and read by `doctor`. No secrets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use outrigger_contract::trust_files;
use outrigger_exporter::{Count, CountsReader, SpoolStatus};
use outrigger_providers::services;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::Settings;
use crate::diagnostician::Verdicts;
use crate::downstream::learned::Learned;
use crate::policy::Policies;
use crate::seen::Counters;
use crate::tls::custody::Custody;
use crate::tls::leaf::Leaves;
use crate::upstream::proxy::UpstreamProxy;

/// The whole state. Readers take unknown fields for news of a later version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The sidecar's version.
    pub version: String,
    /// Since it was started.
    pub uptime_seconds: u64,
    /// Where it listens.
    pub listeners: Listeners,
    /// The settings that decide what is read and where it goes.
    pub settings: Shown,
    /// Settings that could not be used, each with its fault and what is done instead.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// What passed so far.
    pub counts: Counts,
    /// What became of the calls: `begun = under_way + recorded + upgraded + lost`.
    #[serde(default)]
    pub calls: Calls,
    /// What became of their telemetry, by `calls`, `traces`, `logs` and `metrics`; none where nothing is exported.
    #[serde(default)]
    pub telemetry: Option<BTreeMap<String, Flow>>,
    /// Where telemetry is kept while its endpoint is away; none where no place is set.
    #[serde(default)]
    pub spool: Option<Spool>,
    /// What is wrong, by the records of the calls so far.
    #[serde(default)]
    pub verdicts: Vec<Verdict>,
    /// The rules; none where none are asked for.
    #[serde(default)]
    pub rules: Option<Rules>,
    /// What came by redirection, one entry per family that is listened for.
    pub redirected: Vec<Redirected>,
    /// What `outrigger-redirect` reported, if its report lies among the trust files.
    pub redirect: Option<serde_json::Value>,
    /// The certificate authority.
    pub authority: Authority,
    /// Clients whose handshakes told whether they trust us, by host.
    pub clients: Vec<Client>,
}

/// Addresses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listeners {
    /// Redirected connections; one per family, none where nothing is redirected.
    pub transparent: Vec<SocketAddr>,
    /// The CONNECT proxy.
    pub connect: SocketAddr,
    /// Base URLs.
    pub base_url: SocketAddr,
    /// Metrics and probes; none where they are off.
    #[serde(default)]
    pub metrics: Option<SocketAddr>,
}

/// Settings without secrets.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Shown {
    /// Hosts read beside the built-in ones.
    pub hosts: Vec<String>,
    /// Hosts that pass through by the operator's wish.
    pub passthrough_hosts: Vec<String>,
    /// How many connections may be read at a time.
    pub max_intercepted: usize,
    /// Whether CONNECT may lead into the pod itself.
    pub connect_to_local: bool,
    /// `host=address` of every fixed address.
    pub upstreams: Vec<String>,
    /// Files of extra authorities, and the setting's name where it has some as text.
    pub extra_cas: Vec<PathBuf>,
    /// `host:port` of the proxy upstream; never its credentials.
    pub upstream_proxy: Option<String>,
    /// Where the public trust files are.
    pub trust_dir: Option<PathBuf>,
    /// Whether streams are asked for a usage that their app did not ask for.
    #[serde(default)]
    pub include_usage: bool,
    /// How long streams may run on at the end.
    pub grace_seconds: u64,
}

/// Counts since the start; [`crate::Seen`] says what each means.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of `Seen`")]
pub struct Counts {
    pub connections: u64,
    pub intercepted: u64,
    pub passed: u64,
    pub passed_hosts: u64,
    pub requests: u64,
    pub panics: u64,
    /// Connections passed through, by the reason's word.
    pub reasons: BTreeMap<String, u64>,
}

/// What became of the calls; [`crate::Calls`] says what each means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of `Calls`")]
pub struct Calls {
    pub begun: u64,
    pub under_way: u64,
    pub recorded: u64,
    pub upgraded: u64,
    pub lost: u64,
}

/// Something that is wrong and not over yet; [`outrigger_diagnosis::Verdict`] says what each means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of `Verdict`")]
pub struct Verdict {
    pub kind: String,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub key: Option<String>,
    /// Seconds since the epoch.
    pub since: i64,
    pub calls: u64,
    pub cause: String,
    pub evidence: String,
    pub next_step: String,
}

/// What became of telemetry of one kind: `seen + recovered = exported + waiting + spooled + dropped`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Handed to the exporter.
    pub seen: u64,
    /// Found in the spool at the start.
    #[serde(default)]
    pub recovered: u64,
    /// Taken by the endpoint.
    pub exported: u64,
    /// Held in memory or on the way.
    pub waiting: u64,
    /// Kept on disk.
    #[serde(default)]
    pub spooled: u64,
    /// Lost, by the cause's word; causes that lost nothing are left out.
    pub dropped: BTreeMap<String, u64>,
}

/// The rules in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Where they are read: a file, or a folder with `rules.yaml`.
    pub path: PathBuf,
    /// Which document is in force: `current`, the one there; `kept`, the last good one before it; `none`.
    pub state: String,
    /// `passthrough`, `observe` or `act`.
    pub mode: String,
    /// SHA-256 of the document in force; empty with none.
    pub hash: String,
    /// Names of its rules, from the top.
    pub rules: Vec<String>,
    /// Every other place that a prompt may go.
    pub backups: Vec<String>,
    /// Backups that could not be paid now, each with the place and the mend.
    pub unpaid: Vec<String>,
    /// What is wrong, or doubtful, with what was read last.
    pub faults: Vec<String>,
    /// Documents that were taken so far.
    pub accepted: u64,
    /// Documents that were refused so far.
    pub rejected: u64,
}

/// Telemetry on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spool {
    /// Where.
    pub directory: PathBuf,
    /// What it takes there.
    pub bytes: u64,
    /// The most it may take; 0 while it is not open.
    pub limit: u64,
    /// Bytes that could not be read.
    pub broken: u64,
    /// Why there is none after all, and telemetry is held in memory only.
    pub fault: Option<String>,
}

/// One family of redirected connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Redirected {
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// Connections that arrived.
    pub connections: u64,
    /// Since the last sign of life; none before the first.
    pub sign_of_life_seconds_ago: Option<u64>,
}

/// The certificate authority, without its keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Authority {
    /// What became of it at the start: `fresh`, `kept`, `lost` or `failed`.
    pub state: String,
    /// Why nothing is read, and the mend; none while it is in order.
    pub fault: Option<String>,
    /// The last second of its validity, since the epoch.
    pub not_after: Option<u64>,
    /// The root's certificate that leaves are vouched for by.
    pub ca_pem: String,
    /// Listed hosts that it vouches for, sorted.
    pub covered: Vec<String>,
    /// Listed hosts for which its leaves would not be accepted, sorted: they pass through.
    pub not_covered: Vec<String>,
}

/// A TLS stack of the pod and a host that it talks to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    /// The host.
    pub host: String,
    /// What the stack offers, hashed, in hex; the log's word for it is `client`.
    pub fingerprint: String,
    /// Whether it accepts our certificates.
    pub standing: Standing,
    /// When that was learned, in seconds since the epoch.
    pub since: u64,
    /// Its connections since then that ended as its standing says: read, or unread.
    pub connections: u64,
}

/// Whether a client accepts our certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    Trusts,
    /// It refused one; its connections pass through.
    Refuses,
}

/// Tells the state of a running sidecar, from any thread.
pub struct Observer {
    pub(crate) counters: Arc<Counters>,
    pub(crate) learned: Arc<Learned>,
    pub(crate) leaves: Arc<Leaves>,
    pub(crate) started: Instant,
    pub(crate) listeners: Listeners,
    pub(crate) settings: Settings,
    pub(crate) telemetry: Option<CountsReader>,
    pub(crate) verdicts: Verdicts,
    pub(crate) policies: Arc<Policies>,
    /// Whether the traffic thread runs.
    pub(crate) alive: AtomicBool,
    /// Answered by the traffic thread between two connections' turns.
    pub(crate) questions: mpsc::Sender<Question>,
    /// Whether the end was ordered.
    pub(crate) draining: AtomicBool,
}

/// Whether the traffic thread still takes turns.
pub(crate) type Question = oneshot::Sender<()>;

/// So many may ask at once.
pub(crate) const QUESTIONS: usize = 16;

/// How long a turn may be waited for. Turns take microseconds; a kubelet waits for five seconds.
const TURN: Duration = Duration::from_secs(3);

impl Observer {
    /// Whether traffic passes: the traffic thread is there, and not stuck.
    pub async fn is_turning(&self) -> bool {
        let (question, answered) = oneshot::channel();
        self.questions.try_send(question).is_ok()
            && tokio::time::timeout(TURN, answered).await.is_ok_and(|answer| answer.is_ok())
    }

    /// Whether the traffic thread is there.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Whether new connections are taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_alive() && !self.draining.load(Ordering::Acquire)
    }

    /// The state now. Takes locks for as long as it copies names; reads the redirect's report from disk.
    #[must_use]
    pub fn status(&self) -> Status {
        let seen = self.counters.snapshot();
        Status {
            version: outrigger_contract::VERSION.to_owned(),
            uptime_seconds: self.started.elapsed().as_secs(),
            listeners: self.listeners.clone(),
            settings: shown(&self.settings),
            left_out: self.settings.in_part.left_out.iter().map(ToString::to_string).collect(),
            counts: Counts {
                connections: seen.connections,
                intercepted: seen.intercepted,
                passed: seen.passed,
                passed_hosts: seen.passed_hosts,
                requests: seen.requests,
                panics: seen.panics,
                reasons: seen.reasons.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
            },
            calls: calls(&seen.calls),
            telemetry: self.telemetry.as_ref().map(|reader| flows(&reader.counts())),
            spool: self.telemetry.as_ref().and_then(CountsReader::spool).map(spool),
            verdicts: self.verdicts.now().into_iter().map(verdict).collect(),
            rules: self.policies.status(),
            redirected: self.redirected(),
            redirect: self.redirect_report(),
            authority: self.authority(&seen.authority),
            clients: self.learned.clients(),
        }
    }

    fn redirected(&self) -> Vec<Redirected> {
        let families = self.listeners.transparent.iter();
        families
            .map(|listener| {
                let v6 = listener.is_ipv6();
                let (connections, sign_of_life_seconds_ago) = self.counters.redirection(v6);
                let family = if v6 { "ipv6" } else { "ipv4" }.to_owned();
                Redirected { family, connections, sign_of_life_seconds_ago }
            })
            .collect()
    }

    fn redirect_report(&self) -> Option<serde_json::Value> {
        let file = self.settings.trust_dir.as_ref()?.join(trust_files::REDIRECT_REPORT);
        serde_json::from_slice(&std::fs::read(file).ok()?).ok()
    }

    fn authority(&self, custody: &Custody) -> Authority {
        let mut hosts: Vec<String> = services::ALL
            .iter()
            .flat_map(|service| service.hosts.iter().map(|host| (*host).to_owned()))
            .chain(self.settings.added_hosts())
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts.retain(|host| self.leaves.covers(host));
        Authority {
            state: custody.ca.as_str().to_owned(),
            fault: custody.fault.clone(),
            not_after: self.leaves.root_not_after(),
            ca_pem: self.leaves.root_pem().to_owned(),
            covered: hosts,
            not_covered: custody.not_covered.clone(),
        }
    }
}

fn verdict(verdict: outrigger_diagnosis::Verdict) -> Verdict {
    Verdict {
        kind: verdict.kind.as_str().to_owned(),
        provider: verdict.provider.map(str::to_owned),
        model: verdict.model,
        key: verdict.key,
        since: verdict.since.unix_seconds(),
        calls: verdict.calls,
        cause: verdict.cause,
        evidence: verdict.evidence,
        next_step: verdict.next_step,
    }
}

const fn calls(calls: &crate::Calls) -> Calls {
    let crate::Calls { begun, under_way, recorded, upgraded, lost } = *calls;
    Calls { begun, under_way, recorded, upgraded, lost }
}

fn flows(counts: &outrigger_exporter::Counts) -> BTreeMap<String, Flow> {
    let flow = |count: Count| Flow {
        seen: count.seen,
        recovered: count.recovered,
        exported: count.exported,
        waiting: count.waiting,
        spooled: count.spooled,
        dropped: count
            .dropped
            .each()
            .filter(|(_, lost)| *lost > 0)
            .map(|(cause, lost)| (cause.as_str().to_owned(), lost))
            .collect(),
    };
    counts.each().into_iter().map(|(kind, count)| (kind.to_owned(), flow(count))).collect()
}

fn spool(spool: SpoolStatus) -> Spool {
    let SpoolStatus { directory, bytes, limit, broken, fault } = spool;
    Spool { directory, bytes, limit, broken, fault }
}

fn shown(settings: &Settings) -> Shown {
    Shown {
        hosts: settings.added_hosts().collect(),
        passthrough_hosts: settings.passthrough_hosts.clone(),
        max_intercepted: settings.max_intercepted,
        connect_to_local: settings.connect_to_local,
        upstreams: settings.upstreams.iter().map(|one| format!("{}={}", one.host, one.address)).collect(),
        extra_cas: settings
            .extra_cas
            .iter()
            .cloned()
            .chain(settings.extra_cas_pem.as_ref().map(|_| "extra_cas_pem".into()))
            .collect(),
        // It was parsed at the start already; what does not parse is not shown.
        upstream_proxy: settings
            .upstream_proxy
            .as_deref()
            .and_then(|url| UpstreamProxy::parse(url).ok())
            .map(|proxy| format!("{}:{}", proxy.host, proxy.port)),
        trust_dir: settings.trust_dir.clone(),
        include_usage: settings.include_usage,
        grace_seconds: settings.grace_seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_credentials_are_not_shown() {
        let settings = Settings {
            upstream_proxy: Some("http://me:hunter2@proxy.example:3128".to_owned()),
            ..Settings::default()
        };
        let shown = shown(&settings);
        assert_eq!(shown.upstream_proxy.as_deref(), Some("proxy.example:3128"));
        assert!(!serde_json::to_string(&shown).unwrap().contains("hunter2"));
    }
}
