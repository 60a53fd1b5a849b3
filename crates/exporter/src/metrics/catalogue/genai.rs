//! Metrics of the conventions: GenAI in both generations, and HTTP.

use crate::metrics::{Kind, Metric, Set};

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
