//! Whether prompts and answers are shown, where, and what is taken out of them.

use super::error::SettingsError;
use super::values::Variables;
use crate::Redaction;

pub(super) const CONTENT: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
const EVENT: &str = "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT";
pub(super) const REDACT: &str = "OUTRIGGER_CONTENT_REDACT";

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
    /// Whether bodies are kept at all, where there are spans or log records.
    pub(crate) const fn wants(self, traces: bool, logs: bool) -> bool {
        self.places(traces, logs).is_some()
    }

    /// Where they are shown, where there are spans or log records.
    pub(super) const fn places(self, traces: bool, logs: bool) -> Option<&'static str> {
        match (self.spans && traces, self.events && logs) {
            (true, true) => Some("on spans and events"),
            (true, false) => Some("on spans"),
            (false, true) => Some("on events"),
            (false, false) => None,
        }
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

/// What is taken out of content: nothing is made ready for it where there will be none, but a pattern that is none is always said.
pub(super) fn redaction(
    variables: &Variables<'_>,
    capture: Capture,
) -> Result<Option<Redaction>, SettingsError> {
    let patterns = variables.find(REDACT);
    let wanted = capture.wants(true, true);
    if !wanted && patterns.is_none() {
        return Ok(None);
    }
    // What somebody wants hidden may itself be a secret.
    Redaction::with(&patterns.map(|found| found.value).unwrap_or_default())
        .map(|redaction| wanted.then_some(redaction))
        .map_err(|error| {
            SettingsError::secret(REDACT, error.to_string(), "write one regular expression per line")
        })
}

#[cfg(test)]
mod tests {
    use crate::{Settings, SettingsError};

    use super::{CONTENT, Capture, EVENT, REDACT};

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let get =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::read(Some("http://collector:4318"), get)
    }

    #[test]
    fn the_words_of_the_switch_are_read_in_any_case_and_the_old_ones_too() {
        let nowhere = Capture::default();
        let spans = Capture { spans: true, ..nowhere };
        let events = Capture { events: true, emits: true, ..nowhere };
        let both = Capture { spans: true, ..events };
        for (words, capture, places) in [
            (&["", "NO_CONTENT", "no_content", "false", "False"][..], nowhere, None),
            (&["SPAN_ONLY", "span_only", "Span_Only"], spans, Some("on spans")),
            (&["EVENT_ONLY", "event_only"], events, Some("on events")),
            (&["SPAN_AND_EVENT", "span_and_event", "true", "TRUE"], both, Some("on spans and events")),
        ] {
            for word in words {
                let settings = read(&[(CONTENT, word)]).unwrap();
                assert_eq!((settings.capture, settings.content()), (capture, places), "{word}");
                assert_eq!(settings.redaction.is_some(), places.is_some(), "{word}");
            }
        }
        let error = read(&[(CONTENT, "spans")]).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{CONTENT}=\"spans\": ")) && error.contains("SPAN_ONLY"),
            "{error}"
        );
    }

    #[test]
    fn the_event_is_switched_on_and_off_by_its_own_variable() {
        let read = |content: &str, event: &str| read(&[(CONTENT, content), (EVENT, event)]).unwrap();
        let off = read("SPAN_AND_EVENT", "false");
        assert_eq!(off.capture, Capture { spans: true, events: false, emits: false });
        let nothing = read("event_only", "False");
        assert_eq!((nothing.capture, nothing.content()), (Capture::default(), None), "no body is kept");
        let bare = read("NO_CONTENT", "true");
        assert_eq!((bare.capture.emits, bare.content()), (true, None), "without content");
    }

    #[test]
    fn content_is_sent_nowhere_where_the_signal_is_off() {
        let off =
            |exporter: &str| read(&[(CONTENT, "SPAN_AND_EVENT"), (exporter, "none")]).unwrap().content();
        assert_eq!(off("OTEL_TRACES_EXPORTER"), Some("on events"));
        assert_eq!(off("OTEL_LOGS_EXPORTER"), Some("on spans"));
    }

    #[test]
    fn a_pattern_that_is_none_is_told_with_its_line_and_the_mend_and_without_itself() {
        for content in ["NO_CONTENT", "SPAN_ONLY"] {
            let error = read(&[(CONTENT, content), (REDACT, "fine\nhunter2(")]).unwrap_err().to_string();
            assert_eq!(
                error,
                "OUTRIGGER_CONTENT_REDACT: pattern 2 is no regular expression that can be used: unclosed group; \
                 write one regular expression per line",
            );
        }
    }
}
