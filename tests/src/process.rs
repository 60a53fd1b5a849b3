//! A program under test: started, watched line by line, ended by its id.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use outrigger_simulator::Simulator;

use crate::evidence::keep;
use crate::{DEADLINE, setting};

/// A running program; killed if a test drops it.
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: Stream,
    errors: Stream,
}

/// How a program ended.
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// Everything on its standard output.
    pub output: String,
    /// Everything on its standard error.
    pub errors: String,
}

struct Stream {
    lines: Receiver<String>,
    all: Arc<Mutex<String>>,
}

impl Stream {
    /// `evidence`: what it is kept as, where it is ours.
    fn of(pipe: impl std::io::Read + Send + 'static, evidence: Option<&'static str>) -> Stream {
        let (sender, lines) = channel();
        let all = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&all);
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let mut all = kept.lock().unwrap_or_else(PoisonError::into_inner);
                all.push_str(&line);
                all.push('\n');
                drop(all);
                // Nobody may be reading any more.
                let _gone = sender.send(line);
            }
            if let Some(kind) = evidence {
                keep(kind, kept.lock().unwrap_or_else(PoisonError::into_inner).as_bytes());
            }
        });
        Stream { lines, all }
    }

    /// The next line that `wanted` accepts.
    fn line(&self, deadline: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let until = Instant::now() + deadline;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if wanted(&line) => return Some(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Everything, once the pipe is closed.
    fn rest(self) -> String {
        while self.lines.recv().is_ok() {}
        std::mem::take(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn so_far(&self) -> String {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Program {
    /// Starts a command with all three pipes.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(mut command: Command) -> Program {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = Stream::of(child.stdout.take().expect("stdout is piped"), None);
        let errors = Stream::of(child.stderr.take().expect("stderr is piped"), Some("log"));
        Program { input: child.stdin.take(), child, output, errors }
    }

    /// The next line of standard output that `wanted` accepts.
    ///
    /// # Panics
    /// If none comes.
    pub fn output_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.output
            .line(DEADLINE, wanted)
            .unwrap_or_else(|| panic!("no such line on stdout; stderr: {}", self.errors.so_far()))
    }

    /// The next line of standard output within `deadline`; none either where that has ended.
    pub fn next_output(&self, deadline: Duration) -> Option<String> {
        self.output.line(deadline, |_| true)
    }

    /// The next line of standard output that `wanted` accepts, within `deadline`; none either where that has ended.
    pub fn next_output_that(&self, deadline: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.output.line(deadline, wanted)
    }

    /// The next line of standard error that `wanted` accepts, within `deadline`.
    pub fn error_line(&self, deadline: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.errors.line(deadline, wanted)
    }

    /// Waits for a moment, or for a line of standard error; false once the program has closed that.
    pub fn lives(&self, moment: Duration) -> bool {
        self.errors.lines.recv_timeout(moment) != Err(RecvTimeoutError::Disconnected)
    }

    /// Everything on standard error until now.
    #[must_use]
    pub fn errors_so_far(&self) -> String {
        self.errors.so_far()
    }

    /// Whether another line of standard output is there already.
    pub fn has_output(&self) -> bool {
        self.output.line(Duration::ZERO, |_| true).is_some()
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    /// If it does not read.
    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().expect("stdin is piped");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("the program reads its stdin");
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it is gone.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.id()).expect("process ids are small"));
        nix::sys::signal::kill(id, signal).expect("the program runs");
    }

    /// Closes its standard input and waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    #[must_use]
    pub fn end(mut self) -> Ended {
        drop(self.input.take());
        let until = Instant::now() + DEADLINE;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                // Its pipes close when it ends: that is the event to wait for.
                Ok(None) if Instant::now() < until => {
                    self.output.line(Duration::from_millis(20), |_| false);
                }
                other => {
                    let errors = self.errors.so_far();
                    panic!("the program did not end ({other:?}): {errors}");
                }
            }
        };
        let empty = || Stream { lines: channel().1, all: Arc::default() };
        let output = std::mem::replace(&mut self.output, empty()).rest();
        let errors = std::mem::replace(&mut self.errors, empty()).rest();
        Ended { status, output, errors }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Already ended, or ended here.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Ended {
    /// The output's lines as JSON.
    ///
    /// # Panics
    /// If one is not.
    #[must_use]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        self.output
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{}", self.errors))
            })
            .collect()
    }
}

/// `outrigger exec` in front of a simulator.
pub struct Exec {
    command: Command,
    directory: tempfile::TempDir,
}

impl Exec {
    /// With the simulator standing in for every provider.
    ///
    /// # Panics
    /// If no file can be written.
    #[must_use]
    pub fn before(simulator: &Simulator) -> Exec {
        ["api.openai.com", "eu.api.openai.com", "api.anthropic.com", "plain.example.test"]
            .into_iter()
            .fold(Exec::trusting(simulator.ca_pem()), |exec, host| exec.upstream(host, simulator.address()))
    }

    /// With one more authority to trust, and every name where the system has it.
    ///
    /// # Panics
    /// If no file can be written.
    #[must_use]
    pub fn trusting(ca_pem: &str) -> Exec {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let ca = directory.path().join("authority.pem");
        std::fs::write(&ca, ca_pem).expect("a temporary file");
        let mut command = Command::new(setting("OUTRIGGER_BIN"));
        command.arg("exec").arg("--extra-ca").arg(&ca);
        clean(&mut command);
        Exec { command, directory }
    }

    /// A name's fixed address.
    #[must_use]
    pub fn upstream(self, host: &str, address: SocketAddr) -> Exec {
        self.option("--upstream", &format!("{host}={address}"))
    }

    /// An option of `exec` that takes no value.
    #[must_use]
    pub fn flag(mut self, name: &str) -> Exec {
        self.command.arg(name);
        self
    }

    /// An option of `exec`.
    #[must_use]
    pub fn option(mut self, name: &str, value: &str) -> Exec {
        self.command.arg(name).arg(value);
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Exec {
        self.command.env(name, value);
        self
    }

    /// Starts it around a program.
    #[must_use]
    pub fn start(mut self, program: &[&str]) -> Running {
        self.command.arg("--").args(program);
        Running { program: Program::start(self.command), _directory: self.directory }
    }

    /// Runs it around a program to its end.
    #[must_use]
    pub fn run(self, program: &[&str]) -> Ended {
        self.start(program).program.end()
    }
}

/// A running `exec`, with the files that it needs.
pub struct Running {
    /// The process.
    pub program: Program,
    _directory: tempfile::TempDir,
}

/// Takes out of a command's environment what the machine at hand has set for its own purposes.
pub fn clean(command: &mut Command) {
    for (name, _) in std::env::vars() {
        let upper = name.to_ascii_uppercase();
        let trust = outrigger_contract::trust_variables::ALL.iter().any(|variable| variable.name == name);
        if upper.ends_with("_PROXY") || upper.starts_with("OTEL_") || upper.ends_with("_BASE_URL") || trust {
            command.env_remove(name);
        }
    }
}
