//! A call that is asked for more than once: what is said of each attempt, and whose answer counts.

use std::io::Write as _;
use std::sync::{Arc, LazyLock};

use allocation_counter::measure;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{
    Beginning, Call, CallId, CallRecord, CallStart, Elsewhere, End, Fate, IdentityRules, Mode, Outcome,
    Provenance, Timestamp, call_json, failure,
};
use outrigger_pricing::{PriceBook, TokenUsage};
use outrigger_providers::{FailureClass, Progress, Recognised, Service, services};

use crate::support::START;

const HOST: &str = "api.openai.com";
const PATH: &str = "/v1/chat/completions";
const ANSWER: &str = r#"{"id":"chatcmpl-1","model":"gpt-5.1","choices":[{"index":0,"message":{"role":"assistant","content":"Nine."},
    "finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}"#;
const REQUEST: &str = r#"{"model":"gpt-5.1","messages":[{"role":"user","content":"Ebb?"}]}"#;

static NOBODY: LazyLock<Arc<IdentityRules>> = LazyLock::new(Arc::default);

fn service(host: &str) -> &'static Service {
    services::by_host(host).unwrap()
}

fn recognised(host: &str, path: &str) -> Recognised {
    (service(host).recognise)(&Method::POST, path)
}

fn content_type(kind: &str) -> HeaderMap {
    [(CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect()
}

fn at(millis: u64) -> Timestamp {
    Timestamp(START + millis * 1_000_000)
}

fn start(headers: &HeaderMap) -> CallStart<'_> {
    CallStart {
        id: CallId([0xab; 16]),
        service: service(HOST),
        recognised: recognised(HOST, PATH),
        mode: Mode::Connect,
        method: &Method::POST,
        path: PATH,
        query: None,
        headers,
        host: HOST,
        port: 443,
        http_version: "2",
        identity: &NOBODY,
        at: at(0),
    }
}

fn asking(headers: &HeaderMap) -> Box<Call> {
    let mut call = Call::begin(start(headers));
    call.request_chunk(REQUEST.as_bytes());
    call
}

fn begun() -> Box<Call> {
    let mut call = asking(&HeaderMap::new());
    call.decided_by(&"chat".into());
    call.connected(Some(([192, 0, 2, 7], 443).into()));
    call.attempt_over(Some(StatusCode::INTERNAL_SERVER_ERROR), Some(FailureClass::ServerError), at(10));
    call
}

fn elsewhere<'a>(name: &'a Arc<str>, host: &'a str, path: &'a str) -> Elsewhere<'a> {
    Elsewhere {
        backup: name,
        service: service(host),
        recognised: recognised(host, path),
        host,
        port: 443,
        path,
        query: Some("api-version=v1"),
        http_version: "1.1",
        model: Some("our-gpt"),
        deployed: Some("gpt-5-mini"),
    }
}

fn json(call: &mut Call, status: u16, body: &str, now: Timestamp) {
    let headers = [(http::header::CONTENT_TYPE, "application/json".parse().unwrap())].into_iter().collect();
    call.response_head(StatusCode::from_u16(status).unwrap(), &headers, now);
    call.response_chunk(body.as_bytes(), now);
}

fn finish(call: Box<Call>) -> CallRecord {
    call.finish(End::Complete, at(100), PriceBook::builtin())
}

#[test]
fn a_call_that_moved_is_its_servers_and_says_what_was_asked() {
    let mut call = begun();
    let (name, host) = ("azure-eu".into(), "shop.openai.azure.com");
    call.passed_over("claude", "too dear");
    call.attempt(Some(&elsewhere(&name, host, "/openai/v1/chat/completions")), at(30));
    json(
        &mut call,
        200,
        r#"{"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}"#,
        at(40),
    );
    let record = finish(call);
    assert_eq!((record.provider, record.outcome), ("azure", Outcome::Answered));
    assert_eq!(record.facts.model.as_deref(), Some("gpt-5.1"), "what the app asked for");
    // By hand: 100 × 0.25 + 10 × 2 per million, by the model that stands behind the deployment.
    assert_eq!(record.deployed_model.as_deref(), Some("gpt-5-mini"));
    assert_eq!(record.cost.total.map(|total| total.to_string()).as_deref(), Some("0.000045"));
    let [first, second] = &*record.attempts else { panic!("{:?}", record.attempts) };
    assert_eq!(
        (first.host.as_str(), first.model.as_deref(), first.status),
        (HOST, Some("gpt-5.1"), Some(500))
    );
    assert_eq!((first.class, first.error_type.as_deref()), (Some(FailureClass::ServerError), Some("500")));
    assert_eq!((first.started, first.ended, first.peer.is_some()), (at(0), at(10), true));
    assert_eq!((second.host.as_str(), second.model.as_deref()), (host, Some("our-gpt")));
    assert_eq!((second.backup.as_deref(), second.http_version), (Some("azure-eu"), "1.1"));
    assert_eq!((second.started, second.ended, second.class), (at(30), at(100), None));
    let routed = record.routed.as_ref().unwrap();
    assert_eq!((&*routed.rule, routed.requested_provider, routed.serving), ("chat", "openai", 2));
    assert_eq!(routed.passed_over, ["claude: too dear"]);
    assert_eq!(record.serving().unwrap().number, 2);
    assert_eq!((record.fate(), record.moved_for()), (Some(Fate::Moved), Some("server_error")));
}

/// The attempts before the last one each have what they used.
#[test]
fn what_came_of_answers_that_the_app_did_not_get_is_counted_and_no_other() {
    let mut call = begun();
    let (name, host, path) = ("azure-eu".into(), "shop.openai.azure.com", "/openai/v1/chat/completions");
    let headers = [(http::header::CONTENT_TYPE, "application/json".parse().unwrap())].into_iter().collect();
    let whole = r#"{"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}"#;
    call.attempt(Some(&elsewhere(&name, host, path)), at(20));
    call.came_unseen(StatusCode::OK, &headers, whole.as_bytes().chunks(9), at(25));
    call.attempt_over(None, Some(FailureClass::Malformed), at(25));
    for class in [FailureClass::Dns, FailureClass::Timeout] {
        call.attempt(Some(&elsewhere(&name, host, path)), at(30));
        call.attempt_over(None, Some(class), at(40));
    }
    call.attempt(Some(&elsewhere(&name, host, path)), at(50));
    json(&mut call, 200, &whole.replace("100", "200").replace("110", "210"), at(60));
    let record = finish(call);
    let used = |at: usize| record.attempts[at].used.as_ref().unwrap();
    let zero = |at: usize| (used(at).tokens.provenance, used(at).cost.total.map(|it| it.to_string()));
    let nothing = (Provenance::Exact, Some("0".to_owned()));
    assert_eq!((zero(0), zero(2)), (nothing.clone(), nothing), "refused, and never sent");
    // By hand, by the model behind the deployment: 100 × 0.25 + 10 × 2 per million.
    assert_eq!(zero(1), (Provenance::Exact, Some("0.000045".to_owned())));
    assert_eq!(used(3).tokens.usage, TokenUsage::UNKNOWN);
    assert_eq!((used(3).tokens.provenance, used(3).cost.total), (Provenance::Unknown, None));
    assert!(record.attempts[4].used.is_none());
    assert_eq!(record.cost.total.map(|it| it.to_string()).as_deref(), Some("0.00007"));
    let told = call_json(&record);
    assert_eq!(
        (&told["attempts"][1]["cost"], &told["attempts"][1]["tokens"]["output_total"]),
        (&"0.000045".into(), &10.into())
    );
}

#[test]
fn where_all_failed_the_app_has_its_own_providers_failure() {
    let mut call = begun();
    let name = "azure-eu".into();
    call.attempt(Some(&elsewhere(&name, "shop.openai.azure.com", "/openai/v1/chat/completions")), at(30));
    call.attempt_over(None, Some(FailureClass::Dns), at(40));
    call.give(true);
    json(&mut call, 500, r#"{"error":{"message":"its own","type":"server_error","code":null}}"#, at(41));
    let record = finish(call);
    assert_eq!((record.provider, record.outcome), ("openai", Outcome::Failed));
    let cause = record.cause.as_ref().unwrap();
    assert_eq!((cause.class, cause.status), (FailureClass::ServerError, Some(500)));
    assert_eq!((record.tokens.provenance, record.attempts.len()), (Provenance::Exact, 2));
    assert_eq!(record.attempts[1].error_type.as_deref(), Some("dns_error"));
    assert_eq!(record.serving().unwrap().number, 1);
    assert_eq!((record.fate(), record.moved_for()), (Some(Fate::Exhausted), Some("server_error")));
}

/// A rule may have to read the request before it is sent, and an answer in one piece before it is shown: what is compressed tells nothing
/// at a glance.
#[test]
fn what_was_read_for_a_rule_is_not_read_again_and_leaves_the_same_record() {
    let headers = [(CONTENT_TYPE, "application/json"), (CONTENT_ENCODING, "gzip")];
    let headers = headers.map(|(name, value)| (name, value.parse().unwrap())).into_iter().collect();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(ANSWER.as_bytes()).unwrap();
    let answer = gzip.finish().unwrap();
    let ended = |was_read: bool| {
        let mut call = asking(&HeaderMap::new());
        if was_read {
            assert_eq!(call.asked().model.as_deref(), Some("gpt-5.1"));
            let mut beginning = Beginning::new(&recognised(HOST, PATH), StatusCode::OK, &headers);
            assert_eq!(beginning.push(&headers, &answer), Progress::Lifecycle);
            let (progress, reading) = beginning.end(&headers, [&*answer].into_iter());
            assert_eq!(progress, Progress::Ended);
            call.was_held(reading.unwrap());
        }
        let mut record = None;
        let took = measure(|| {
            call.response_head(StatusCode::OK, &headers, at(10));
            call.response_chunk(&answer, at(10));
            record = Some(call.finish(End::Complete, at(20), PriceBook::builtin()));
        });
        (took.count_total, call_json(&record.unwrap()).to_string())
    };
    let ((cost, record), (cost_again, again)) = (ended(false), ended(true));
    assert_eq!(again, record);
    assert!(record.contains("\"output_total\":4"), "{record}");
    assert!(cost_again < cost, "{cost_again} allocations after it was read, {cost} before");
}

#[test]
fn an_answer_in_one_piece_is_well_at_a_glance_wherever_it_is_cut_and_else_is_read() {
    let headers = content_type("application/json");
    let beginning = |pieces: &[&str]| {
        let mut beginning = Beginning::new(&recognised(HOST, PATH), StatusCode::OK, &headers);
        for piece in pieces {
            assert_eq!(beginning.push(&headers, piece.as_bytes()), Progress::Lifecycle);
        }
        let (progress, reading) = beginning.end(&headers, pieces.iter().map(|piece| piece.as_bytes()));
        (progress, reading.is_some())
    };
    for cut in 0..=ANSWER.len() {
        let (one, other) = ANSWER.split_at(cut);
        assert_eq!(beginning(&[one, other]), (Progress::Ended, false), "{cut}");
    }
    let error = r#"{"choices":[],"error":{"message":"Overloaded","code":503}}"#;
    assert_eq!(beginning(&[error]), (Progress::Failed(FailureClass::Overloaded), true));
    let cut = &ANSWER[..ANSWER.len() - 1];
    assert_eq!(beginning(&[cut]), (Progress::Failed(FailureClass::StreamCut), true));
}

/// Gemini streams so where nothing else is asked for.
#[test]
fn an_array_of_chunks_is_followed_as_it_comes() {
    let headers = content_type("application/json");
    let gemini =
        recognised("generativelanguage.googleapis.com", "/v1beta/models/gemini-3-pro:streamGenerateContent");
    let mut beginning = Beginning::new(&gemini, StatusCode::OK, &headers);
    assert_eq!(beginning.push(&headers, b" "), Progress::Lifecycle);
    let chunk = br#"[{"candidates":[{"content":{"parts":[{"text":"Nine"}]}}]}"#;
    assert_eq!(beginning.push(&headers, chunk), Progress::Content);
}

#[test]
fn more_of_a_request_is_read_although_it_was_asked_for_its_beginning() {
    let mut call = asking(&HeaderMap::new());
    let before = call.asked();
    call.request_chunk(b" ");
    assert_eq!(*before, finish(call).facts);
    let mut call = Call::begin(start(&HeaderMap::new()));
    let (beginning, rest) = REQUEST.split_at(12);
    call.request_chunk(beginning.as_bytes());
    assert_eq!(call.asked().model, None);
    call.request_chunk(rest.as_bytes());
    assert_eq!(finish(call).facts.model.as_deref(), Some("gpt-5.1"));
}

#[test]
fn what_lies_in_memory_is_read_as_what_passes() {
    let mut call = begun();
    let facts = call.asked();
    assert_eq!(facts.model.as_deref(), Some("gpt-5.1"));
    assert_eq!(*facts, finish(call).facts, "whoever asks before the end changes nothing");
    let encoded = [(http::header::CONTENT_ENCODING, "gzip".parse().unwrap())].into_iter().collect();
    assert_eq!(asking(&encoded).asked().model, None, "what cannot be decoded says nothing");
    for (status, body, class) in [
        (429, r#"{"error":{"code":"insufficient_quota"}}"#, FailureClass::Quota),
        (429, "", FailureClass::RateLimit),
        (400, r#"{"error":{"code":"context_length_exceeded"}}"#, FailureClass::ContextLength),
        (503, "{", FailureClass::Overloaded),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let failure = failure(&recognised(HOST, PATH), status, &HeaderMap::new(), body.as_bytes());
        assert_eq!(failure.map(|failure| failure.class), Some(class), "{status} {body}");
    }
}

/// A stream of which the app has a part, and which has died.
fn died() -> Box<Call> {
    let mut call = asking(&HeaderMap::new());
    call.decided_by(&"chat".into());
    let events = [(http::header::CONTENT_TYPE, "text/event-stream".parse().unwrap())].into_iter().collect();
    call.response_head(StatusCode::OK, &events, at(20));
    let chunk = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"At nine the ebb\"},\"finish_reason\":null}]}\n\n";
    call.response_chunk(chunk.as_bytes(), at(30));
    call.died(FailureClass::StreamCut, at(40));
    call
}

#[test]
fn an_answer_that_others_went_on_with_is_an_attempts_and_began_when_it_began() {
    let mut call = died();
    let (name, host) = ("azure-eu".into(), "shop.openai.azure.com");
    call.attempt(Some(&elsewhere(&name, host, "/openai/v1/chat/completions")), at(41));
    call.goes_on(15);
    json(
        &mut call,
        200,
        r#"{"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}"#,
        at(60),
    );
    call.overlaps(3);
    let record = finish(call);
    let [first, second] = &*record.attempts else { panic!("{:?}", record.attempts) };
    assert_eq!((record.outcome, record.fate()), (Outcome::Answered, Some(Fate::Moved)));
    assert_eq!((first.status, first.class, first.ended), (Some(200), Some(FailureClass::StreamCut), at(40)));
    assert_eq!(first.error_type.as_deref(), Some("stream_interrupted"));
    let used = first.used.as_ref().unwrap();
    assert!(used.tokens.provenance != Provenance::Exact && used.tokens.prompt.is_some(), "{used:?}");
    assert_eq!((record.tokens.usage.total_prompt(), &second.used), (Some(100), &None));
    assert_eq!((record.times.responded, record.times.first_content), (Some(at(20)), Some(at(30))));
    let seam = record.routed.as_ref().unwrap().seam.unwrap();
    assert_eq!((seam.at, seam.after, seam.overlap), (at(40), 15, 3));
}

#[test]
fn an_answer_that_nobody_went_on_with_is_the_calls_and_no_attempt_is_lost() {
    let (name, host) = ("azure-eu".into(), "shop.openai.azure.com");
    for leaves in [false, true] {
        let mut call = died();
        call.attempt(Some(&elsewhere(&name, host, "/openai/v1/chat/completions")), at(41));
        let end = if leaves {
            End::Cancelled
        } else {
            call.attempt_over(Some(StatusCode::SERVICE_UNAVAILABLE), Some(FailureClass::Overloaded), at(50));
            call.stays_dead();
            End::Cut
        };
        let record = call.finish(end, at(70), PriceBook::builtin());
        let [first, second] = &*record.attempts else { panic!("{:?}", record.attempts) };
        assert_eq!((record.provider, record.serving().unwrap().number), ("openai", 1));
        assert_eq!(
            (&first.used, second.backup.as_deref()),
            (&None, Some("azure-eu")),
            "it is the call's own"
        );
        assert!(record.tokens.prompt.is_some(), "{:?}", record.tokens);
        assert_eq!((record.times.responded, record.times.first_content), (Some(at(20)), Some(at(30))));
        let expected = if leaves { Outcome::Cancelled } else { Outcome::Failed };
        let routed = record.routed.as_ref().unwrap();
        assert_eq!((record.outcome, routed.exhausted, routed.seam), (expected, !leaves, None));
    }
}
