//! What a person writes about retries, deadlines and backups ([`Document`]), and what runs of it ([`Policy`]). No I/O.
//!
//! A document is read with every fault at once, checked against where it is to run ([`Site`]) and compiled once
//! ([`Policy::read`]). A running policy is never changed: a new document makes a new one, and a call keeps the one it began with.

mod call;
pub mod document;
mod examples;
mod explain;
mod fault;
mod gate;
mod glob;
mod matchers;
mod policy;
mod read;
pub mod reference;
mod source;
mod yaml;

pub use call::Call;
pub use document::{Document, Mode};
pub use examples::{Example, Examples, Outcome};
pub use explain::{
    Explanation, PassedOver, Plan, PlannedBreaker, PlannedDeadline, PlannedRetry, PlannedTarget,
};
pub use fault::{Fault, Refused, Severity};
pub use gate::{Gate, Translation};
pub use policy::{
    Breaker, Candidates, Credential, CredentialSource, Deadline, Deadlines, Failover, Limits, Policy, Retry,
    Rule, Site, Target,
};
pub use read::words::Classes;
pub use source::LARGEST;
