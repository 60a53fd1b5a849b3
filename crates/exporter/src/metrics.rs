//! Every metric, one row each: the instruments are made from these rows, and so is the reference in the documents.

mod about;
mod clamp;
mod exposition;
mod genai;
mod meter;
mod observed;
mod reader;
mod scrape;
mod series;
mod spooled;

pub use about::About;
pub use exposition::Exposition;
pub(crate) use meter::{Kept, Metrics};
pub use scrape::Scrape;

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name in OTLP.
    pub name: &'static str,
    /// Its unit (UCUM, with annotations in braces).
    pub unit: &'static str,
    /// What it tells, in one sentence.
    pub help: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The labels a point may carry.
    pub labels: &'static [&'static str],
    /// The generation it belongs to.
    pub set: Set,
    /// Whether calls make its series, so that there are as many as they have words.
    pub of_calls: bool,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A value as of now.
    Gauge,
    /// A distribution over these upper bounds.
    Histogram(&'static [f64]),
}

/// The generation of metrics that a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// The newest GenAI conventions: sent unless `OUTRIGGER_GENAI_METRICS=v1.41`.
    GenAiLatest,
    /// The GenAI conventions of v1.41: sent unless `OUTRIGGER_GENAI_METRICS=latest`.
    GenAiV1_41,
    /// The HTTP conventions: always sent.
    Http,
    /// Our own: always sent.
    Own,
}

/// Seconds until a chunk, by the conventions.
const DELAYS: &[f64] = &outrigger_ledger::ChunkTimes::BOUNDS;
/// Seconds of calls: the same, and 30, past which a call is called slow.
const DURATIONS: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 30.0, 40.96, 81.92];
/// Tokens of calls.
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Seconds of HTTP requests.
const HTTP_DURATIONS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Labels of every GenAI metric.
const CALL: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
    "openai.response.service_tier",
];
const CALL_AND_ERROR: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
    "openai.response.service_tier",
    "error.type",
];
const CALL_AND_MODALITY: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
    "openai.response.service_tier",
    "gen_ai.token.modality",
];
const CALL_MODALITY_AND_STEP: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
    "openai.response.service_tier",
    "gen_ai.token.modality",
    "outrigger.step",
];
const CALL_AND_TOKEN_TYPE: &[&str] = &[
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
    "openai.response.service_tier",
    "gen_ai.token.type",
];

const fn latest(
    name: &'static str,
    unit: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, unit, help, kind, labels, set: Set::GenAiLatest, of_calls: true }
}

const fn v1_41(
    name: &'static str,
    unit: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, unit, help, kind, labels, set: Set::GenAiV1_41, of_calls: true }
}

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

pub(crate) const DURATION: Metric = latest(
    "gen_ai.client.inference.duration",
    "s",
    Kind::Histogram(DURATIONS),
    CALL_AND_ERROR,
    "Duration of a call as its caller saw it, retries included.",
);
pub(crate) const FIRST_CHUNK: Metric = latest(
    "gen_ai.client.inference.time_to_first_chunk",
    "s",
    Kind::Histogram(DELAYS),
    CALL,
    "Time from the request to the first content of a streamed answer.",
);
pub(crate) const PER_CHUNK: Metric = latest(
    "gen_ai.client.inference.time_per_output_chunk",
    "s",
    Kind::Histogram(DELAYS),
    CALL,
    "Time between what arrived together of a streamed answer, from its first content on; only with OUTRIGGER_METRICS_CHUNKS.",
);
pub(crate) const INPUT: Metric = latest(
    "gen_ai.client.inference.usage.input_tokens",
    "{token}",
    Kind::Counter,
    CALL_MODALITY_AND_STEP,
    "Prompt tokens, cached ones included, as far as the provider reported them.",
);
pub(crate) const OUTPUT: Metric = latest(
    "gen_ai.client.inference.usage.output_tokens",
    "{token}",
    Kind::Counter,
    CALL_MODALITY_AND_STEP,
    "Answer tokens, reasoning included, as far as the provider reported them.",
);
pub(crate) const CACHE_READ: Metric = latest(
    "gen_ai.client.inference.usage.cache_read.input_tokens",
    "{token}",
    Kind::Counter,
    CALL_AND_MODALITY,
    "Prompt tokens read from the provider's cache; part of the input tokens.",
);
pub(crate) const CACHE_WRITE: Metric = latest(
    "gen_ai.client.inference.usage.cache_write.input_tokens",
    "{token}",
    Kind::Counter,
    CALL_AND_MODALITY,
    "Prompt tokens written to the provider's cache; part of the input tokens.",
);
pub(crate) const REASONING: Metric = latest(
    "gen_ai.client.inference.usage.reasoning.output_tokens",
    "{token}",
    Kind::Counter,
    CALL_AND_MODALITY,
    "Answer tokens spent on reasoning; part of the output tokens.",
);
pub(crate) const CALL_INPUT: Metric = latest(
    "gen_ai.client.inference.operation.input_tokens",
    "{token}",
    Kind::Histogram(TOKENS),
    CALL_AND_ERROR,
    "Prompt tokens per call, of calls where they are known; for percentiles, not for totals.",
);
pub(crate) const CALL_OUTPUT: Metric = latest(
    "gen_ai.client.inference.operation.output_tokens",
    "{token}",
    Kind::Histogram(TOKENS),
    CALL_AND_ERROR,
    "Answer tokens per call, of calls where they are known; for percentiles, not for totals.",
);
pub(crate) const EMBEDDINGS: Metric = latest(
    "gen_ai.client.embeddings.duration",
    "s",
    Kind::Histogram(DURATIONS),
    CALL_AND_ERROR,
    "Duration of a call for embeddings as its caller saw it.",
);
pub(crate) const EMBEDDINGS_INPUT: Metric = latest(
    "gen_ai.client.embeddings.operation.input_tokens",
    "{token}",
    Kind::Histogram(TOKENS),
    CALL,
    "Prompt tokens per call for embeddings, where they are known; for percentiles, not for totals.",
);
pub(crate) const OLD_DURATION: Metric = v1_41(
    "gen_ai.client.operation.duration",
    "s",
    Kind::Histogram(DURATIONS),
    CALL_AND_ERROR,
    "Duration of a call as its caller saw it, under the name of conventions v1.41; in the newest that of operations without a metric of their own (rerank, fetch_response, count_tokens).",
);
pub(crate) const OLD_FIRST_CHUNK: Metric = v1_41(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    Kind::Histogram(DELAYS),
    CALL,
    "Time to the first content of a streamed answer, under the name of conventions v1.41.",
);
pub(crate) const OLD_PER_CHUNK: Metric = v1_41(
    "gen_ai.client.operation.time_per_output_chunk",
    "s",
    Kind::Histogram(DELAYS),
    CALL,
    "Time between what arrived together of a streamed answer, under the name of conventions v1.41; only with OUTRIGGER_METRICS_CHUNKS.",
);
pub(crate) const OLD_TOKENS: Metric = v1_41(
    "gen_ai.client.token.usage",
    "{token}",
    Kind::Histogram(TOKENS),
    CALL_AND_TOKEN_TYPE,
    "Tokens per call by type (input, output), under the name of conventions v1.41.",
);
pub(crate) const HTTP: Metric = Metric {
    name: "http.client.request.duration",
    unit: "s",
    help: "Duration of each HTTP request to a provider.",
    kind: Kind::Histogram(HTTP_DURATIONS),
    labels: &[
        "http.request.method",
        "server.address",
        "server.port",
        "http.response.status_code",
        "error.type",
        "network.protocol.version",
    ],
    set: Set::Http,
    of_calls: true,
};
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
pub(crate) const LEFT_ALONE: Metric = own(
    "outrigger.backups_left_alone",
    "{call}",
    &["rule", "backup"],
    "Calls for which a backup was left out since it had failed of late: its own breaker is open.",
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

/// Every metric this crate sends.
pub const METRICS: &[Metric] = &[
    DURATION,
    FIRST_CHUNK,
    PER_CHUNK,
    INPUT,
    OUTPUT,
    CACHE_READ,
    CACHE_WRITE,
    REASONING,
    CALL_INPUT,
    CALL_OUTPUT,
    EMBEDDINGS,
    EMBEDDINGS_INPUT,
    OLD_DURATION,
    OLD_FIRST_CHUNK,
    OLD_PER_CHUNK,
    OLD_TOKENS,
    HTTP,
    CALLS,
    COST,
    COST_WITHOUT_USER,
    COST_ESTIMATED,
    COST_REPORTED,
    COST_DIFFERENCE,
    UNPRICED,
    UNACCOUNTED,
    RETRIES,
    ATTEMPTS,
    ROUTED,
    RETRIES_DENIED,
    LEFT_ALONE,
    EXCEEDED,
    SEEN,
    EXPORTED,
    DROPPED,
    BUILD,
    RULES,
    CA_EXPIRY,
    DIAGNOSIS,
    CONFIG_REJECTED,
    SPOOLED,
    RECOVERED,
    SPOOL_BYTES,
    SPOOL_LIMIT,
    SPOOL_BROKEN,
    SERIES,
    UNRECORDED,
];

#[cfg(test)]
mod tests;
