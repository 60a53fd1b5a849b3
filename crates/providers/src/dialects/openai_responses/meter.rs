//! Reads a response of the Responses API. Most events are told by their name; the terminal one repeats the whole answer,
//! with images in it if there are any.

use outrigger_pricing::Meter;

use crate::Reading;
use crate::StreamEnd;
use crate::dialects::answer::{Answer, Look, Told, texts_at, usage_at};
use crate::dialects::openai_chat::tier;
use crate::dialects::openai_errors::WireError;
use crate::dialects::openai_responses::usage::{ResponsesUsage, ToolUsage};
use crate::framing::{JsonScan, Path};

const WHOLE: &[Path] = &[
    &["id"],
    &["model"],
    &["service_tier"],
    &["status"],
    &["usage"],
    &["tool_usage"],
    &["error", "code"],
    &["error", "type"],
    &["error", "message"],
    &["incomplete_details", "reason"],
    &["output", "*", "type"],
];

/// The same members inside a lifecycle event.
pub(super) const NESTED: &[Path] = &[
    &["response", "id"],
    &["response", "model"],
    &["response", "service_tier"],
    &["response", "status"],
    &["response", "usage"],
    &["response", "tool_usage"],
    &["response", "error", "code"],
    &["response", "error", "type"],
    &["response", "error", "message"],
    &["response", "incomplete_details", "reason"],
    &["response", "output", "*", "type"],
];

/// [`NESTED`] and what stands around it, in a stream and on a WebSocket.
pub(super) const EVENT: &[Path] = &[
    &["type"],
    &["stream_id"],
    &["status"],
    &["code"],
    &["message"],
    &["error"],
    NESTED[0],
    NESTED[1],
    NESTED[2],
    NESTED[3],
    NESTED[4],
    NESTED[5],
    NESTED[6],
    NESTED[7],
    NESTED[8],
    NESTED[9],
    NESTED[10],
];

/// The answer.
pub(super) struct ResponsesAnswer;

impl Answer for ResponsesAnswer {
    const KIND: Option<&'static str> = Some("type");

    fn whole_paths(&self) -> &'static [Path] {
        WHOLE
    }

    fn event_paths(&self) -> &'static [Path] {
        EVENT
    }

    fn whole(&mut self, scan: &JsonScan, told: &mut Told) {
        read_response(scan, WHOLE, &mut told.reading);
    }

    fn look(&mut self, kind: &[u8], _data: Option<&[u8]>, _told: &mut Told) -> Look {
        match kind {
            b"" | b"error" => Look::Read,
            b"response.created" | b"response.completed" | b"response.incomplete" | b"response.failed" => {
                Look::Read
            }
            delta if delta.ends_with(b".delta") => Look::Content,
            _ => Look::Skip,
        }
    }

    fn event(&mut self, kind: &str, scan: &JsonScan, told: &mut Told) {
        match kind {
            "response.created" => read_response(scan, NESTED, &mut told.reading),
            "response.completed" | "response.incomplete" | "response.failed" => {
                read_response(scan, NESTED, &mut told.reading);
                told.reading.end = StreamEnd::Complete;
            }
            // It comes flat and nested.
            "error" => WireError::scanned(scan, true).unwrap_or_default().note(&mut told.reading, &[]),
            // Servers that imitate OpenAI tell it as in Chat Completions.
            "" => match WireError::scanned(scan, false) {
                Some(error) => error.note(&mut told.reading, &[]),
                None => told.stumble("an event has neither a name nor a type"),
            },
            delta if delta.ends_with(".delta") => told.content(),
            _ => {}
        }
    }
}

/// Reads a response object; `at` is [`WHOLE`] or [`NESTED`], member for member.
pub(super) fn read_response(scan: &JsonScan, at: &'static [Path], reading: &mut Reading) {
    let [id, model, tier_word, status, usage, tool_usage, code, kind, message, incomplete, output] = at
    else {
        return;
    };
    reading.response_id = scan.read(id).or(reading.response_id.take());
    reading.model = scan.read(model).or(reading.model.take());
    if let Some(word) = scan.read::<String>(tier_word) {
        reading.tier = Some(tier(&word));
        reading.tier_word = Some(word);
    }
    let status: Option<&str> = scan.read(status);
    if let Some(usage) = usage_at::<ResponsesUsage>(scan, usage, reading) {
        match usage.meters() {
            Ok(mut meters) => {
                if let Some(searches) =
                    scan.read::<ToolUsage>(tool_usage).and_then(|tools| tools.web_searches())
                {
                    meters.set(Meter::WebSearch, Some(searches));
                }
                reading.usage = meters;
                // A response that is still in the making may carry numbers that are not its last.
                reading.usage_final =
                    matches!(status, None | Some("completed" | "incomplete" | "failed" | "cancelled"));
            }
            Err(fault) => reading.usage_fault = Some(fault),
        }
    }
    let calls_tool =
        || texts_at(scan, output).find(|kind| matches!(&**kind, "function_call" | "custom_tool_call"));
    let word = match status {
        Some("completed") => Some(calls_tool().map_or_else(|| "completed".to_owned(), Into::into)),
        Some("incomplete") => scan.read(incomplete).or_else(|| Some("incomplete".to_owned())),
        Some(word @ ("failed" | "cancelled")) => Some(word.to_owned()),
        _ => None,
    };
    if let Some(word) = word {
        reading.finish_reasons = vec![word];
    }
    let error = WireError {
        code: scan.read(code),
        r#type: scan.read(kind),
        message: scan.read(message),
        ..WireError::default()
    };
    if error.code.is_some() || error.r#type.is_some() || error.message.is_some() || status == Some("failed") {
        error.note(reading, &[]);
    }
}
