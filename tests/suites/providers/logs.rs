//! The sidecar's log: never in the way of traffic, one line per call where it is wanted, and no flood.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use outrigger_simulator::{Answer, Config, ErrorKind, Rule, Script, Simulator};
use outrigger_tests::DEADLINE;
use outrigger_tests::process::Program;
use serde_json::Value;

use super::KEY;
use super::diagnosis::call;
use super::lifecycle::{command, listener};

const CALLS: usize = 300;

/// A simulator, and a sidecar's command before it.
fn before(answer: Answer, directory: &Path) -> (Simulator, std::process::Command) {
    let script = Script(vec![Rule { answer, ..Rule::default() }]);
    let simulator = Simulator::start(Config { script, ..Config::default() }).expect("the simulator");
    let ca = directory.join("simulator.pem");
    std::fs::write(&ca, simulator.ca_pem()).expect("a temporary file");
    let mut command = command(directory);
    command
        .args(["--upstream", &format!("api.openai.com={}", simulator.address())])
        .arg("--extra-ca")
        .arg(&ca);
    (simulator, command)
}

/// Calls one after the other; how many were answered by `status`.
fn calls(sidecar: SocketAddr, count: usize, status: u16) -> usize {
    (0..count).filter(|_| call(sidecar, KEY) == status).count()
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_call() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (_simulator, mut command) = before(Answer::default(), directory.path());
    command.env("OUTRIGGER_LOG", "trace").env("OUTRIGGER_LOG_CALLS", "all").stderr(Stdio::piped());
    let mut sidecar = command.spawn().expect("the sidecar can be started");
    let base_url = listener(directory.path(), "base_url");
    // Lines of a thousand calls are several times what a pipe holds.
    assert_eq!(calls(base_url, 1000, 200), 1000);
    let id = nix::unistd::Pid::from_raw(sidecar.id().cast_signed());
    nix::sys::signal::kill(id, Signal::SIGTERM).expect("it runs");
    assert!(sidecar.wait().expect("its end").success(), "nor its end");
}

#[test]
fn the_same_failure_is_said_a_few_times_and_then_counted() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let error = Answer { error: Some(ErrorKind::Permission), ..Answer::default() };
    let (_simulator, command) = before(error, directory.path());
    let sidecar = Program::start(command);
    assert_eq!(calls(listener(directory.path(), "base_url"), CALLS, 403), CALLS);
    sidecar.signal(Signal::SIGTERM);
    let log = sidecar.end().errors;
    let said = log
        .lines()
        .filter(|line| line.contains("openai answered 403") && !line.contains("more like"))
        .count();
    assert_eq!(said, 10, "{log}");
    let number: Vec<_> =
        log.lines().filter(|line| line.contains("and 290 more like: openai answered 403")).collect();
    assert_eq!(number.len(), 1, "{log}");
}

#[test]
fn every_call_has_its_line_of_json_where_that_is_asked_for() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (_simulator, mut command) = before(Answer::default(), directory.path());
    command.env("OUTRIGGER_LOG_FORMAT", "json").env("OUTRIGGER_LOG_CALLS", "all");
    let sidecar = Program::start(command);
    assert!(sidecar.error_line(DEADLINE, |line| line.contains(r#""message":"ready""#)).is_some());
    assert_eq!(calls(listener(directory.path(), "base_url"), 30, 200), 30);
    sidecar.signal(Signal::SIGTERM);
    let log = sidecar.end().errors;
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let calls: Vec<&Value> = lines.iter().filter(|line| line["message"] == "call").collect();
    assert_eq!(calls.len(), 30, "{log}");
    let call = calls[0];
    for (field, value) in
        [("level", "INFO"), ("provider", "openai"), ("operation", "chat"), ("outcome", "answered")]
    {
        assert_eq!(call[field], value, "{call}");
    }
    assert_eq!(call["status"], 200, "{call}");
    assert!(call["id"].as_str().is_some_and(|id| id.len() == 32), "{call}");
    assert!(call["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{call}");
    assert!(
        call["input_tokens"].is_u64() && call["duration_ms"].is_u64() && call["cost"].is_string(),
        "{call}"
    );
}
