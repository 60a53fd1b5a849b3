//! Programs that name nothing: their calls are chained by what they repeat, and an SDK's retries are one logical call.

use outrigger_simulator::{Answer, Config, ErrorKind, Rule, Script, Simulator};
use outrigger_tests::{file, setting};

use super::names::{ACCESS_KEY, KEY, exec, run};
use super::{Call, at, python};

const PYTHON: &str = "clients/python/threads.py";

fn simulator(rules: Vec<Rule>) -> Simulator {
    Simulator::start(Config {
        valid_keys: vec![KEY.to_owned(), ACCESS_KEY.0.to_owned()],
        aws_keys: vec![(ACCESS_KEY.0.to_owned(), ACCESS_KEY.1.to_owned())],
        script: Script(rules),
        ..Config::default()
    })
    .expect("a simulator")
}

/// Calls that fail so many times before they are answered.
fn failing(times: u64, error: ErrorKind) -> Vec<Rule> {
    let answer = Answer { error: Some(error), ..Answer::default() };
    (1..=times).map(|nth| Rule { nth: Some(nth), answer: answer.clone(), ..Rule::default() }).collect()
}

fn node(call: &str) -> Vec<String> {
    // The packages lie in the cache, beside which the script must stand for its imports.
    let beside = std::path::Path::new(&setting("OUTRIGGER_TEST_NODE_DIR")).join("threads.mjs");
    std::fs::copy(file("clients/node/threads.mjs"), &beside).expect("the client can be copied");
    vec![setting("OUTRIGGER_TEST_NODE24"), beside.display().to_string(), call.to_owned()]
}

/// Each call goes on from the one before it, known so.
fn check_chain(records: &[Call], by: &str, confidence: &str, what: &str) {
    let first = at(&records[0], "outrigger.call.id");
    assert_eq!(at(&records[0], "outrigger.chain.number"), 1, "{what}");
    assert!(!records[0].contains_key("outrigger.chain.parent"), "{what}");
    for (number, pair) in records.windows(2).enumerate() {
        let ([before, call], number) = (pair, number + 2) else { continue };
        assert_eq!(at(call, "outrigger.chain.id"), first, "{what}");
        assert_eq!(at(call, "outrigger.chain.number"), number, "{what}");
        assert_eq!(at(call, "outrigger.chain.parent"), at(before, "outrigger.call.id"), "{what}");
        assert_eq!(at(call, "outrigger.chain.by"), by, "{what}");
        assert_eq!(at(call, "outrigger.chain.confidence"), confidence, "{what}");
        assert_eq!(
            at(call, "outrigger.prompt.fingerprint"),
            at(before, "outrigger.prompt.fingerprint"),
            "{what}: the prompt is the same"
        );
    }
}

/// All are attempts of one, and only the last was answered.
fn check_retries(records: &[Call], by: &str, what: &str) {
    let first = at(&records[0], "outrigger.call.id");
    for (index, record) in records.iter().enumerate() {
        assert_eq!(at(record, "outrigger.logical.id"), first, "{what}");
        assert_eq!(at(record, "outrigger.logical.attempt"), index + 1, "{what}");
        let outcome = if index + 1 == records.len() { "answered" } else { "failed" };
        assert_eq!(at(record, "outrigger.outcome"), outcome, "{what}");
        if index > 0 {
            assert_eq!(
                at(record, "outrigger.logical.retry_of"),
                at(&records[index - 1], "outrigger.call.id")
            );
            assert_eq!(at(record, "outrigger.logical.by"), by, "{what}");
        } else {
            assert!(!record.contains_key("outrigger.logical.retry_of"), "{what}");
        }
    }
}

#[test]
fn a_python_programs_loops_are_chains() {
    for (call, by, confidence) in [
        ("chat_tools", "tool_call_id", "certain"),
        ("messages_tools", "tool_call_id", "certain"),
        ("converse_tools", "tool_call_id", "certain"),
        ("responses", "response_id", "certain"),
        ("talk", "history", "likely"),
    ] {
        let simulator = simulator(Vec::new());
        let (ended, records) = run(exec(&simulator), &python(PYTHON, &[call]), 3);
        check_chain(&records, by, confidence, call);
        let prompt = records[0].contains_key("outrigger.prompt.fingerprint");
        assert_eq!(prompt, call.ends_with("tools"), "{call}");
        let chains = "  chains     1 conversation of several calls, the longest of 3";
        assert!(ended.errors.contains(chains), "{call}: {}", ended.errors);
    }
}

#[test]
fn a_node_programs_loops_are_chains() {
    for call in ["chat_tools", "messages_tools"] {
        let simulator = simulator(Vec::new());
        let (_, records) = run(exec(&simulator), &node(call), 3);
        check_chain(&records, "tool_call_id", "certain", call);
    }
}

#[test]
fn an_sdks_retries_are_one_logical_call() {
    for (words, by) in [
        (python(PYTHON, &["retry"]), "retry_count"),
        (python(PYTHON, &["aws_retry"]), "request_id"),
        (node("retry"), "retry_count"),
        (node("messages_retry"), "retry_count"),
    ] {
        let simulator = simulator(failing(2, ErrorKind::ServerError));
        let (ended, records) = run(exec(&simulator), &words, 3);
        let what = words.join(" ");
        check_retries(&records, by, &what);
        let retries = "  retries    2 calls of SDKs, of 1 logical call; 2 failures tried again";
        assert!(ended.errors.contains(retries), "{what}: {}", ended.errors);
        let cost = |record: &Call| at(record, "outrigger.cost.usd").as_str().map(str::to_owned);
        assert_eq!(
            records[..2].iter().map(cost).collect::<Vec<_>>(),
            [Some("0".to_owned()), Some("0".to_owned())]
        );
    }
}
