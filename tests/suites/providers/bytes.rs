//! Every body reaches the app as the provider sent it, at the pace it was sent.

use std::collections::BTreeSet;

use outrigger_simulator::Answer;
use outrigger_tests::process::{Ended, Program, clean};
use outrigger_tests::{DEADLINE, file, setting, sha256};
use serde_json::Value;

use super::{CALLS, KEY, OTHER_KEY, exec, python, refs, simulator};

const TEXT: &str = "Ebb at six — flood at noon; the harbour lies calm.";

fn gzipped() -> Answer {
    Answer { text: Some(TEXT.to_owned()), gzip: true, ..Answer::default() }
}

/// Every call succeeded, each body that was hashed is one that the simulator sent, and none was used twice.
fn check(ended: &Ended, simulator: &outrigger_simulator::Simulator, calls: usize) {
    let lines = ended.json_lines();
    assert_eq!(lines.len(), calls, "{}", ended.errors);
    let sent: BTreeSet<String> = simulator.received().iter().map(|one| sha256(&one.sent)).collect();
    assert_eq!(sent.len(), calls, "every answer has its own id");
    let mut hashes = BTreeSet::new();
    for line in &lines {
        assert_eq!(line["error"], Value::Null, "{line}\n{}", ended.errors);
        if let Some(text) = line["text"].as_str() {
            assert_eq!(text, TEXT, "{line}");
        }
        if let Some(hash) = line["sha256"].as_str() {
            assert!(sent.contains(hash), "not what was sent: {line}");
            assert!(hashes.insert(hash.to_owned()), "{line}");
        }
    }
    assert!(ended.status.success(), "{}", ended.errors);
}

/// Every API, plain and streamed, sync and async, parsed and raw.
fn python_calls() -> Vec<String> {
    let mut calls = Vec::new();
    for api in ["chat", "responses", "messages"] {
        for stream in ["", "_stream"] {
            for asynchronous in ["", "_async"] {
                for raw in ["", "_raw"] {
                    calls.push(format!("{api}{stream}{asynchronous}{raw}"));
                }
            }
        }
    }
    calls
}

#[test]
fn python_sdks_see_every_byte_in_both_modes() {
    let calls = python_calls();
    for mode in ["proxy", "base-url"] {
        let simulator = simulator(gzipped());
        let ended = exec(&simulator).option("--mode", mode).run(&refs(&python(CALLS, &refs(&calls))));
        check(&ended, &simulator, calls.len());
        assert!(ended.errors.contains("24 calls"), "{}", ended.errors);
    }
}

const NODE_CALLS: [&str; 6] =
    ["chat", "chat_stream", "responses", "responses_stream", "messages", "messages_stream"];

fn node(program: &str, mode: &str) {
    let simulator = simulator(gzipped());
    let (program, script) = (setting(program), file("clients/node/calls.mjs").display().to_string());
    // The packages lie in the cache, beside which the script must stand for its imports.
    let script = {
        let beside = std::path::Path::new(&setting("OUTRIGGER_TEST_NODE_DIR")).join("calls.mjs");
        std::fs::copy(script, &beside).expect("the client can be copied");
        beside.display().to_string()
    };
    let mut words = vec![program.as_str(), script.as_str()];
    words.extend(NODE_CALLS);
    let ended = exec(&simulator).option("--mode", mode).run(&words);
    check(&ended, &simulator, NODE_CALLS.len());
}

#[test]
fn node_24_sees_every_byte_through_the_proxy() {
    node("OUTRIGGER_TEST_NODE24", "proxy");
}

#[test]
fn node_20_sees_every_byte_through_base_urls() {
    node("OUTRIGGER_TEST_NODE", "base-url");
}

#[test]
fn events_arrive_one_by_one_as_they_are_sent() {
    let answer = || Answer { text: Some("one two three".to_owned()), ..Answer::default() };
    for (call, mode) in [
        ("chat_stream_raw", "proxy"),
        ("chat_stream_async_raw", "base-url"),
        ("responses_stream_raw", "proxy"),
        ("messages_stream_raw", "base-url"),
        ("messages_stream_async_raw", "proxy"),
    ] {
        // How many events the answer has is seen once without the gate.
        let whole = simulator(answer());
        let ended = exec(&whole).run(&refs(&python(CALLS, &[call])));
        assert!(ended.status.success(), "{call}: {}", ended.errors);
        let events = String::from_utf8_lossy(&whole.received()[0].sent).matches("\n\n").count();
        assert!(events > 5, "{call} has {events} events");

        let gated = simulator(Answer { gated: true, ..answer() });
        let running = exec(&gated)
            .option("--mode", mode)
            .variable("TEST_SAY_PIECES", "1")
            .start(&refs(&python(CALLS, &[call, "wait"])));
        assert!(gated.wait_for(DEADLINE, |received| received.len() == 1));
        for event in 0..events {
            assert!(!running.program.has_output(), "{call}: event {event} came before it was sent");
            gated.release(1);
            let line: Value = serde_json::from_str(&running.program.output_line(|_| true)).expect("JSON");
            let piece = line["piece"].as_str().expect("a piece");
            assert_eq!(piece.matches("data: ").count(), 1, "{call}: event {event} came in company: {piece}");
        }
        running.program.output_line(|line| line.contains("sha256"));
        assert!(running.program.end().status.success());
    }
}

/// The stand-in itself must be what the official SDKs expect: they talk to it with nothing between.
#[test]
fn the_official_sdks_accept_the_simulator_itself() {
    let simulator = simulator(gzipped());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ca = directory.path().join("simulator.pem");
    std::fs::write(&ca, simulator.ca_pem()).expect("a temporary file");
    let origin = format!("https://localhost:{}", simulator.address().port());
    let calls = python_calls();
    let mut command = std::process::Command::new(setting("OUTRIGGER_TEST_PYTHON"));
    clean(&mut command);
    command
        .arg(file(CALLS))
        .args(&calls)
        .env("OPENAI_API_KEY", KEY)
        .env("ANTHROPIC_API_KEY", OTHER_KEY)
        .env("OPENAI_BASE_URL", format!("{origin}/v1"))
        .env("ANTHROPIC_BASE_URL", &origin)
        .env("SSL_CERT_FILE", &ca);
    check(&Program::start(command).end(), &simulator, calls.len());
}

#[test]
fn http_2_stays_http_2_from_end_to_end() {
    let simulator = simulator(gzipped());
    let (program, script) =
        (setting("OUTRIGGER_TEST_NODE24"), file("clients/node/h2.mjs").display().to_string());
    let ended = exec(&simulator).run(&[program.as_str(), script.as_str()]);
    let told = &ended.json_lines()[0];
    assert_eq!(told["protocol"], "h2", "{}", ended.errors);
    let received = simulator.received();
    assert_eq!(received.len(), 2);
    for (one, answer) in received.iter().zip(told["answers"].as_array().expect("answers")) {
        assert_eq!(one.version, "HTTP/2.0");
        assert_eq!(answer["status"], 200, "{answer}");
        assert_eq!(answer["altSvc"], Value::Null, "{answer}");
        let sent: Vec<String> = received.iter().map(|one| sha256(&one.sent)).collect();
        assert!(sent.iter().any(|hash| answer["sha256"] == hash.as_str()), "{answer}");
    }
    assert!(ended.errors.contains("2 calls") && ended.errors.contains("2 answered"), "{}", ended.errors);
}
