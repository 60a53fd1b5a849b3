//! A pod whose telemetry has a spool, and what its sidecar tells of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use outrigger_simulator::{Config, Simulator};
use serde_json::{Value, json};

use crate::DEADLINE;
use crate::http::post;
use crate::otlp::Received;
use crate::sidecar::{Sidecar, Volumes};

/// The app's key.
pub const KEY: &str = "sk-harbour-0123456789-abcdWXYZ";
/// What it asks.
pub const PROMPT: &str = "where does the harbour pilot board";

/// A pod: its volumes, its provider, its endpoint.
pub struct Pod {
    /// What outlives its sidecars.
    pub volumes: Volumes,
    /// Who answers its calls.
    pub simulator: Simulator,
    /// Where its telemetry goes.
    pub endpoint: String,
    /// Whether its sidecars have a spool.
    pub spools: bool,
    /// Further variables of its sidecars.
    pub variables: Vec<(&'static str, &'static str)>,
}

impl Pod {
    /// One whose provider answers everything.
    ///
    /// # Panics
    /// If it cannot be set up.
    #[must_use]
    pub fn towards(endpoint: &str, spools: bool) -> Pod {
        let simulator = Simulator::start(Config::default()).expect("a simulator");
        Pod {
            volumes: Volumes::new(),
            simulator,
            endpoint: endpoint.to_owned(),
            spools,
            variables: Vec::new(),
        }
    }

    /// Starts a sidecar.
    ///
    /// # Panics
    /// If it does not become ready.
    #[must_use]
    pub fn start(&self) -> Sidecar {
        let spool = self.volumes.spool().display().to_string();
        let authority = self.volumes.write("provider.pem", self.simulator.ca_pem()).display().to_string();
        let upstream = format!("api.openai.com={}", self.simulator.address());
        let mut variables = vec![
            ("OUTRIGGER_EXTRA_CAS", authority.as_str()),
            ("OUTRIGGER_UPSTREAMS", upstream.as_str()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ];
        if self.spools {
            variables.push(("OUTRIGGER_SPOOL_DIR", &spool));
        }
        variables.extend(&self.variables);
        self.volumes.sidecar(&variables)
    }
}

/// One call of this user, answered.
///
/// # Panics
/// If it is not.
pub fn call(sidecar: &Sidecar, user: &str) {
    let authorisation = format!("Bearer {KEY}");
    let headers = [("authorization", authorisation.as_str()), ("x-outrigger-user", user)];
    let body = json!({"model": "gpt-5-mini", "messages": [{"role": "user", "content": PROMPT}]});
    let answer = post(sidecar.base_url(), "/openai/v1/chat/completions", &headers, &body);
    assert_eq!(answer.expect("an answer").0, 200);
}

/// Waits until the sidecar tells what is wanted of it.
///
/// # Panics
/// If it never does.
pub fn wait(sidecar: &Sidecar, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + DEADLINE;
    loop {
        let status = sidecar.status();
        if enough(&status) {
            return status;
        }
        assert!(Instant::now() < until, "{what}: {}", status["telemetry"]);
    }
}

/// What became of a kind of telemetry.
///
/// # Panics
/// If the status does not tell.
#[must_use]
pub fn count(status: &Value, kind: &str, part: &str) -> u64 {
    status["telemetry"][kind][part].as_u64().expect("a count of the status")
}

/// How much of it was lost.
#[must_use]
pub fn dropped(status: &Value, kind: &str) -> u64 {
    let causes = status["telemetry"][kind]["dropped"].as_object();
    causes.into_iter().flatten().filter_map(|(_, lost)| lost.as_u64()).sum()
}

/// Whether so many calls were seen and none of them is in memory only.
#[must_use]
pub fn acknowledged(status: &Value, made: u64) -> bool {
    let kinds = ["calls", "logs", "traces"];
    count(status, "calls", "seen") == made && kinds.iter().all(|kind| count(status, kind, "waiting") == 0)
}

/// Whether what an earlier life left has been found and sent.
#[must_use]
pub fn drained(status: &Value) -> bool {
    let open = status["spool"]["limit"].as_u64() > Some(0);
    open && acknowledged(status, 0)
        && ["logs", "traces"].iter().all(|kind| count(status, kind, "spooled") == 0)
}

/// Holds the status to it that nothing disappears uncounted.
///
/// # Panics
/// If something did.
pub fn balanced(status: &Value) {
    for kind in ["calls", "logs", "traces"] {
        let parts = ["exported", "waiting", "spooled"].map(|part| count(status, kind, part));
        let settled = parts.iter().sum::<u64>() + dropped(status, kind);
        assert_eq!(
            count(status, kind, "seen") + count(status, kind, "recovered"),
            settled,
            "{kind}: {status}"
        );
    }
}

/// The ids under which each user's calls arrived as records.
///
/// # Panics
/// If a record lacks one.
#[must_use]
pub fn records(received: &Received) -> BTreeMap<String, BTreeSet<String>> {
    let mut records: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for call in &received.calls {
        let text = |key: &str| call[key].as_str().expect("it is a text").to_owned();
        records.entry(text("user.id")).or_default().insert(text("outrigger.call.id"));
    }
    records
}
