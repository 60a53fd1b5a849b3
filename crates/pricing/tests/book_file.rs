//! The checked-in book is sorted and sourced, and a book with a fault is refused with its place and mend.

#![expect(clippy::panic, reason = "helpers of tests may fail the test they serve")]

use outrigger_pricing::{Meter, PriceBook, Tier};
use serde_json::Value;
use sha2::{Digest, Sha256};

const FILE: &str = include_str!("../prices.json");

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
fn the_checked_in_book_is_read_and_named_by_its_hash() {
    let book = PriceBook::parse(FILE).unwrap();
    let digest: String = Sha256::digest(FILE).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(book.hash(), digest);
    assert_eq!(book.date(), "2026-11-16");
    assert_eq!((PriceBook::builtin().hash(), PriceBook::builtin().date()), (book.hash(), book.date()));
}

#[test]
fn every_list_is_sorted() {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let ids = |items: &[&Value]| items.iter().map(|item| text(item, "id").to_owned()).collect::<Vec<_>>();
    let providers = array(&file, "providers");
    assert_sorted("providers", &ids(&providers));
    for provider in providers {
        let models = array(provider, "models");
        assert!(!models.is_empty());
        assert_sorted("models", &ids(&models));
        for model in models {
            let id = text(model, "id");
            assert_sorted(id, &array(model, "match").iter().map(|name| name.as_str()).collect::<Vec<_>>());
            let cards: Vec<_> = array(model, "cards")
                .into_iter()
                .map(|card| {
                    let tier = Tier::SOLD.iter().position(|tier| tier.as_str() == text(card, "tier"));
                    let threshold = ["le", "gt"].map(|side| card["prompt"][side].as_u64());
                    (tier, text(card, "valid_from").to_owned(), threshold[1], threshold[0])
                })
                .collect();
            assert_sorted(id, &cards);
        }
    }
}

#[test]
fn lines_stand_in_the_order_of_the_meters() {
    // By the text: a parsed map would have lost its order.
    let mut rows = 0;
    for row in FILE.lines().filter(|line| line.contains("\"lines\": {")) {
        let lines = row.split("\"lines\": {").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
        let places: Vec<_> = lines
            .split(", ")
            .map(|line| {
                let word = line.split('"').nth(1).unwrap();
                Meter::ALL.iter().position(|meter| meter.as_str() == word).unwrap()
            })
            .collect();
        assert_sorted(row, &places);
        rows += 1;
    }
    assert!(rows > 200, "only {rows} rows were seen: one card stands on one line");
}

#[test]
fn every_row_says_where_it_comes_from_and_when_that_was_checked() {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let date = text(&file, "date");
    for provider in array(&file, "providers") {
        for model in array(provider, "models") {
            for row in array(model, "cards").into_iter().chain(model.get("residency")) {
                assert!(!array(row, "source").is_empty(), "{}: {row}", text(model, "id"));
                let checked = text(row, "checked_on");
                assert!(checked.len() == 10 && checked <= date, "{}: {row}", text(model, "id"));
            }
        }
    }
}

/// A small sound book, in which the tests below break one thing each.
const SOUND: &str = r#"{"schema": 1, "version": "1", "date": "2026-11-16", "currency": "USD", "license": "MIT",
"sources": {"page": "the vendor's page"},
"providers": [{"id": "acme", "models": [
{"id": "big", "match": ["big-latest"], "residency": {"num": 11, "den": 10, "source": ["page"], "checked_on": "2026-11-16"}, "cards": [
{"tier": "standard", "prompt": {"le": 1000}, "lines": {"input": "2", "output": "10"}, "source": ["page"], "checked_on": "2026-11-16"},
{"tier": "standard", "prompt": {"gt": 1000}, "lines": {"input": "4", "output": "15"}, "source": ["page"], "checked_on": "2026-11-16"},
{"tier": "flex", "valid_from": "2026-01-01", "valid_until": "2026-02-01", "lines": {"input": "1"}, "source": ["page"], "checked_on": "2026-11-16"}]},
{"id": "small", "cards": [
{"tier": "batch", "lines": {"input": "0.5"}, "source": ["page"], "checked_on": "2026-11-16"}]}]}]}"#;

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
        (
            r#""input": "0.5""#,
            r#""input": "5e-1""#,
            "`small`, card 1 (batch), line `input`",
            "`5e-1`",
            "0.0125",
        ),
        (r#""input": "0.5""#, r#""input": "-0.5""#, "`small`, card 1", "-0.5 is out of range", "from 0"),
        (r#""input": "0.5""#, r#""input": "1000001""#, "`small`, card 1", "out of range", "per million"),
        (r#""input": "0.5""#, r#""input": "1", "input": "2""#, "line `input`", "twice", "keep one"),
        (r#"{"input": "0.5"}"#, r#"{"output": "0.5"}"#, "`small`, card 1", "no line `input`", "input"),
        (r#""tier": "flex""#, r#""tier": "fast""#, "`big`, card 3 (fast)", "`fast`", "priority"),
        (
            r#""valid_from": "2026-01-01""#,
            r#""valid_from": "2026-1-1""#,
            "card 3",
            "valid_from `2026-1-1`",
            "YYYY-MM-DD",
        ),
        (
            r#""valid_from": "2026-01-01""#,
            r#""valid_from": "2026-02-01""#,
            "card 3",
            "before it begins",
            "first day",
        ),
        (
            r#""valid_until": "2026-02-01""#,
            r#""valid_until": "2026-02-30""#,
            "card 3",
            "2026-02-30",
            "YYYY-MM-DD",
        ),
        (r#"{"gt": 1000}"#, r#"{"gt": 999}"#, "`big`, card 2 (standard)", "card 1", "apart"),
        (r#"{"gt": 1000}"#, r#"{"gt": 18446744073709551615}"#, "card 2", "threshold", "tokens"),
        (r#""tier": "flex""#, r#""tier": "standard""#, "`big`, card 3", "card 1", "apart"),
        (
            r#""match": ["big-latest"]"#,
            r#""match": ["small"]"#,
            "`small`",
            "`small` stands twice",
            "one model",
        ),
        (r#""num": 11"#, r#""num": 0"#, "`big`", "0/10", "1 to 100"),
        (r#""currency": "USD""#, r#""currency": "EUR""#, "head", "`EUR`", "USD"),
        (r#""schema": 1"#, r#""schema": 2"#, "head", "schema 2", "schema 1"),
        (r#""version": "1""#, r#""version": """#, "head", "version", "which prices"),
        (r#""date": "2026-11-16""#, r#""date": "today""#, "head", "date `today`", "YYYY-MM-DD"),
        (r#"{"page": "the vendor's page"}"#, "{}", "`big`", "source `page`", "head of the book"),
    ] {
        let error = refused(from, to);
        for part in [place, fault, mend] {
            assert!(error.contains(part), "{to}: `{part}` is missing in: {error}");
        }
    }
}

#[test]
fn rows_without_provenance_are_refused() {
    let card = r#""lines": {"input": "0.5"}, "source": ["page"], "checked_on": "2026-11-16""#;
    let bare = refused(card, r#""lines": {"input": "0.5"}, "source": [], "checked_on": "2026-11-16""#);
    assert!(bare.contains("no source"), "{bare}");
    let unchecked = refused(card, r#""lines": {"input": "0.5"}, "source": ["page"]"#);
    assert!(unchecked.contains("checked_on"), "{unchecked}");
    let never = refused(card, r#""lines": {"input": "0.5"}, "source": ["page"], "checked_on": "soon""#);
    assert!(never.contains("`soon`"), "{never}");
}

#[test]
fn unknown_words_are_refused_with_their_line() {
    for (from, to, word) in [
        (r#""valid_from": "2026-01-01""#, r#""valid_form": "2026-01-01""#, "valid_form"),
        (r#""input": "0.5""#, r#""input": "0.5", "thoughts": "1""#, "thoughts"),
        (r#"{"le": 1000}"#, r#"{"lt": 1000}"#, "lt"),
        (r#"{"le": 1000}"#, r#"{"le": 1000, "gt": 10}"#, ""),
        (r#""input": "0.5""#, r#""input": 0.5"#, "string"),
        (r#""schema": 1"#, r#""schema": 1, "note": """#, "note"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(word) && error.contains(" line "), "{to}: {error}");
    }
}

#[test]
fn entries_that_stand_twice_or_are_empty_are_refused() {
    let twice = refused(r#"]}]}]}"#, r#"]}]}, {"id": "acme", "models": []}]}"#);
    assert!(twice.contains("provider `acme`") && twice.contains("twice"), "{twice}");
    let empty = refused(
        r#"{"tier": "batch", "lines": {"input": "0.5"}, "source": ["page"], "checked_on": "2026-11-16"}"#,
        "",
    );
    assert!(empty.contains("model `small`") && empty.contains("no card"), "{empty}");
}
