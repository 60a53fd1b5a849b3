//! The HTTPS-forwarding proxy: decrypts only the listed LLM hosts, forwards everything, shows each call to the ledger.
//!
//! Order of the modules, highest first: {doctor, probe, tail} > {admin, metrics_port, diagnostician} > app > downstream > {tls, exchange} > {failover, upstream} > {feed, policy, drain, seen, settings, error}.
//! Traffic runs on one single-threaded runtime; both sides of a connection stay on it, so nothing here is locked.

mod admin;
mod app;
pub mod call_log;
mod calls;
mod clock;
mod control;
pub mod diagnostician;
pub mod doctor;
mod downstream;
mod drain;
mod error;
mod exchange;
mod failover;
mod feed;
mod flush_noted;
mod identity;
pub mod key_names;
pub mod logging;
mod metrics_port;
pub mod panics;
mod policy;
mod prices;
mod probe;
mod seen;
mod settings;
pub mod status;
pub mod tail;
#[cfg(test)]
mod testing;
mod tls;
mod upstream;
mod version;
mod writes;

pub use admin::Admin;
pub use app::{Bound, Running, bind, rules_faults};
pub use calls::Calls;
pub use error::StartError;
pub use feed::Feed;
pub use identity::IdentityHash;
pub use metrics_port::MetricsPort;
pub use probe::Probe;
pub use seen::Seen;
pub use settings::{Deployment, FailurePolicy, HangUp, InPart, Look, Settings, UpstreamOverride};
pub use tls::custody::{Ca, Custody};
pub use tls::publish;
pub use upstream::unpaid;
pub use version::{Version, older_than};
