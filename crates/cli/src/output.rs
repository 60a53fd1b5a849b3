//! Writing to the terminal. A reader that went away (`| head`) is no failure of ours.

use std::io::Write;
use std::sync::OnceLock;

use outrigger_sidecar::logging::Logging;

/// Takes lines and never waits.
type Lines = Box<dyn Fn(&[u8]) + Send + Sync>;

/// Where lines go that are said from where traffic runs.
static LIVE: OnceLock<Lines> = OnceLock::new();

/// Lets [`live`] lines wait with those of the log.
pub(crate) fn share(logging: &Logging) {
    let lines = logging.lines();
    let _already = LIVE.set(Box::new(move |bytes| {
        let _never = lines.clone().write_all(bytes);
    }));
}

/// A note like [`note`] that waits for nobody: where standard error is not read it is lost.
pub(crate) fn live(text: &str) {
    match LIVE.get() {
        Some(write) => write(format!("outrigger  {text}\n").as_bytes()),
        None => note(text),
    }
}

/// How a command prints what it found.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For a person.
    Text,
    /// JSON.
    Json,
}

/// A line on standard output.
pub(crate) fn line(text: &str) {
    bytes(format!("{text}\n").as_bytes());
}

/// Bytes on standard output.
pub(crate) fn bytes(bytes: &[u8]) {
    let _gone = std::io::stdout().lock().write_all(bytes);
}

/// A note on standard error, in one write so that it does not mix with the program's own lines.
pub(crate) fn note(text: &str) {
    let _gone = std::io::stderr().lock().write_all(format!("outrigger  {text}\n").as_bytes());
}

/// Text on standard error, as it is.
pub(crate) fn block(text: &str) {
    let _gone = std::io::stderr().lock().write_all(text.as_bytes());
}
