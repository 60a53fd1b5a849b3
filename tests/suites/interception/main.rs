//! Suite `interception`: a pod's HTTPS redirected to its sidecar, in network namespaces. Needs root.

#![expect(
    clippy::expect_used,
    reason = "a test may end at the first surprise; the lints spare test functions but not their helpers"
)]

mod app;
mod capture;
mod dead_mans_switch;
mod first_bytes;
mod hostile;
mod learned;
mod names;
mod program;
mod splice;
mod words;

use std::process::Command;

use outrigger_tests::netns::{APP, Network, RunningSidecar};
use outrigger_tests::setting;

/// A chat request that `curl` sends.
const CHAT: &str = r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"hello"}]}"#;

/// What `curl` saw.
struct Answer {
    /// HTTP status; 0 when there was none.
    status: u16,
    /// Who had signed the server's certificate.
    issuer: String,
    /// What curl said of a failure.
    error: String,
}

/// `curl` as an app, trusting the published bundle.
fn curl(network: &Network, sidecar: &RunningSidecar, uid: u32, arguments: &[&str]) -> Answer {
    let mut command = network.pod.command(uid, "curl");
    command.arg("--cacert").arg(sidecar.trust().join("bundle.pem"));
    answer(command.args(arguments))
}

fn answer(command: &mut Command) -> Answer {
    let output = command
        .args(["--silent", "--show-error", "--max-time", "30", "--output", "/dev/null"])
        .args(["--write-out", "%{http_code}\n%{certs}"])
        .output()
        .expect("curl can be run");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let (status, certificates) = told.split_once('\n').unwrap_or((&told, ""));
    let issuer = certificates.lines().find_map(|line| line.strip_prefix("Issuer:"));
    Answer {
        status: status.parse().unwrap_or(0),
        issuer: issuer.unwrap_or_default().to_owned(),
        error: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Fails a test whose redirection was not made.
fn redirected(network: &Network, arguments: &[&str]) -> String {
    let output = network.redirect(&[&["--failure-policy", "closed"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// Whether a program is not on this machine; says so.
#[expect(clippy::print_stderr, reason = "a test that does less than its name says so")]
fn missing(program: &str) -> bool {
    let missing = Command::new(program).arg("--version").output().is_err();
    if missing {
        eprintln!("not tested: {program} is not on this machine");
    }
    missing
}
