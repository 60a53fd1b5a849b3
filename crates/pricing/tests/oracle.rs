//! Compares every card of the book with an independent calculator over independently kept prices (crate genai-prices).
//!
//! What that crate's version does not hold is left out by name, with the reason beside it. It calculates in floats and
//! promises 5e-9 dollars.

use std::time::{Duration, UNIX_EPOCH};

use genai_prices::{PriceRequest, Usage};
use outrigger_pricing::{Charge, Completeness, Meter, PriceBook, Region, Tier, TokenUsage};
use serde_json::Value;
use time::{Date, Month};

/// 2026-11-16T12:00:00Z, after the days from which the oracle knows tiers.
const NOW: i64 = 1_794_830_400;
const TOLERANCE: f64 = 5e-9;

/// Why the oracle cannot judge a card, if it cannot.
fn beyond_the_oracle(provider: &str, model: &str, tier: Tier, card: &Value) -> Option<&'static str> {
    if card["source"] == serde_json::json!(["litellm"]) {
        return Some("the oracle does not hold the row");
    }
    match (provider, tier) {
        (_, Tier::Batch) if card["valid_until"].is_string() => {
            Some("the oracle dates batch prices from 2026-10-14")
        }
        ("anthropic", _) if model.ends_with("-5-2") => Some("newer than the oracle"),
        ("anthropic", Tier::Priority) => Some("the oracle learned of fast mode after this version"),
        _ => None,
    }
}

/// A call for which this card is the right one, using each of its lines.
fn usage(model: &str, card: &Value) -> TokenUsage {
    let mut usage = TokenUsage::ZERO;
    for (place, meter) in Meter::ALL.into_iter().enumerate() {
        let known = match meter {
            // The oracle has no price for OpenAI's long-lived writes.
            Meter::CacheWrite12h => false,
            // Nor for cached prompts of fine-tunes,
            Meter::CacheRead => !model.starts_with("ft:"),
            // nor for searches with these models.
            Meter::WebSearch => !["gpt-5.3-codex", "o3-pro"].contains(&model),
            _ => true,
        };
        if known && card["lines"][meter.as_str()].is_string() {
            let count = 1_237 + 1_009 * u64::try_from(place).unwrap_or_default();
            usage.set(meter, Some(count));
        }
    }
    if let Some(threshold) = card["prompt"]["gt"].as_u64() {
        usage.set(Meter::Input, Some(threshold + 1));
    }
    usage
}

/// The oracle counts wholes with their parts named beside them.
fn oracle_usage(usage: &TokenUsage) -> Usage {
    let mut oracle = Usage::new();
    let count = |meters: &[Meter]| meters.iter().filter_map(|meter| usage.get(*meter)).sum::<u64>();
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let mut add = |key: &str, meters: &[Meter]| {
        let count = count(meters);
        if count > 0 {
            oracle.insert(key, count as f64);
        }
    };
    let prompt: Vec<Meter> = Meter::ALL.into_iter().filter(|meter| meter.is_prompt()).collect();
    let answer: Vec<Meter> = Meter::ALL.into_iter().filter(|meter| meter.is_answer()).collect();
    add("input_tokens", &prompt);
    add("cache_read_tokens", &[Meter::CacheRead, Meter::CacheReadAudio, Meter::CacheReadImage]);
    add("cache_audio_read_tokens", &[Meter::CacheReadAudio]);
    add("cache_image_read_tokens", &[Meter::CacheReadImage]);
    add("input_image_tokens", &[Meter::InputImage, Meter::CacheReadImage]);
    add("cache_write_tokens", &[Meter::CacheWrite5m, Meter::CacheWrite30m, Meter::CacheWrite1h]);
    add("cache_write_1h_tokens", &[Meter::CacheWrite1h]);
    add("input_audio_tokens", &[Meter::InputAudio, Meter::CacheReadAudio]);
    add("output_tokens", &answer);
    add("output_audio_tokens", &[Meter::OutputAudio]);
    add("web_searches", &[Meter::WebSearch]);
    oracle
}

/// A second at which the card applies: shortly before it ends, else the common one.
fn instant(card: &Value) -> i64 {
    let Some(end) = card["valid_until"].as_str() else { return NOW };
    let mut parts = end.split('-').map(|part| part.parse::<u16>().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    let (year, month, day) = (next(), next(), next());
    let date = Month::try_from(u8::try_from(month).unwrap_or_default()).and_then(|month| {
        Date::from_calendar_date(year.into(), month, u8::try_from(day).unwrap_or_default())
    });
    date.map_or(NOW, |date| date.midnight().assume_utc().unix_timestamp() - 2)
}

#[test]
fn every_card_bills_what_the_oracle_bills() {
    let file: Value = serde_json::from_str(include_str!("../prices.json")).unwrap();
    let mut differences = Vec::new();
    let mut compared = 0;
    for provider in file["providers"].as_array().unwrap() {
        let provider_id = provider["id"].as_str().unwrap();
        for model in provider["models"].as_array().unwrap() {
            let id = model["id"].as_str().unwrap();
            for card in model["cards"].as_array().unwrap() {
                let tier = Tier::SOLD.into_iter().find(|tier| card["tier"] == tier.as_str()).unwrap();
                if beyond_the_oracle(provider_id, id, tier, card).is_some() {
                    continue;
                }
                let (usage, at) = (usage(id, card), instant(card));
                let name = if id.starts_with("ft:") { format!("{id}:acme::id") } else { id.to_owned() };
                let charge = Charge {
                    provider: provider_id,
                    model: &name,
                    at,
                    tier,
                    region: Region::Global,
                    usage: &usage,
                };
                let ours = PriceBook::builtin().cost(&charge);
                assert_eq!(ours.completeness, Completeness::Exact, "{name} {tier:?}: {ours:?}");

                let oracle_usage = oracle_usage(&usage);
                let context = match tier {
                    Tier::Flex => Some(("service_tier", "flex")),
                    Tier::Priority => Some(("service_tier", "priority")),
                    Tier::Batch => Some(("processing", "batch")),
                    _ => None,
                };
                let mut request = PriceRequest::new(&name, &oracle_usage)
                    .with_provider_id(provider_id)
                    .with_timestamp(UNIX_EPOCH + Duration::from_secs(at.unsigned_abs()));
                if let Some((key, value)) = context {
                    request = request.with_price_context(key, value);
                }
                let ours = ours.total.unwrap().to_f64();
                match genai_prices::calculate(&request) {
                    Ok(theirs) if (theirs.total_price - ours).abs() <= TOLERANCE => compared += 1,
                    Ok(theirs) => {
                        differences.push(format!("{name} {card}: {ours} here, {} there", theirs.total_price))
                    }
                    Err(error) => differences.push(format!("{name} {card}: {error}")),
                }
            }
        }
    }
    assert!(differences.is_empty(), "{compared} agree, but:\n{}", differences.join("\n"));
    assert!(compared >= 200, "only {compared} cards were compared");
}
