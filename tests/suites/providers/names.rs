//! Who a call is for: the one line per SDK that docs/who.md shows names the user, and is told with where it was found.

use outrigger_simulator::{Config, Simulator};
use outrigger_tests::otlp::Receiver;
use outrigger_tests::process::{Ended, Exec};
use outrigger_tests::{DEADLINE, file, setting};

use super::{Call, at, python, refs};

pub(super) const KEY: &str = "sk-harbour-0123456789-abcdWXYZ";
pub(super) const ACCESS_KEY: (&str, &str) =
    ("AKIAHARBOURPILOT4711", "harbour/secret+0123456789abcdefghijABCD");

/// A call of the clients, the line of theirs that names the user, and where it is then found.
const PYTHON: [(&str, &str, &str); 6] = [
    ("openai", "safety_identifier=user", "body safety_identifier"),
    ("responses", "safety_identifier=user", "body safety_identifier"),
    ("anthropic", r#"metadata={"user_id": user}"#, "body metadata.user_id"),
    (
        "genai",
        r#"config={"http_options": {"headers": {"x-outrigger-user": user}}}"#,
        "header x-outrigger-user",
    ),
    ("boto3", r#"requestMetadata={"user": user}"#, "body requestMetadata.user"),
    ("header", r#"extra_headers={"x-outrigger-user": user}"#, "header x-outrigger-user"),
];
const NODE: [(&str, &str, &str); 4] = [
    ("openai", "safety_identifier: user", "body safety_identifier"),
    ("anthropic", "metadata: { user_id: user }", "body metadata.user_id"),
    (
        "genai",
        "config: { httpOptions: { headers: { 'x-outrigger-user': user } } }",
        "header x-outrigger-user",
    ),
    ("header", "headers: { 'x-outrigger-user': user }", "header x-outrigger-user"),
];

fn simulator() -> Simulator {
    Simulator::start(Config {
        valid_keys: vec![KEY.to_owned(), ACCESS_KEY.0.to_owned()],
        aws_keys: vec![(ACCESS_KEY.0.to_owned(), ACCESS_KEY.1.to_owned())],
        ..Config::default()
    })
    .expect("a simulator")
}

pub(super) fn exec(simulator: &Simulator) -> Exec {
    Exec::before(simulator)
        .upstream("bedrock-runtime.us-east-1.amazonaws.com", simulator.address())
        .upstream("generativelanguage.googleapis.com", simulator.address())
        .variable("AWS_ACCESS_KEY_ID", ACCESS_KEY.0)
        .variable("AWS_SECRET_ACCESS_KEY", ACCESS_KEY.1)
        .variable("AWS_EC2_METADATA_DISABLED", "true")
        .variable("OPENAI_API_KEY", KEY)
        .variable("ANTHROPIC_API_KEY", KEY)
        .variable("GEMINI_API_KEY", KEY)
}

/// Runs a client's calls; gives their records in the order of the calls.
pub(super) fn run(exec: Exec, words: &[String], calls: usize) -> (Ended, Vec<Call>) {
    let receiver = Receiver::start();
    let ended = exec.option("--otlp", &receiver.url()).run(&refs(words));
    let what = format!("{}\n{}", ended.output, ended.errors);
    let received = receiver.wait_for(DEADLINE, |received| received.calls.len() == calls).expect(&what);
    let mut records = received.calls;
    records.sort_by_key(|record| at(record, "outrigger.time.started").as_u64());
    (ended, records)
}

fn check(rows: &[(&str, &str, &str)], client: &str, records: &[Call], simulator: &Simulator) {
    let document = std::fs::read_to_string(file("../docs/who.md")).expect("docs/who.md");
    let client = std::fs::read_to_string(file(client)).expect("the client");
    for ((call, line, found), record) in rows.iter().zip(records) {
        assert!(document.contains(line), "docs/who.md lacks `{line}`, by which {call} names its user");
        assert!(client.contains(line), "{call} of the client names its user otherwise than by `{line}`");
        assert_eq!(at(record, "user.id"), "u_81", "{call}");
        assert_eq!(at(record, "outrigger.named_by.user"), found, "{call}");
    }
    for request in simulator.received() {
        let ours = request.headers.keys().find(|name| name.as_str().starts_with("x-outrigger-"));
        assert_eq!(ours, None, "{} was told", request.path);
        assert_ne!(request.signature_holds, Some(false));
    }
}

#[test]
fn a_python_program_names_its_user_by_one_line() {
    let simulator = simulator();
    let calls: Vec<&str> = PYTHON.iter().map(|(call, ..)| *call).chain(["nobody"]).collect();
    let words = python("clients/python/names.py", &calls);
    let (ended, records) = run(exec(&simulator), &words, calls.len());
    check(&PYTHON, "clients/python/names.py", &records, &simulator);
    let (responses, nobody) = (&records[1], &records[PYTHON.len()]);
    assert_eq!(at(responses, "session.id"), "conv_42");
    assert_eq!(at(responses, "outrigger.named_by.session"), "cache_key prompt_cache_key");
    assert!(!nobody.contains_key("user.id") && !nobody.contains_key("outrigger.named_by.user"));
    let users = ended.errors.lines().find(|line| line.starts_with("  users ")).expect(&ended.errors);
    assert!(users.contains("u_81 6 ") && users.contains("without a user 1 "), "{users}");
}

#[test]
fn a_node_program_names_its_user_by_one_line() {
    let simulator = simulator();
    // The packages lie in the cache, beside which the script must stand for its imports.
    let beside = std::path::Path::new(&setting("OUTRIGGER_TEST_NODE_DIR")).join("names.mjs");
    std::fs::copy(file("clients/node/names.mjs"), &beside).expect("the client can be copied");
    let mut words = vec![setting("OUTRIGGER_TEST_NODE24"), beside.display().to_string()];
    words.extend(NODE.iter().map(|(call, ..)| (*call).to_owned()));
    let (_, records) = run(exec(&simulator), &words, NODE.len());
    check(&NODE, "clients/node/names.mjs", &records, &simulator);
}
