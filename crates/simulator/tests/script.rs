//! The program follows its script's file; the first call after that shows it (suite `kubernetes`).

#![expect(
    clippy::expect_used,
    reason = "a test may end at the first surprise; the lint spares test functions but not their helpers"
)]

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

struct Running(Child, Lines<BufReader<ChildStderr>>);

impl Running {
    fn says(&mut self) -> String {
        self.1.next().expect("it runs").expect("text")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn a_changed_script_is_followed_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let script = folder.path().join("script.json");
    // At once, as kubelet does it: half a text would be a broken one.
    let write = |text: &str| {
        let next = folder.path().join("next");
        std::fs::write(&next, text).and_then(|()| std::fs::rename(&next, &script)).expect("a temporary file");
    };
    write("[]");
    let mut command = Command::new(env!("CARGO_BIN_EXE_outrigger-simulator"));
    command.args(["--until-stdin-closes", "--ca-out", "-", "--script"]).arg(&script);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let input = child.stdin.take();
    let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let errors = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut running = Running(child, errors);
    let started = output.map_while(Result::ok).find(|line| line.starts_with('{'));
    assert!(started.is_some(), "it never listened");

    let file = script.display();
    write(r#"[{"answer": {"error": "server_error"}}]"#);
    assert_eq!(running.says(), format!("outrigger-simulator: follows {file}"));
    write("[{");
    let broken = running.says();
    assert!(
        broken.contains(&format!("{file}: EOF")) && broken.ends_with("; it goes on as before"),
        "{broken}"
    );

    drop(input);
    assert!(running.0.wait().expect("it ends").success());
}
