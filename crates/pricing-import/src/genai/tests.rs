//! A small data set, imported, overlaid, written and compiled.

use outrigger_pricing::document::{Document, Origin};
use outrigger_pricing::{BookError, Charge, Cost, Meter, PriceBook, Tier, TokenUsage};

use super::{Notes, read};
use crate::{Failure, compare, overlay, write};

const DATA: &str = r#"[
{"id": "openai", "api_pattern": "https://api\\.openai\\.com", "models": [
 {"id": "gpt-9", "match": {"or": [{"equals": "gpt-9"}, {"regex": "^gpt-9-\\d{4}-\\d{2}-\\d{2}$"}, {"equals": "gpt-nine"}, {"starts_with": "ft:gpt-9"}]},
  "context_window": 1000,
  "prices": [
   {"prices": {"input_mtok": 3, "cache_read_mtok": 0.3, "cache_write_mtok": 0.13999999999999999, "output_mtok": 9}},
   {"constraint": {"start_date": "2026-06-01"}, "prices": {"input_mtok": {"base": 2, "tiers": [{"start": 272000, "price": 4}]}, "cache_read_mtok": 0.2, "output_mtok": 8.0}}],
  "price_variants": [
   {"when": {"service_tier": "default"}, "prices": {}},
   {"when": {"service_tier": "fast"}, "prices": {"input_mtok": 4}},
   {"when": {"service_tier": "priority"}, "prices": {"input_mtok": 4}, "constraint": {"start_date": "2026-07-01"}},
   {"when": {"processing": "batch"}, "prices": {"input_mtok": 1, "output_mtok": 4}}]},
 {"id": "gpt-8", "match": {"equals": "gpt-nine"}, "prices": {"input_mtok": 0.08333333333333334}},
 {"id": "gpt-7", "match": {"equals": "gpt-7"}, "prices": {}},
 {"id": "gpt-6:free", "match": {"equals": "gpt-6:free"}, "prices": {}}]},
{"id": "google", "api_pattern": "https://(.*\\.)?googleapis\\.com", "fallback_model_providers": ["openai"], "models": [
 {"id": "gemini-9", "match": {"and": [{"starts_with": "gemini-9"}, {"regex": "^(?!.*-[tT][tT][sS](?:$|-))"}]}, "prices": {"input_mtok": 1, "web_searches_kcount": 14}},
 {"id": "gemini-2.9", "match": {"equals": "gemini-2.9"}, "prices": {"input_mtok": 1, "web_searches_kcount": 35}}]},
{"id": "deepseek", "api_pattern": "https://api\\.deepseek\\.com", "models": [
 {"id": "d", "match": {"equals": "d"}, "prices": [{"prices": {"input_mtok": 1}}, {"constraint": {"start_time": "01:00:00Z", "end_time": "04:00:00Z"}, "prices": {"input_mtok": 2}}]}]}]"#;

const OVERLAY: &str = r#"{"replace": [], "drop": ["openai/gpt-8"], "book": {"schema": 2, "currency": "USD", "version": "1",
"date": "2026-11-16", "license": "MIT", "sources": {"genai-prices": "the data set", "page": "the vendor's page"},
"providers": [{"id": "openai",
 "pointers": [{"name": "gpt-nine", "model": "gpt-9", "source": ["page"], "checked_on": "2026-11-16"}],
 "models": [{"id": "gpt-9", "cards": [
  {"when": {"processing": "batch"}, "valid_from": "2026-06-01", "threshold": {"basis": "total_prompt", "op": "le", "tokens": 272000},
   "lines": {"cache_write_12h": "7"}, "source": ["page"], "checked_on": "2026-11-16"}]}]}]}}"#;

fn import() -> (Document, Notes) {
    let mut notes = Notes::default();
    let origin = Origin { source: vec!["genai-prices".to_owned()], checked_on: "2026-10-30".to_owned() };
    (read(DATA, &origin, &mut notes).unwrap(), notes)
}

fn book() -> PriceBook {
    let (mut document, _) = import();
    overlay::lay(&mut document, OVERLAY).unwrap();
    PriceBook::parse(&write::text(&document).unwrap()).unwrap()
}

/// 2026-11-16T12:00:00Z.
const NOW: i64 = 1_794_830_400;

fn cost(book: &PriceBook, provider: &str, model: &str, at: i64, tier: Tier, usage: TokenUsage) -> Cost {
    book.cost(&Charge { tier, ..Charge::standard(provider, model, at, &usage) })
}

#[track_caller]
fn input(book: &PriceBook, model: &str, at: i64, tier: Tier, tokens: u64) -> Option<String> {
    let usage = TokenUsage::ZERO.with(Meter::Input, tokens);
    cost(book, "openai", model, at, tier, usage).total.map(|total| total.to_string())
}

#[test]
fn dates_steps_and_variants_become_cards() {
    let book = book();
    let some = |text: &str| Some(text.to_owned());
    // 2026-01-01, then after the change of June.
    assert_eq!(input(&book, "gpt-9", 1_767_225_600, Tier::Standard, 100_000), some("0.3"));
    assert_eq!(input(&book, "gpt-9", NOW, Tier::Standard, 272_000), some("0.544"));
    assert_eq!(input(&book, "gpt-9-2026-05-05", NOW, Tier::Standard, 272_001), some("1.088004"));
    // Priority has no step where the standard prices have one: not sold past it, and not before its day.
    assert_eq!(input(&book, "gpt-9", NOW, Tier::Priority, 1_000), some("0.004"));
    assert_eq!(input(&book, "gpt-9", NOW, Tier::Priority, 272_001), None);
    assert_eq!(input(&book, "gpt-9", 1_780_704_000, Tier::Priority, 1_000), None);
    // The pointer of the overlay took the name from the model.
    assert_eq!(input(&book, "gpt-nine", NOW, Tier::Batch, 1_000), some("0.001"));
    assert_eq!(input(&book, "gpt-6:free", NOW, Tier::Standard, 1_000), some("0"));
    // A batch table without a cached price has none.
    let cached = cost(&book, "openai", "gpt-9", NOW, Tier::Batch, TokenUsage::ZERO.with(Meter::CacheRead, 5));
    assert_eq!(cached.total, None, "{cached:?}");
    let written = cost(
        &book,
        "openai",
        "gpt-9",
        NOW,
        Tier::Batch,
        TokenUsage::ZERO.with(Meter::CacheWrite12h, 1_000_000),
    );
    assert_eq!(written.total, None, "a million is past the step");
    let written = cost(
        &book,
        "openai",
        "gpt-9",
        NOW,
        Tier::Batch,
        TokenUsage::ZERO.with(Meter::CacheWrite12h, 200_000),
    );
    assert_eq!(written.total.map(|total| total.to_string()), some("1.4"));
}

#[test]
fn searches_hours_and_what_is_not_speech() {
    let book = book();
    let searched = TokenUsage::ZERO.with(Meter::WebSearch, 3).with(Meter::GroundedPrompt, 1);
    let total = |model, usage| {
        cost(&book, "google", model, NOW, Tier::Standard, usage).total.map(|total| total.to_string())
    };
    assert_eq!(total("gemini-9", searched).as_deref(), Some("0.042"));
    assert_eq!(total("gemini-2.9", searched).as_deref(), Some("0.035"));
    assert_eq!(total("gemini-9-tts", searched), None);
    let one = TokenUsage::ZERO.with(Meter::Input, 1_000_000);
    let deep =
        |at| cost(&book, "deepseek", "d", at, Tier::Standard, one).total.map(|total| total.to_string());
    assert_eq!((deep(NOW).as_deref(), deep(NOW - 10 * 3_600).as_deref()), (Some("1"), Some("2")));
}

#[test]
fn what_is_changed_or_left_out_is_told() {
    let (document, notes) = import();
    assert_eq!(notes.left_out, ["openai/gpt-7: the data set gives it no price"]);
    assert_eq!(notes.rounded.len(), 2, "{:?}", notes.rounded);
    assert!(
        notes.rounded[0].ends_with("0.13999999999999999 as 0.14") && notes.rounded[1].ends_with("as 1/12")
    );
    let hosts: Vec<_> = document.providers.iter().map(|provider| provider.hosts.clone()).collect();
    assert_eq!(hosts, [vec!["api.deepseek.com".to_owned()], vec![], vec!["api.openai.com".to_owned()]]);
}

#[test]
fn what_the_import_does_not_know_stops_it() {
    let origin = Origin::default();
    for (from, to, says) in [
        ("input_mtok\": 3", "thoughts_mtok\": 3", "openai/gpt-9: the key `thoughts_mtok`"),
        ("{\"service_tier\": \"default\"}", "{\"mood\": \"good\"}", "the variant"),
        ("\\\\d{4}-\\\\d{2}-\\\\d{2}$", "(a|b)+$", "has no plain form"),
        ("\"input_mtok\": 3", "\"input_mtok\": -3", "`-3` is not a price"),
    ] {
        assert!(DATA.contains(from), "{from}");
        let fault =
            read(&DATA.replacen(from, to, 1), &origin, &mut Notes::default()).err().unwrap().to_string();
        assert!(fault.contains(says), "{fault}");
    }
    let (mut document, _) = import();
    for (from, to) in
        [("openai/gpt-8", "openai/gpt-0"), ("\"replace\": []", "\"replace\": [\"openai/gpt-0\"]")]
    {
        let fault = overlay::lay(&mut document, &OVERLAY.replacen(from, to, 1)).err().unwrap();
        assert!(fault.to_string().contains("openai/gpt-0"), "{fault}");
    }
    let faulty = OVERLAY.replacen("\"7\"", "7", 1);
    assert!(matches!(overlay::lay(&mut document, &faulty), Err(Failure::Book(BookError { .. }))));
}

#[test]
fn differences_from_the_second_source_are_told_unless_reviewed() {
    let book = book();
    let theirs = r#"{"gpt-9": {"litellm_provider": "openai", "input_cost_per_token": 2e-06, "output_cost_per_token": 7e-06,
        "input_cost_per_token_batches": 1.0000000000000002e-06, "cache_read_input_token_cost_batches": 1e-07},
        "gpt-0": {"litellm_provider": "openai", "input_cost_per_token": 1.0}}"#;
    let report = |reviewed: &str| compare::compare(&book, theirs, reviewed, None).unwrap();
    assert_eq!(
        report("[]"),
        [
            "openai/gpt-9 standard output: 8 in the book, 7 there",
            "openai/gpt-9 batch cache_read: none in the book, 0.1 there",
        ]
    );
    let reviewed = r#"[{"rows": ["openai/gpt-9 standard output"], "reason": "the page says 8"}, {"rows": ["openai/gpt-9 batch*"], "reason": "none"}]"#;
    assert_eq!(report(reviewed), Vec::<String>::new());
    let stale = report(&reviewed.replace("standard output", "standard input"));
    assert!(stale.iter().any(|row| row.contains("there is no such difference")), "{stale:?}");
    assert!(report(&reviewed.replace("the page says 8", "")).iter().any(|row| row.contains("no reason")));
}
