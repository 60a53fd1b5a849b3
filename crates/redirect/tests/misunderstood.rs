//! The program itself with variables that it cannot understand: under `open` the pod starts unredirected, and is told why.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test they serve")]

use std::path::PathBuf;
use std::process::{Command, Output};

const WRONG: [(&str, &str); 5] = [
    ("OUTRIGGER_REDIRECT_PORTS", "https"),
    ("OUTRIGGER_REDIRECT_EXCLUDE_CIDRS", "10.0.0.0/99"),
    ("OUTRIGGER_REDIRECT_EXCLUDE_UIDS", "nobody"),
    ("OUTRIGGER_REDIRECT_BACKEND", "ebpf"),
    ("OUTRIGGER_REDIRECT_ON_PROXY_DOWN", "ajar"),
];

/// Where the report is to be written; a file of the test's own.
fn report(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn run(wrong: (&str, &str), more: &[(&str, &str)], typed: &[&str]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outrigger-redirect"));
    command.env_clear().env(wrong.0, wrong.1).envs(more.iter().copied()).args(typed);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

#[test]
fn a_variable_that_cannot_be_understood_stops_no_pod() {
    let report = report("report.json");
    let place = report.to_str().unwrap();
    for wrong in WRONG {
        let (output, said) = run(wrong, &[("OUTRIGGER_REDIRECT_REPORT", place)], &[]);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(wrong.1) && said.contains("nothing is redirected"), "{said}");
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
        assert!(told["redirected"] == false && told["reason"].as_str().unwrap().contains(wrong.1), "{told}");
    }
}

#[test]
fn under_closed_it_does_and_who_typed_it_is_told() {
    for wrong in WRONG {
        let (output, said) = run(wrong, &[("OUTRIGGER_REDIRECT_FAILURE_POLICY", "closed")], &[]);
        assert!(output.status.code() == Some(2) && said.contains(wrong.1), "{said}");
        let (output, said) = run(wrong, &[], &["--print"]);
        assert!(output.status.code() == Some(2) && said.contains(wrong.1), "{said}");
    }
}
