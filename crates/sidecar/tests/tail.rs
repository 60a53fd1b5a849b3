//! Calls watched live, with the program itself on both ends: `outrigger-sidecar tail` before `outrigger-sidecar`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use outrigger_simulator::{Answer, Config, ErrorKind, Rule, Script, Simulator};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// For anything to happen: far longer than it takes.
const DEADLINE: Duration = Duration::from_secs(60);
const NOTE: &str = "calls are not shown: they came faster than they are read here";

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outrigger-sidecar"));
    command.env_clear().env("OUTRIGGER_CA_DIR", folder.join("private")).stdin(Stdio::null());
    command
}

/// Lines as they come.
fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    lines
}

fn wait_for(lines: &Receiver<String>, words: &str) -> String {
    loop {
        let line = lines.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("nobody says {words}"));
        if line.contains(words) {
            return line;
        }
    }
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Ended already, unless a test failed.
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// A sidecar before the simulator; where it takes calls.
fn sidecar(folder: &Path, simulator: &Simulator) -> (Ended, SocketAddr) {
    let authority = folder.join("providers.pem");
    std::fs::write(&authority, simulator.ca_pem()).unwrap();
    let mut child = program(folder)
        .env("OUTRIGGER_CONNECT", "127.0.0.1:0")
        .env("OUTRIGGER_BASE_URL", "127.0.0.1:0")
        .env("OUTRIGGER_TRANSPARENT_PORT", "0")
        .env("OUTRIGGER_METRICS", "127.0.0.1:0")
        .env("OUTRIGGER_UPSTREAMS", format!("api.openai.com={}", simulator.address()))
        .env("OUTRIGGER_EXTRA_CAS", authority)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = lines(child.stderr.take().unwrap());
    let ready = wait_for(&log, " ready");
    // Read on, so that it never waits for us.
    std::thread::spawn(move || log.iter().for_each(drop));
    let address = ready.split_whitespace().find_map(|word| word.strip_prefix("base_url=")).unwrap();
    (Ended(child), address.parse().unwrap())
}

/// One who watches; what it shows, and what it says beside.
fn tail(folder: &Path, options: &[&str]) -> (Ended, ChildStdout, Receiver<String>) {
    let mut child = program(folder)
        .arg("tail")
        .args(options)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (shown, notes) = (child.stdout.take().unwrap(), lines(child.stderr.take().unwrap()));
    wait_for(&notes, "watching calls at ");
    (Ended(child), shown, notes)
}

fn call(address: SocketAddr, model: &str) -> u16 {
    let body = format!(r#"{{"model": "{model}", "messages": [{{"role": "user", "content": "tide?"}}]}}"#);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(
        stream,
        "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer sk-x\r\nconnection: close\r\n\
         content-type: application/json\r\nx-outrigger-step: plan\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn simulator() -> Simulator {
    let answer = Answer { error: Some(ErrorKind::ServerError), ..Answer::default() };
    let rule = Rule { model: Some("gpt-5".to_owned()), answer, ..Rule::default() };
    Simulator::start(Config { script: Script(vec![rule]), ..Config::default() }).unwrap()
}

#[test]
fn calls_are_shown_as_they_end_and_the_next_sidecar_is_watched_too() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    let (mut running, address) = sidecar(folder, &simulator);
    let (_all, shown, notes) = tail(folder, &["--output", "json"]);
    let (_failed, failures, _) = tail(folder, &["--failed"]);
    let (records, failures) = (lines(shown), lines(failures));
    assert_eq!((call(address, "gpt-5-mini"), call(address, "gpt-5")), (200, 500));
    let record = |outcome: &str| {
        let record: Value = serde_json::from_str(&records.recv_timeout(DEADLINE).unwrap()).unwrap();
        assert_eq!(record["outcome"], outcome, "{record}");
        record
    };
    let answered = record("answered");
    assert_eq!((&answered["requested_model"], &answered["step"]), (&"gpt-5-mini".into(), &"plan".into()));
    assert!(answered["cost"].is_string() && answered["tokens"]["input_total"].is_u64(), "{answered}");
    let failed = record("failed");
    let line = failures.recv_timeout(DEADLINE).unwrap();
    let id = failed["id"].as_str().unwrap();
    assert!(line.contains("openai gpt-5 ") && line.contains("failed 500 server_error"), "{line}");
    assert!(line.contains(&format!("id={id}")) && line.contains("step=plan"), "{line}");

    kill_process(Pid::from_child(&running.0), Signal::TERM).unwrap();
    assert!(running.0.wait().unwrap().success());
    wait_for(&notes, "the sidecar has ended");
    let (_next, address) = sidecar(folder, &simulator);
    wait_for(&notes, "calls that ended in between were not seen");
    wait_for(&notes, "watching calls at ");
    assert_eq!(call(address, "gpt-5-mini"), 200);
    record("answered");
}

#[test]
fn one_call_is_asked_for_by_the_beginning_of_its_id_and_nobody_to_watch_is_an_error() {
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    let ended = program(folder).arg("tail").output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(said.contains("no sidecar answers at") && said.contains("private/admin.sock"), "{said}");
    for wrong in ["", "xyz"] {
        assert_eq!(program(folder).args(["tail", "--call", wrong]).output().unwrap().status.code(), Some(2));
    }

    let (_running, address) = sidecar(folder, &simulator);
    let (mut one, mut shown, _) = tail(folder, &["--call", "A"]);
    // Ids are random: one in sixteen begins so.
    let status = (0..2000)
        .find_map(|_| {
            assert_eq!(call(address, "gpt-5-mini"), 200);
            one.0.try_wait().unwrap()
        })
        .unwrap();
    assert!(status.success());
    let mut line = String::new();
    shown.read_to_string(&mut line).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.contains("id=a"), "{line}");
}

#[test]
fn a_reader_that_does_not_read_loses_calls_by_count_and_holds_nobody_up() {
    const CALLS: usize = 2000;
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator());
    let folder = folder.path();
    let (_running, address) = sidecar(folder, &simulator);
    let (_slow, shown, notes) = tail(folder, &["--output", "json"]);
    // What is not read here fills the pipe, the socket and at last the sidecar's own room.
    let workers: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                (0..CALLS / 8).for_each(|_| assert_eq!(call(address, "gpt-5-mini"), 200))
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    let (both, said) = channel();
    for from in [lines(shown), notes] {
        let both = both.clone();
        std::thread::spawn(move || from.iter().try_for_each(|line| both.send(line)));
    }
    let (mut seen, mut missed) = (0, 0);
    while seen + missed < CALLS {
        let line = said.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{seen} seen, {missed} missed"));
        if let Some(note) = line.strip_suffix(NOTE) {
            missed += note.trim().parse::<usize>().unwrap();
        } else {
            assert!(serde_json::from_str::<Value>(&line).unwrap()["id"].is_string(), "{line}");
            seen += 1;
        }
    }
    assert_eq!(seen + missed, CALLS);
    assert!(missed > 0 && seen > 0, "{seen} seen, {missed} missed");
}
