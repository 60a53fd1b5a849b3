//! Logs of every program of ours: to standard error, by `OUTRIGGER_LOG`, without what other people's code would print.

use tracing_subscriber::EnvFilter;

/// Libraries below us print headers and bytes at their most talkative, secrets included: they stay at warnings.
const QUIET: [&str; 6] =
    ["h2=warn", "hyper=warn", "hyper_util=warn", "reqwest=warn", "rustls=warn", "tonic=warn"];

/// Starts logging at `OUTRIGGER_LOG` (`info`, `debug`, `outrigger_sidecar=debug`, …), else at `default`.
pub fn start(default: &str) {
    let mut filter = EnvFilter::try_from_env("OUTRIGGER_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    for directive in QUIET {
        if let Ok(directive) = directive.parse() {
            filter = filter.add_directive(directive);
        }
    }
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // Who read the log may be gone; to complain of it, in the same place, would be a panic.
        .log_internal_errors(false)
        .with_target(false)
        .with_env_filter(filter)
        .init();
}
