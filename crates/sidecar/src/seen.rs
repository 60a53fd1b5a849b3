//! What passed, counted. Per connection or request, never per frame.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::calls::{Calls, Tally};
use crate::downstream::classify::Reason;
use crate::tls::custody::Custody;

/// At most this many names are remembered per list; an app that talks to more hosts has its count capped, not its traffic.
const NAMES: usize = 512;

/// A snapshot of what passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Connections that reached a listener.
    pub connections: u64,
    /// Connections whose TLS was terminated, or that came in plain to the base-URL listener.
    pub intercepted: u64,
    /// Connections passed through undecrypted.
    pub passed: u64,
    /// Distinct hosts among those.
    pub passed_hosts: u64,
    /// Connections passed through, by the reason's word.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Listed hosts whose client did not accept our certificate.
    pub untrusted: Vec<String>,
    /// HTTP requests of listed hosts, inference or not.
    pub requests: u64,
    /// What became of the calls among those.
    pub calls: Calls,
    /// Faults of our own: connections that one ended, and calls that were not watched to their end.
    pub panics: u64,
    /// What became of the certificate authority at the start.
    pub authority: Custody,
}

/// The running counts. Shared with the thread that asks for snapshots.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) intercepted: AtomicU64,
    pub(crate) passed: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) calls: Tally,
    pub(crate) panics: AtomicU64,
    /// What came by the transparent listeners, IPv4 and IPv6.
    families: [Family; 2],
    reasons: [AtomicU64; Reason::COUNT],
    names: Mutex<Names>,
    authority: Custody,
}

#[derive(Default)]
struct Family {
    connections: AtomicU64,
    /// Seconds since the epoch; 0 before the first.
    sign_of_life: AtomicU64,
}

#[derive(Default)]
struct Names {
    passed: BTreeSet<String>,
    untrusted: BTreeSet<String>,
}

impl Counters {
    /// Nothing counted yet, under this authority.
    pub(crate) fn new(authority: Custody) -> Counters {
        Counters { authority, ..Counters::default() }
    }

    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn passed_through(&self, host: &str, reason: Reason) {
        Self::count(&self.passed);
        Self::count(&self.reasons[reason as usize]);
        self.with_names(|names| remember(&mut names.passed, host));
    }

    pub(crate) fn not_trusted(&self, host: &str) {
        self.with_names(|names| remember(&mut names.untrusted, host));
    }

    /// A redirected connection of the listener's family.
    pub(crate) fn redirected(&self, listener: IpAddr) {
        Self::count(&self.family(listener.is_ipv6()).connections);
    }

    /// The redirection was told that we live.
    pub(crate) fn sign_of_life(&self, listener: IpAddr) {
        self.family(listener.is_ipv6()).sign_of_life.store(epoch_seconds(), Relaxed);
    }

    fn family(&self, v6: bool) -> &Family {
        &self.families[usize::from(v6)]
    }

    /// Connections, and seconds since the last sign of life, of one family.
    pub(crate) fn redirection(&self, v6: bool) -> (u64, Option<u64>) {
        let family = self.family(v6);
        let last = family.sign_of_life.load(Relaxed);
        let ago = (last > 0).then(|| epoch_seconds().saturating_sub(last));
        (family.connections.load(Relaxed), ago)
    }

    // The lock is taken once per connection and by snapshots.
    fn with_names<T>(&self, act: impl FnOnce(&mut Names) -> T) -> T {
        act(&mut self.names.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    pub(crate) fn snapshot(&self) -> Seen {
        let (passed_hosts, untrusted) =
            self.with_names(|names| (names.passed.len() as u64, names.untrusted.iter().cloned().collect()));
        Seen {
            connections: self.connections.load(Relaxed),
            intercepted: self.intercepted.load(Relaxed),
            passed: self.passed.load(Relaxed),
            passed_hosts,
            reasons: Reason::ALL
                .into_iter()
                .map(|reason| (reason.as_str(), self.reasons[reason as usize].load(Relaxed)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            untrusted,
            requests: self.requests.load(Relaxed),
            calls: self.calls.snapshot(),
            panics: self.panics.load(Relaxed),
            authority: self.authority.clone(),
        }
    }
}

fn epoch_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn remember(set: &mut BTreeSet<String>, name: &str) {
    if set.len() < NAMES && !set.contains(name) {
        set.insert(name.to_owned());
    }
}
