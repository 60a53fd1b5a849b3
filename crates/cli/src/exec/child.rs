//! The program itself: started, signalled, waited for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::output;

/// How the program ended.
pub(super) struct Ended {
    /// The status to end with.
    pub(super) code: ExitCode,
    /// Whether it was started at all.
    pub(super) ran: bool,
}

/// Runs the program with these variables on top of ours. `summary` is called at `every` interval and on SIGUSR1.
pub(super) fn run(
    command: &[OsString],
    variables: &BTreeMap<String, OsString>,
    every: Option<Duration>,
    summary: impl Fn(),
) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run_and_wait(command, variables, every, summary)),
        Err(error) => {
            output::note(&format!("cannot wait for a program: {error}"));
            Ended { code: ExitCode::FAILURE, ran: false }
        }
    }
}

async fn run_and_wait(
    command: &[OsString],
    variables: &BTreeMap<String, OsString>,
    every: Option<Duration>,
    summary: impl Fn(),
) -> Ended {
    let Some((program, arguments)) = command.split_first() else {
        return Ended { code: ExitCode::from(2), ran: false };
    };
    // Heard from here on, so that a signal between the start and the wait is not lost.
    let signals = Signals::listen();
    match Command::new(program).args(arguments).envs(variables).spawn() {
        Ok(child) => {
            let status = wait(child, signals, every, summary).await;
            Ended { code: exit_code(status), ran: true }
        }
        Err(error) => {
            let name = program.to_string_lossy();
            let (code, why) = match error.kind() {
                io::ErrorKind::NotFound => (127, "was not found; check the spelling and PATH".to_owned()),
                io::ErrorKind::PermissionDenied => {
                    (126, "may not be executed; check its permissions".to_owned())
                }
                _ => (126, format!("cannot be executed: {error}")),
            };
            output::note(&format!("the program `{name}` {why}"));
            Ended { code: ExitCode::from(code), ran: false }
        }
    }
}

/// Signals that are passed on. SIGINT and SIGQUIT from a terminal reach the whole foreground group, so the program has
/// them already; sent to us alone, they are passed on like the others.
struct Signals {
    passed_on: Vec<(Signal, tokio::signal::unix::Signal)>,
    summary: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    fn listen() -> Signals {
        let kinds = [
            (Signal::SIGTERM, SignalKind::terminate()),
            (Signal::SIGHUP, SignalKind::hangup()),
            (Signal::SIGINT, SignalKind::interrupt()),
            (Signal::SIGQUIT, SignalKind::quit()),
            (Signal::SIGUSR2, SignalKind::user_defined2()),
        ];
        let passed_on =
            kinds.into_iter().filter_map(|(name, kind)| Some((name, signal(kind).ok()?))).collect();
        Signals { passed_on, summary: signal(SignalKind::user_defined1()).ok() }
    }

    /// The next signal that is to be passed on.
    async fn next(&mut self) -> Signal {
        std::future::poll_fn(|cx| {
            for (name, stream) in &mut self.passed_on {
                if let std::task::Poll::Ready(Some(())) = stream.poll_recv(cx) {
                    return std::task::Poll::Ready(*name);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

async fn wait(
    mut child: Child,
    mut signals: Signals,
    every: Option<Duration>,
    summary: impl Fn(),
) -> io::Result<ExitStatus> {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let mut asked = signals.summary.take();
    let mut ticks = every.map(|every| tokio::time::interval_at(tokio::time::Instant::now() + every, every));
    let from_terminal = std::io::IsTerminal::is_terminal(&io::stdin());
    loop {
        tokio::select! {
            ended = child.wait() => return ended,
            name = signals.next() => {
                let has_it = from_terminal && matches!(name, Signal::SIGINT | Signal::SIGQUIT);
                if let Some(id) = id.filter(|_| !has_it) {
                    // It may have ended just now.
                    let _gone = kill(id, name);
                }
            }
            Some(()) = recv(&mut asked) => summary(),
            Some(_) = tick(&mut ticks) => summary(),
        }
    }
}

async fn recv(signal: &mut Option<tokio::signal::unix::Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

async fn tick(ticks: &mut Option<tokio::time::Interval>) -> Option<tokio::time::Instant> {
    match ticks {
        Some(ticks) => Some(ticks.tick().await),
        None => std::future::pending().await,
    }
}

fn exit_code(status: io::Result<ExitStatus>) -> ExitCode {
    let code = match status {
        Ok(status) => status.code().or_else(|| status.signal().map(|signal| 128 + signal)),
        Err(_) => None,
    };
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
