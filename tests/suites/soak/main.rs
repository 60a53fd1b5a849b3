//! Suite `soak`: thousands of connections of all kinds and then none, rules that change and providers that fail under load, conformance,
//! and tools that look for what is open.
//! Needs root.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may end at the first surprise and tell what it measured; the lints spare test functions but not their helpers"
)]

mod acting;
mod conformance;
mod crowd;
mod disk;
mod drain;
mod held;
mod outage;
mod probes;
mod reload;
