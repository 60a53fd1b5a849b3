//! Rules beside running traffic, over real sockets: the mode as it changes, a thousand swaps under load, and `exec --rules`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use outrigger_ledger::{CallRecord, Outcome, Recorder};
use outrigger_sidecar::{Running, Settings, UpstreamOverride};
use outrigger_simulator::{Config, Simulator};

/// For anything to happen: far longer than it takes.
const DEADLINE: Duration = Duration::from_secs(60);

struct Records(Mutex<Sender<Arc<CallRecord>>>);

impl Recorder for Records {
    fn try_record(&self, record: Arc<CallRecord>) {
        let _heard = self.0.lock().unwrap().send(record);
    }
}

struct Beside {
    running: Running,
    base_url: SocketAddr,
    records: Receiver<Arc<CallRecord>>,
    _simulator: Simulator,
}

fn start(folder: &Path) -> Beside {
    let simulator = Simulator::start(Config::default()).unwrap();
    let authority = folder.join("providers.pem");
    std::fs::write(&authority, simulator.ca_pem()).unwrap();
    let bound = outrigger_sidecar::bind(&Settings {
        transparent_port: None,
        connect: ([127, 0, 0, 1], 0).into(),
        base_url: ([127, 0, 0, 1], 0).into(),
        upstreams: vec![UpstreamOverride { host: "api.openai.com".to_owned(), address: simulator.address() }],
        extra_cas: vec![authority],
        rules: Some(folder.join("rules")),
        ..Settings::default()
    })
    .unwrap();
    let base_url = bound.base_url_address();
    let (sender, records) = channel();
    let running = bound.serve(Arc::new(Records(Mutex::new(sender)))).unwrap();
    Beside { running, base_url, records, _simulator: simulator }
}

/// A call by base URL; its status and the length of its answer.
fn call(address: SocketAddr) -> (u16, usize) {
    let body = r#"{"model": "gpt-6.1-terra", "messages": [{"role": "user", "content": "tide?"}]}"#;
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(
        stream,
        "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer sk-x\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.len())
}

fn write(folder: &Path, document: &str) {
    let rules = folder.join("rules");
    std::fs::create_dir_all(&rules).unwrap();
    std::fs::write(rules.join(".next"), document).unwrap();
    std::fs::rename(rules.join(".next"), rules.join("rules.yaml")).unwrap();
}

fn document(mode: &str, number: usize) -> String {
    format!(
        "version: 1\nmode: {mode}\nrules:\n  - {{ name: swap-{number}, match: {{ model: m }}, retry: {{}} }}\n"
    )
}

/// Waits for what the status tells.
fn until(running: &Running, holds: impl Fn(&outrigger_sidecar::status::Rules) -> bool) {
    let observer = running.observer();
    let begun = Instant::now();
    while !holds(&observer.status().rules.unwrap()) {
        assert!(begun.elapsed() < DEADLINE, "{:?}", observer.status().rules);
        std::thread::yield_now();
    }
}

#[test]
fn the_mode_decides_whether_calls_are_watched_as_soon_as_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &document("passthrough", 0));
    let beside = start(folder.path());
    assert_eq!(call(beside.base_url).0, 200);
    write(folder.path(), &document("act", 1));
    until(&beside.running, |rules| rules.mode == "act");
    assert_eq!(call(beside.base_url).0, 200);
    assert_eq!(beside.records.recv_timeout(DEADLINE).unwrap().outcome, Outcome::Answered);
    // A document that is refused changes nothing.
    write(folder.path(), "version: 1\nmode: passthru\n");
    until(&beside.running, |rules| rules.rejected == 1);
    assert_eq!(call(beside.base_url).0, 200);
    assert_eq!(beside.records.recv_timeout(DEADLINE).unwrap().outcome, Outcome::Answered);
    let seen = beside.running.drain(DEADLINE);
    assert_eq!(
        (seen.requests, seen.calls.begun, seen.calls.recorded),
        (3, 2, 2),
        "the first was not watched"
    );
    assert!(beside.records.try_recv().is_err());
}

#[test]
fn a_thousand_swaps_under_load_fail_no_call() {
    const SWAPS: usize = 1000;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &document("observe", 0));
    let beside = start(folder.path());
    let (ended, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    let whole = call(beside.base_url);
    assert_eq!(whole.0, 200);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !ended.load(Ordering::Acquire) {
                    assert_eq!(call(beside.base_url), whole);
                    calls.fetch_add(1, Ordering::AcqRel);
                }
            });
        }
        for number in 1..=SWAPS {
            write(folder.path(), &document(if number % 2 == 0 { "observe" } else { "act" }, number));
            if number % 100 == 0 {
                // What comes in a burst is one change; here each hundredth is waited for.
                let name = format!("swap-{number}");
                until(&beside.running, |rules| rules.rules == [name.clone()]);
            }
        }
        // Load to the last: at least one call after the last swap.
        let before = calls.load(Ordering::Acquire);
        let begun = Instant::now();
        while calls.load(Ordering::Acquire) == before && begun.elapsed() < DEADLINE {
            std::thread::yield_now();
        }
        ended.store(true, Ordering::Release);
    });
    let made = calls.load(Ordering::Acquire) + 1;
    let seen = beside.running.drain(DEADLINE);
    assert_eq!((seen.calls.begun, seen.calls.recorded, seen.calls.lost), (made as u64, made as u64, 0));
    let records: Vec<_> = beside.records.try_iter().collect();
    assert_eq!(records.len(), made);
    assert!(records.iter().all(|record| record.outcome == Outcome::Answered));
}

#[test]
fn exec_takes_rules_and_says_what_is_wrong_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    let exec = || {
        let ended = Command::new(env!("CARGO_BIN_EXE_outrigger"))
            .args(["exec", "--rules", file.to_str().unwrap(), "--", "/bin/sh", "-c", "exit 7"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(7), "rules cost the program nothing");
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr))
    };
    let told = exec();
    assert!(
        told.contains("no rules are in force: there is none at ") && told.contains("rules.yaml"),
        "{told}"
    );
    std::fs::write(&file, "version: 1\nmode: on\n").unwrap();
    let told = exec();
    assert!(told.contains("rules.yaml:2:7: mode: `on` is not a mode"), "{told}");
    assert!(told.contains("no rules are in force: `outrigger rules check "), "{told}");
    std::fs::write(&file, document("act", 1)).unwrap();
    let told = exec();
    assert!(!told.contains("no rules are in force"), "{told}");
}
