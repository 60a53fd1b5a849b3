//! The JSON shape of a call, compared with the documents in `golden/`, which later readers rely on.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test they serve")]

mod support;

use outrigger_ledger::{End, call_json};
use serde_json::Value;
use support::bodies::{self, CHAT_STREAM, MESSAGES_START, chat, messages};

/// Compares all but the price book's hash, which changes with every price.
fn assert_golden(record: &outrigger_ledger::CallRecord, golden: &str) {
    let mut json = call_json(record);
    let hash = json["price_book"].take();
    assert_eq!(hash.as_str().map(str::len), Some(64));
    let golden: Value = serde_json::from_str(golden).unwrap();
    assert_eq!(json, golden, "{json:#}");
}

#[test]
fn an_answered_call() {
    let events = CHAT_STREAM.split_inclusive("\n\n").map(|event| event.as_bytes().to_vec()).collect();
    let script = chat(CHAT_STREAM)
        .response(events)
        .request_header("x-outrigger-step", "plan")
        .request_header("x-outrigger-session", "conv_42")
        .request_header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    assert_golden(&script.run(), include_str!("golden/answered.json"));
}

#[test]
fn a_failed_call() {
    let error = r#"{"error":{"message":"Incorrect API key provided: sk-pr***x7Qa.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
    assert_golden(&chat(error).status(401).run(), include_str!("golden/failed.json"));
}

#[test]
fn a_call_that_broke_off() {
    assert_golden(&messages(MESSAGES_START).end(End::Cut), include_str!("golden/cut.json"));
}

#[test]
fn every_member_is_always_there() {
    fn names(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }
    let [answered, failed] =
        [bodies::all()[1].run(), chat("{}").status(500).run()].map(|record| call_json(&record));
    assert_eq!(names(&answered), names(&failed));
    for member in ["tokens", "times", "bytes"] {
        assert_eq!(names(&answered[member]), names(&failed[member]));
    }
    assert_eq!(names(&answered["attempts"][0]), names(&failed["attempts"][0]));
}
