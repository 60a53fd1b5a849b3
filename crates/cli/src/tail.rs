//! `outrigger tail`: calls as they end, from the admin socket of a sidecar or of a program under `exec`, or through kubectl from a pod.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::unistd::getuid;
use outrigger_contract::private_files::ADMIN_SOCKET;
use outrigger_contract::{containers, programs};
use outrigger_sidecar::tail::{Asked, Tail};

use crate::exec::FOLDER;
use crate::output;

/// Arguments of `tail`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Admin socket of a sidecar; it is waited for when it restarts. Without it the program that runs under `outrigger exec` is
    /// watched until it ends.
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
    /// Pod whose sidecar is watched, by its own `tail`. It is reached with `kubectl exec`, with the rights that you have there.
    #[arg(value_name = "POD", conflicts_with = "socket")]
    pod: Option<String>,
    /// The pod's namespace; left out, the one that kubectl takes.
    #[arg(short, long, value_name = "NAMESPACE", requires = "pod")]
    namespace: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

/// Watches until there is nothing more to show.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    if let Some(pod) = &arguments.pod {
        return in_pod(pod, arguments.namespace.as_deref(), &arguments.asked);
    }
    let (socket, returns) = match arguments.socket {
        Some(socket) => (socket, true),
        None => match the_one(live(&std::env::temp_dir())) {
            Ok(socket) => (socket, false),
            Err(text) => {
                output::note(&text);
                return ExitCode::FAILURE;
            }
        },
    };
    let tail = Tail { socket, asked: arguments.asked, returns };
    match tail.run(|line| std::io::stdout().lock().write_all(line.as_bytes()), output::note) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Lets the sidecar of a pod tell, and ends as that does.
fn in_pod(pod: &str, namespace: Option<&str>, asked: &Asked) -> ExitCode {
    let mut kubectl = Command::new("kubectl");
    kubectl.arg("exec");
    if let Some(namespace) = namespace {
        kubectl.args(["--namespace", namespace]);
    }
    kubectl
        .args([pod, "--container", containers::SIDECAR, "--", programs::SIDECAR, "tail"])
        .args(asked.words());
    match kubectl.status() {
        // Whom a signal ended has no code.
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, Into::into)
        }
        Err(error) => {
            output::note(&format!(
                "kubectl, which leads to pods, cannot be run ({error}); install it, or put it on PATH"
            ));
            ExitCode::FAILURE
        }
    }
}

fn the_one(mut sockets: Vec<PathBuf>) -> Result<PathBuf, String> {
    match (sockets.pop(), sockets.is_empty()) {
        (Some(socket), true) => Ok(socket),
        (None, _) => Err("no program of yours runs under `outrigger exec` on this machine; start one, or name a sidecar's socket with \
             --socket FILE, or a pod (outrigger tail -n NAMESPACE POD)"
            .to_owned()),
        (Some(last), false) => {
            sockets.push(last);
            let named: Vec<String> = sockets.iter().map(|socket| format!("--socket {}", socket.display())).collect();
            Err(format!("several programs run under `outrigger exec`; choose one of\n  {}", named.join("\n  ")))
        }
    }
}

/// The sockets of programs of ours that run under `exec`, sorted. Whoever was killed has left a folder in which nobody listens.
fn live(temporary: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(temporary).into_iter().flatten().flatten();
    let ours = folders.filter(|folder| {
        let named = folder.file_name().to_string_lossy().starts_with(FOLDER);
        // Others may put what they like into this directory.
        named && folder.metadata().is_ok_and(|about| about.is_dir() && about.uid() == getuid().as_raw())
    });
    let sockets = ours.map(|folder| folder.path().join(ADMIN_SOCKET));
    let mut live: Vec<PathBuf> = sockets.filter(|socket| UnixStream::connect(socket).is_ok()).collect();
    live.sort();
    live
}
