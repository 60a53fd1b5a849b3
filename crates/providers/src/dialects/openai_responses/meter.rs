//! Reads a response of the Responses API as it passes. Per frame: most events are told by their name and not looked into;
//! the terminal one repeats the whole answer and is scanned, not parsed.

use http::HeaderMap;
use outrigger_pricing::Meter;
use serde::Deserialize;

use crate::dialects::marks;
use crate::dialects::openai_chat::tier;
use crate::dialects::openai_errors::WireError;
use crate::dialects::openai_responses::usage::{ResponsesUsage, ToolUsage};
use crate::framing::{JsonScan, Path, SseEvent, SseSplitter};
use crate::media::{Media, media};
use crate::{Reading, ResponseMeter, StreamEnd};

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

/// The meter.
pub(crate) struct ResponsesMeter {
    form: Form,
    stream: StreamState,
}

enum Form {
    Stream(SseSplitter),
    Whole(Box<JsonScan>),
    Other,
}

#[derive(Default)]
struct StreamState {
    reading: Reading,
    content_seen: bool,
    content_now: bool,
}

impl ResponsesMeter {
    pub(crate) fn new(headers: &HeaderMap) -> ResponsesMeter {
        let form = match media(headers) {
            Media::EventStream => Form::Stream(SseSplitter::default()),
            Media::Json => Form::Whole(Box::new(JsonScan::new(WHOLE))),
            Media::AwsEvents | Media::Lines | Media::Other => Form::Other,
        };
        ResponsesMeter { form, stream: StreamState::default() }
    }
}

impl ResponseMeter for ResponsesMeter {
    fn chunk(&mut self, bytes: &[u8]) -> bool {
        match &mut self.form {
            Form::Stream(splitter) => {
                let stream = &mut self.stream;
                splitter.push(bytes, &mut |event| stream.event(event));
                std::mem::take(&mut stream.content_now)
            }
            Form::Whole(scan) => {
                scan.push(bytes);
                false
            }
            Form::Other => false,
        }
    }

    fn finish(&mut self) -> Reading {
        let mut reading = std::mem::take(&mut self.stream.reading);
        match &self.form {
            Form::Stream(splitter) => {
                if splitter.skipped() > 0 && !reading.usage_final {
                    reading.stumbled.get_or_insert("an event was too long to read");
                }
            }
            Form::Whole(scan) => {
                read_response(scan, WHOLE, &mut reading);
                if scan.is_whole() {
                    reading.end = StreamEnd::Complete;
                } else {
                    reading.stumbled = Some("the body is not whole JSON");
                }
            }
            Form::Other => reading.stumbled = Some("the body is not of the API's type"),
        }
        reading
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
    if let Some(usage) = scan.value(usage).filter(|raw| *raw != b"null") {
        match serde_json::from_slice::<ResponsesUsage>(usage)
            .map_err(|_| "the usage could not be read")
            .and_then(|usage| usage.meters())
        {
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
    let calls_tool = || {
        scan.values(output)
            .filter_map(|raw| serde_json::from_slice::<&str>(raw).ok())
            .find(|kind| matches!(*kind, "function_call" | "custom_tool_call"))
    };
    let word = match status {
        Some("completed") => Some(calls_tool().unwrap_or("completed").to_owned()),
        Some("incomplete") => scan.read(incomplete).or_else(|| Some("incomplete".to_owned())),
        Some(word @ ("failed" | "cancelled")) => Some(word.to_owned()),
        _ => None,
    };
    if let Some(word) = word {
        reading.finish_reasons = vec![word];
    }
    let error = WireError { code: scan.read(code), r#type: scan.read(kind), message: scan.read(message) };
    if error.code.is_some() || error.r#type.is_some() || error.message.is_some() || status == Some("failed") {
        error.note(reading, &[]);
    }
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow)]
    r#type: std::borrow::Cow<'a, str>,
}

/// `error` events come flat and nested.
#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorEvent {
    Nested { error: WireError },
    Flat(WireError),
}

impl StreamState {
    fn event(&mut self, event: SseEvent<'_>) {
        if event.data == b"[DONE]" {
            return;
        }
        if !marks::is_object(event.data) {
            self.reading.stumbled.get_or_insert("an event is not a JSON object");
            return;
        }
        if event.name.is_empty() {
            match serde_json::from_slice::<Typed<'_>>(event.data) {
                Ok(typed) => self.named(typed.r#type.as_bytes(), event.data),
                Err(_) => {
                    self.reading.stumbled.get_or_insert("an event has neither a name nor a type");
                }
            }
        } else {
            self.named(event.name, event.data);
        }
    }

    fn named(&mut self, name: &[u8], data: &[u8]) {
        match name {
            b"response.created" => self.lifecycle(data),
            b"response.completed" | b"response.incomplete" | b"response.failed" => {
                self.lifecycle(data);
                self.reading.end = StreamEnd::Complete;
            }
            b"error" => match serde_json::from_slice(data) {
                Ok(ErrorEvent::Nested { error }) => error.note(&mut self.reading, &[]),
                Ok(ErrorEvent::Flat(mut error)) => {
                    // The flat form's own `type` is `error`, which says nothing.
                    error.r#type = None;
                    error.note(&mut self.reading, &[]);
                }
                Err(_) => WireError::default().note(&mut self.reading, &[]),
            },
            name if name.ends_with(b".delta") && !self.content_seen => {
                self.content_seen = true;
                self.content_now = true;
            }
            _ => {}
        }
    }

    fn lifecycle(&mut self, data: &[u8]) {
        let mut scan = JsonScan::new(NESTED);
        scan.push(data);
        if scan.is_whole() {
            read_response(&scan, NESTED, &mut self.reading);
        } else {
            self.reading.stumbled.get_or_insert("a lifecycle event is not whole JSON");
        }
    }
}
