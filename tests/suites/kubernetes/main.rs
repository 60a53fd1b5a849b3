//! Suite `kubernetes`: images, the chart, and what an injected pod does. Needs root.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test may end at the first surprise; the lints spare test functions but not their helpers"
)]

mod admission;
mod calls;
mod chart;
mod crew;
mod failover;
mod harbour;
mod helm4;
mod images;
mod installed;
mod instruments;
mod issued;
mod led;
mod life;
mod mesh;
mod node;
mod private;
mod quickstart;
mod release;
mod shapes;
mod shore;
mod stores;
mod table;
mod wishes;
mod without;
