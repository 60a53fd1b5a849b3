//! The integration tests of this crate, in one program: it is linked once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

#[allow(dead_code, reason = "the fixtures serve the providers' own tests as well")]
#[path = "../../providers/tests/cases/mod.rs"]
mod cases;
mod dead_connections;
mod endings;
mod failover;
mod failover_h2;
mod failover_kept;
mod failover_mistakes;
mod failover_overlap;
mod failover_own_format;
mod failover_pairs;
mod failover_silence;
mod failover_streams;
mod failover_translated;
mod going_on;
mod hang_up;
mod include_usage;
mod left_out;
mod logs_documented;
mod metrics_port;
mod panics;
mod passing;
mod rules;
mod spans;
mod support;
mod tail;
mod timing;
mod unchanged;
mod unchanged_by_rules;
