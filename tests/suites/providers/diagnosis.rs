//! A sidecar on its own says what its calls show, on the admin socket too, and says when it is over.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use outrigger_contract::environment::KEY_NAMES;
use outrigger_simulator::{Config, Simulator};
use outrigger_tests::app;
use outrigger_tests::process::Program;
use serde_json::Value;

use super::lifecycle::{command, listener, status};

const GOOD_KEY: &str = "sk-proj-0123456789abcdefk2Pb";
const BAD_KEY: &str = "sk-proj-0123456789abcdefx7Qa";
/// From the first sign to the verdict.
const SECONDS_TO_THE_CAUSE: Duration = Duration::from_secs(5);

/// One call through the base-URL listener; its status.
pub(super) fn call(sidecar: SocketAddr, key: &str) -> u16 {
    let body = r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"hello"}]}"#;
    let mut stream = TcpStream::connect(sidecar).expect("the sidecar listens");
    let authorization =
        if key.is_empty() { String::new() } else { format!("Authorization: Bearer {key}\r\n") };
    write!(
        stream,
        "POST /openai/v1/chat/completions HTTP/1.1\r\nHost: {sidecar}\r\n{authorization}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it reads");
    let (head, _) = app::answer(&mut stream).expect("an answer");
    head[9..12].parse().expect("a status")
}

/// The verdicts that the admin socket tells.
fn verdicts(directory: &Path) -> Vec<Value> {
    status(directory)["verdicts"].as_array().expect("a list").clone()
}

#[test]
fn a_mistyped_key_is_named_within_seconds_and_a_missing_one_until_it_is_there() {
    let simulator = Simulator::start(Config { valid_keys: vec![GOOD_KEY.to_owned()], ..Config::default() })
        .expect("the simulator");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ca = directory.path().join("simulator.pem");
    std::fs::write(&ca, simulator.ca_pem()).expect("a temporary file");
    let mut command = command(directory.path());
    command
        .args(["--upstream", &format!("api.openai.com={}", simulator.address())])
        .arg("--extra-ca")
        .arg(&ca)
        .env(KEY_NAMES, r#"{"app": {"OPENAI_API_KEY": {"secret": "llm-keys", "key": "openai"}}}"#);
    let sidecar = Program::start(command);
    let says = |what: &str| sidecar.error_line(SECONDS_TO_THE_CAUSE, |line| line.contains(what));
    assert!(says("ready").is_some());
    let base_url = listener(directory.path(), "base_url");

    assert_eq!(call(base_url, BAD_KEY), 401);
    let line = says("mistyped_key").expect("the cause within seconds");
    let named = "OPENAI_API_KEY of container app, filled by openai of Secret llm-keys (a guess by names)";
    for part in ["WARN", "openai", "…x7Qa", named, "Next: "] {
        assert!(line.contains(part), "{part} is missing in: {line}");
    }
    assert!(!line.contains("0123456789"), "{line}");
    let held = verdicts(directory.path());
    assert_eq!((held.len(), &held[0]["kind"], &held[0]["calls"]), (1, &"mistyped_key".into(), &1.into()));

    assert_eq!(call(base_url, ""), 401);
    assert!(says("missing_key").is_some());
    assert_eq!(call(base_url, GOOD_KEY), 200);
    let over = says("over: such a call was answered").expect("the end within seconds");
    assert!(over.contains("missing_key"), "{over}");
    assert_eq!(verdicts(directory.path()).len(), 1, "the mistyped key was not seen to work");

    sidecar.signal(Signal::SIGTERM);
    let ended = sidecar.end();
    assert!(ended.status.success(), "{}", ended.errors);
    assert_eq!(ended.errors.matches("mistyped_key").count(), 1, "said once: {}", ended.errors);
}
