//! The program itself with everything wrong that an operator can set: it serves within the time that a pod waits, says what is wrong,
//! and does without. Under `closed` it ends, and `--check` says the same before anything is started.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use outrigger_simulator::{Config, Simulator};
use serde_json::Value;

/// For anything to happen: far longer than it takes.
const DEADLINE: Duration = Duration::from_secs(60);
/// From the start to a kubelet's first good answer.
const STARTS: Duration = Duration::from_secs(2);
/// A start that the machine had no time for says nothing of us.
const TRIES: usize = 5;

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:9");
const HASH: (&str, &str) = ("OUTRIGGER_IDENTITY_HASH", "all");

/// Variables of which one, or a file that it names, cannot be used; `{}` is the folder of the test.
struct Fault {
    variables: &'static [(&'static str, &'static str)],
    /// Words of the line that says it.
    says: &'static str,
}

const fn fault(variables: &'static [(&'static str, &'static str)], says: &'static str) -> Fault {
    Fault { variables, says }
}

/// What is left out.
const LEFT_OUT: [Fault; 18] = [
    fault(&[("OUTRIGGER_GRACE_SECONDS", "ten")], "`grace_seconds` (OUTRIGGER_GRACE_SECONDS)"),
    fault(&[("OUTRIGGER_ALLOWED_PROVIDERS", "opnai")], "`opnai` in `allowed_providers`"),
    fault(&[("OUTRIGGER_PASSTHROUGH_HOSTS", "*.example.com")], "`*.example.com` in `passthrough_hosts`"),
    fault(&[("OUTRIGGER_UPSTREAM_PROXY", "socks5://me:hunter2@proxy")], "upstream proxy `proxy`"),
    fault(&[("OUTRIGGER_EXTRA_CAS", "{}/providers.pem,/nowhere/ca.pem")], "/nowhere/ca.pem"),
    fault(&[HASH], "`identity_hash` needs `identity_salt_file`"),
    fault(&[HASH, ("OUTRIGGER_IDENTITY_SALT_FILE", "/nowhere/salt")], "`identity_salt_file` /nowhere/salt"),
    fault(&[HASH, ("OUTRIGGER_IDENTITY_SALT_FILE", "{}/short")], "has 5 bytes"),
    fault(&[("OTEL_PROPAGATORS", "tracecontext,xray")], "`xray`"),
    fault(
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "httpjson")],
        "OTEL_EXPORTER_OTLP_PROTOCOL=\"httpjson\"",
    ),
    fault(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "foo")], "OTEL_TRACES_EXPORTER=\"foo\""),
    fault(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2")], "OTEL_EXPORTER_OTLP_HEADERS: "),
    fault(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:hunter2@otlp")], "OTEL_EXPORTER_OTLP_ENDPOINT: "),
    fault(
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem")],
        "OTEL_EXPORTER_OTLP_CERTIFICATE=/nowhere/ca.pem",
    ),
    fault(
        &[
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "{}/providers.pem"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/nowhere/key.pem"),
        ],
        "OTEL_EXPORTER_OTLP_CLIENT_KEY=/nowhere/key.pem",
    ),
    fault(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "{}/providers.pem")], "needs its key"),
    fault(&[("OUTRIGGER_METRICS_SERIES", "many")], "OUTRIGGER_METRICS_SERIES=\"many\""),
    fault(&[("OUTRIGGER_FAILURE_POLICY", "ajar")], "OUTRIGGER_FAILURE_POLICY"),
];

/// What degrades in a way of its own, of which other tests show what becomes of it.
const DEGRADED: [Fault; 10] = [
    fault(&[("OUTRIGGER_RULES", "{}/bad")], "rulez"),
    fault(&[("OUTRIGGER_RULES", "{}/no-folder")], "no-folder/rules.yaml:No such file or directory"),
    fault(&[("OUTRIGGER_RULES", "{}/empty")], "there are no rules"),
    fault(&[("OUTRIGGER_RULES", "{}/act"), ("OUTRIGGER_CREDENTIALS", "{}/nowhere")], "anthropic/key"),
    // A folder in which nothing can be written.
    fault(&[("OUTRIGGER_CA_DIR", "{}/short")], "the certificate authority cannot be stored in"),
    fault(&[("OUTRIGGER_TRUST_DIR", "{}/short")], "the trust files cannot be written to"),
    fault(
        &[("OUTRIGGER_SPOOL_DIR", "{}/short"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")],
        "there is no spool",
    ),
    fault(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")], "http://127.0.0.1:9"),
    fault(
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://{silent}"),
            ("OUTRIGGER_OTLP_HEADERS_FILE", "/nowhere/headers"),
        ],
        "OUTRIGGER_OTLP_HEADERS_FILE=/nowhere/headers: it is not there",
    ),
    fault(
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://{silent}"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "100")],
        "no answer in time",
    ),
];

/// A provider, a collector that never answers, and files to be named.
struct Scene {
    folder: tempfile::TempDir,
    provider: Simulator,
    silent: TcpListener,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let provider = Simulator::start(Config::default()).unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("providers.pem", provider.ca_pem());
        write("short", "short");
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        write("bad/rules.yaml", "version: 1\nrulez: []\n");
        write(
            "act/rules.yaml",
            "version: 1\nmode: act\nbackups:\n  claude: { provider: anthropic, credential: { file: anthropic/key } }\nrules:\n  \
             - { name: chat, match: {}, failover: { to: [claude] } }\n",
        );
        Scene { folder, provider, silent: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program as in a pod, with this wrong; its volumes are fresh.
    fn program(&self, wrong: &Fault, volumes: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outrigger-sidecar"));
        self.set(&mut command, wrong, volumes);
        command
    }

    fn set(&self, command: &mut Command, wrong: &Fault, volumes: &Path) {
        command.env_clear().stdin(Stdio::null());
        for (name, value) in [
            ("OUTRIGGER_CONNECT", "127.0.0.1:0"),
            ("OUTRIGGER_BASE_URL", "127.0.0.1:0"),
            ("OUTRIGGER_TRANSPARENT_PORT", "0"),
            ("OUTRIGGER_METRICS", "127.0.0.1:0"),
            ("OUTRIGGER_EXTRA_CAS", "{}/providers.pem"),
        ]
        .into_iter()
        .chain(wrong.variables.iter().copied())
        {
            let silent = self.silent.local_addr().unwrap().to_string();
            let value = value.replace("{}", self.path().to_str().unwrap()).replace("{silent}", &silent);
            command.env(name, value);
        }
        command.env("OUTRIGGER_UPSTREAMS", format!("api.openai.com={}", self.provider.address()));
        command.env("OUTRIGGER_ADMIN_SOCKET", volumes.join("admin.sock"));
        for (name, folder) in [("OUTRIGGER_CA_DIR", "ca"), ("OUTRIGGER_TRUST_DIR", "trust")] {
            if wrong.variables.iter().all(|(known, _)| *known != name) {
                command.env(name, volumes.join(folder));
            }
        }
    }

    /// Starts it until it once was ready in time.
    fn start(&self, wrong: &Fault) -> Sidecar {
        let mut took = Vec::new();
        for _ in 0..TRIES {
            let volumes = tempfile::tempdir().unwrap();
            let command = self.program(wrong, volumes.path());
            let sidecar = Sidecar::start(command, volumes);
            if sidecar.took < STARTS {
                return sidecar;
            }
            took.push(sidecar.took);
        }
        panic!("{:?} was ready after {took:?}", wrong.variables);
    }
}

struct Sidecar {
    child: Child,
    log: Receiver<String>,
    said: Vec<String>,
    base_url: SocketAddr,
    metrics: SocketAddr,
    socket: PathBuf,
    /// From the start to the first good answer.
    took: Duration,
    volumes: tempfile::TempDir,
}

impl Sidecar {
    fn start(mut command: Command, volumes: tempfile::TempDir) -> Sidecar {
        let began = Instant::now();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, log) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line)).unwrap_or_default();
        });
        let socket = volumes.path().join("admin.sock");
        let nowhere = SocketAddr::from(([0; 4], 0));
        let mut sidecar = Sidecar {
            child,
            log,
            said: Vec::new(),
            base_url: nowhere,
            metrics: nowhere,
            socket,
            took: Duration::ZERO,
            volumes,
        };
        let ready = sidecar.says(" ready ");
        let address = ready.split_whitespace().find_map(|word| word.strip_prefix("base_url="));
        sidecar.base_url = address.unwrap().parse().unwrap();
        sidecar.metrics = sidecar.status()["listeners"]["metrics"].as_str().unwrap().parse().unwrap();
        let answer = sidecar.get("/readyz");
        sidecar.took = began.elapsed();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        sidecar
    }

    /// A line of its log with these words, said already or to come.
    fn says(&mut self, words: &str) -> String {
        let known = |said: &[String]| said.iter().find(|line| line.contains(words)).cloned();
        loop {
            if let Some(line) = known(&self.said) {
                return line;
            }
            let Ok(line) = self.log.recv_timeout(DEADLINE) else {
                panic!("it does not say {words}: {}", self.said.join("\n"));
            };
            self.said.push(line);
        }
    }

    fn status(&self) -> Value {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(b"GET /status HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (begin, end) = (answer.find('{').unwrap(), answer.rfind('}').unwrap());
        serde_json::from_str(&answer[begin..=end]).unwrap()
    }

    fn get(&self, path: &str) -> String {
        asked(self.metrics, &format!("GET {path} HTTP/1.1\r\nhost: pod\r\nconnection: close\r\n\r\n"))
    }

    /// An app's call through it is answered by the provider.
    fn carries_calls(&self) {
        let body = r#"{"model": "gpt-5-mini", "messages": [{"role": "user", "content": "tide?"}]}"#;
        let answer = asked(
            self.base_url,
            &format!(
                "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer sk-x\r\nconnection: close\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                self.base_url,
                body.len()
            ),
        );
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn asked(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn what_cannot_be_used_is_left_out_in_time_and_told_everywhere() {
    let scene = Scene::new();
    for wrong in LEFT_OUT {
        let mut sidecar = scene.start(&wrong);
        let line = sidecar.says(wrong.says);
        assert!(line.contains("ERROR") && line.contains("Until then"), "{line}");
        sidecar.carries_calls();
        let status = sidecar.status();
        let left_out = status["left_out"].as_array().unwrap();
        assert_eq!(left_out.len(), 1, "{status}");
        assert!(left_out[0].as_str().unwrap().contains(wrong.says), "{status}");
        assert!(
            sidecar.get("/metrics").contains("\noutrigger_settings_left_out 1\n"),
            "{:?}",
            wrong.variables
        );
        let told = format!("{}{status}", sidecar.said.join("\n"));
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn what_degrades_in_its_own_way_does_so_in_time_and_is_said() {
    let scene = Scene::new();
    for wrong in DEGRADED {
        let mut sidecar = scene.start(&wrong);
        sidecar.carries_calls();
        sidecar.says(wrong.says);
        assert_eq!(sidecar.status()["left_out"], serde_json::json!([]), "{:?}", wrong.variables);
    }
}

#[test]
fn full_volumes_stop_nothing() {
    if !rustix::process::geteuid().is_root() {
        // Nobody else may mount; the same with a file in each folder's place stands above.
        return;
    }
    let scene = Scene::new();
    let wrong = fault(
        &[("OUTRIGGER_SPOOL_DIR", "/mnt"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")],
        "the certificate authority cannot be stored in",
    );
    let mut took = Vec::new();
    for _ in 0..TRIES {
        let volumes = tempfile::tempdir().unwrap();
        for folder in ["ca", "trust"] {
            std::fs::create_dir(volumes.path().join(folder)).unwrap();
        }
        let mut command = Command::new("/usr/bin/unshare");
        let script = "for volume in ca trust /mnt; do mount -t tmpfs -o size=4k full $volume && head -c 4096 /dev/zero > $volume/all || exit 9; \
                      done; exec \"$0\"";
        command.args(["--mount", "/bin/sh", "-c", script, env!("CARGO_BIN_EXE_outrigger-sidecar")]);
        scene.set(&mut command, &wrong, volumes.path());
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir(volumes.path());
        let mut sidecar = Sidecar::start(command, volumes);
        if sidecar.took < STARTS {
            sidecar.carries_calls();
            sidecar.says(wrong.says);
            sidecar.says("there is no spool");
            assert_eq!(sidecar.status()["authority"]["state"], "failed");
            return;
        }
        took.push(sidecar.took);
    }
    panic!("ready after {took:?}");
}

#[test]
fn under_closed_it_ends_and_says_why() {
    let scene = Scene::new();
    for wrong in LEFT_OUT.iter().filter(|wrong| wrong.variables[0].0 != "OUTRIGGER_FAILURE_POLICY") {
        let volumes = tempfile::tempdir().unwrap();
        let mut command = scene.program(wrong, volumes.path());
        let output = command.env("OUTRIGGER_FAILURE_POLICY", "closed").output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(wrong.says) && said.contains("the sidecar does not start"), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("Until then"), "{said}");
        assert!(!volumes.path().join("ca").exists(), "nothing was begun");
    }
}

#[test]
fn a_check_says_all_that_is_wrong_and_starts_nothing() {
    let scene = Scene::new();
    let check = |wrong: &Fault, how: &str| {
        let volumes = tempfile::tempdir().unwrap();
        let output = scene.program(wrong, volumes.path()).arg(how).output().unwrap();
        assert_eq!(std::fs::read_dir(volumes.path()).unwrap().count(), 0, "nothing was begun");
        (output.status.code(), text(&output))
    };
    let sound = (Some(0), "nothing is wrong with the settings\n".to_owned());
    assert_eq!(check(&fault(&[], ""), "--check"), sound);
    for wrong in &LEFT_OUT {
        let (code, said) = check(wrong, "--check");
        assert!(code == Some(1) && said.contains(wrong.says) && said.lines().count() == 1, "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let (code, said) = check(
        &fault(
            &[
                ("OUTRIGGER_RULES", "{}/bad"),
                ("OUTRIGGER_HANG_UP", "keep"),
                ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
                ("OUTRIGGER_OTLP_HEADERS_FILE", "{}/short"),
                ENDPOINT,
            ],
            "",
        ),
        "--check",
    );
    assert!(code == Some(1) && said.lines().count() == 4, "{said}");
    assert!(
        ["rulez", "`hang_up`", "OTEL_BSP_SCHEDULE_DELAY", "OUTRIGGER_OTLP_HEADERS_FILE="]
            .iter()
            .all(|what| said.contains(what)),
        "{said}"
    );
    // Of a release that would tell it more than it knows.
    let told_by = |version: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outrigger-sidecar"));
        command.env_clear().args([&format!("--not-older-than={version}"), "--check=values"]);
        let output = command.output().unwrap();
        (output.status.code(), text(&output))
    };
    assert_eq!(told_by(env!("CARGO_PKG_VERSION")), sound);
    let (code, said) = told_by("999.0.0");
    assert!(
        code == Some(1) && said.contains("`image.sidecar` (tag or digest) the image of 999.0.0"),
        "{said}"
    );
    // Elsewhere, where the pods' files are not.
    let elsewhere = fault(
        &[
            ENDPOINT,
            HASH,
            ("OUTRIGGER_IDENTITY_SALT_FILE", "/nowhere/salt"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
            ("OUTRIGGER_OTLP_HEADERS_FILE", "/nowhere/headers"),
            ("OUTRIGGER_RULES", "/nowhere/rules"),
        ],
        "",
    );
    assert_eq!(check(&elsewhere, "--check=values"), sound);
    let (code, said) = check(&LEFT_OUT[0], "--check=values");
    assert!(code == Some(1) && said.contains(LEFT_OUT[0].says), "{said}");
}

#[test]
fn the_doctor_of_such_a_pod_names_what_is_left_out() {
    let scene = Scene::new();
    let sidecar = scene.start(&LEFT_OUT[0]);
    let mut doctor = scene.program(&LEFT_OUT[0], sidecar.volumes.path());
    let output = doctor.args(["doctor", "--output", "json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|one| one["id"] == "settings-left-out").unwrap();
    assert!(found["text"].as_str().unwrap().contains(LEFT_OUT[0].says), "{report}");
}

#[test]
fn what_is_typed_wrongly_ends_it_at_once() {
    let scene = Scene::new();
    let volumes = tempfile::tempdir().unwrap();
    let mut command = scene.program(&fault(&[], ""), volumes.path());
    let output = command.args(["--otlp", "collector:4318"]).output().unwrap();
    let said = text(&output);
    assert!(output.status.code() == Some(1) && said.contains("--otlp=\"collector:4318\""), "{said}");
    // What a file asked for, nobody knows.
    let mut command = scene.program(&fault(&[], ""), volumes.path());
    let output = command.args(["--config", "/nowhere/sidecar.yaml"]).output().unwrap();
    let said = text(&output);
    assert!(output.status.code() == Some(1) && said.contains("/nowhere/sidecar.yaml"), "{said}");
}
