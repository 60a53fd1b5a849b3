//! The JSON shape of a call, compared with the documents in `golden/`, which later readers rely on.

use outrigger_ledger::{End, ToldCall, call_json};
use outrigger_pricing::PriceBook;
use serde_json::Value;

use crate::support::bodies::{self, CHAT_STREAM, MESSAGES_START, chat, messages};

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

#[test]
fn what_a_price_depends_on_is_read_back() {
    for record in [chat(CHAT_STREAM).run(), messages(MESSAGES_START).end(End::Cut)] {
        let json = call_json(&record);
        for text in [json.to_string(), Value::from(vec![json.clone()]).to_string()] {
            let told = ToldCall::read(&text).unwrap();
            assert_eq!(told.usage, record.tokens.usage);
            assert_eq!(
                (told.tier, told.region, told.recorded),
                (record.tier, record.region, record.cost.total)
            );
            assert_eq!(
                (told.provider.as_str(), Some(told.model.as_str())),
                (record.provider, record.model())
            );
            assert_eq!(told.at, record.times.started.unix_seconds());
            let cost = PriceBook::builtin().cost(&told.charge(PriceBook::builtin()));
            assert_eq!((cost.total, cost.lines), (record.cost.total, record.cost.lines.clone()));
        }
    }
}

#[test]
fn a_log_record_of_otlp_is_read_too() {
    let log = r#"{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [
        {"key": "outrigger.call.id", "value": {"stringValue": "ab"}},
        {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
        {"key": "gen_ai.response.model", "value": {"stringValue": "gpt-6-sol"}},
        {"key": "outrigger.cost.tier", "value": {"stringValue": "flex"}},
        {"key": "outrigger.cost.region", "value": {"stringValue": "resident"}},
        {"key": "outrigger.cost.usd", "value": {"stringValue": "0.165"}},
        {"key": "outrigger.time.started", "value": {"intValue": "1794830400000000000"}},
        {"key": "outrigger.usage.input", "value": {"intValue": "100000"}},
        {"key": "outrigger.usage.cache_read", "value": {"intValue": "0"}},
        {"key": "outrigger.usage.output", "value": {"intValue": "10000"}},
        {"key": "outrigger.usage.provenance", "value": {"stringValue": "exact"}}]}]}]}]}"#;
    let told = ToldCall::read(log).unwrap();
    let cost = PriceBook::builtin().cost(&told.charge(PriceBook::builtin()));
    assert_eq!(cost.total, told.recorded);
    assert_eq!(cost.total.map(|total| total.to_string()).as_deref(), Some("0.165"));
}

#[test]
fn what_is_no_record_says_what_it_lacks() {
    let whole = call_json(&chat(CHAT_STREAM).run());
    let without = |path: &[&str]| {
        let mut json = whole.clone();
        let (last, parents) = path.split_last().unwrap();
        let parent = parents.iter().fold(&mut json, |json, key| &mut json[*key]);
        parent.as_object_mut().unwrap().remove(*last);
        json.to_string()
    };
    for (text, says) in [
        ("{".to_owned(), "not JSON"),
        ("[]".to_owned(), "0 records"),
        ("[{}, {}]".to_owned(), "2 records"),
        ("7".to_owned(), "no object"),
        ("{}".to_owned(), "`tokens` is missing"),
        (without(&["tokens", "meters"]), "`tokens.meters` is missing"),
        (without(&["times", "started"]), "`times.started` is missing"),
        (without(&["provider"]), "`provider` is missing"),
        (without(&["model"]), "`model` is missing"),
        (whole.to_string().replace("\"region\":\"global\"", "\"region\":\"moon\""), "`moon`"),
        (whole.to_string().replace("\"cost\":\"0.0041905\"", "\"cost\":\"4e-3\""), "`4e-3`"),
        (whole.to_string().replace("\"reasoning\":{", "\"thoughts\":{"), "`thoughts`"),
        (whole.to_string().replace("\"count\":210", "\"count\":-1"), "-1"),
    ] {
        let error = ToldCall::read(&text).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
}
