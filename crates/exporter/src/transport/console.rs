//! Telemetry for a person's eyes: OTLP as JSON on standard error, a line per request. Not standard output, which belongs to
//! the program under `exec`.

use std::io::Write as _;

use super::json;
use crate::settings::Signal;

/// Where one signal is shown.
pub(super) struct Console {
    signal: Signal,
}

impl Console {
    pub(super) const fn new(signal: Signal) -> Console {
        Console { signal }
    }

    /// Writes one encoded request.
    pub(super) fn show(&self, body: &[u8]) {
        let Some(mut line) = json::of(self.signal, body) else { return };
        line.push(b'\n');
        // Who reads it may have gone; telemetry goes on.
        let _gone = std::io::stderr().lock().write_all(&line);
    }
}
