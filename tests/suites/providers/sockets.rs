//! Responses over WebSockets: each is a call of its own, to the token, and the bytes pass as they are.

use outrigger_simulator::{Answer, Cut, ErrorKind, Received, Rule, Simulator, Usage};
use outrigger_tests::otlp::Receiver;
use outrigger_tests::process::Ended;
use outrigger_tests::{DEADLINE, file, setting, sha256};
use serde_json::Value;

use super::{Call, at, exec, python, refs, scripted};

const CLIENT: &str = "clients/python/sdk_sockets.py";
const TEXT: &str = "Ebb at six — flood at noon; the harbour lies calm.";

const USED: Usage = Usage { input: 2000, cache_read: 1000, output: 500, reasoning: 100, ..Usage::ZERO };
/// 2,000 × $0.25, 1,000 × $0.025 and 600 × $2, per million.
const COST: &str = "0.001725";
/// The reference calculation of a spoken turn: of 100 text and 1,000 audio tokens in, 400 of the audio were cached.
const SPOKEN: Usage = Usage {
    input: 100,
    cache_read: 0,
    output: 50,
    reasoning: 0,
    input_audio: 600,
    cache_read_audio: 400,
    output_audio: 600,
    ..USED
};
const SPOKEN_COST: &str = "0.05896";

fn rule(answer: Answer) -> Rule {
    Rule { answer, ..Rule::default() }
}

fn good(usage: Usage) -> Answer {
    Answer { text: Some(TEXT.to_owned()), usage: Some(usage), ..Answer::default() }
}

fn handshake(answer: Answer) -> Rule {
    Rule { handshake: true, answer, ..Rule::default() }
}

/// Runs a client to its end; what it printed, and the calls that were recorded.
fn run(simulator: &Simulator, words: &[String], mode: &str, calls: usize) -> (Ended, Vec<Call>) {
    let receiver = Receiver::start();
    let ended = exec(simulator)
        .option("--mode", mode)
        .option("--otlp", &receiver.url())
        .variable("TEST_OTHER_MODEL", "gpt-5")
        .variable("TEST_HEADERS", r#"{"x-outrigger-step": "pilot", "x-outrigger-user": "u_81"}"#)
        .run(&refs(words));
    let received = receiver.wait_for(DEADLINE, |received| received.calls.len() >= calls);
    let received =
        received.unwrap_or_else(|| panic!("not {calls} calls\n{}\n{}", ended.output, ended.errors));
    assert_eq!(received.calls.len(), calls, "{}\n{}", ended.output, ended.errors);
    (ended, received.calls)
}

/// What was sent on the socket that was opened first.
fn socket(simulator: &Simulator) -> Received {
    simulator.received().into_iter().find(|one| one.status == 101).expect("a socket was opened")
}

fn check_usage(call: &Call, usage: &Usage, what: &str) {
    for (meter, count) in [
        ("input", usage.input),
        ("cache_read", usage.cache_read),
        ("output", usage.output),
        ("reasoning", usage.reasoning),
        ("input_audio", usage.input_audio),
        ("cache_read_audio", usage.cache_read_audio),
        ("output_audio", usage.output_audio),
    ] {
        let told = call.get(&format!("outrigger.usage.{meter}"));
        // Of the meters that few calls have, a zero is not written down.
        assert_eq!(told.map_or(Some(0), Value::as_u64), Some(count), "{meter} of {what}");
    }
    assert_eq!(at(call, "outrigger.usage.provenance"), "exact", "{what}");
    assert_eq!(at(call, "outrigger.cost.status"), "exact", "{what}");
}

#[test]
fn every_response_of_a_socket_is_a_call_to_the_token_and_its_bytes_pass_as_they_are() {
    for (name, mode, shake) in [
        ("responses", "proxy", Answer::default()),
        ("responses", "base-url", Answer { no_context_takeover: true, ..Answer::default() }),
        ("responses_plain", "proxy", Answer { frame_bytes: Some(100), ..Answer::default() }),
        ("responses_async", "proxy", Answer { frame_bytes: Some(7), ..Answer::default() }),
    ] {
        let simulator = scripted(vec![handshake(shake), rule(good(USED))]);
        let (ended, calls) = run(&simulator, &python(CLIENT, &[name]), mode, 3);
        let what = format!("{name}, {mode}: {}\n{}", ended.output, ended.errors);
        let told = &ended.json_lines()[0];
        assert_eq!(told["error"], Value::Null, "{what}");
        assert_eq!(told["text"], TEXT.repeat(3), "{what}");
        let socket = socket(&simulator);
        assert_eq!(told["sha256"], sha256(&socket.sent), "{what}");
        let agreed = socket.headers.contains_key("sec-websocket-extensions");
        assert_eq!(agreed, name != "responses_plain", "the offer passes: {what}");
        let mut ids = std::collections::BTreeSet::new();
        for call in &calls {
            check_usage(call, &USED, &what);
            assert_eq!(at(call, "outrigger.cost.usd"), COST, "{what}");
            assert_eq!(at(call, "outrigger.outcome"), "answered", "{what}");
            assert_eq!(at(call, "gen_ai.response.model"), "gpt-5-mini", "{what}");
            assert_eq!(at(call, "gen_ai.request.model"), "gpt-5-mini", "{what}");
            assert_eq!(at(call, "outrigger.dialect"), "openai_responses", "{what}");
            assert_eq!(
                (at(call, "outrigger.step"), at(call, "user.id")),
                (&Value::from("pilot"), &Value::from("u_81")),
                "{what}"
            );
            let time = |name: &str| at(call, &format!("outrigger.time.{name}")).as_u64().expect("a time");
            assert!(time("started") <= time("responded"), "{what}");
            assert!(time("responded") <= time("first_content"), "{what}");
            assert!(time("first_content") <= time("ended"), "{what}");
            assert!(ids.insert(at(call, "outrigger.call.id").to_string()), "{what}");
            assert!(ids.insert(at(call, "gen_ai.response.id").to_string()), "{what}");
        }
        assert!(ended.errors.contains("3 calls") && ended.errors.contains("3 answered"), "{what}");
        assert!(!socket.headers.contains_key("x-outrigger-step"), "ours stays here");
    }
}

#[test]
fn responses_side_by_side_are_told_apart() {
    let other = Usage { input: 10, cache_read: 0, output: 20, reasoning: 0, ..USED };
    let simulator =
        scripted(vec![Rule { model: Some("gpt-5".to_owned()), ..rule(good(other)) }, rule(good(USED))]);
    let (ended, calls) = run(&simulator, &python(CLIENT, &["lanes"]), "proxy", 2);
    let what = format!("{}\n{}", ended.output, ended.errors);
    assert_eq!(ended.json_lines()[0]["error"], Value::Null, "{what}");
    let of = |model: &str| calls.iter().find(|call| at(call, "gen_ai.response.model") == model).expect(&what);
    check_usage(of("gpt-5-mini"), &USED, &what);
    check_usage(of("gpt-5"), &other, &what);
    assert_eq!(at(of("gpt-5-mini"), "outrigger.cost.usd"), COST, "{what}");
    // 10 × $1.25 and 20 × $10, per million.
    assert_eq!(at(of("gpt-5"), "outrigger.cost.usd"), "0.0002125", "{what}");
}

#[test]
fn spoken_turns_are_billed_text_and_audio_apart() {
    for name in ["realtime", "realtime_async"] {
        let simulator = scripted(vec![rule(good(SPOKEN))]);
        let (ended, calls) = run(&simulator, &python(CLIENT, &[name]), "proxy", 3);
        let what = format!("{}\n{}", ended.output, ended.errors);
        let told = &ended.json_lines()[0];
        assert_eq!((&told["error"], &told["text"]), (&Value::Null, &Value::from(TEXT.repeat(3))), "{what}");
        assert_eq!(told["sha256"], sha256(&socket(&simulator).sent), "{what}");
        for call in &calls {
            check_usage(call, &SPOKEN, &what);
            assert_eq!(at(call, "outrigger.cost.usd"), SPOKEN_COST, "{what}");
            assert_eq!(at(call, "gen_ai.response.model"), "gpt-realtime", "{what}");
            assert_eq!(at(call, "outrigger.dialect"), "openai_realtime", "{what}");
            assert_eq!(at(call, "outrigger.outcome"), "answered", "{what}");
        }
    }
}

#[test]
fn what_a_voice_starts_and_what_is_written_down_of_it_are_calls_too() {
    let simulator = scripted(vec![rule(Answer { cancelled: true, ..good(SPOKEN) })]);
    let (ended, calls) = run(&simulator, &python(CLIENT, &["voice"]), "proxy", 2);
    let what = format!("{}\n{}", ended.output, ended.errors);
    let of = |operation: &str| {
        calls.iter().find(|call| at(call, "gen_ai.operation.name") == operation).expect(&what)
    };
    // Called off by the user's voice, and billed for what there was.
    check_usage(of("chat"), &SPOKEN, &what);
    assert_eq!(at(of("chat"), "outrigger.outcome"), "cancelled", "{what}");
    assert_eq!(at(of("chat"), "outrigger.cost.usd"), SPOKEN_COST, "{what}");
    let written = of("transcription");
    assert_eq!(at(written, "gen_ai.response.model"), "gpt-4o-mini-transcribe", "{what}");
    // 4 × $1.25, 20 × $3 and 10 × $5, per million.
    assert_eq!(at(written, "outrigger.cost.usd"), "0.000115", "{what}");
}

#[test]
fn a_refused_handshake_is_a_failed_call_and_the_app_sees_the_providers_words() {
    for (error, status, word) in [
        (ErrorKind::Authentication, 401, "authentication"),
        (ErrorKind::Permission, 403, "permission"),
        (ErrorKind::Quota, 429, "quota"),
    ] {
        for name in ["responses", "realtime"] {
            let simulator = scripted(vec![handshake(Answer { error: Some(error), ..Answer::default() })]);
            let (ended, calls) = run(&simulator, &python(CLIENT, &[name]), "proxy", 1);
            let what = format!("{}\n{}", ended.output, ended.errors);
            assert_eq!(ended.json_lines()[0]["status"], status, "{what}");
            let call = &calls[0];
            assert_eq!(at(call, "outrigger.outcome"), "failed", "{what}");
            assert_eq!(at(call, "outrigger.cause.class"), word, "{what}");
            assert_eq!(at(call, "outrigger.cost.usd"), "0", "{what}");
            assert!(ended.errors.contains("1 failed"), "{what}");
        }
    }
}

#[test]
fn a_response_that_fails_does_not_end_its_socket() {
    let failing = Answer { error: Some(ErrorKind::RateLimit), ..Answer::default() };
    let simulator = scripted(vec![Rule { nth: Some(2), ..rule(failing) }, rule(good(USED))]);
    let (ended, calls) = run(&simulator, &python(CLIENT, &["responses"]), "proxy", 3);
    let what = format!("{}\n{}", ended.output, ended.errors);
    let ends = &ended.json_lines()[0]["ended"];
    assert_eq!(*ends, serde_json::json!(["response.completed", "error", "response.completed"]), "{what}");
    let outcomes: Vec<&Value> = calls.iter().map(|call| at(call, "outrigger.outcome")).collect();
    assert_eq!(outcomes, ["answered", "failed", "answered"], "{what}");
    assert_eq!(at(&calls[1], "outrigger.cause.class"), "rate_limit", "{what}");
    assert_eq!(at(&calls[1], "error.type"), "rate_limit_exceeded", "{what}");
}

#[test]
fn a_socket_that_breaks_in_the_middle_of_a_response_cuts_that_call_alone() {
    for cut in [Cut::Broken, Cut::Clean] {
        let cutting = Answer { cut_after: Some(6), cut, ..good(USED) };
        let simulator = scripted(vec![Rule { nth: Some(2), ..rule(cutting) }, rule(good(USED))]);
        let (ended, calls) = run(&simulator, &python(CLIENT, &["responses"]), "proxy", 2);
        let what = format!("{cut:?}: {}\n{}", ended.output, ended.errors);
        let told = &ended.json_lines()[0];
        assert_ne!(told["error"], Value::Null, "the app sees it: {what}");
        assert_eq!(told["sha256"], sha256(&socket(&simulator).sent), "{what}");
        assert_eq!(at(&calls[0], "outrigger.outcome"), "answered", "{what}");
        let cut = &calls[1];
        assert_eq!(at(cut, "outrigger.outcome"), "failed", "{what}");
        assert_eq!(at(cut, "outrigger.cause.class"), "stream_cut", "{what}");
        assert_eq!(at(cut, "outrigger.usage.provenance"), "unknown", "{what}");
        assert!(!cut.contains_key("outrigger.usage.output"), "{what}");
        assert!(!cut.contains_key("outrigger.cost.usd"), "an unknown cost is none: {what}");
    }
}

#[test]
fn what_cannot_be_read_ends_the_watching_and_not_the_traffic() {
    // A frame of no known kind; the SDK hangs up over it, as it would without us.
    let strange = Answer { garbage_after: Some(4), ..good(USED) };
    let simulator = scripted(vec![Rule { nth: Some(2), ..rule(strange) }, rule(good(USED))]);
    let (ended, calls) = run(&simulator, &python(CLIENT, &["responses"]), "proxy", 2);
    let what = format!("{}\n{}", ended.output, ended.errors);
    assert_eq!(ended.json_lines()[0]["sha256"], sha256(&socket(&simulator).sent), "{what}");
    assert_eq!(at(&calls[0], "outrigger.outcome"), "answered", "{what}");
    assert_eq!(at(&calls[1], "outrigger.usage.provenance"), "unknown", "{what}");
    assert!(!ended.errors.contains("fault"), "{what}");
}

#[test]
fn node_is_metered_too() {
    let beside = std::path::Path::new(&setting("OUTRIGGER_TEST_NODE_DIR")).join("sockets.mjs");
    std::fs::copy(file("clients/node/sockets.mjs"), &beside).expect("the client can be copied");
    let script = beside.display().to_string();
    for (program, name, mode, usage, cost) in [
        ("OUTRIGGER_TEST_NODE24", "responses", "proxy", USED, COST),
        ("OUTRIGGER_TEST_NODE", "responses", "base-url", USED, COST),
        ("OUTRIGGER_TEST_NODE24", "realtime", "proxy", SPOKEN, SPOKEN_COST),
    ] {
        let simulator = scripted(vec![rule(good(usage))]);
        let words = [setting(program), script.clone(), name.to_owned()];
        let (ended, calls) = run(&simulator, &words, mode, 2);
        let what = format!("{name}, {mode}: {}\n{}", ended.output, ended.errors);
        assert_eq!(ended.json_lines()[0]["text"], TEXT.repeat(2), "{what}");
        for call in &calls {
            check_usage(call, &usage, &what);
            assert_eq!(at(call, "outrigger.cost.usd"), cost, "{what}");
        }
        assert!(socket(&simulator).headers.contains_key("sec-websocket-extensions"), "{what}");
    }
}
