//! A sidecar on its own says what its calls show, on the admin socket too, and says when it is over.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use outrigger_simulator::{Config, Simulator};
use outrigger_tests::app;
use outrigger_tests::http::free_address;
use outrigger_tests::process::Program;
use serde_json::Value;

use super::lifecycle::command;

const GOOD_KEY: &str = "sk-proj-0123456789abcdefk2Pb";
const BAD_KEY: &str = "sk-proj-0123456789abcdefx7Qa";
/// From the first sign to the verdict.
const SECONDS_TO_THE_CAUSE: Duration = Duration::from_secs(5);

/// One call through the base-URL listener; its status.
fn call(sidecar: SocketAddr, key: &str) -> u16 {
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
fn verdicts(socket: &Path) -> Vec<Value> {
    let mut stream = UnixStream::connect(socket).expect("the admin socket");
    stream.write_all(b"GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let status: Value = serde_json::from_str(body).expect("JSON");
    status["verdicts"].as_array().expect("a list").clone()
}

#[test]
fn a_mistyped_key_is_named_within_seconds_and_a_missing_one_until_it_is_there() {
    let simulator = Simulator::start(Config { valid_keys: vec![GOOD_KEY.to_owned()], ..Config::default() })
        .expect("the simulator");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ca = directory.path().join("simulator.pem");
    std::fs::write(&ca, simulator.ca_pem()).expect("a temporary file");
    let (base_url, socket) = (free_address(), directory.path().join("admin.sock"));
    let mut command = command(free_address(), base_url, directory.path());
    command
        .args(["--upstream", &format!("api.openai.com={}", simulator.address())])
        .arg("--extra-ca")
        .arg(&ca)
        .arg("--admin-socket")
        .arg(&socket);
    let sidecar = Program::start(command);
    let says = |what: &str| sidecar.error_line(SECONDS_TO_THE_CAUSE, |line| line.contains(what));
    assert!(says("ready").is_some());

    assert_eq!(call(base_url, BAD_KEY), 401);
    let line = says("mistyped_key").expect("the cause within seconds");
    for part in ["WARN", "openai", "…x7Qa", "OPENAI_API_KEY", "Next: "] {
        assert!(line.contains(part), "{part} is missing in: {line}");
    }
    assert!(!line.contains("0123456789"), "{line}");
    let held = verdicts(&socket);
    assert_eq!((held.len(), &held[0]["kind"], &held[0]["calls"]), (1, &"mistyped_key".into(), &1.into()));

    assert_eq!(call(base_url, ""), 401);
    assert!(says("missing_key").is_some());
    assert_eq!(call(base_url, GOOD_KEY), 200);
    let over = says("over: such a call was answered").expect("the end within seconds");
    assert!(over.contains("missing_key"), "{over}");
    assert_eq!(verdicts(&socket).len(), 1, "the mistyped key was not seen to work");

    sidecar.signal(Signal::SIGTERM);
    let ended = sidecar.end();
    assert!(ended.status.success(), "{}", ended.errors);
    assert_eq!(ended.errors.matches("mistyped_key").count(), 1, "said once: {}", ended.errors);
}
