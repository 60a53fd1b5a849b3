//! What a metric is, and how calls become metrics. Each has one row in `catalogue`.

mod about;
mod catalogue;
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
pub(crate) use catalogue::*;
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

#[cfg(test)]
mod tests;
