//! Programs that do not ask for the usage of their streams see with Outrigger what they see without; and Outrigger has the usage.

use std::process::Command;

use outrigger_simulator::{Answer, Simulator, Usage};
use outrigger_tests::otlp::Receiver;
use outrigger_tests::process::{Ended, Program, clean};
use outrigger_tests::{DEADLINE, file, setting};
use serde_json::Value;

use super::{KEY, at, exec, python, refs, simulator};

/// Fixed, because the simulator counts the request's bytes otherwise.
const USED: Usage = Usage { input: 41, cache_read: 7, output: 13, reasoning: 5, ..Usage::ZERO };

fn answer() -> Answer {
    Answer { usage: Some(USED), gzip: true, ..Answer::default() }
}

/// The words with nothing between the program and the simulator.
fn alone(words: &[String], simulator: &Simulator) -> Ended {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ca = directory.path().join("simulator.pem");
    std::fs::write(&ca, simulator.ca_pem()).expect("a temporary file");
    let mut command = Command::new(&words[0]);
    clean(&mut command);
    command
        .args(&words[1..])
        .env("OPENAI_API_KEY", KEY)
        .env("OPENAI_BASE_URL", format!("https://localhost:{}/v1", simulator.address().port()))
        .env("SSL_CERT_FILE", &ca)
        .env("NODE_EXTRA_CA_CERTS", &ca);
    Program::start(command).end()
}

fn compare(words: &[String], mode: &str, calls: usize) {
    let (without, with) = (simulator(answer()), simulator(answer()));
    let receiver = Receiver::start();
    let expected = alone(words, &without);
    let ended = exec(&with).option("--mode", mode).option("--otlp", &receiver.url()).run(&refs(words));
    let (expected, seen) = (expected.json_lines(), ended.json_lines());
    assert_eq!((expected.len(), seen.len()), (calls, calls), "{}", ended.errors);
    for (expected, seen) in expected.iter().zip(&seen) {
        assert_eq!(seen, expected, "{}", ended.errors);
        for chunk in seen["chunks"].as_array().into_iter().flatten() {
            assert_eq!(
                (&chunk["usage"], chunk["choices"] == Value::Array(Vec::new())),
                (&Value::Null, false)
            );
        }
    }
    // The sums are those of what the simulator would bill, and no call was left out.
    let received =
        receiver.wait_for(DEADLINE, |received| received.calls.len() == calls).expect("every record");
    for call in &received.calls {
        assert_eq!(at(call, "outrigger.usage.provenance"), "exact", "{call:?}");
        // Legacy Completions tell totals alone.
        let told = |meter: &str| at(call, &format!("outrigger.usage.{meter}")).as_u64().unwrap_or(0);
        assert_eq!(
            (told("input") + told("cache_read"), told("output") + told("reasoning")),
            (48, 18),
            "{call:?}"
        );
    }
    for (without, with) in without.received().iter().zip(&with.received()) {
        assert_ne!(without.sent, with.sent, "it was asked, and told more");
        assert_eq!(with.headers["accept-encoding"], "identity");
    }
}

#[test]
fn python_sees_the_same_chunks_and_the_same_bytes() {
    let calls = [
        "chat",
        "chat_raw",
        "chat_async",
        "chat_async_raw",
        "completions",
        "completions_raw",
        "completions_async",
    ];
    for mode in ["proxy", "base-url"] {
        compare(&python("clients/python/unasked.py", &calls), mode, calls.len());
    }
}

#[test]
fn node_sees_the_same_chunks_and_the_same_bytes() {
    for (program, mode) in [("OUTRIGGER_TEST_NODE24", "proxy"), ("OUTRIGGER_TEST_NODE", "base-url")] {
        // The packages lie in the cache, beside which the script must stand for its imports.
        let beside = std::path::Path::new(&setting("OUTRIGGER_TEST_NODE_DIR")).join("unasked.mjs");
        std::fs::copy(file("clients/node/unasked.mjs"), &beside).expect("the client can be copied");
        let words =
            [setting(program), beside.display().to_string(), "chat".to_owned(), "completions".to_owned()];
        compare(&words, mode, 2);
    }
}

#[test]
fn a_server_that_refuses_the_question_answers_the_program_all_the_same() {
    let refuse = Some("Unrecognized request argument supplied: stream_options".to_owned());
    let simulator = simulator(Answer { refuse_stream_options: refuse, ..answer() });
    let ended = exec(&simulator).run(&refs(&python("clients/python/unasked.py", &["chat", "chat"])));
    assert!(ended.status.success() && ended.json_lines().len() == 2, "{}", ended.errors);
    let received = simulator.received();
    let asked: Vec<bool> =
        received.iter().map(|one| String::from_utf8_lossy(&one.body).contains("stream_options")).collect();
    assert_eq!(asked, [true, false, false], "asked once, and never again");
    assert!(ended.errors.contains("2 calls") && ended.errors.contains("2 answered"), "{}", ended.errors);
}

#[test]
fn a_program_may_have_its_requests_left_alone() {
    let simulator = simulator(answer());
    let words = python("clients/python/unasked.py", &["chat"]);
    let running = exec(&simulator).flag("--no-include-usage").run(&refs(&words));
    assert!(running.status.success(), "{}", running.errors);
    let received = &simulator.received()[0];
    assert!(!String::from_utf8_lossy(&received.body).contains("stream_options"));
    assert!(received.headers["accept-encoding"].to_str().is_ok_and(|coding| coding.contains("gzip")));
}
