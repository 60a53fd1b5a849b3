//! `outrigger doctor` as a process, on a machine that the test makes up: programs on PATH, variables, providers.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use outrigger_providers::services;
use outrigger_simulator::{Config, Simulator};
use serde_json::Value;

const SECRET: &str = "hunter2-of-the-proxy";
const KEY: &str = "sk-harbour-0123456789-abcdWXYZ";

/// A directory of programs.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Machine {
        Machine(tempfile::tempdir().unwrap())
    }

    /// A program that does this, in the words of a shell.
    fn with(self, name: &str, script: &str) -> Machine {
        let file = self.0.path().join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn doctor(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let ended = Command::new(env!("CARGO_BIN_EXE_outrigger"))
            .arg("doctor")
            .args(arguments)
            .env_clear()
            .env("PATH", self.0.path())
            .env("OPENAI_API_KEY", KEY)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        (ended.status.code(), String::from_utf8(ended.stdout).unwrap())
    }

    fn findings(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, Vec<Value>) {
        let (code, output) = self.doctor(&[&["--output", "json"], arguments].concat(), variables);
        let report: Value = serde_json::from_str(&output).unwrap();
        (code, report["findings"].as_array().unwrap().clone())
    }
}

/// The findings of this id that speak of this.
fn about<'a>(findings: &'a [Value], id: &str, words: &str) -> Vec<&'a Value> {
    let speaks = |one: &&Value| one["id"] == id && one["text"].as_str().unwrap().contains(words);
    findings.iter().filter(speaks).collect()
}

#[test]
fn each_runtime_on_path_is_told_with_its_mend() {
    let machine = Machine::new()
        .with("node", "echo v20.20.2")
        .with("java", "echo 'openjdk version \"17.0.15\"' >&2")
        .with("go", "echo go version go1.26.8 linux/amd64")
        .with("php", "exit 3");
    let (code, findings) = machine.findings(&[], &[]);
    assert_eq!(code, Some(0), "{findings:#?}");
    for (id, words) in [
        ("listeners", "loopback"),
        ("runtime-limited", "Node 20.20.2: it ignores HTTPS_PROXY before 22.21 and 24.0"),
        ("runtime-limited", "Java 17.0.15: it ignores HTTPS_PROXY"),
        ("runtime-observed", "Go 1.26.8: observed"),
        ("runtime-unprobed", "PHP"),
        ("runtimes-absent", "Python, Deno, Bun, curl, git, Ruby, .NET"),
        ("offline", "nothing left this machine"),
    ] {
        assert_eq!(about(&findings, id, words).len(), 1, "{id}: {findings:#?}");
    }
    let node = about(&findings, "runtime-limited", "Node")[0];
    assert!(node["mend"].as_str().unwrap().contains("--mode base-url"), "{node}");
}

#[test]
fn an_authority_that_exec_would_lose_is_found_in_pythons_own_store() {
    let simulator = Simulator::start(Config::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("cacert.pem");
    let public = outrigger_sidecar::publish::public_roots_pem();
    std::fs::write(&store, format!("{public}{}", simulator.ca_pem())).unwrap();
    let told = serde_json::json!({
        "version": "3.13.1", "modules": { "ssl": "3.13.1", "requests": "2.33.0" }, "stores": [["certifi", &store]],
    });
    let machine = Machine::new().with("python3", &format!("echo '{told}'"));
    let (_, findings) = machine.findings(&[], &[]);
    let lost = about(&findings, "authority-lost-to-exec", "certifi");
    assert_eq!(lost.len(), 1, "{findings:#?}");
    assert!(lost[0]["text"].as_str().unwrap().contains(": 1 of "), "{lost:?}");
    let authority = directory.path().join("authority.pem");
    std::fs::write(&authority, simulator.ca_pem()).unwrap();
    let given = ["--extra-ca", authority.to_str().unwrap()];
    let (_, findings) = machine.findings(&given, &[]);
    assert_eq!(about(&findings, "authorities-kept", "certifi").len(), 1, "{findings:#?}");
    assert_eq!(about(&findings, "runtime-observed", "Python requests 2.33.0").len(), 1, "{findings:#?}");
    // A variable of the user's own had taken the store's place before; nothing of it is lost to `exec`.
    let own = [("REQUESTS_CA_BUNDLE", authority.to_str().unwrap())];
    let (_, findings) = machine.findings(&[], &own);
    assert_eq!(about(&findings, "authority-lost-to-exec", "certifi").len(), 0, "{findings:#?}");
}

#[test]
fn what_leads_calls_around_is_told_and_no_secret_with_it() {
    let proxy = format!("http://me:{SECRET}@127.0.0.1:9");
    let gateway = format!("https://me:{SECRET}@gateway.example/v1");
    let variables = [
        ("HTTPS_PROXY", proxy.as_str()),
        ("NO_PROXY", ".anthropic.com"),
        ("OPENAI_BASE_URL", gateway.as_str()),
        ("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem"),
    ];
    let machine = Machine::new();
    let (code, findings) = machine.findings(&[], &variables);
    assert_eq!(code, Some(0), "{findings:#?}");
    for (id, words) in [
        ("proxy-kept", "127.0.0.1:9"),
        ("calls-around", "NO_PROXY leads anthropic around Outrigger"),
        (
            "calls-around",
            "OPENAI_BASE_URL is set to a host that Outrigger does not read (https://gateway.example/v1)",
        ),
        ("trust-nowhere", "/nowhere/bundle.pem"),
    ] {
        assert_eq!(about(&findings, id, words).len(), 1, "{id}: {findings:#?}");
    }
    let (_, text) = machine.doctor(&[], &variables);
    for told in [text, format!("{findings:?}")] {
        assert!(!told.contains(SECRET) && !told.contains(KEY), "{told}");
    }
    // `exec` would run the program without Outrigger.
    let (code, findings) = machine.findings(&[], &[("HTTPS_PROXY", "socks5://proxy.example:1080")]);
    assert_eq!((code, about(&findings, "cannot-start", "only plain http proxies").len()), (Some(1), 1));
}

#[test]
fn online_a_round_trip_to_each_provider_is_proven() {
    let hosts: Vec<&str> =
        services::ALL.iter().filter_map(|service| service.hosts.first().copied()).collect();
    let extra_names = hosts.iter().map(|host| (*host).to_owned()).collect();
    let simulator = Simulator::start(Config { extra_names, ..Config::default() }).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let authority = directory.path().join("authority.pem");
    std::fs::write(&authority, simulator.ca_pem()).unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let machine = Machine::new();
    for (address, expected, id, words) in [
        (simulator.address(), 0, "round-trip", "answered"),
        (closed, 1, "round-trip-connect", "could not be reached"),
    ] {
        let upstreams: Vec<String> =
            hosts.iter().map(|host| format!("--upstream={host}={address}")).collect();
        let mut options = vec!["--online", "--extra-ca", authority.to_str().unwrap()];
        options.extend(upstreams.iter().map(String::as_str));
        let (code, findings) = machine.findings(&options, &[]);
        assert_eq!(code, Some(expected), "{findings:#?}");
        assert_eq!(about(&findings, id, words).len(), hosts.len(), "{findings:#?}");
    }
}

#[test]
fn a_wrong_command_line_is_no_finding() {
    assert_eq!(Machine::new().doctor(&["--output", "poetry"], &[]).0, Some(2));
}
