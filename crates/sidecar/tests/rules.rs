//! The program itself with rules: a change while it runs, a broken document, a restart on it; told by status, metrics and doctor.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// For anything to happen: far longer than it takes.
const DEADLINE: Duration = Duration::from_secs(60);

const ACT: &str = "version: 1\nmode: act\nbackups:\n  claude: { provider: anthropic, credential: { file: anthropic/key } }\nrules:\n  \
                   - { name: chat, match: {}, failover: { to: [claude] } }\n";

/// A running sidecar, its rules and private directory in one folder.
struct Sidecar {
    child: Child,
    socket: PathBuf,
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outrigger-sidecar"));
    command.env_clear().env("OUTRIGGER_CA_DIR", folder.join("private"));
    command
}

impl Sidecar {
    fn start(folder: &Path) -> Sidecar {
        let mut child = program(folder)
            .args(["--rules", folder.join("rules").to_str().unwrap()])
            .env("OUTRIGGER_CONNECT", "127.0.0.1:0")
            .env("OUTRIGGER_BASE_URL", "127.0.0.1:0")
            .env("OUTRIGGER_TRANSPARENT_PORT", "0")
            .env("OUTRIGGER_METRICS", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(log.by_ref().any(|line| line.unwrap().contains("ready")), "it did not start");
        // Read on, so that it never waits for us.
        std::thread::spawn(move || log.for_each(drop));
        Sidecar { child, socket: folder.join("private/admin.sock") }
    }

    fn status(&self) -> Value {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(b"GET /status HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let (begin, end) = (body.find('{').unwrap(), body.rfind('}').unwrap());
        serde_json::from_str(&body[begin..=end]).unwrap()
    }

    fn until(&self, holds: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let rules = self.status()["rules"].take();
            if holds(&rules) {
                return rules;
            }
            assert!(begun.elapsed() < DEADLINE, "{rules}");
            std::thread::yield_now();
        }
    }

    fn metrics(&self) -> String {
        let address = self.status()["listeners"]["metrics"].as_str().unwrap().to_owned();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: pod\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn end(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // Ended already, unless a test failed.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn mount(folder: &Path, document: &str) {
    let rules = folder.join("rules");
    std::fs::create_dir_all(&rules).unwrap();
    std::fs::write(rules.join(".next"), document).unwrap();
    std::fs::rename(rules.join(".next"), rules.join("rules.yaml")).unwrap();
}

#[test]
fn rules_change_while_it_runs_and_the_last_good_ones_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    mount(folder, "version: 1\n");
    let sidecar = Sidecar::start(folder);
    let first = sidecar.until(|rules| rules["state"] == "current");
    assert_eq!((&first["mode"], &first["accepted"]), (&Value::from("observe"), &Value::from(1)));
    mount(folder, ACT);
    let rules = sidecar.until(|rules| rules["mode"] == "act");
    assert_eq!(rules["rules"], serde_json::json!(["chat"]));
    assert_eq!(
        rules["backups"],
        serde_json::json!(["claude: anthropic at api.anthropic.com, paid by the file anthropic/key"])
    );
    let info = format!("outrigger_rules_info{{hash={},mode=\"act\"}} 1", rules["hash"]);
    assert!(sidecar.metrics().contains(&info), "{info}");

    mount(folder, &ACT.replace("match:", "matches:"));
    let refused = sidecar.until(|rules| rules["rejected"] == 1);
    assert_eq!((&refused["state"], &refused["hash"]), (&Value::from("kept"), &rules["hash"]));
    let fault = refused["faults"].to_string();
    assert!(
        fault.contains("6:19: rules[0].matches: there is no key `matches` here; did you mean `match`?"),
        "{fault}"
    );
    assert!(sidecar.metrics().contains("outrigger_config_rejected_total 1"));
    sidecar.end();

    let sidecar = Sidecar::start(folder);
    let kept = sidecar.until(|rules| rules["state"] == "kept");
    assert_eq!((&kept["mode"], &kept["hash"]), (&rules["mode"], &rules["hash"]));
    let metrics = sidecar.metrics();
    assert!(metrics.contains(&info) && metrics.contains("outrigger_config_rejected_total 1"), "{metrics}");
    let doctor = program(folder).arg("doctor").output().unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    assert!(
        doctor.contains("did you mean `match`?") && doctor.contains("prompts may go to claude"),
        "{doctor}"
    );
    sidecar.end();
}
