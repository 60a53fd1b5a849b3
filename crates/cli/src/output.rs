//! Writing to the terminal. A reader that went away (`| head`) is no failure of ours.

use std::io::Write;

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
