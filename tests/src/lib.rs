//! What the suites share: the programs under test as processes, the clients, an OTLP receiver, Jaeger, Prometheus.
//!
//! Nothing here sleeps: everything waits for its event, with a deadline.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a harness fails its test by panicking, with the reason"
)]

pub mod alertmanager;
pub mod api;
pub mod app;
pub mod chart;
pub mod collector;
pub mod evidence;
pub mod h2;
pub mod http;
pub mod jaeger;
pub mod netns;
pub mod node;
pub mod otlp;
pub mod process;
pub mod prometheus;
pub mod promql;
pub mod proxy;
pub mod sidecar;
pub mod spooling;
pub mod tls;

use std::path::PathBuf;

use sha2::{Digest, Sha256};

/// Time for any event: far more than it takes, so that only what never comes runs into it.
pub const DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);

/// A setting that `tests/run` makes.
///
/// # Panics
/// Outside `tests/run`.
#[must_use]
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run this suite with tests/run"))
}

/// A file of the `tests` folder.
#[must_use]
pub fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// SHA-256 in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
