//! Reads a message. A stream's events are told by name, and the many deltas are not looked into.

use crate::StreamEnd;
use crate::dialects::answer::{Answer, Look, Told, usage_at};
use crate::dialects::anthropic_messages::errors::{WireDetails, WireError};
use crate::dialects::anthropic_messages::usage::MessagesUsage;
use crate::dialects::google_errors;
use crate::framing::{JsonScan, Path};

const WHOLE: &[Path] =
    &[&["id"], &["model"], &["stop_reason"], &["usage"], ERROR[0], ERROR[1], ERROR[2], GOOGLE];

const EVENT: &[Path] = &[
    &["type"],
    &["message", "id"],
    &["message", "model"],
    &["message", "usage"],
    &["delta", "stop_reason"],
    &["usage"],
    ERROR[0],
    ERROR[1],
    ERROR[2],
];

/// At Vertex what does not reach Claude is refused in Google's own shape.
const GOOGLE: Path = &["error", "status"];
const ERROR: [Path; 3] = [&["error", "type"], &["error", "message"], &["error", "details", "error_code"]];

/// The answer.
#[derive(Default)]
pub(super) struct MessagesAnswer {
    usage: MessagesUsage,
}

impl Answer for MessagesAnswer {
    const KIND: Option<&'static str> = Some("type");

    fn whole_paths(&self) -> &'static [Path] {
        WHOLE
    }

    fn event_paths(&self) -> &'static [Path] {
        EVENT
    }

    fn whole(&mut self, scan: &JsonScan, told: &mut Told) {
        let reading = &mut told.reading;
        reading.response_id = scan.read(&["id"]);
        reading.model = scan.read(&["model"]);
        reading.finish_reasons = scan.read(&["stop_reason"]).into_iter().collect();
        if let Some(usage) = usage_at::<MessagesUsage>(scan, &["usage"], reading) {
            usage.read(reading, usage.counts_answer());
        }
        match (scan.read(GOOGLE), error(scan)) {
            (Some(status), error) => {
                google_errors::WireError::of(status, error.and_then(|error| error.message)).note(reading);
            }
            (None, Some(error)) => error.note(reading),
            (None, None) => {}
        }
    }

    fn look(&mut self, kind: &[u8], _data: Option<&[u8]>, _told: &mut Told) -> Look {
        match kind {
            b"content_block_delta" => Look::Content,
            b"" | b"message_start" | b"message_delta" | b"message_stop" | b"error" => Look::Read,
            _ => Look::Skip,
        }
    }

    fn event(&mut self, kind: &str, scan: &JsonScan, told: &mut Told) {
        let reading = &mut told.reading;
        match kind {
            "content_block_delta" => told.content(),
            "message_start" => {
                reading.response_id = scan.read(&["message", "id"]);
                reading.model = scan.read(&["message", "model"]);
                self.usage = usage_at(scan, &["message", "usage"], reading).unwrap_or_default();
                self.usage.read(reading, false);
            }
            "message_delta" => {
                // Some gateways report the input only here, so an earlier fault may be mended now.
                reading.usage_fault = None;
                let later: MessagesUsage = usage_at(scan, &["usage"], reading).unwrap_or_default();
                let counts = later.counts_answer();
                self.usage.overlay(later);
                self.usage.read(reading, counts);
                if let Some(word) = scan.read(&["delta", "stop_reason"]) {
                    reading.finish_reasons = vec![word];
                }
            }
            "message_stop" => reading.end = StreamEnd::Complete,
            "error" => error(scan).unwrap_or_default().note(reading),
            "" => told.stumble("an event has neither a name nor a type"),
            _ => {}
        }
    }
}

fn error(scan: &JsonScan) -> Option<WireError> {
    let error = WireError {
        r#type: scan.read(ERROR[0]),
        message: scan.read(ERROR[1]),
        details: scan.read(ERROR[2]).map(|code| WireDetails { error_code: Some(code) }),
    };
    Some(error).filter(|error| error.r#type.is_some() || error.message.is_some())
}
