//! Suite `fuzz`: every target for a bounded number of inputs, guided by coverage, from its corpus on.
//!
//! The targets are those of `tests/fuzz`, and it says itself which there are.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]
#![expect(clippy::print_stderr, reason = "how a crash is repeated is said where the crash is told")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Inputs that each target is shown.
const RUNS: u32 = 6_000;

fn program() -> Command {
    let program = std::env::var_os("OUTRIGGER_FUZZ_BIN");
    Command::new(program.unwrap_or_else(|| panic!("OUTRIGGER_FUZZ_BIN is not set; tests/run fuzz does it")))
}

fn targets() -> Vec<String> {
    let listed = program().arg("--list").output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Where a crash is kept: it outlives the run.
fn crashes() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = target.join("fuzz").join("crashes");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Shows inputs to one target; what it finds new is not kept.
fn holds(target: &str) -> bool {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let (found, crashes) = (tempfile::tempdir().unwrap(), crashes());
    let arguments = format!(
        "{} {} -artifact_prefix={}/{target}- -runs={RUNS} -seed=1 -max_len=2048 -timeout=20 -rss_limit_mb=512",
        found.path().display(),
        corpus.display(),
        crashes.display(),
    );
    let ran = program().arg(target).env("BOLERO_LIBFUZZER_ARGS", arguments).output().unwrap();
    let log = String::from_utf8_lossy(&ran.stderr);
    let done = ran.status.success() && log.contains(&format!("Done {RUNS} runs"));
    if !done {
        let tail: Vec<&str> = log.lines().rev().take(60).collect();
        for line in tail.iter().rev() {
            eprintln!("{line}");
        }
        let prefix = crashes.join(format!("{target}-"));
        eprintln!(
            "{target}: {}; repeat it with: cargo run -p outrigger-fuzz -- {target} {}*",
            ran.status,
            prefix.display()
        );
    }
    done
}

/// Every target whose name begins so.
fn all_hold(prefix: &str) {
    let targets: Vec<String> = targets().into_iter().filter(|target| target.starts_with(prefix)).collect();
    assert!(!targets.is_empty(), "no target begins with {prefix}");
    let fallen: Vec<String> = targets.into_iter().filter(|target| !holds(target)).collect();
    assert!(fallen.is_empty(), "{fallen:?}");
}

#[test]
fn meters_of_every_wire_format() {
    all_hold("answer_");
}

#[test]
fn request_readers_of_every_wire_format() {
    all_hold("request_");
}

#[test]
fn meters_of_every_wire_format_over_websockets() {
    all_hold("socket_");
}

#[test]
fn framings_and_prices() {
    let rest =
        |target: &String| !["answer_", "request_", "socket_"].iter().any(|kind| target.starts_with(kind));
    let rest: Vec<String> = targets().into_iter().filter(rest).collect();
    assert!(rest.iter().any(|target| target == "sse") && rest.iter().any(|target| target == "prices"));
    let fallen: Vec<String> = rest.into_iter().filter(|target| !holds(target)).collect();
    assert!(fallen.is_empty(), "{fallen:?}");
}
