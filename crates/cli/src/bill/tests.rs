//! The bill over records made from bytes by the real pipeline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, StatusCode};
use outrigger_diagnosis::{Kind, Verdict};
use outrigger_ledger::{
    Call, CallId, CallRecord, CallStart, Chain, End, JoinedBy, Logical, Mode, Recorder, Retried, Timestamp,
};
use outrigger_pricing::PriceBook;
use outrigger_pricing::estimate::Estimate;
use outrigger_providers::services;

use super::*;

const NOW: u64 = 1_794_830_400_000_000_000;

fn call(status: u16, body: &str, key: &str, step: Option<&str>) -> Arc<CallRecord> {
    named(status, body, key, &[("x-outrigger-step", step)])
}

fn named(status: u16, body: &str, key: &str, names: &[(&'static str, Option<&str>)]) -> Arc<CallRecord> {
    let service = services::by_host("api.openai.com").unwrap();
    let path = "/v1/chat/completions";
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
    for (header, name) in names {
        if let Some(name) = name {
            headers.insert(*header, name.parse().unwrap());
        }
    }
    let mut call = Call::begin(CallStart {
        id: CallId([1; 16]),
        service,
        recognised: (service.recognise)(&Method::POST, path),
        mode: Mode::Connect,
        method: &Method::POST,
        path,
        query: None,
        headers: &headers,
        host: "api.openai.com",
        port: 443,
        http_version: "1.1",
        identity: &Arc::default(),
        at: Timestamp(NOW),
    });
    call.request_chunk(br#"{"model":"gpt-5"}"#);
    let json = [("content-type".parse().unwrap(), "application/json".parse().unwrap())];
    call.response_head(StatusCode::from_u16(status).unwrap(), &json.into_iter().collect(), Timestamp(NOW));
    call.response_chunk(body.as_bytes(), Timestamp(NOW));
    Arc::new(call.finish(End::Complete, Timestamp(NOW + 1_000_000_000), PriceBook::builtin()))
}

const ANSWER: &str = r#"{"id":"c","model":"gpt-5","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":500}}"#;
const UNKNOWN_MODEL: &str = r#"{"id":"c","model":"house-9","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
const REFUSED: &str = r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#;

const GOOD: &str = "sk-good-0123456789-Lm04";
const BAD: &str = "sk-mistyped-0123456789-x7Qa";

/// An attempt that failed in its answer is no call, and is paid all the same.
#[test]
fn what_failed_attempts_cost_is_added_under_their_own_names() {
    let mut moved = (*call(200, ANSWER, GOOD, Some("plan"))).clone();
    let mut before = moved.attempts[0].clone();
    (before.provider, before.model) = ("azure", Some("our-gpt".to_owned()));
    before.used = Some(Box::new(Used { tokens: moved.tokens.clone(), cost: moved.cost.clone() }));
    moved.attempts[0].number = 2;
    moved.attempts.insert(0, before);
    let bill = Bill::new(false);
    bill.try_record(Arc::new(moved));
    let told = bill.json();
    assert_eq!((&told["total"]["calls"], &told["total"]["cost"]), (&1.into(), &"0.0125".into()));
    let text = bill.summary(None, None);
    assert!(text.contains("plan 1 $0.012500"), "{text}");
    let row = |provider: &str| text.lines().find(|line| line.trim_start().starts_with(provider)).unwrap();
    for provider in ["openai", "azure"] {
        assert!(row(provider).contains("$0.006250"), "{text}");
    }
}

#[test]
fn the_summary_adds_up_and_names_what_it_leaves_out() {
    let bill = Bill::new(false);
    bill.try_record(call(200, ANSWER, GOOD, Some("plan")));
    bill.try_record(call(200, ANSWER, GOOD, None));
    bill.try_record(call(200, UNKNOWN_MODEL, GOOD, None));
    bill.try_record(call(401, REFUSED, BAD, None));
    let text = bill.summary(None, None);
    assert!(text.contains("4 calls"), "{text}");
    assert!(text.contains("$0.012500 + 1 unpriced · 3 answered, 1 failed"), "{text}");
    assert!(text.contains("plan 1 $0.006250"), "{text}");
    assert!(text.contains("1 × openai 401 invalid_api_key, first 12:00:01Z: the key ending …x7Qa"), "{text}");
    assert!(text.contains("Another key in use, …Lm04, works."), "{text}");
    assert!(text.contains("unpriced") && text.contains("2,000"), "{text}");
    assert!(text.contains("none named: 100.0 % of the cost has no user"), "{text}");
    assert!(!text.contains(BAD) && !text.contains(GOOD));
    assert_eq!(bill.json()["total"]["cost"], "0.0125");
}

#[test]
fn who_cost_what_is_told_and_how_much_names_nobody() {
    let bill = Bill::new(false);
    let (user, tenant) = ("x-outrigger-user", "x-outrigger-tenant");
    for name in ["zoe", "zoe", "abe"] {
        bill.try_record(named(200, ANSWER, GOOD, &[(user, Some(name)), (tenant, Some("acme"))]));
    }
    assert!(
        bill.summary(None, None)
            .contains("  users      zoe 2 $0.012500 · abe 1 $0.006250 · all calls name their user\n")
    );
    bill.try_record(call(200, ANSWER, GOOD, None));
    let text = bill.summary(None, None);
    let users =
        "  users      zoe 2 $0.012500 · abe 1 $0.006250 · without a user 1 $0.006250 (25.0 % of the cost)\n";
    assert!(text.contains(users), "{text}");
    assert!(text.contains("  tenants    acme 3 $0.018750\n"), "{text}");
    let people = &bill.json()["people"];
    assert_eq!(people["without_user"]["share_of_cost"], 0.25);
    assert_eq!(people["users"][1]["sums"]["cost"], "0.0125");
}

#[test]
fn what_belongs_together_is_told() {
    let bill = Bill::new(false);
    let placed = |attempt: u32, number: u32, prompt: u64| {
        let mut record = CallRecord::clone(&call(200, ANSWER, GOOD, None));
        record.facts.thread.prompt = Some(prompt);
        let retried =
            Retried { call: CallId([2; 16]), span: record.span, failed: true, by: JoinedBy::RetryCount };
        record.logical = Logical { id: record.id, attempt, retried: (attempt > 1).then_some(retried) };
        record.chain = Some(Chain { id: CallId([1; 16]), number, parent: None });
        bill.try_record(Arc::new(record));
    };
    placed(1, 1, 7);
    let text = bill.summary(None, None);
    assert!(!["retries", "chains", "prompts"].iter().any(|line| text.contains(line)), "{text}");
    placed(2, 1, 7);
    placed(1, 3, 8);
    let text = bill.summary(None, None);
    for line in [
        "  retries    1 call of SDKs, of 2 logical calls; 1 failure tried again\n",
        "  chains     1 conversation of several calls, the longest of 3\n",
        "  prompts    00000000 2 $0.012500 · 00000000 1 $0.006250\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert_eq!(bill.json()["threads"]["prompts"][1]["fingerprint"], "0000000000000008");
}

#[test]
fn a_bill_with_many_users_stays_short() {
    let bill = Bill::new(false);
    for number in 0..300 {
        bill.try_record(named(200, ANSWER, GOOD, &[("x-outrigger-user", Some(&format!("u{number:03}")))]));
    }
    let text = bill.summary(None, None);
    let line = text.lines().find(|line| line.starts_with("  users")).unwrap();
    assert!(line.contains("(other) 100 $0.625000") && line.contains("196 more 196 $1.225000"), "{line}");
}

#[test]
fn a_repeated_failure_is_said_once_and_counted() {
    let mut failures = Failures::default();
    let record = call(401, REFUSED, BAD, None);
    let start = Instant::now();
    assert!(failures.note(&record, start).unwrap().contains("…x7Qa"));
    assert_eq!(failures.note(&record, start + Duration::from_secs(1)), None);
    assert_eq!(failures.note(&record, start + Duration::from_secs(2)), None);
    let later = failures.note(&record, start + Duration::from_secs(6)).unwrap();
    assert!(later.contains("(2 more of these meanwhile)"), "{later}");
    assert_eq!(failures.groups()[0].count, 4);
}

#[test]
fn an_empty_bill_says_so() {
    assert!(Bill::new(false).summary(None, None).contains("0 calls"));
}

#[test]
fn sums_of_tokens_say_what_they_lack_and_whence_they_are() {
    let bill = Bill::new(false);
    bill.try_record(call(200, ANSWER, GOOD, None));
    let mut late = CallRecord::clone(&call(200, ANSWER, GOOD, None));
    late.tokens.provenance = Provenance::ProviderLate;
    bill.try_record(Arc::new(late));
    let whole = bill.summary(None, None);
    assert!(
        whole.contains("2 calls as reported by the provider, 1 of them after the app had left"),
        "{whole}"
    );
    assert!(whole.contains(" 2,000 ") && whole.contains(" 1,000 "), "{whole}");
    // An answer that broke off: its prompt and its answer are not known.
    bill.try_record(call(200, r#"{"id":"c","model":"gpt-5","choices":[{"#, GOOD, None));
    let cut = bill.summary(None, None);
    assert!(cut.contains("≥2,000") && cut.contains("≥1,000") && cut.contains(", 1 unknown"), "{cut}");
    let json = bill.json();
    assert_eq!(json["tokens"]["provider_late"], 1);
    assert_eq!(
        (&json["models"][0]["input"], &json["models"][0]["input_incomplete"]),
        (&2000.into(), &1.into())
    );
}

#[test]
fn what_is_estimated_is_never_unmarked() {
    let bill = Bill::new(false);
    bill.try_record(call(200, ANSWER, GOOD, None));
    let mut estimated = CallRecord::clone(&call(200, ANSWER, GOOD, Some("plan")));
    estimated.tokens.provenance = Provenance::Estimated;
    estimated.tokens.answer = Some(Estimate { tokens: 500, low: 400, high: 640 });
    estimated.cost.completeness = Completeness::Estimated;
    bill.try_record(Arc::new(estimated));
    let text = bill.summary(None, None);
    assert!(text.contains("· $0.012500 ($0.006250 of it estimated) ·"), "{text}");
    assert!(text.contains(" 2,000 ") && text.contains("~1,000") && text.contains("~$0.012500"), "{text}");
    assert!(text.contains("1 call as reported by the provider, 1 estimated from the texts"), "{text}");
    let json = bill.json();
    assert_eq!(
        (&json["total"]["estimated"], &json["total"]["estimated_cost"]),
        (&1.into(), &"0.00625".into())
    );
    assert_eq!(json["tokens"]["estimated"], 1);
}

#[test]
fn what_was_found_wrong_stands_under_the_bill_with_when_it_was_over() {
    let bill = Bill::new(false);
    let outage = Verdict {
        kind: Kind::Outage,
        provider: Some("openai"),
        model: None,
        key: None,
        since: Timestamp(3_600_000_000_000),
        last: Timestamp(3_600_000_000_000),
        calls: 3,
        resets: None,
        cause: "openai has an outage".to_owned(),
        evidence: "3 of the last 3 calls".to_owned(),
        next_step: "see the status page".to_owned(),
    };
    let refused =
        Verdict { kind: Kind::MistypedKey, cause: "openai refuses a key".to_owned(), ..outage.clone() };
    bill.changed(&Change::Began(outage.clone()));
    bill.changed(&Change::Began(refused));
    let over = Verdict { calls: 7, last: Timestamp(3_660_000_000_000), ..outage };
    bill.changed(&Change::Ended(over, "calls succeed again"));
    let text = bill.summary(None, None);
    let rows = "
  VERDICT  outage (01:00:00Z to 01:01:00Z, 7 calls; over: calls succeed again): openai has an outage. Evidence: 3 of the last 3 calls. Next: see the status page
           mistyped_key (since 01:00:00Z): openai refuses a key. Evidence: 3 of the last 3 calls. Next: see the status page
";
    assert!(text.contains(rows), "{text}");
}
