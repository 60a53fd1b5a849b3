//! The integration tests of this crate, in one program: it is linked once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

mod cost;
mod demo;
mod doctor;
mod exec;
mod failover;
mod inject;
mod rules;
mod rules_live;
mod support;
mod tail;
