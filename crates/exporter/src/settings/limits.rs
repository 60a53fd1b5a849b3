//! Variables that bound what is sent.

use super::error::SettingsError;
use super::values::{Variables, whole};
use super::{LONGEST_VALUE, SpanLimits};

/// The standard's bound of a span's attributes, and of its links.
const SPAN_ITEMS: usize = 128;
/// Series of metrics where the user set no limit.
const SERIES: usize = 500;
/// Below it there is no room for what is always there.
const FEWEST_SERIES: usize = 200;
/// Above it the exporter itself would become large.
const MOST_SERIES: usize = 20_000;

/// Bytes of a text. The standard counts characters; bytes are what stores cut at, and never more.
pub(super) fn longest(variables: &Variables<'_>, names: &[&str]) -> Result<usize, SettingsError> {
    let Some(found) = variables.first(names.iter().copied()) else { return Ok(LONGEST_VALUE) };
    whole(&found, 1, "bytes").map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// How much a span holds at most.
pub(super) fn spans(variables: &Variables<'_>) -> Result<SpanLimits, SettingsError> {
    let count = |names: &[&str]| {
        let Some(found) = variables.first(names.iter().copied()) else { return Ok(SPAN_ITEMS) };
        whole(&found, 0, "items").map(|items| usize::try_from(items).unwrap_or(usize::MAX))
    };
    Ok(SpanLimits {
        longest_value: longest(
            variables,
            &["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
        )?,
        attributes: count(&["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"])?,
        links: count(&["OTEL_SPAN_LINK_COUNT_LIMIT"])?,
    })
}

/// Series that metrics may have at most.
pub(super) fn series(variables: &Variables<'_>) -> Result<usize, SettingsError> {
    match variables.find("OUTRIGGER_METRICS_SERIES") {
        None => Ok(SERIES),
        Some(found) => match found.value.parse() {
            Ok(limit) if (FEWEST_SERIES..=MOST_SERIES).contains(&limit) => Ok(limit),
            _ => Err(found.fault(
                "not a number of series",
                format!("write a whole number from {FEWEST_SERIES} to {MOST_SERIES}, such as {SERIES}"),
            )),
        },
    }
}
