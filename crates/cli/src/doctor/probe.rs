//! Runs installed programs to ask them about themselves, each within a deadline.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// A runtime that needs longer to tell its version is no use to a program either.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a program said on its standard output, and on its standard error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) output: String,
    pub(super) errors: String,
}

/// Asks a program.
///
/// # Errors
/// In plain words: it did not start, failed, or took too long.
pub(super) async fn ask(program: &Path, arguments: &[&str]) -> Result<Said, String> {
    ask_within(program, arguments, PATIENCE).await
}

async fn ask_within(program: &Path, arguments: &[&str], patience: Duration) -> Result<Said, String> {
    let running = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        // It is not left behind when it is given up.
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(patience, running)
        .await
        .map_err(|_| format!("it did not answer within {} s", patience.as_secs_f32()))?
        .map_err(|error| format!("it could not be started ({error})"))?;
    if !ended.status.success() {
        return Err(format!("it ended with {}", ended.status));
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { output: text(&ended.stdout), errors: text(&ended.stderr) })
}

/// Where a program is on PATH.
pub(super) fn find(name: &str, path: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|directory| directory.join(name)).find(|file| {
        std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_is_heard_given_up_or_reported() {
        let shell = find("sh", "/nowhere:/bin:/usr/bin").unwrap();
        let said = ask(&shell, &["-c", "echo out; echo err >&2"]).await.unwrap();
        assert_eq!((said.output.as_str(), said.errors.as_str()), ("out\n", "err\n"));
        assert!(ask(&shell, &["-c", "exit 3"]).await.unwrap_err().contains('3'));
        // Waits for a line that never comes.
        let hung =
            ask_within(&shell, &["-c", "exec 3<>/dev/ptmx; read line <&3"], Duration::from_millis(50)).await;
        assert!(hung.unwrap_err().contains("did not answer"));
        assert!(find("no-such-program", "/bin").is_none());
    }
}
