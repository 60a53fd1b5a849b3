//! Suite `soak`: thousands of connections of all kinds and then none, conformance, and tools that look for what is open.
//! Needs root.

#![expect(
    clippy::expect_used,
    reason = "a test may end at the first surprise; the lints spare test functions but not their helpers"
)]

mod conformance;
mod crowd;
mod disk;
mod drain;
mod probes;
