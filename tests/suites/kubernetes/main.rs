//! Suite `kubernetes`: images, the chart, and what an injected pod does. Needs root.

#![expect(
    clippy::expect_used,
    reason = "a test may end at the first surprise; the lints spare test functions but not their helpers"
)]

mod images;
