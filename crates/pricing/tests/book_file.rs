//! The checked-in book is sorted, sourced and compiled; a book with faults is refused, all of them at once with their places.

use std::borrow::Cow;

use outrigger_pricing::{Charge, Meter, PriceBook, TokenUsage};
use serde_json::Value;
use sha2::{Digest, Sha256};

const FILE: &str = include_str!("../prices.json");
const COMPILED: &[u8] = include_bytes!("../prices.bin");

fn array<'a>(value: &'a Value, key: &str) -> Vec<&'a Value> {
    value[key].as_array().map(|items| items.iter().collect()).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[track_caller]
fn assert_sorted<T: Ord + std::fmt::Debug>(what: &str, keys: &[T]) {
    for pair in keys.windows(2) {
        assert!(pair[0] < pair[1], "{what}: {:?} stands before {:?}", pair[0], pair[1]);
    }
}

#[test]
fn the_compiled_book_is_that_of_the_written_one_and_named_by_its_hash() {
    assert!(PriceBook::compile(FILE).unwrap() == COMPILED, "prices.bin is stale: run `prices compile`");
    let digest: String = Sha256::digest(FILE).iter().map(|byte| format!("{byte:02x}")).collect();
    let book = PriceBook::builtin();
    assert_eq!((&**book.hash(), book.date()), (digest.as_str(), "2026-11-16"));
    assert!(book.size() <= 1024 * 1024, "{} bytes are more than the book may cost", book.size());
}

#[test]
fn bytes_that_are_no_book_are_refused_and_damaged_ones_never_panic() {
    assert!(PriceBook::from_compiled(Cow::Borrowed(b"ORPRICE2")).is_err());
    assert!(PriceBook::from_compiled(Cow::Borrowed(FILE.as_bytes())).is_err());
    let usage = TokenUsage::ZERO.with(Meter::Input, 1_000).with(Meter::Output, 5);
    let charge = Charge::standard("openai", "gpt-5", 1_794_830_400, &usage);
    for step in 0..400 {
        let mut bytes = COMPILED.to_vec();
        let at = 84 + (step * 7_919) % (bytes.len() - 84);
        bytes[at] = bytes[at].wrapping_add(1 + u8::try_from(step % 250).unwrap());
        if let Ok(book) = PriceBook::from_compiled(Cow::Owned(bytes)) {
            let cost = book.cost(&charge);
            assert_eq!(cost.total.is_none(), cost.lines.is_empty());
        }
    }
}

#[test]
fn every_list_is_sorted() {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let ids = |items: &[&Value]| items.iter().map(|item| text(item, "id").to_owned()).collect::<Vec<_>>();
    let providers = array(&file, "providers");
    assert_sorted("providers", &ids(&providers));
    for provider in &providers {
        let models = array(provider, "models");
        assert!(!models.is_empty());
        assert_sorted(text(provider, "id"), &ids(&models));
    }
    assert!(providers.len() > 40);
}

#[test]
fn every_row_says_where_it_comes_from_and_when_that_was_checked() {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let mut rows = 0;
    for provider in array(&file, "providers") {
        let of_models = array(provider, "models").into_iter().flat_map(|model| {
            let lists = ["cards", "factors", "minimums", "allowances"].map(|list| array(model, list));
            lists.into_iter().flatten().chain(model.get("facts"))
        });
        let lists = ["factors", "pointers", "fallbacks"].map(|list| array(provider, list));
        for row in of_models.chain(lists.into_iter().flatten()) {
            assert!(!array(row, "source").is_empty(), "{}: {row}", text(provider, "id"));
            // A maintenance line of one source is a day newer than the book.
            let checked = text(row, "checked_on");
            assert!(checked.len() == 10 && checked <= "2026-11-17", "{}: {row}", text(provider, "id"));
            rows += 1;
        }
    }
    assert!(rows > 3_000, "only {rows} rows");
}

/// A small sound book, in which the tests below break one thing each.
const SOUND: &str = r#"{"schema": 2, "version": "1", "date": "2026-11-16", "currency": "USD", "license": "MIT",
"sources": {"page": "the vendor's page"},
"providers": [{"id": "acme", "aliases": ["acme_ai"],
"pointers": [{"name": "big-latest", "model": "big", "source": ["page"], "checked_on": "2026-11-16"}],
"models": [
{"id": "big", "match": ["bigger"], "factors": [{"when": {"region": "resident"}, "num": 11, "den": 10, "source": ["page"], "checked_on": "2026-11-16"}], "cards": [
{"lines": {"input": "2", "output": "10"}, "source": ["page"], "checked_on": "2026-11-16"},
{"threshold": {"basis": "total_prompt", "op": "gt", "tokens": 1000}, "lines": {"input": "4", "output": "15"}, "source": ["page"], "checked_on": "2026-11-16"},
{"when": {"tier": "flex"}, "valid_from": "2026-01-01", "valid_until": "2026-02-01", "lines": {"input": "1"}, "source": ["page"], "checked_on": "2026-11-16"}]},
{"id": "small", "cards": [
{"when": {"processing": "batch"}, "lines": {"input": "0.5"}, "source": ["page"], "checked_on": "2026-11-16"}]}]}]}"#;

#[track_caller]
fn refused(from: &str, to: &str) -> String {
    assert_eq!(SOUND.matches(from).count(), 1, "`{from}` must stand once");
    match PriceBook::parse(&SOUND.replacen(from, to, 1)) {
        Ok(_) => panic!("`{to}` was taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_sound_book_is_read() {
    PriceBook::parse(SOUND).unwrap();
}

#[test]
fn a_fault_is_named_with_its_place_and_mend() {
    for (from, to, place, fault, mend) in [
        (r#""input": "0.5""#, r#""input": "5e-1""#, "models.small.cards[0].lines.input", "`5e-1`", "figure"),
        (
            r#""input": "0.5""#,
            r#""input": 0.5"#,
            "models.small.cards[0].lines.input",
            "a number",
            "quotation marks",
        ),
        (r#""input": "0.5""#, r#""input": "-0.5""#, "lines.input", "out of range", "from 0"),
        (r#""input": "0.5""#, r#""input": "1000001""#, "lines.input", "out of range", "dollars"),
        (r#""input": "0.5""#, r#""input": "0.0000000000001""#, "lines.input", "12 digits", "n/d"),
        (r#""input": "0.5""#, r#""input": "1/0""#, "lines.input", "denominator", "n/d"),
        (r#""input": "0.5""#, r#""input": {"amount": "1", "per": 7}"#, "lines.input.per", "7", "1000000"),
        (r#""input": "0.5""#, r#""input": "1", "input": "2""#, "lines.input", "twice", "keep one"),
        (r#""input": "0.5""#, r#""thoughts": "1""#, "lines.thoughts", "not a meter", "input"),
        (r#"{"input": "0.5"}"#, "{}", "small.cards[0].lines", "no price", "at least one"),
        (r#"{"tier": "flex"}"#, r#"{"tier": "fast"}"#, "big.cards[2].when.tier", "`fast`", "these words"),
        (
            r#"{"tier": "flex"}"#,
            r#"{"tier": "flex", "speed": "fast"}"#,
            "cards[2].when",
            "one choice",
            "together",
        ),
        (r#"{"tier": "flex"}"#, r#"{"zone": "eu"}"#, "cards[2].when.zone", "not known", "correct the key"),
        (
            r#""valid_from": "2026-01-01""#,
            r#""valid_from": "2026-1-1""#,
            "cards[2].valid_from",
            "`2026-1-1`",
            "YYYY-MM-DD",
        ),
        (
            r#""valid_from": "2026-01-01""#,
            r#""valid_from": "2026-02-01""#,
            "cards[2]",
            "before it begins",
            "first instant",
        ),
        (
            r#""valid_until": "2026-02-01""#,
            r#""valid_until": "2026-02-30""#,
            "cards[2].valid_until",
            "2026-02-30",
            "YYYY-MM-DD",
        ),
        (
            r#""valid_from": "2026-01-01""#,
            r#""valid_form": "2026-01-01""#,
            "cards[2].valid_form",
            "not known",
            "take it out",
        ),
        (r#""op": "gt", "tokens": 1000"#, r#""op": "le", "tokens": 1000"#, "", "", ""),
        (r#""op": "gt""#, r#""op": "over""#, "cards[1].threshold.op", "`over`", "these words"),
        (r#""tokens": 1000"#, r#""tokens": 0"#, "cards[1].threshold", "no threshold", "tokens"),
        (
            r#"{"tier": "flex"}"#,
            r#"{"tier": "standard"}"#,
            "models.big.cards[2] (standard)",
            "cards[0]",
            "apart",
        ),
        (r#"["bigger"]"#, r#"["small"]"#, "models.small", "`small` stands twice", "one model"),
        (
            r#"["bigger"]"#,
            r#"["big-latest"]"#,
            "pointers.big-latest",
            "also the name of a model",
            "one or the other",
        ),
        (r#"["bigger"]"#, r#"[{"not": {"all": ["a", "b"]}}]"#, "models.big.match", "`not`", "single test"),
        (r#"["bigger"]"#, r#"[{"equals": "a", "contains": "b"}]"#, "big.match[0]", "one thing", "equals"),
        (r#""model": "big""#, r#""model": "none""#, "pointers.big-latest", "no model `none`", "id"),
        (r#"["acme_ai"]"#, r#"["acme"]"#, "providers.acme", "`acme` stands twice", "one provider"),
        (r#""num": 11"#, r#""num": 10001"#, "big.factors[0]", "10001/10", "10000"),
        (r#""currency": "USD""#, r#""currency": "EUR""#, "currency", "`EUR`", "USD"),
        (r#""schema": 2"#, r#""schema": 1"#, "schema", "schema 1", "schema 2"),
        (r#""version": "1", "#, "", "the book", "version", "which prices"),
        (r#""date": "2026-11-16""#, r#""date": "today""#, "date", "`today`", "YYYY-MM-DD"),
        (
            r#"{"page": "the vendor's page"}"#,
            "{}",
            "models.big.cards[0]",
            "source `page`",
            "head of the book",
        ),
        (
            r#""num": 11, "den": 10, "source": ["page"]"#,
            r#""num": 11, "den": 10"#,
            "big.factors[0]",
            "no source",
            "source",
        ),
        (
            r#"{"input": "1"}, "source": ["page"], "checked_on": "2026-11-16""#,
            r#"{"input": "1"}, "source": ["page"]"#,
            "cards[2]",
            "nobody checked",
            "checked_on",
        ),
        (r#""schema": 2,"#, r#""schema": 2"#, "line 1", "not JSON", "correct"),
    ] {
        if place.is_empty() {
            // Lengths that lie within others are more specific, no tie.
            PriceBook::parse(&SOUND.replacen(from, to, 1)).unwrap();
            continue;
        }
        let error = refused(from, to);
        for part in [place, fault, mend] {
            assert!(error.contains(part), "{to}: `{part}` is missing in: {error}");
        }
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let broken = SOUND.replacen(r#""input": "0.5""#, r#""input": 0.5"#, 1).replacen(
        r#""num": 11"#,
        r#""num": "11""#,
        1,
    );
    let faults = PriceBook::parse(&broken.replacen("valid_from", "valid_form", 1)).unwrap_err().faults;
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "providers.acme.models.big.cards[2].valid_form",
            "providers.acme.models.big.factors[0].num",
            "providers.acme.models.small.cards[0].lines.input",
        ]
    );
}

#[test]
fn schedules_are_checked_and_may_not_meet() {
    let with = |first: &str, second: &str| {
        let card = |schedule: &str| {
            format!(
                r#"{{"when": {{"schedule": {schedule}}}, "lines": {{"input": "1"}}, "source": ["page"], "checked_on": "2026-11-16"}}"#
            )
        };
        let from = r#"{"when": {"processing": "batch"}"#;
        PriceBook::parse(&SOUND.replacen(from, &format!("{}, {}, {from}", card(first), card(second)), 1))
    };
    let week = |days: &str, zone: &str, from: &str, to: &str| {
        format!(r#"{{"weekdays": [{days}], "timezone": "{zone}", "from": "{from}", "to": "{to}"}}"#)
    };
    with(&week("1, 2", "UTC", "01:00", "04:00"), &week("1, 2", "UTC", "04:00", "24:00")).unwrap();
    // Monday 09:00 in Beijing is 01:00 in UTC.
    let error =
        with(&week("1", "+08:00", "09:00", "10:00"), &week("1", "UTC", "00:00", "01:01")).unwrap_err();
    assert!(error.to_string().contains("can apply to the same call"), "{error}");
    for (broken, fault) in [
        (week("", "UTC", "01:00", "04:00"), "no weekday"),
        (week("8", "UTC", "01:00", "04:00"), "not a weekday"),
        (week("1", "Asia/Shanghai", "01:00", "04:00"), "timezone"),
        (week("1", "UTC", "22:00", "04:00"), "span within a day"),
    ] {
        let error = with(&broken, &week("7", "UTC", "00:00", "01:00")).unwrap_err();
        assert!(error.to_string().contains(fault), "{fault}: {error}");
    }
}
