//! Every metric, one row each: the instruments are made from these rows, and so is the reference in the documents.

mod genai;
mod own;

pub(crate) use genai::*;
pub(crate) use own::*;

use crate::metrics::Metric;

/// Every metric this crate sends.
pub(crate) const METRICS: &[Metric] = &[
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
    EXCEEDED,
    SEEN,
    EXPORTED,
    DROPPED,
    BUILD,
    RULES,
    CA_EXPIRY,
    DIAGNOSIS,
    CONFIG_REJECTED,
    LEFT_OUT,
    SPOOLED,
    RECOVERED,
    SPOOL_BYTES,
    SPOOL_LIMIT,
    SPOOL_BROKEN,
    SERIES,
    UNRECORDED,
];
