//! `outrigger tail` beside `outrigger exec`: found by itself, shown live, over when the program is.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

#[path = "support/beside.rs"]
mod beside;

use std::process::Stdio;

use outrigger_simulator::{Config, Simulator};

use beside::{call, end, lines, outrigger, program, wait_for};

const BODY: &str = r#"{"model": "gpt-5-mini", "messages": [{"role": "user", "content": "tide?"}]}"#;

#[test]
fn the_program_under_exec_is_found_and_its_calls_are_shown_until_it_ends() {
    let (temporary, simulator) = (tempfile::tempdir().unwrap(), Simulator::start(Config::default()).unwrap());
    let temporary = temporary.path();
    let nobody = outrigger(temporary, &["tail"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    let said = String::from_utf8(nobody.stderr).unwrap();
    assert!(
        said.contains("no program of yours runs under `outrigger exec`") && said.contains("--socket"),
        "{said}"
    );

    let (running, base_url) = program(temporary, &simulator, &[]);
    let mut tail =
        outrigger(temporary, &["tail"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (shown, notes) = (lines(tail.stdout.take().unwrap()), lines(tail.stderr.take().unwrap()));
    wait_for(&notes, "watching calls at");
    let answer = call(&base_url, BODY);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let line = wait_for(&shown, "openai gpt-5-mini");
    for part in ["answered 200", " tokens  $0.", "id="] {
        assert!(line.contains(part), "{line}");
    }

    let (other, _) = program(temporary, &simulator, &[]);
    let several = outrigger(temporary, &["tail"]).output().unwrap();
    let said = String::from_utf8(several.stderr).unwrap();
    assert_eq!((several.status.code(), said.matches("--socket ").count()), (Some(1), 2), "{said}");
    end(other);
    end(running);
    wait_for(&notes, "the program has ended");
    assert!(tail.wait().unwrap().success());
}
