use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const PATHS: &[Path] = &[
    &["model"],
    &["stream"],
    &["usage"],
    &["choices", "*", "finish_reason"],
    &["text", "format", "type"],
    &["n"],
];

fn scan(pieces: &[&[u8]]) -> JsonScan {
    let mut scan = JsonScan::new(PATHS);
    for piece in pieces {
        scan.push(piece);
    }
    scan
}

fn sample() -> Value {
    json!({
        "messages": [{"content": "a \"model\": \\ \u{e9} {[", "parts": [1, {"model": "no"}]}],
        "model": "gpt-\"6\"", "stream": true, "n": -1.5e3,
        "usage": {"a": {"b": [1, 2, "}"]}, "c": null},
        "choices": [{"finish_reason": "stop", "x": []}, {"finish_reason": null}],
        "text": {"format": {"schema": {"type": "no"}, "type": "json_schema"}},
    })
}

fn check(scan: &JsonScan) {
    assert!(scan.is_whole() && !scan.is_malformed());
    assert_eq!(scan.read::<String>(&["model"]).unwrap(), "gpt-\"6\"");
    assert_eq!(scan.read::<bool>(&["stream"]), Some(true));
    assert_eq!(scan.read::<f64>(&["n"]), Some(-1500.0));
    assert_eq!(scan.read::<Value>(&["usage"]).unwrap(), sample()["usage"]);
    assert_eq!(scan.read::<&str>(&["text", "format", "type"]), Some("json_schema"));
    let finish: Vec<_> = scan.values(&["choices", "*", "finish_reason"]).collect();
    assert_eq!(finish, [&b"\"stop\""[..], b"null"]);
}

#[test]
fn picks_the_same_values_however_the_text_is_cut() {
    for text in [sample().to_string(), format!("\n {:#}\n", sample())] {
        let bytes = text.as_bytes();
        for cut in 0..=bytes.len() {
            check(&scan(&[&bytes[..cut], &bytes[cut..]]));
        }
        check(&scan(&bytes.chunks(1).collect::<Vec<_>>()));
    }
}

#[test]
fn what_is_not_json_is_flagged_and_what_is_cut_is_not_whole() {
    for text in ["<html>", "{\"a\" 1}", "[1 2]", "{1:2}", "}", "not json at all", "{} x", "{}{}"] {
        assert!(scan(&[text.as_bytes()]).is_malformed(), "{text}");
    }
    let cut = scan(&[b"{\"model\":\"gpt\",\"usage\":{\"a\":1"]);
    assert!(!cut.is_whole() && !cut.is_malformed());
}

#[test]
fn a_value_beyond_the_bound_is_dropped_and_noted() {
    let mut long = JsonScan::new(PATHS);
    long.push(b"{\"model\":\"");
    for _ in 0..1000 {
        long.push(&[b'x'; 1000]);
    }
    long.push(b"\",\"stream\":false}");
    assert!(long.has_dropped(&["model"]) && !long.has_dropped(&["stream"]) && long.is_whole());
    assert_eq!(long.value(&["model"]), None);
    assert!(long.held() < 100);
    assert_eq!(long.read::<bool>(&["stream"]), Some(false));
}

#[test]
fn what_comes_often_takes_no_room_from_what_comes_last() {
    let mut many = JsonScan::new(PATHS);
    many.push(b"{\"choices\":[");
    for _ in 0..100_000 {
        many.push(b"{\"finish_reason\":\"stop\"},");
    }
    many.push(b"{}],\"model\":\"first\",\"usage\":{\"a\":1},\"model\":\"last\"}");
    assert!(many.is_whole() && many.has_dropped(&["choices", "*", "finish_reason"]));
    assert_eq!(many.values(&["choices", "*", "finish_reason"]).count(), MOST);
    assert_eq!(many.value(&["usage"]), Some(&b"{\"a\":1}"[..]));
    assert_eq!(many.values(&["model"]).collect::<Vec<_>>(), [b"\"last\""]);
    assert!(many.held() <= PATHS.len() * (LONGEST + MOST * 8));
}

#[test]
fn values_say_which_element_they_stand_in() {
    let scan = scan(&[br#"{"choices":[{},{"finish_reason":"a"},7,{"x":[1,2],"finish_reason":"b"}]}"#]);
    let found: Vec<_> = scan.elements(&["choices", "*", "finish_reason"]).collect();
    assert_eq!(found, [(1, &b"\"a\""[..]), (3, b"\"b\"")]);
}

#[test]
fn a_scanner_that_begins_anew_has_forgotten_all() {
    let mut used = scan(&[b"{\"model\":\"old\",\"choices\":[{\"finish_reason\":\"stop\"}],\"n\":"]);
    used.reset();
    used.push(sample().to_string().as_bytes());
    check(&used);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop_oneof![
        Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b','), Just(b':'), any::<u8>()], 0..200)
    ) {
        let whole = scan(&[&bytes]);
        let single = scan(&bytes.chunks(1).collect::<Vec<_>>());
        prop_assert_eq!(whole.is_malformed(), single.is_malformed());
        prop_assert_eq!(whole.slots, single.slots);
    }
}
