//! `outrigger tail`: calls as they end, from the admin socket of a sidecar or of a program under `exec`.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::getuid;
use outrigger_contract::private_files::ADMIN_SOCKET;
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
    #[command(flatten)]
    asked: Asked,
}

/// Watches until there is nothing more to show.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
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

fn the_one(mut sockets: Vec<PathBuf>) -> Result<PathBuf, String> {
    match (sockets.pop(), sockets.is_empty()) {
        (Some(socket), true) => Ok(socket),
        (None, _) => Err("no program of yours runs under `outrigger exec` on this machine; start one, or name a sidecar's socket with \
             --socket FILE (in a pod: kubectl exec POD -c outrigger -- /outrigger-sidecar tail)"
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
