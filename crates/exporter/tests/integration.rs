//! The integration tests of this crate, in one program: it is linked once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "helpers of tests may fail the test they serve"
)]

mod content;
mod cost;
mod delivery;
mod json;
mod support;
mod variables;
