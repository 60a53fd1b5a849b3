//! Suite `trust`: what every runtime accepts with the published files and the injected environment alone. Needs root.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test may end at the first surprise; the lints spare test functions but not their helpers"
)]

mod certificates;
mod matrix;
