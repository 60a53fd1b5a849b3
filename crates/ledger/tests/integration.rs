//! The integration tests of this crate, in one program: it is linked once.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail the test they serve")]

mod attempts;
#[allow(dead_code, reason = "the fixtures serve the providers' own tests as well")]
#[path = "../../providers/tests/cases/mod.rs"]
mod cases;
mod codings;
mod content;
mod contract;
mod cuts;
mod deployments;
mod dialects;
mod estimates;
mod failures;
mod faults;
mod frames;
mod json;
mod secrets;
mod sockets;
mod support;
mod trail;
