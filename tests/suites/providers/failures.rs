//! What goes wrong: named in plain words, in seconds; and the app sees exactly what the provider sent.

use std::time::Duration;

use outrigger_simulator::{Answer, Certificate, Config, Cut, ErrorKind, Rule, Simulator};
use outrigger_tests::otlp::{Receiver, attributes};
use outrigger_tests::{DEADLINE, sha256};
use serde_json::{Value, json};

use super::{CALLS, KEY, OTHER_KEY, at, exec, python, refs, scripted, simulator};

/// From the provider's answer to the words on the terminal and in the exported span.
const SOON: Duration = Duration::from_secs(1);
/// From the first refusal to the verdict.
const SECONDS_TO_THE_CAUSE: Duration = Duration::from_secs(5);
const MISTYPED: &str = "sk-harbour-0123456789-abcdWYXZ";

#[test]
fn a_mistyped_key_is_named_within_a_second_on_the_terminal_and_in_the_span() {
    let simulator = simulator(Answer::default());
    let receiver = Receiver::start();
    let running = exec(&simulator)
        .option("--otlp", &receiver.url())
        .variable("OPENAI_API_KEY", MISTYPED)
        .variable("TIDE_TOKEN", KEY)
        .start(&refs(&python(CALLS, &["chat", "wait"])));
    assert!(simulator.wait_for(DEADLINE, |received| received.iter().any(|one| one.ended)));
    let line = running.program.error_line(SOON, |line| line.contains("401")).expect("a line within a second");
    for part in ["openai", "401", "invalid_api_key", "…WYXZ", "fingerprint", "mistyped", "OPENAI_API_KEY"] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    assert!(!line.contains(MISTYPED));
    let received =
        receiver.wait_for(SOON, |received| !received.spans.is_empty()).expect("a span within a second");
    let span = received.spans.iter().find(|span| span.name == "chat gpt-5-mini").expect("the call's span");
    let told = attributes(&span.attributes);
    assert_eq!(at(&told, "error.type"), "invalid_api_key");
    assert!(
        at(&told, "outrigger.cause.message").as_str().is_some_and(|text| text.contains("…WYXZ")),
        "{told:?}"
    );
    // The diagnosis says so too, with the variable that holds the key: in the log, in the telemetry and under the bill.
    let named = "OPENAI_API_KEY of the calling process (a guess: it holds this key)";
    let line =
        running.program.error_line(SECONDS_TO_THE_CAUSE, |line| line.contains("verdict=\"mistyped_key\""));
    let line = line.expect("the verdict within seconds");
    for part in ["WARN", "openai refuses", "…WYXZ", "Evidence: ", named] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    assert_eq!(at(&told, "outrigger.verdicts"), &json!(["mistyped_key"]));
    let told = receiver.wait_for(SECONDS_TO_THE_CAUSE, |received| {
        let mut events = received.events.iter();
        events.any(|(name, event)| {
            let next = at(event, "outrigger.diagnosis.next_step").as_str();
            name == "outrigger.diagnosis" && next.is_some_and(|next| next.contains(named))
        })
    });
    assert!(told.is_some(), "an event within seconds");
    let ended = running.program.end();
    assert!(ended.errors.contains("FAILED   1 × openai 401 invalid_api_key"), "{}", ended.errors);
    let row = ended.errors.lines().find(|line| line.contains("VERDICT  mistyped_key (since "));
    assert!(row.is_some_and(|row| row.contains(named)), "{}", ended.errors);
    assert!(!ended.errors.contains(MISTYPED) && !ended.errors.contains(KEY), "{}", ended.errors);
}

#[test]
fn a_wrong_certificate_is_a_502_of_the_providers_shape_and_not_a_byte_is_sent() {
    for (certificate, word) in [
        (Certificate::ForeignAuthority, "its issuer is not trusted"),
        (Certificate::WrongName, "it is for another name"),
        (Certificate::Expired, "it has expired"),
    ] {
        let simulator = Simulator::start(Config { certificate, ..Config::default() }).expect("a simulator");
        let ended = exec(&simulator).run(&refs(&python(CALLS, &["chat", "messages", "chat_raw"])));
        let lines = ended.json_lines();
        for line in &lines {
            assert_eq!(line["status"], 502, "{line}");
            // The SDKs put the body's own message into their error only if its shape is the provider's.
            let message = line["message"].as_str().unwrap_or_default();
            assert!(message.contains("outrigger: the certificate of api."), "{message}");
            assert!(message.contains(word), "{word} is not in: {message}");
        }
        assert_eq!(lines.len(), 3);
        assert_eq!(simulator.bytes_received(), 0, "{certificate:?}: something of a request was sent");
        assert!(ended.errors.contains("certificate"), "{}", ended.errors);
    }
}

struct Hostile {
    what: &'static str,
    call: &'static str,
    answer: Answer,
    /// The record's outcome and, where it failed, its error type.
    outcome: (&'static str, Option<&'static str>),
    provenance: &'static str,
}

fn hostile() -> Vec<Hostile> {
    let cut = |cut| Answer { cut_after: Some(4), cut, ..Answer::default() };
    let html = |status| Answer {
        status: Some(status),
        raw_body: Some("<html><body>origin is unreachable</body></html>".to_owned()),
        ..Answer::default()
    };
    let midway = |kind| Answer { error: Some(kind), error_after: Some(3), ..Answer::default() };
    let json_error = Answer {
        raw_body: Some(
            r#"{"error":{"message":"upstream fell over","type":"server_error","code":null,"param":null}}"#
                .to_owned(),
        ),
        content_type: Some("application/json".to_owned()),
        ..Answer::default()
    };
    let case = |what, call, answer, outcome, provenance| Hostile { what, call, answer, outcome, provenance };
    vec![
        case(
            "garbage among events",
            "chat_stream_raw",
            Answer { garbage_after: Some(3), ..Answer::default() },
            ("unknown", None),
            "unknown",
        ),
        case(
            "a stream cut by the connection",
            "chat_stream_raw",
            cut(Cut::Broken),
            ("failed", Some("stream_interrupted")),
            "unknown",
        ),
        case(
            "a stream that ends without its end",
            "chat_stream_raw",
            cut(Cut::Clean),
            ("failed", Some("stream_incomplete")),
            "unknown",
        ),
        case(
            "the same at Anthropic",
            "messages_stream_raw",
            cut(Cut::Clean),
            ("failed", Some("stream_incomplete")),
            "estimated",
        ),
        case(
            "the same at Responses",
            "responses_stream_raw",
            cut(Cut::Broken),
            ("failed", Some("stream_interrupted")),
            "unknown",
        ),
        case(
            "an error inside a stream",
            "chat_stream_raw",
            midway(ErrorKind::ServerError),
            ("failed", Some("server_error")),
            "unknown",
        ),
        case(
            "the same at Anthropic",
            "messages_stream_raw",
            midway(ErrorKind::Overloaded),
            ("failed", Some("overloaded_error")),
            "estimated",
        ),
        case(
            "an error in place of a stream",
            "chat_stream_raw",
            json_error,
            ("failed", Some("server_error")),
            "unknown",
        ),
        case("a page of HTML under 200", "chat_raw", html(200), ("unknown", None), "unknown"),
        case(
            "a stream without usage",
            "chat_stream_raw",
            Answer { omit_usage: true, ..Answer::default() },
            ("answered", None),
            "unknown",
        ),
    ]
}

#[test]
fn the_app_sees_what_was_sent_and_accounting_claims_no_more_than_it_knows() {
    for case in hostile() {
        let Hostile { what, call, answer, outcome, provenance } = case;
        let simulator = simulator(answer);
        let receiver = Receiver::start();
        let ended = exec(&simulator).option("--otlp", &receiver.url()).run(&refs(&python(CALLS, &[call])));
        let lines = ended.json_lines();
        let sent = simulator.received().remove(0).sent;
        assert_eq!(lines[0]["sha256"], sha256(&sent), "{what}: {lines:?}\n{}", ended.errors);
        let received = receiver.wait_for(DEADLINE, |received| received.calls.len() == 1).expect(what);
        let record = &received.calls[0];
        assert_eq!(at(record, "outrigger.outcome"), outcome.0, "{what}: {record:?}");
        assert_eq!(
            at(record, "error.type"),
            &outcome.1.map_or(Value::Null, Value::from),
            "{what}: {record:?}"
        );
        assert_eq!(at(record, "outrigger.usage.provenance"), provenance, "{what}: {record:?}");
        assert_ne!(at(record, "outrigger.cost.status"), "exact", "{what}: {record:?}");
    }
}

#[test]
fn an_edge_that_answers_in_the_providers_place_is_named() {
    let answer = Answer {
        status: Some(520),
        raw_body: Some("<html>unknown error</html>".to_owned()),
        ..Answer::default()
    };
    let simulator = simulator(answer);
    let ended = exec(&simulator).run(&refs(&python(CALLS, &["chat"])));
    let line = &ended.json_lines()[0];
    assert_eq!(line["status"], 520, "{line}");
    assert!(ended.errors.contains("an edge network answered in the provider's place"), "{}", ended.errors);
}

#[test]
fn an_app_that_hangs_up_on_an_endless_stream_is_recorded_and_the_provider_is_let_go() {
    let simulator = simulator(Answer { endless: true, pace_ms: 1, ..Answer::default() });
    let receiver = Receiver::start();
    let ended =
        exec(&simulator).option("--otlp", &receiver.url()).run(&refs(&python(CALLS, &["leave_early"])));
    assert!(ended.status.success(), "{}", ended.errors);
    assert!(simulator.wait_for(DEADLINE, |received| received[0].abandoned), "the provider still sends");
    let received = receiver.wait_for(DEADLINE, |received| received.calls.len() == 1).expect("a record");
    assert_eq!(at(&received.calls[0], "outrigger.outcome"), "cancelled");
    assert_eq!(at(&received.calls[0], "outrigger.usage.provenance"), "unknown");
}

#[test]
fn every_kind_of_refusal_is_told_in_the_apps_own_words_and_ours() {
    let kinds = [
        (ErrorKind::RateLimit, 429, "too many requests"),
        (ErrorKind::Quota, 429, "is used up"),
        (ErrorKind::ContextLength, 400, "longer than the window"),
        (ErrorKind::NotFound, 404, "does not exist"),
        (ErrorKind::Overloaded, 503, "no capacity"),
        (ErrorKind::ServerError, 500, "fault on the provider's side"),
    ];
    let rules = kinds
        .iter()
        .zip(1..)
        .map(|((kind, ..), nth)| Rule {
            nth: Some(nth),
            answer: Answer { error: Some(*kind), ..Answer::default() },
            ..Rule::default()
        })
        .collect();
    let simulator = scripted(rules);
    let ended = exec(&simulator).run(&refs(&python(CALLS, &["chat"; 6])));
    for (line, (kind, status, words)) in ended.json_lines().iter().zip(kinds) {
        assert_eq!(line["status"], status, "{kind:?}: {line}");
        assert!(ended.errors.contains(words), "{kind:?}: {}", ended.errors);
    }
    assert!(!ended.errors.contains(KEY) && !ended.errors.contains(OTHER_KEY));
}
