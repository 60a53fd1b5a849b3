//! Whether prompts and answers are shown, where, and what is taken out of them.

use super::error::SettingsError;
use super::values::Variables;
use crate::Redaction;

const CONTENT: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
const EVENT: &str = "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT";
const REDACT: &str = "OUTRIGGER_CONTENT_REDACT";

/// Where prompts and answers are shown: nowhere, unless asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capture {
    /// On spans.
    pub spans: bool,
    /// On the event.
    pub events: bool,
    /// Whether there is an event, with content or without.
    pub emits: bool,
}

impl Capture {
    /// Whether bodies are kept at all, of those who have spans or log records.
    pub(crate) const fn wants(self, traces: bool, logs: bool) -> bool {
        self.spans && traces || self.events && logs
    }
}

pub(super) fn capture(variables: &Variables<'_>) -> Result<Capture, SettingsError> {
    let (spans, events) = match variables.find(CONTENT) {
        None => (false, false),
        Some(found) => match found.value.to_ascii_uppercase().as_str() {
            "NO_CONTENT" | "FALSE" => (false, false),
            "SPAN_ONLY" => (true, false),
            "EVENT_ONLY" => (false, true),
            // The word from before there was a choice.
            "SPAN_AND_EVENT" | "TRUE" => (true, true),
            _ => {
                return Err(found.fault(
                    "not a place for content",
                    "write NO_CONTENT, SPAN_ONLY, EVENT_ONLY or SPAN_AND_EVENT",
                ));
            }
        },
    };
    let emits = match variables.find(EVENT) {
        None => events,
        Some(_) => variables.flag(EVENT)?,
    };
    Ok(Capture { spans, events: events && emits, emits })
}

pub(super) fn redaction(variables: &Variables<'_>) -> Result<Redaction, SettingsError> {
    let patterns = variables.find(REDACT).map(|found| found.value).unwrap_or_default();
    Redaction::with(&patterns).map_err(|error| {
        SettingsError::secret(REDACT, error.to_string(), "write one regular expression per line")
    })
}
