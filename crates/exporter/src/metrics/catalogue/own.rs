//! Metrics of our own: of calls, and of the program itself.

use crate::metrics::{Kind, Metric, Set};

const fn own(
    name: &'static str,
    unit: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, unit, help, kind: Kind::Counter, labels, set: Set::Own, of_calls: true }
}

/// A counter of the program itself, not of calls.
const fn of_program(
    name: &'static str,
    unit: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { of_calls: false, ..own(name, unit, labels, help) }
}

const fn gauge(
    name: &'static str,
    unit: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, unit, help, kind: Kind::Gauge, labels, set: Set::Own, of_calls: false }
}

pub(crate) const CALLS: Metric = own(
    "outrigger.calls",
    "{call}",
    &["provider", "model", "operation", "outcome", "cause"],
    "Calls by how they ended: answered, failed, cancelled or unknown; cause is the class of a failure.",
);
pub(crate) const COST: Metric = own(
    "outrigger.cost.usd",
    "{USD}",
    &["provider", "model", "step"],
    "Cost of priced calls in US dollars, summed exactly and rounded once per export.",
);
pub(crate) const COST_WITHOUT_USER: Metric = own(
    "outrigger.cost_without_user.usd",
    "{USD}",
    &["provider", "model"],
    "Cost of priced calls for which the app named no user; part of outrigger.cost.usd.",
);
pub(crate) const COST_ESTIMATED: Metric = own(
    "outrigger.cost_estimated.usd",
    "{USD}",
    &["provider", "model"],
    "Cost of calls whose tokens are estimated in part or whole; part of outrigger.cost.usd.",
);
pub(crate) const COST_REPORTED: Metric = own(
    "outrigger.cost_reported.usd",
    "{USD}",
    &["provider", "model"],
    "What providers themselves say that calls cost, where they do.",
);
pub(crate) const COST_DIFFERENCE: Metric = own(
    "outrigger.cost_difference.usd",
    "{USD}",
    &["provider", "model"],
    "How far the provider's own figure and the computed one lie apart, call by call, where both are known.",
);
pub(crate) const UNPRICED: Metric = own(
    "outrigger.unpriced_calls",
    "{call}",
    &["provider", "model", "status"],
    "Calls whose cost is missing (status unpriced) or only a lower bound (status partial).",
);
pub(crate) const UNACCOUNTED: Metric = own(
    "outrigger.unaccounted_calls",
    "{call}",
    &["provider", "model", "outcome", "provenance"],
    "Calls whose token counts the provider did not report: estimated or unknown.",
);
pub(crate) const RETRIES: Metric = own(
    "outrigger.retries",
    "{call}",
    &["provider", "model", "by"],
    "Calls that are an SDK's retry of the call before them; outrigger.calls less these are the logical calls.",
);
pub(crate) const ATTEMPTS: Metric = own(
    "outrigger.attempts",
    "{attempt}",
    &["provider", "model", "outcome", "error.type"],
    "HTTP requests made for calls, by whether they were answered or failed.",
);
pub(crate) const ROUTED: Metric = own(
    "outrigger.routed_calls",
    "{call}",
    &["rule", "provider", "model", "result", "reason", "backup"],
    "Calls that a rule decided, by what the app asked for and what came of it: direct, retried, moved or exhausted; reason is why it was not direct, backup who answered.",
);
pub(crate) const RETRIES_DENIED: Metric = own(
    "outrigger.retries_denied",
    "{call}",
    &["rule", "provider", "model"],
    "Calls of which a retry was left out, since their rule's budget was used up.",
);
pub(crate) const EXCEEDED: Metric = own(
    "outrigger.exceeded_deadlines",
    "{call}",
    &["provider", "model", "deadline"],
    "Calls of which a part took longer than a deadline of its rule that only reports.",
);
pub(crate) const SEEN: Metric = of_program(
    "outrigger.telemetry.seen",
    "{item}",
    &["signal"],
    "Calls, spans, records and metric points handed to the exporter: exported, dropped, or still waiting.",
);
pub(crate) const EXPORTED: Metric = of_program(
    "outrigger.telemetry.exported",
    "{item}",
    &["signal"],
    "Calls, spans, records and metric points that the endpoint took; of a call its record or its spans.",
);
pub(crate) const DROPPED: Metric = of_program(
    "outrigger.telemetry.dropped",
    "{item}",
    &["signal", "cause"],
    "Calls, spans, records and metric points that were lost, by cause; of a call everything.",
);
pub(crate) const SPOOLED: Metric = gauge(
    "outrigger.telemetry.spooled",
    "{item}",
    &["signal"],
    "Calls, spans and records that lie in the spool on disk; part of those seen and recovered.",
);
pub(crate) const RECOVERED: Metric = of_program(
    "outrigger.telemetry.recovered",
    "{item}",
    &["signal"],
    "Calls, spans and records that an earlier run had seen and left in the spool.",
);
pub(crate) const SPOOL_BYTES: Metric =
    gauge("outrigger.telemetry.spool.bytes", "By", &[], "What the spool takes on disk.");
pub(crate) const SPOOL_LIMIT: Metric = gauge(
    "outrigger.telemetry.spool.limit",
    "By",
    &[],
    "The most that the spool may take on disk; 0 where it could not be opened.",
);
pub(crate) const SPOOL_BROKEN: Metric = of_program(
    "outrigger.telemetry.spool.broken",
    "By",
    &[],
    "Bytes in the spool that could not be read: writes cut short, or damage.",
);

pub(crate) const BUILD: Metric =
    gauge("outrigger.build.info", "", &["version"], "Always 1, with the version that runs.");
pub(crate) const RULES: Metric = gauge(
    "outrigger.rules.info",
    "",
    &["hash", "mode"],
    "Always 1, with the hash of the rules that hold (none: nobody wrote any) and the mode they ask for.",
);
pub(crate) const CA_EXPIRY: Metric = gauge(
    "outrigger.ca.expiry",
    "s",
    &[],
    "The last second of the certificate authority's life, since the epoch.",
);
pub(crate) const DIAGNOSIS: Metric = gauge(
    "outrigger.diagnosis.active",
    "",
    &["verdict", "provider"],
    "1 while something is found to be wrong, 0 once it is over; no provider where it concerns all of them. At most eight series.",
);
pub(crate) const CONFIG_REJECTED: Metric = of_program(
    "outrigger.config.rejected",
    "{document}",
    &[],
    "Configurations that were turned down; the one before each goes on.",
);
pub(crate) const LEFT_OUT: Metric = gauge(
    "outrigger.settings.left_out",
    "{setting}",
    &[],
    "Settings that could not be used at the start: the sidecar runs without them.",
);

pub(crate) const SERIES: Metric = gauge(
    "outrigger.metrics.series",
    "{series}",
    &[],
    "Series that are counted against the limit OUTRIGGER_METRICS_SERIES, those of the program itself at a flat rate.",
);
pub(crate) const UNRECORDED: Metric = of_program(
    "outrigger.metrics.unrecorded",
    "{observation}",
    &[],
    "Observations that histograms left out because the limit on series was reached; sums never leave any out.",
);
