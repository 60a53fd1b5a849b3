//! Compares every card of the book with an independent calculator over the same open data (crate genai-prices).
//!
//! What that crate's version does not hold, or cannot calculate, is left out by name, with the reason beside it. It
//! calculates in floats and promises 5e-9 dollars.

use std::time::{Duration, UNIX_EPOCH};

use genai_prices::{PriceRequest, Usage};
use outrigger_pricing::{Charge, Completeness, Kind, Meter, Modality, PriceBook, Tier, TokenUsage};
use serde_json::Value;
use time::{Date, Month};

/// 2026-11-16T12:00:00Z.
const NOW: i64 = 1_794_830_400;
const TOLERANCE: f64 = 5e-9;

/// Why the oracle cannot judge a card, if it cannot.
fn beyond_the_oracle(provider: &str, model: &str, card: &Value) -> Option<&'static str> {
    let sources: Vec<_> = card["source"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !sources.contains(&"genai-prices") {
        return Some("the row is not from the oracle's data");
    }
    if provider == "deepseek" {
        return Some("the oracle cannot combine hours with dates");
    }
    if provider == "google" && card["lines"]["input_audio"].is_string() && card["when"].is_object() {
        return Some("the oracle bills audio at the standard price in other tiers");
    }
    if model.starts_with("gpt-image") || provider == "azure" && model.starts_with("gpt-") {
        return Some("a line of ours has a meter that the oracle counts within another");
    }
    None
}

/// A call for which this card is the right one, using each of its lines that is the data set's own.
fn usage(card: &Value) -> TokenUsage {
    let mut usage = TokenUsage::ZERO;
    let own = card["source"] == serde_json::json!(["genai-prices"]);
    let has = |meter: Meter| card["lines"][meter.as_str()].is_string();
    for (place, meter) in Meter::ALL.into_iter().enumerate() {
        let known = match meter {
            // From the overlay.
            Meter::CacheWrite12h
            | Meter::WebSearchPreview
            | Meter::MapsSearch
            | Meter::CacheTokenHour
            | Meter::SocialSearch
            | Meter::CodeRun
            | Meter::Attachment => false,
            // Counted in other units there.
            Meter::AudioSecond => false,
            // Searches of a row that the overlay added to.
            Meter::FileSearch if !own => false,
            Meter::WebSearch | Meter::GroundedPrompt if !own => false,
            // The oracle has one count of searches.
            Meter::GroundedPrompt => has(Meter::WebSearch) && card["lines"]["web_search"] == "0",
            Meter::WebSearch => card["lines"]["web_search"] != "0",
            _ => true,
        };
        if known && has(meter) {
            // The oracle counts every call as one request.
            usage.set(
                meter,
                Some(if meter == Meter::Request {
                    1
                } else if meter.kind() == Kind::Fee {
                    3
                } else {
                    1_237 + 1_009 * place as u64
                }),
            );
        }
    }
    let prompt = usage.total_prompt().unwrap_or_default();
    match (card["threshold"]["op"].as_str(), card["threshold"]["tokens"].as_u64()) {
        (Some("gt" | "ge"), Some(tokens)) if has(Meter::Input) => usage.set(Meter::Input, Some(tokens + 1)),
        (_, Some(tokens)) => assert!(prompt < tokens),
        _ => {}
    }
    usage
}

/// The oracle counts wholes with their parts named beside them.
fn oracle_usage(usage: &TokenUsage) -> Usage {
    let mut oracle = Usage::new();
    let mut add = |key: &str, count: u64| {
        if count > 0 {
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            oracle.insert(key, count as f64);
        }
    };
    let sum = |belongs: &dyn Fn(Meter) -> bool| usage.sum(belongs).unwrap_or_default();
    let one = |meter: Meter| usage.get(meter).unwrap_or_default();
    let of = |side: fn(Meter) -> bool, modality| sum(&|meter| side(meter) && meter.modality() == modality);
    add("input_tokens", sum(&Meter::is_prompt));
    add("output_tokens", sum(&Meter::is_answer));
    add("cache_read_tokens", sum(&|meter| meter.kind() == Kind::CacheRead));
    add("cache_write_tokens", sum(&|meter| meter.kind() == Kind::CacheWrite));
    add("cache_write_1h_tokens", one(Meter::CacheWrite1h));
    add("cache_audio_read_tokens", one(Meter::CacheReadAudio));
    add("cache_image_read_tokens", one(Meter::CacheReadImage));
    for (word, modality) in
        [("audio", Modality::Audio), ("image", Modality::Image), ("video", Modality::Video)]
    {
        add(&format!("input_{word}_tokens"), of(Meter::is_prompt, modality));
        add(&format!("output_{word}_tokens"), of(Meter::is_answer, modality));
    }
    add("output_reasoning_tokens", one(Meter::Reasoning));
    add("output_citation_tokens", one(Meter::Citation));
    add("web_searches", one(Meter::WebSearch) + one(Meter::GroundedPrompt));
    add("storage_searches", one(Meter::FileSearch));
    oracle
}

/// A second at which the card applies: shortly before it ends, else now, or when it has begun.
fn instant(card: &Value) -> i64 {
    let midnight = |day: &Value| {
        let mut parts =
            day.as_str()?.get(..10)?.split('-').map(|part| part.parse::<u16>().unwrap_or_default());
        let mut next = || parts.next().unwrap_or_default();
        let (year, month, day) = (next(), u8::try_from(next()).ok()?, u8::try_from(next()).ok()?);
        let date = Date::from_calendar_date(year.into(), Month::try_from(month).ok()?, day).ok()?;
        Some(date.midnight().assume_utc().unix_timestamp())
    };
    match (midnight(&card["valid_from"]), midnight(&card["valid_until"])) {
        (_, Some(end)) => end - 2,
        (Some(start), None) => NOW.max(start),
        (None, None) => NOW,
    }
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
                let when = &card["when"];
                if beyond_the_oracle(provider_id, id, card).is_some() || when["schedule"].is_object() {
                    continue;
                }
                let tier = match (when["processing"].as_str(), when["tier"].as_str()) {
                    (Some("batch"), _) => Tier::Batch,
                    (_, Some(word)) => Tier::from_word(word),
                    _ => Tier::Standard,
                };
                let (usage, at) = (usage(card), instant(card));
                if usage == TokenUsage::ZERO || usage.sum(|meter| meter.kind() != Kind::Fee) == Some(0) {
                    // Hours, pages and characters are counted in other units there.
                    continue;
                }
                let charge = Charge {
                    tier,
                    route: when["route"].as_str(),
                    variant: when["variant"].as_str(),
                    ..Charge::standard(provider_id, id, at, &usage)
                };
                let ours = PriceBook::builtin().cost(&charge);
                assert_eq!(ours.completeness, Completeness::Exact, "{provider_id}/{id} {tier:?}: {ours:?}");

                // By a name that the data set matches: its own ids are not always among them.
                let names = model["match"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|clause| clause["equals"].as_str());
                let oracle_usage = oracle_usage(&usage);
                let mut found = None;
                for name in std::iter::once(id).chain(names) {
                    let timestamp = UNIX_EPOCH + Duration::from_secs(u64::try_from(at).unwrap());
                    let mut request = PriceRequest::new(name, &oracle_usage)
                        .with_provider_id(provider_id)
                        .with_timestamp(timestamp);
                    let context = match tier {
                        Tier::Flex => Some(("service_tier", "flex")),
                        Tier::Priority => Some(("service_tier", "priority")),
                        Tier::Batch => Some(("processing", "batch")),
                        _ => charge
                            .route
                            .map(|route| ("route", route))
                            .or(charge.variant.map(|variant| ("search_type", variant))),
                    };
                    if let Some((key, value)) = context {
                        request = request.with_price_context(key, value);
                    }
                    found = genai_prices::calculate(&request).ok();
                    if found.is_some() {
                        break;
                    }
                }
                let ours = ours.total.unwrap().to_f64();
                match found {
                    Some(theirs) if (theirs.total_price - ours).abs() <= TOLERANCE => compared += 1,
                    Some(theirs) => differences.push(format!(
                        "{provider_id}/{id} {card}: {ours} here, {} there",
                        theirs.total_price
                    )),
                    None => {}
                }
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{compared} agree, but {}:\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert!(compared >= 2_000, "only {compared} cards were compared");
}
