//! `outrigger-sidecar doctor` beside a running sidecar, and `outrigger doctor` with a real interpreter: what they find, how it
//! mends, and what is never shown.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use outrigger_providers::services;
use outrigger_simulator::{Config, Simulator};
use outrigger_tests::http::free_address;
use outrigger_tests::process::{Program, clean};
use outrigger_tests::tls::TlsServer;
use outrigger_tests::{DEADLINE, setting};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use super::KEY;

const PASSWORD: &str = "hunter2-of-the-proxy";

/// The host of each provider that is tried.
fn hosts() -> Vec<&'static str> {
    services::ALL.iter().filter_map(|service| service.hosts.first().copied()).collect()
}

/// Every one of them at this address.
fn all_at(address: SocketAddr) -> Vec<(&'static str, SocketAddr)> {
    hosts().into_iter().map(|host| (host, address)).collect()
}

fn simulator() -> Simulator {
    let extra_names = hosts().into_iter().map(str::to_owned).collect();
    Simulator::start(Config { extra_names, ..Config::default() }).expect("a simulator")
}

/// A sidecar as in a pod: private and public directory, a redirect's report, a simulator for every provider.
struct Pod {
    directory: tempfile::TempDir,
    // Ended before the next one starts.
    sidecar: Option<Program>,
    arguments: Vec<OsString>,
    variables: Vec<(String, String)>,
    connect: SocketAddr,
    base_url: SocketAddr,
}

impl Pod {
    fn start(simulator: &Simulator) -> Pod {
        Pod::with(&all_at(simulator.address()), Some(simulator.ca_pem()), &[])
    }

    fn with(upstreams: &[(&str, SocketAddr)], ca_pem: Option<&str>, variables: &[(&str, &str)]) -> Pod {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let trust = directory.path().join("trust");
        std::fs::create_dir(&trust).expect("a temporary directory");
        let report = json!({
            "redirected": true, "backend": "nft", "families": ["ipv4"], "on_proxy_down": "open", "ports": [443],
            "self_test": { "ipv4": { "proven": true }, "ipv6": { "proven": false, "reason": "it is not redirected" } },
        });
        std::fs::write(trust.join("redirect.json"), report.to_string()).expect("a temporary file");
        let mut arguments: Vec<OsString> =
            vec!["--trust-dir".into(), trust.into(), "--ca-dir".into(), directory.path().join("ca").into()];
        for (host, address) in upstreams {
            arguments.extend(["--upstream".into(), format!("{host}={address}").into()]);
        }
        if let Some(pem) = ca_pem {
            let file = directory.path().join("extra.pem");
            std::fs::write(&file, pem).expect("a temporary file");
            arguments.extend(["--extra-ca".into(), file.into()]);
        }
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut pod =
            Pod { directory, sidecar: None, arguments, variables, connect: nowhere, base_url: nowhere };
        pod.restart();
        pod
    }

    fn restart(&mut self) {
        drop(self.sidecar.take());
        let mut command = Command::new(setting("OUTRIGGER_SIDECAR_BIN"));
        clean(&mut command);
        command
            .args(&self.arguments)
            .env("OUTRIGGER_CONNECT", "127.0.0.1:0")
            .env("OUTRIGGER_BASE_URL", "127.0.0.1:0")
            .env("OUTRIGGER_TRANSPARENT_PORT", "0")
            .env("OUTRIGGER_METRICS", "127.0.0.1:0")
            .env("OUTRIGGER_UPSTREAM_PROXY", format!("http://me:{PASSWORD}@127.0.0.1:9"))
            .env("OPENAI_API_KEY", KEY)
            .envs(self.variables.iter().cloned());
        let sidecar = Program::start(command);
        let ready = sidecar.error_line(DEADLINE, |line| line.contains(" ready ")).expect("it starts");
        let address = |name: &str| {
            let text = ready.split(name).nth(1).and_then(|rest| rest.split(' ').next());
            text.and_then(|text| text.parse().ok()).expect("an address")
        };
        (self.connect, self.base_url) = (address("connect="), address("base_url="));
        self.sidecar = Some(sidecar);
    }

    fn trust(&self, name: &str) -> PathBuf {
        self.directory.path().join("trust").join(name)
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("ca/admin.sock")
    }

    fn status(&self) -> String {
        let mut state = String::new();
        let mut socket = std::os::unix::net::UnixStream::connect(self.socket()).expect("it listens");
        socket.write_all(b"GET /status HTTP/1.0\r\n\r\n").expect("it reads");
        socket.read_to_string(&mut state).expect("it answers");
        state
    }

    fn doctor(&self, output: &str) -> (Option<i32>, String) {
        doctor(&["--admin-socket", &self.socket().display().to_string(), "--output", output])
    }

    fn findings(&self) -> (Option<i32>, Vec<Value>) {
        let (code, output) = self.doctor("json");
        let report: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
        (code, report["findings"].as_array().cloned().unwrap_or_default())
    }

    /// A client that trusts nobody, and so refuses whoever answers.
    fn refuse(&self, host: &str) {
        let mut stream = TcpStream::connect(self.connect).expect("the sidecar listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        write!(stream, "CONNECT {host}:443 HTTP/1.1\r\n\r\n").expect("the sidecar reads");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the sidecar answers");
            answer.push(byte[0]);
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .expect("versions")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).expect("a host name");
        let client = ClientConnection::new(Arc::new(config), name).expect("a valid configuration");
        let mut tls = StreamOwned::new(client, stream);
        tls.flush().expect_err("nobody is trusted");
        // The sidecar closes once it has heard the refusal.
        let _closed = tls.sock.read(&mut [0; 16]);
    }
}

fn doctor(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(setting("OUTRIGGER_SIDECAR_BIN"));
    clean(&mut command);
    command.arg("doctor").args(arguments).env("OPENAI_API_KEY", KEY);
    let ended = Program::start(command).end();
    (ended.status.code(), ended.output)
}

fn of<'a>(findings: &'a [Value], id: &str) -> &'a Value {
    findings.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("no {id} in {findings:#?}"))
}

fn says(finding: &Value, level: &str, text: &str, mend: &str) {
    let has = |field: &str, words: &str| finding[field].as_str().unwrap_or_default().contains(words);
    assert!(finding["level"] == level && has("text", text) && has("mend", mend), "{finding:#}");
}

#[test]
fn a_healthy_pod_is_well_and_shows_no_secret() {
    let simulator = simulator();
    let pod = Pod::start(&simulator);
    let (code, findings) = pod.findings();
    assert_eq!(code, Some(0), "{findings:#?}");
    for id in ["running", "authority", "redirect-proven", "heartbeat", "trust-ok", "round-trip"] {
        says(of(&findings, id), "ok", "", "");
    }
    assert!(
        findings.iter().all(|finding| finding["level"] == "ok" || finding["level"] == "note"),
        "{findings:#?}"
    );
    let (code, text) = pod.doctor("text");
    assert_eq!(code, Some(0));
    // Its own visits are no client of the app's.
    assert!(text.contains("no client has made a handshake"), "{text}");
    assert!(text.lines().last().is_some_and(|line| line.ends_with("0 warn, 0 fail")), "{text}");

    let state = pod.status();
    assert!(state.contains("\"upstream_proxy\":\"127.0.0.1:9\""), "{state}");
    for told in [state, text, format!("{findings:?}")] {
        assert!(!told.contains(PASSWORD) && !told.contains(KEY), "{told}");
    }
}

/// Neither request is answered, and nobody takes telemetry: the status accounts for both calls, doctor says what was lost.
#[test]
fn calls_and_their_telemetry_are_accounted_for() {
    let simulator = simulator();
    let nobody = format!("http://{}", free_address());
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", nobody.as_str()), ("OTEL_BLRP_MAX_QUEUE_SIZE", "1")];
    let pod = Pod::with(&all_at(simulator.address()), None, &variables);
    for _ in 0..2 {
        let base_url = pod.base_url;
        let mut stream = TcpStream::connect(base_url).expect("the sidecar listens");
        write!(
            stream,
            "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: {base_url}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}"
        )
        .expect("the sidecar reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the sidecar answers");
        // The simulator's authority is not trusted here.
        assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    }
    // The exporter looks at what it is given a moment later.
    let deadline = Instant::now() + DEADLINE;
    let (status, dropped) = loop {
        let state = pod.status();
        let body = state.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let status: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {state}"));
        // Each failure is a record and an event; the first one begins a verdict, which is an event, too. One of the three has the room.
        let logs = &status["telemetry"]["logs"];
        let dropped = logs["dropped"]["no_room"].as_u64().unwrap_or(0);
        if logs["seen"] == 5 && dropped + logs["waiting"].as_u64().unwrap_or(0) == 5 && dropped >= 3 {
            break (status, dropped);
        }
        assert!(Instant::now() < deadline, "{status:#}");
    };
    assert_eq!(
        status["calls"],
        json!({ "begun": 2, "under_way": 0, "recorded": 2, "upgraded": 0, "lost": 0 })
    );
    let logs = json!({
        "seen": 5, "recovered": 0, "exported": 0, "waiting": 5 - dropped, "spooled": 0, "dropped": { "no_room": dropped }
    });
    assert_eq!(status["telemetry"]["logs"], logs);
    assert_eq!(status["telemetry"]["calls"]["waiting"], 2, "their spans wait");
    let (_, findings) = pod.findings();
    says(
        of(&findings, "telemetry-lost"),
        "warn",
        &format!("logs {dropped} of 5 (no_room {dropped})"),
        "the sidecar's log",
    );
}

#[test]
fn harmed_trust_files_are_found_and_healing_is_believed() {
    let simulator = simulator();
    let pod = Pod::start(&simulator);
    let whole = std::fs::read(pod.trust("bundle.pem")).expect("it is published");
    std::fs::remove_file(pod.trust("ca.pem")).expect("it is published");
    std::fs::remove_file(pod.trust("hashed")).expect("it is published");
    let (code, findings) = pod.findings();
    assert_eq!(code, Some(1));
    says(of(&findings, "trust-missing"), "fail", "ca.pem is missing", "restart the pod");
    assert_eq!(
        findings.iter().filter(|finding| finding["id"] == "trust-missing").count(),
        2,
        "{findings:#?}"
    );

    let foreign = TlsServer::listen("api.openai.com");
    std::fs::remove_file(pod.trust("bundle.pem")).expect("it is published");
    std::fs::write(pod.trust("bundle.pem"), foreign.ca_pem()).expect("a temporary file");
    let (code, findings) = pod.findings();
    assert_eq!(code, Some(1));
    says(of(&findings, "trust-ca-differs"), "fail", "bundle.pem", "restart the pod");
    says(of(&findings, "round-trip-trust"), "fail", "api.openai.com", "restart the pod");

    // The sidecar has not learned to pass the doctor by.
    std::fs::write(pod.trust("bundle.pem"), whole).expect("a temporary file");
    says(of(&pod.findings().1, "round-trip"), "ok", "api.openai.com", "");
}

#[test]
fn a_lost_authority_is_said_before_anything_else() {
    let simulator = simulator();
    let mut pod = Pod::start(&simulator);
    std::fs::remove_file(pod.directory.path().join("ca/authority.pem")).expect("it is kept");
    pod.restart();
    let (code, findings) = pod.findings();
    assert_eq!(code, Some(1));
    says(of(&findings, "authority-lost"), "fail", "is lost", "delete the pod");
}

#[test]
fn a_client_that_refuses_is_named_with_the_mend() {
    let simulator = simulator();
    let pod = Pod::start(&simulator);
    pod.refuse("api.anthropic.com");
    let (code, findings) = pod.findings();
    assert_eq!(code, Some(0));
    says(
        of(&findings, "client-refused"),
        "warn",
        "certificate for api.anthropic.com: its calls there go unobserved",
        "trust files",
    );
    // Another program of the same TLS library is not judged by it.
    says(of(&findings, "round-trip"), "ok", "answered", "");
}

#[test]
fn what_keeps_a_provider_away_is_told_apart() {
    let closed = free_address();
    let nowhere = all_at(closed);
    let (code, findings) = Pod::with(&nowhere, None, &[]).findings();
    assert_eq!(code, Some(1));
    says(of(&findings, "round-trip-connect"), "fail", "could not be reached", "allow egress");

    let simulator = simulator();
    let stranger = all_at(simulator.address());
    let (code, findings) = Pod::with(&stranger, None, &[]).findings();
    assert_eq!(code, Some(1));
    says(of(&findings, "round-trip-upstream-tls"), "fail", "its issuer is not trusted", "extra_cas");

    // It has no fixed address, so the way leads through a proxy that is not there.
    let pod = Pod::with(&stranger, Some(simulator.ca_pem()), &[("OUTRIGGER_HOSTS", "gateway.example")]);
    let (code, findings) = pod.findings();
    assert_eq!(code, Some(0));
    says(
        of(&findings, "round-trip-connect"),
        "warn",
        "gateway.example: the upstream proxy 127.0.0.1:9",
        "allow egress",
    );

    let pod = Pod::with(&stranger, Some(simulator.ca_pem()), &[("OUTRIGGER_MAX_INTERCEPTED", "0")]);
    let (code, findings) = pod.findings();
    assert_eq!(code, Some(0));
    says(of(&findings, "round-trip-unread"), "warn", "not Outrigger's", "passed-through");
}

#[test]
fn where_no_sidecar_is_the_doctor_says_so() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("admin.sock").display().to_string();
    let (code, text) = doctor(&["--admin-socket", &socket]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with("fail  no sidecar answers on ") && text.contains(&socket), "{text}");
    let (code, text) = doctor(&[]);
    assert_eq!(code, Some(1));
    assert!(text.contains("OUTRIGGER_ADMIN_SOCKET"), "{text}");
    assert_eq!(doctor(&["--output", "poetry"]).0, Some(2));
}

#[test]
fn a_real_interpreter_is_told_library_by_library() {
    let python = PathBuf::from(setting("OUTRIGGER_TEST_PYTHON"));
    let mut command = Command::new(setting("OUTRIGGER_BIN"));
    clean(&mut command);
    command.args(["doctor", "--output", "json"]).env("PATH", python.parent().expect("a directory"));
    let ended = Program::start(command).end();
    assert_eq!(ended.status.code(), Some(0), "{}{}", ended.output, ended.errors);
    let report: Value = serde_json::from_str(&ended.output).expect("JSON");
    let observed: Vec<&str> = report["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|finding| finding["id"] == "runtime-observed")
        .filter_map(|finding| finding["text"].as_str())
        .collect();
    // The library of the installed SDKs, and the interpreter's own.
    for library in ["Python httpx2 ", "Python urllib and ssl 3."] {
        assert!(observed.iter().any(|text| text.starts_with(library)), "{}", ended.output);
    }
}
