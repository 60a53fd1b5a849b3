//! The integration tests of this crate, in one program: it is linked once.

#![expect(clippy::panic, reason = "helpers of tests may fail the test they serve")]

mod cost;
mod documented;
mod healthy;
mod sources;
mod support;
mod verdicts;
