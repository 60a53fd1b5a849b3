//! The injector as a process: it starts, says where it listens, and ends when asked.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

fn injector(config: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outrigger-injector"));
    command.arg("--config").arg(config).args(more).env_remove("RUST_LOG").stderr(Stdio::piped());
    command
}

#[test]
fn it_says_where_it_listens_and_ends_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let issued = rcgen::generate_simple_self_signed(["injector".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&certificate, issued.cert.pem()).unwrap();
    std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    let config = folder.path().join("injector.yaml");
    let text = format!(
        "listen: 127.0.0.1:0\nmetrics: 127.0.0.1:0\ncertificate: {}\nkey: {}\ngrace_seconds: 0\n",
        certificate.display(),
        key.display()
    );
    std::fs::write(&config, text).unwrap();

    let mut child = injector(&config, &[]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!((&ready["message"], &ready["level"]), (&"ready".into(), &"INFO".into()), "{ready}");
    assert!(!ready["listen"].as_str().unwrap().ends_with(":0"), "{ready}");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn settings_that_are_wrong_keep_it_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("injector.yaml");
    for (text, part, is_good) in [
        ("pods: {image: x}", "", true),
        ("pods: {imge: x}", "imge", false),
        ("pods: {resources: {memory: 1Gi}}", "memory_limit", false),
    ] {
        std::fs::write(&config, text).unwrap();
        let ended = injector(&config, &["--check", "--log", "text"]).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success() == is_good && said.contains(part), "{text}: {said}");
        assert!(is_good || said.contains("injector.yaml"), "{said}");
    }
}

#[test]
fn it_says_whether_the_pod_it_runs_in_was_given_a_sidecar() {
    for (status, reason, part, is_good) in [
        ("injected", "", "was given its sidecar", true),
        ("injected", "label outrigger.dev/mode is not followed", "is not followed", true),
        (
            "skipped",
            "host-network: hostNetwork is true",
            "has none, host-network: hostNetwork is true",
            false,
        ),
        ("", "", "nobody answered", false),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outrigger-injector"));
        command.args(["--injected", "--log", "text"]).env_remove("RUST_LOG");
        command.env("OUTRIGGER_POD_STATUS", status).env("OUTRIGGER_POD_REASON", reason);
        let ended = command.output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success() == is_good && said.contains(part), "{status} {reason}: {said}");
    }
}
