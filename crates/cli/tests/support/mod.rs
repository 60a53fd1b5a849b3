//! The program as a process: what it is told, and what it says.

pub(crate) mod beside;

use std::io::Write as _;
use std::process::{Command, Stdio};

/// How it ended.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// Runs `outrigger` with these arguments and this input.
pub(crate) fn outrigger(arguments: &[&str], input: &str) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_outrigger"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that refuses its arguments may end before it has read.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    let ended = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { status: ended.status.code(), output: text(ended.stdout), errors: text(ended.stderr) }
}
