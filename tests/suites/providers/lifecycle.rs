//! SIGTERM during a stream: it ends normally, new connections are refused, the last records leave.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use outrigger_simulator::{Answer, Simulator};
use outrigger_tests::http::get;
use outrigger_tests::otlp::Receiver;
use outrigger_tests::process::{Program, clean};
use outrigger_tests::{DEADLINE, file, setting};
use serde_json::Value;

use super::{CALLS, KEY, at, exec, python, refs, simulator};

const TRUST: &str = "trust";

fn sidecar(simulator: &Simulator, receiver: &Receiver, directory: &Path) -> (Program, SocketAddr) {
    let ca = directory.join("simulator.pem");
    std::fs::write(&ca, simulator.ca_pem()).expect("a temporary file");
    let mut command = command(directory);
    command
        .args(["--otlp", &receiver.url(), "--upstream", &format!("api.openai.com={}", simulator.address())])
        .arg("--extra-ca")
        .arg(&ca);
    let program = Program::start(command);
    assert!(program.error_line(DEADLINE, |line| line.contains("ready")).is_some());
    (program, listener(directory, "connect"))
}

/// A sidecar of its own with its files in this directory, on ports that the system chooses.
pub(crate) fn command(directory: &Path) -> Command {
    let mut command = Command::new(setting("OUTRIGGER_SIDECAR_BIN"));
    clean(&mut command);
    command
        .arg("--trust-dir")
        .arg(directory.join(TRUST))
        .arg("--admin-socket")
        .arg(directory.join("admin.sock"))
        .env("OUTRIGGER_TRANSPARENT_PORT", "0")
        .env("OUTRIGGER_CONNECT", "127.0.0.1:0")
        .env("OUTRIGGER_BASE_URL", "127.0.0.1:0");
    command
}

/// What such a sidecar tells of itself, as soon as it does.
pub(crate) fn status(directory: &Path) -> Value {
    let until = Instant::now() + DEADLINE;
    let mut stream = loop {
        match UnixStream::connect(directory.join("admin.sock")) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        std::thread::yield_now();
    };
    stream.write_all(b"GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    outrigger_tests::evidence::keep("page", body.as_bytes());
    serde_json::from_str(body).expect("JSON")
}

/// Where such a sidecar listens.
pub(crate) fn listener(directory: &Path, name: &str) -> SocketAddr {
    let address = &status(directory)["listeners"][name];
    address.as_str().and_then(|address| address.parse().ok()).expect("an address")
}

#[test]
fn nobody_reading_its_log_is_no_reason_to_end() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut sidecar = command(directory.path()).stderr(writer).spawn().expect("the sidecar can be started");
    // It has said that it is ready by the time it answers here.
    let answer = get(listener(directory.path(), "base_url"), "/nobody/v1/models").expect("it serves");
    assert_eq!(answer.0, 404, "{}", answer.1);
    nix::sys::signal::kill(Pid::from_raw(sidecar.id().cast_signed()), Signal::SIGTERM).expect("it runs");
    assert!(sidecar.wait().expect("its end").success());
}

#[test]
fn a_stream_under_way_ends_normally_and_new_connections_are_refused() {
    let simulator =
        simulator(Answer { text: Some("one two three".to_owned()), gated: true, ..Answer::default() });
    let receiver = Receiver::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (sidecar, connect) = sidecar(&simulator, &receiver, directory.path());
    let mut command = Command::new(setting("OUTRIGGER_TEST_PYTHON"));
    clean(&mut command);
    command
        .arg(file(CALLS))
        .args(["chat_stream_raw"])
        .env("OPENAI_API_KEY", KEY)
        .env("HTTPS_PROXY", format!("http://{connect}"))
        .env("SSL_CERT_FILE", directory.path().join(TRUST).join("bundle.pem"))
        .env("TEST_SAY_PIECES", "1");
    let app = Program::start(command);
    simulator.release(1);
    app.output_line(|line| line.contains("piece"));

    sidecar.signal(Signal::SIGTERM);
    let until = Instant::now() + DEADLINE;
    while TcpStream::connect(connect).is_ok() {
        assert!(Instant::now() < until, "new connections are still taken");
    }
    simulator.release(100);
    let done: Value = serde_json::from_str(&app.output_line(|line| line.contains("sha256"))).expect("JSON");
    assert_eq!(done["error"], Value::Null, "{done}");
    assert_eq!(done["sha256"], outrigger_tests::sha256(&simulator.received()[0].sent));
    drop(app);

    let received =
        receiver.wait_for(DEADLINE, |received| received.calls.len() == 1).expect("the last record");
    assert_eq!(at(&received.calls[0], "outrigger.outcome"), "answered");
    let ended = sidecar.end();
    assert!(ended.status.success(), "{}", ended.errors);
}

#[test]
fn a_program_ended_by_a_signal_leaves_its_last_record_behind() {
    let simulator =
        simulator(Answer { text: Some("one two three".to_owned()), gated: true, ..Answer::default() });
    let receiver = Receiver::start();
    let running = exec(&simulator)
        .option("--otlp", &receiver.url())
        .variable("TEST_SAY_PIECES", "1")
        .start(&refs(&python(CALLS, &["chat_stream_raw"])));
    simulator.release(1);
    running.program.output_line(|line| line.contains("piece"));
    // To `exec` alone; the program has it from there.
    running.program.signal(Signal::SIGTERM);
    let ended = running.program.end();
    assert_eq!(ended.status.code(), Some(128 + Signal::SIGTERM as i32), "{}", ended.errors);
    let received = receiver.received();
    assert_eq!(received.calls.len(), 1, "everything had left when exec ended: {}", ended.errors);
    assert_eq!(at(&received.calls[0], "outrigger.outcome"), "cancelled");
    assert!(ended.errors.contains("1 call "), "{}", ended.errors);
    assert!(ended.errors.contains("1 exported + 0 waiting + 0 dropped"), "{}", ended.errors);
}
