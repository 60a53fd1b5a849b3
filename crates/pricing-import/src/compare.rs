//! Holds the book against a second source: LiteLLM's map. What differs is reported, unless it stands in the reviewed list
//! with its reason; what stands there and differs no more is reported too.

use std::collections::{BTreeMap, BTreeSet};

use outrigger_pricing::document::day_of;
use outrigger_pricing::{Charge, Completeness, Meter, PriceBook, Tier, TokenUsage};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Failure;
use crate::decimal::Decimal;
use crate::facts::PROVIDERS;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reviewed {
    /// `PROVIDER/MODEL TIER METER`, as the report writes it; a `*` at the end stands for any rest.
    rows: Vec<String>,
    /// Which of the two the book holds, and why.
    reason: String,
}

const METERS: [(&str, Meter); 4] = [
    ("input_cost_per_token", Meter::Input),
    ("output_cost_per_token", Meter::Output),
    ("cache_read_input_token_cost", Meter::CacheRead),
    ("cache_creation_input_token_cost_above_1hr", Meter::CacheWrite1h),
];
const TIERS: [(&str, Tier); 5] = [
    ("", Tier::Standard),
    ("_batches", Tier::Batch),
    ("_flex", Tier::Flex),
    ("_priority", Tier::Priority),
    ("_ultrafast", Tier::Ultrafast),
];

/// The differences nobody looked into, and the reviewed ones that are gone.
pub(crate) fn compare(
    book: &PriceBook,
    litellm: &str,
    reviewed: &str,
    on: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let map: BTreeMap<String, BTreeMap<String, Box<RawValue>>> =
        serde_json::from_str(litellm).map_err(Failure::foreign)?;
    let reviewed: Vec<Reviewed> = serde_json::from_str(reviewed).map_err(Failure::foreign)?;
    let on = on.unwrap_or_else(|| book.date());
    let noon = day_of(on)
        .ok_or_else(|| Failure::Row(format!("`{on}` is not a day; write it as YYYY-MM-DD")))?
        + 12 * 3600;
    let mut report = Vec::new();
    let mut used = BTreeSet::new();
    for (provider, theirs, prefix) in PROVIDERS {
        for (name, entry) in &map {
            let of_provider =
                entry.get("litellm_provider").is_some_and(|raw| raw.get().trim_matches('"') == theirs);
            let Some(model) = name.strip_prefix(prefix).filter(|_| of_provider) else { continue };
            for (key, meter) in METERS {
                for (suffix, tier) in TIERS {
                    let Some(raw) = entry.get(&format!("{key}{suffix}")) else { continue };
                    let Some(their) = Decimal::scaled(raw.get(), 6) else { continue };
                    let Some(ours) = price(book, provider, model, noon, tier, meter) else { continue };
                    if ours == their {
                        continue;
                    }
                    let row = format!("{provider}/{model} {} {}", tier.as_str(), meter.as_str());
                    let known = reviewed.iter().flat_map(|group| &group.rows).find(|known| {
                        known.strip_suffix('*').map_or(**known == row, |start| row.starts_with(start))
                    });
                    match known {
                        Some(known) => {
                            used.insert(known.as_str());
                        }
                        None => report.push(format!("{row}: {ours} in the book, {their} there")),
                    }
                }
            }
        }
    }
    for group in reviewed.iter() {
        if group.reason.is_empty() {
            report.push(format!("reviewed {:?}: it has no reason", group.rows));
        }
        let gone = group.rows.iter().filter(|row| !used.contains(row.as_str()));
        report.extend(gone.map(|row| format!("reviewed `{row}`: there is no such difference; take it out")));
    }
    Ok(report)
}

/// The book's price of a million, if it knows the model in that tier; `none` where it knows that there is none.
fn price(book: &PriceBook, provider: &str, model: &str, at: i64, tier: Tier, meter: Meter) -> Option<String> {
    let usage = TokenUsage::ZERO.with(meter, 1);
    let charge = Charge { tier, ..Charge::standard(provider, model, at, &usage) };
    let cost = book.cost(&charge);
    if cost.completeness == Completeness::Unpriced {
        // A tier or model that the book lacks is no difference of prices.
        let input = TokenUsage::ZERO.with(Meter::Input, 1);
        let known = book.cost(&Charge { usage: &input, ..charge }).completeness != Completeness::Unpriced;
        return known.then(|| "none".to_owned());
    }
    cost.lines.first().map(|line| line.rate.to_string())
}
