//! Reads an answer of Cohere as it passes. Per frame: a stream's events are told by name, and deltas are not looked into.

use http::{HeaderMap, StatusCode};
use outrigger_pricing::{Meter, TokenUsage};
use serde::Deserialize;

use crate::dialects::marks;
use crate::framing::{JsonScan, Path, SseEvent, SseSplitter};
use crate::media::{Media, media};
use crate::scrub::scrubbed;
use crate::{Failure, FailureClass, Reading, ResponseMeter, StreamEnd};

/// Chat tells its usage at the top, embed and rerank below `meta`, a stream's end below `delta`.
const WHOLE: &[Path] = &[
    &["id"],
    &["finish_reason"],
    &["usage"],
    &["meta"],
    &["delta", "finish_reason"],
    &["delta", "usage"],
    &["delta", "error"],
    &["message"],
    &["type"],
];

/// `usage` on the wire.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CohereUsage {
    billed_units: Option<Units>,
    tokens: Option<Units>,
    cached_tokens: Option<f64>,
}

/// Whole numbers, written with a point now and then.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Units {
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
    image_tokens: Option<f64>,
    search_units: Option<f64>,
}

/// The meter.
pub(super) struct CohereMeter {
    form: Form,
    refused: bool,
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

impl CohereMeter {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap) -> CohereMeter {
        let form = match media(headers) {
            Media::EventStream => Form::Stream(SseSplitter::default()),
            Media::Json => Form::Whole(Box::new(JsonScan::new(WHOLE))),
            Media::AwsEvents | Media::Lines | Media::Other => Form::Other,
        };
        CohereMeter { form, refused: !status.is_success(), stream: StreamState::default() }
    }
}

impl ResponseMeter for CohereMeter {
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
                reading.response_id = scan.read(&["id"]);
                reading.finish_reasons = scan.read(&["finish_reason"]).into_iter().collect();
                if let Some(raw) = scan.value(&["usage"]).or_else(|| scan.value(&["meta"])) {
                    note_usage(&mut reading, raw);
                }
                if self.refused {
                    let text: String = scan.read(&["message"]).unwrap_or_default();
                    note_error(&mut reading, &text);
                }
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

impl StreamState {
    fn event(&mut self, event: SseEvent<'_>) {
        if event.data == b"[DONE]" {
            return;
        }
        if !marks::is_object(event.data) {
            self.reading.stumbled.get_or_insert("an event is not a JSON object");
            return;
        }
        let named = |name: &str| event.name == name.as_bytes();
        if named("content-delta") || named("tool-call-start") || named("tool-plan-delta") {
            self.content_now |= !self.content_seen;
            self.content_seen = true;
        } else if named("message-start") || named("message-end") || event.name.is_empty() {
            let mut scan = JsonScan::new(WHOLE);
            scan.push(event.data);
            if !scan.is_whole() {
                self.reading.stumbled.get_or_insert("an event is not whole JSON");
                return;
            }
            self.lifecycle(&scan);
        }
    }

    fn lifecycle(&mut self, scan: &JsonScan) {
        let reading = &mut self.reading;
        match scan.read::<&str>(&["type"]).unwrap_or_default() {
            "message-start" => reading.response_id = scan.read(&["id"]),
            "message-end" => {
                reading.finish_reasons = scan.read(&["delta", "finish_reason"]).into_iter().collect();
                if let Some(raw) = scan.value(&["delta", "usage"]) {
                    note_usage(reading, raw);
                }
                if let Some(text) = scan.read::<String>(&["delta", "error"]) {
                    note_error(reading, &text);
                }
                reading.end = StreamEnd::Complete;
            }
            "content-delta" | "tool-call-start" | "tool-plan-delta" => {
                self.content_now |= !self.content_seen;
                self.content_seen = true;
            }
            _ => {}
        }
    }
}

fn note_error(reading: &mut Reading, text: &str) {
    let lower = text.to_ascii_lowercase();
    let class = if lower.contains("too many tokens") || lower.contains("exceeds the limit of") {
        FailureClass::ContextLength
    } else {
        FailureClass::Other
    };
    reading.failure = Some(Failure { class, code: None });
    reading.failure_message = Some(scrubbed(text)).filter(|text| !text.is_empty());
}

fn note_usage(reading: &mut Reading, raw: &[u8]) {
    if raw == b"null" {
        return;
    }
    let Ok(usage) = serde_json::from_slice::<CohereUsage>(raw) else {
        reading.usage_fault = Some("the usage could not be read");
        return;
    };
    let cached = usage.cached_tokens;
    // Where nothing is billed, as for a trial, the counts are all there is.
    let Some(units) = usage.billed_units.or(usage.tokens) else { return };
    let count = |count: Option<f64>| count.map_or(0, |count| count as u64);
    let (input, cached) = (count(units.input_tokens), count(cached));
    reading.usage_fault = (cached > input).then_some("the usage's cached tokens exceed its input");
    reading.usage = TokenUsage::ZERO
        .with(Meter::Input, input.saturating_sub(cached))
        .with(Meter::CacheRead, cached)
        .with(Meter::InputImage, count(units.image_tokens))
        .with(Meter::Output, count(units.output_tokens))
        .with(Meter::Rerank, count(units.search_units));
    reading.usage_final = true;
}
