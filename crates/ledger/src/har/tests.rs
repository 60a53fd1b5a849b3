use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use outrigger_pricing::{Meter, PriceBook};
use outrigger_providers::FailureClass;
use serde_json::{Value, json};

use super::*;
use crate::{Outcome, Provenance};

const CHAT: &str = "https://api.openai.com/v1/chat/completions";
const ASKED: &str = r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"hello"}]}"#;
const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-5-mini-2025-08-07","choices":[{"index":0,"message":{"role":"assistant","content":"Ahoy."},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#;
const STREAM: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-sonnet-4-6\",\"usage\":{\"input_tokens\":25,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":15}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

fn entry(url: &str, asked: &str, content: Value) -> Value {
    json!({
        "startedDateTime": "2026-11-25T10:00:00.250+02:00",
        "time": 1500.0,
        "request": {
            "method": "POST", "url": url, "httpVersion": "h2",
            "headers": [
                {"name": ":authority", "value": "api.openai.com"},
                {"name": "content-type", "value": "application/json"},
                {"name": "x-outrigger-user", "value": "u_81"},
            ],
            "postData": {"mimeType": "application/json", "text": asked},
        },
        "response": {
            "status": 200, "httpVersion": "h2",
            "headers": [{"name": "content-type", "value": "application/json"}],
            "content": content,
        },
        "timings": {"blocked": -1, "dns": -1, "connect": 3, "send": 1, "wait": 496, "receive": 1000, "ssl": -1},
        "serverIPAddress": "[2606:4700::1]",
    })
}

fn answer(text: &str) -> Value {
    json!({"size": text.len(), "mimeType": "application/json", "text": text})
}

fn replayed(entries: &[Value]) -> Vec<HarEntry> {
    let archive =
        json!({"log": {"version": "1.2", "creator": {"name": "x", "version": "1"}, "entries": entries}});
    replay(&archive.to_string(), &["llm.corp.example".to_owned()], &Arc::new(PriceBook::builtin().clone()))
        .expect("a recording")
}

fn call(entry: &Value) -> CallRecord {
    match replayed(std::slice::from_ref(entry)).remove(0).made {
        Made::Call(record) => *record,
        other => panic!("{other:?}"),
    }
}

fn ignored(entry: &Value) -> String {
    match replayed(std::slice::from_ref(entry)).remove(0).made {
        Made::Ignored(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn millis(record: &CallRecord) -> [u64; 2] {
    [record.times.responded.unwrap(), record.times.ended].map(|at| at.since(record.times.started) / 1_000_000)
}

#[test]
fn a_recorded_call_has_the_record_of_a_live_one() {
    let record = call(&entry(CHAT, ASKED, answer(ANSWER)));
    assert_eq!((record.provider, record.mode.as_str()), ("openai", "recorded"));
    assert_eq!(record.served_model.as_deref(), Some("gpt-5-mini-2025-08-07"));
    assert_eq!(record.tokens.provenance, Provenance::Exact);
    assert_eq!(record.tokens.usage.get(Meter::Output), Some(5));
    // 10 × $0.25 and 5 × $2, per million.
    assert_eq!(record.cost.total.unwrap().to_string(), "0.0000125");
    assert_eq!(record.outcome, Outcome::Answered);
    assert_eq!(record.identity.get(outrigger_providers::Who::User), Some("u_81"));
    assert_eq!(record.times.started.0, 1_795_593_600_250_000_000);
    assert_eq!(millis(&record), [500, 1500]);
    assert_eq!(record.times.first_content, None, "no recording says it");
    assert_eq!(record.attempts[0].http_version, "2");
    assert_eq!(record.attempts[0].peer.unwrap().to_string(), "[2606:4700::1]:443");
}

#[test]
fn the_same_recording_has_the_same_ids_and_no_two_calls_share_one() {
    let entries = vec![entry(CHAT, ASKED, answer(ANSWER)); 2];
    let ids = |entries: &[HarEntry]| -> Vec<String> {
        let id = |entry: &HarEntry| match &entry.made {
            Made::Call(record) => record.id.to_string(),
            other => panic!("{other:?}"),
        };
        entries.iter().map(id).collect()
    };
    let first = ids(&replayed(&entries));
    assert_eq!(first, ids(&replayed(&entries)));
    assert_ne!(first[0], first[1]);
}

#[test]
fn recorded_calls_have_their_places_among_each_other() {
    let attempt = |second: u32, count: &str, status: u16| {
        let mut entry = entry(CHAT, ASKED, answer(if status == 200 { ANSWER } else { "{}" }));
        entry["startedDateTime"] = format!("2026-11-25T08:00:0{second}.000Z").into();
        entry["request"]["headers"] = json!([{"name": "x-stainless-retry-count", "value": count}]);
        entry["response"]["status"] = status.into();
        entry
    };
    let entries = replayed(&[attempt(0, "0", 500), attempt(3, "1", 200)]);
    let logical = |entry: &HarEntry| match &entry.made {
        Made::Call(record) => (record.logical.attempt, record.logical.id),
        other => panic!("{other:?}"),
    };
    let first = logical(&entries[0]).1;
    assert_eq!([logical(&entries[0]), logical(&entries[1])], [(1, first), (2, first)]);
}

#[test]
fn streams_are_read_from_text_and_from_base64_in_whatever_coding_is_left() {
    let url = "https://api.anthropic.com/v1/messages";
    let asked = r#"{"model":"claude-sonnet-4-6","max_tokens":64,"stream":true,"messages":[]}"#;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, STREAM.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let base64 = |bytes: &[u8]| json!({"size": STREAM.len(), "encoding": "base64", "text": BASE64_STANDARD.encode(bytes)});
    for content in [answer(STREAM), base64(STREAM.as_bytes()), base64(&gzip)] {
        let mut entry = entry(url, asked, content);
        entry["response"]["headers"] = json!([
            {"name": "Content-Type", "value": "text/event-stream"},
            {"name": "Content-Encoding", "value": "gzip"},
        ]);
        let record = call(&entry);
        assert_eq!(record.outcome, Outcome::Answered, "{record:?}");
        assert_eq!(record.tokens.provenance, Provenance::Exact);
        assert_eq!(record.tokens.usage.total_answer(), Some(15));
        assert_eq!(record.finish_reasons, ["stop"]);
    }
}

#[test]
fn what_the_recorder_left_out_is_unknown_and_no_fault_of_the_provider() {
    for content in [json!({"size": 900, "mimeType": "application/json"}), Value::Null] {
        let record = call(&entry(CHAT, ASKED, content));
        assert_eq!((record.outcome, record.cause.as_ref()), (Outcome::Unknown, None));
        assert_eq!(record.tokens.reason, Some("the recording holds no body of the answer"));
        assert_eq!(record.facts.model.as_deref(), Some("gpt-5-mini"));
    }
    let cut = &ANSWER[..ANSWER.len() - 20];
    let record = call(&entry(CHAT, ASKED, json!({"size": ANSWER.len(), "text": cut})));
    assert_eq!((record.outcome, record.cause.as_ref()), (Outcome::Unknown, None));
    assert_eq!(record.tokens.reason, Some("the recording holds only a part of the answer"));
    let record = call(&entry(CHAT, ASKED, answer(cut)));
    assert_eq!(record.tokens.reason, Some("the body is not whole JSON"), "so it came");
}

#[test]
fn failures_are_told_with_their_cause() {
    let refused = json!({"error": {"message": "Incorrect API key provided: sk-proj-***7x.", "type": "invalid_request_error", "param": null, "code": "invalid_api_key"}});
    let mut unauthorised = entry(CHAT, ASKED, answer(&refused.to_string()));
    unauthorised["response"]["status"] = json!(401);
    let record = call(&unauthorised);
    assert_eq!(record.cause.unwrap().class, FailureClass::Authentication);
    assert_eq!(record.cost.total.unwrap().to_string(), "0");

    let mut unreached = entry(CHAT, ASKED, Value::Null);
    unreached["response"]["status"] = json!(0);
    for (error, class) in [
        ("net::ERR_NAME_NOT_RESOLVED", FailureClass::Dns),
        ("net::ERR_CONNECTION_REFUSED", FailureClass::Connect),
        ("net::ERR_CERT_AUTHORITY_INVALID", FailureClass::Tls),
        ("net::ERR_TIMED_OUT", FailureClass::Timeout),
        ("something new", FailureClass::Other),
    ] {
        unreached["response"]["_error"] = json!(error);
        let cause = call(&unreached).cause.expect("a cause");
        assert_eq!((cause.class, cause.status), (class, None), "{error}");
        assert!(cause.text.contains(error), "{}", cause.text);
    }
    unreached["response"]["_error"] = json!("net::ERR_ABORTED");
    assert_eq!(call(&unreached).outcome, Outcome::Cancelled);
    unreached["response"]["_error"] = Value::Null;
    let record = call(&unreached);
    assert_eq!(record.tokens.reason, Some("the recording holds no answer"));

    let mut broken = entry(CHAT, ASKED, answer(&ANSWER[..100]));
    broken["response"]["_error"] = json!("net::ERR_INCOMPLETE_CHUNKED_ENCODING");
    assert_eq!(call(&broken).cause.unwrap().class, FailureClass::StreamCut);
}

#[test]
fn every_entry_has_its_place_and_says_why_it_is_no_call() {
    let mut get = entry("https://api.openai.com/v1/models", "", Value::Null);
    get["request"]["method"] = json!("GET");
    let mut undated = entry(CHAT, ASKED, answer(ANSWER));
    undated["startedDateTime"] = json!("yesterday");
    let entries = [
        entry("https://user:secret@shop.example/cart?token=secret#secret", "", Value::Null),
        json!({"request": {"url": 7}}),
        entry(CHAT, ASKED, answer(ANSWER)),
        get,
        undated,
        entry("no url", "", Value::Null),
        json!(null),
    ];
    let all = replayed(&entries);
    assert_eq!(all.iter().map(|entry| entry.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(all[0].url.as_deref(), Some("https://shop.example/cart"));
    assert!(!format!("{:?}", all[0]).contains("secret"), "{:?}", all[0]);
    let reasons: Vec<String> = [0, 1, 3, 4, 5, 6].iter().map(|index| ignored(&entries[*index])).collect();
    assert_eq!(reasons[0], "shop.example is no LLM provider's host");
    assert!(reasons[1].contains("cannot be read: "), "{}", reasons[1]);
    assert_eq!(reasons[2], "GET /v1/models of openai is no inference");
    assert_eq!(reasons[3], "its `startedDateTime` is `yesterday`, no instant of RFC 3339");
    assert_eq!(reasons[4], "its URL cannot be read");
    assert!(reasons[5].contains("cannot be read: "), "{}", reasons[5]);
}

/// As mitmproxy 12.3.1 wrote it (`hardump`), of two streams of the simulator's and a list of models.
#[test]
fn a_recording_of_mitmproxys_is_read() {
    let text = include_str!("../../tests/golden/mitmproxy.har");
    let entries = replay(text, &[], &Arc::new(PriceBook::builtin().clone())).unwrap();
    let costs: Vec<_> = entries
        .iter()
        .map(|entry| match &entry.made {
            Made::Call(record) => {
                assert_eq!(
                    (record.outcome, record.tokens.provenance),
                    (Outcome::Answered, Provenance::Exact)
                );
                assert!(record.facts.stream && record.key.is_some());
                record.cost.total.map(|total| total.to_string())
            }
            _ => None,
        })
        .collect();
    // 30 in, 12 out at $0.25 and $2; 26 in, 12 out at $3 and $15, per million.
    assert_eq!(costs, [Some("0.0000315".to_owned()), None, Some("0.000258".to_owned())]);
}

#[test]
fn hosts_of_ones_own_are_read_when_they_are_listed() {
    let record = call(&entry("https://llm.corp.example/team/v1/chat/completions", ASKED, answer(ANSWER)));
    assert_eq!((record.provider, record.tokens.usage.total_answer()), ("operator_listed", Some(5)));
}

#[test]
fn each_response_on_a_websocket_is_a_call() {
    let usage = json!({"input_tokens": 20, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 6, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 26});
    let response = |id: &str, status: &str| json!({"id": id, "object": "response", "status": status, "model": "gpt-5-mini", "output": [], "usage": usage});
    let message = |way: &str, time: f64, data: Value| json!({"type": way, "time": time, "opcode": 1, "data": data.to_string()});
    let mut entry = entry("wss://api.openai.com/v1/responses", "", Value::Null);
    entry["request"]["method"] = json!("GET");
    entry["response"]["status"] = json!(101);
    assert_eq!(ignored(&entry), "the recording holds no messages of this WebSocket");
    let asked = "x".repeat(70_000);
    entry["_webSocketMessages"] = json!([
        message(
            "send",
            1_795_593_601.0,
            json!({"type": "response.create", "model": "gpt-5-mini", "input": asked})
        ),
        message(
            "receive",
            1_795_593_602.0,
            json!({"type": "response.created", "response": response("resp_1", "in_progress")})
        ),
        message(
            "receive",
            1_795_593_603.5,
            json!({"type": "response.completed", "response": response("resp_1", "completed")})
        ),
        message(
            "send",
            1_795_593_604.0,
            json!({"type": "response.create", "model": "gpt-5-mini", "input": "again"})
        ),
    ]);
    let Made::Socket(records) = replayed(&[entry]).remove(0).made else { panic!("a socket") };
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].tokens.provenance, Provenance::Exact);
    assert_eq!(records[0].tokens.usage.total_answer(), Some(6));
    assert_eq!(records[0].times.ended.since(records[0].times.started), 2_500_000_000);
    assert_eq!(records[1].outcome, Outcome::Unknown, "the recording ended first");
}

#[test]
fn what_is_no_recording_says_what_to_give() {
    let book = Arc::new(PriceBook::builtin().clone());
    for text in ["", "{}", "[]", "{\"log\": {\"entries\": 7}}", "<html>"] {
        let fault = replay(text, &[], &book).expect_err("no recording").to_string();
        assert!(fault.contains("log.entries") && fault.contains("HAR 1.2"), "{fault}");
    }
    assert_eq!(replay("\u{feff}{\"log\":{\"entries\":[]}}", &[], &book), Ok(Vec::new()));
}
