//! A program under `exec` that waits for the end of its input, and calls that are made in its place.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use outrigger_simulator::Simulator;

/// For anything to happen: far longer than it takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// `outrigger` with a directory for temporary files of its own: nobody else's programs are found there.
pub(crate) fn outrigger(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outrigger"));
    command.env_clear().env("TMPDIR", temporary).current_dir(temporary).args(arguments);
    command
}

/// Lines as they come.
pub(crate) fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    lines
}

pub(crate) fn wait_for(lines: &Receiver<String>, words: &str) -> String {
    loop {
        let line = lines.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("nobody says {words}"));
        if line.contains(words) {
            return line;
        }
    }
}

/// The program, and where it was told that OpenAI is.
pub(crate) fn program(temporary: &Path, simulator: &Simulator, options: &[&str]) -> (Child, String) {
    std::fs::write(temporary.join("providers.pem"), simulator.ca_pem()).unwrap();
    let mut child = outrigger(temporary, &["exec", "--mode", "base-url", "--extra-ca", "providers.pem"])
        .args(
            ["api.openai.com", "api.anthropic.com"]
                .map(|host| format!("--upstream={host}={}", simulator.address())),
        )
        .args(options)
        .args(["--", "/bin/sh", "-c", "echo $OPENAI_BASE_URL; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let address = wait_for(&lines(child.stdout.take().unwrap()), "http://");
    (child, address.strip_prefix("http://").unwrap().to_owned())
}

/// Ends the program.
pub(crate) fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

/// A call of Chat Completions; the whole answer.
pub(crate) fn call(base_url: &str, body: &str) -> String {
    let (address, path) = base_url.split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(
        stream,
        "POST /{path}/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer sk-x\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
