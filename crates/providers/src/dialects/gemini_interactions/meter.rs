//! Reads an interaction as it passes. Per frame: a stream's events are told by one member, and steps are not looked into.

use std::borrow::Cow;

use http::HeaderMap;
use outrigger_pricing::{Meter, TokenUsage};
use serde::Deserialize;

use crate::dialects::gemini::ByModality;
use crate::dialects::google_errors::WireError;
use crate::dialects::marks;
use crate::framing::{JsonScan, Path, SseEvent, SseSplitter};
use crate::media::{Media, media};
use crate::{Failure, FailureClass, Reading, ResponseMeter, StreamEnd};

const WHOLE: &[Path] =
    &[&["id"], &["model"], &["status"], &["usage"], &["error"], &["service_tier"], &["agent"]];

/// The same members inside a lifecycle event.
const NESTED: &[Path] = &[
    &["interaction", "id"],
    &["interaction", "model"],
    &["interaction", "status"],
    &["interaction", "usage"],
    &["interaction", "error"],
    &["interaction", "service_tier"],
    &["interaction", "agent"],
];

/// `usage` on the wire. Whether its input contains what a cache held is not documented; it is read as
/// generateContent's, whose sums it shares.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InteractionUsage {
    total_input_tokens: Option<u64>,
    total_cached_tokens: Option<u64>,
    total_output_tokens: Option<u64>,
    total_thought_tokens: Option<u64>,
    total_tool_use_tokens: Option<u64>,
    input_tokens_by_modality: Option<ByModality>,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ErrorEvent<'a> {
    #[serde(borrow)]
    error: &'a serde_json::value::RawValue,
}

/// The meter.
pub(super) struct InteractionsMeter {
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

impl InteractionsMeter {
    pub(super) fn new(headers: &HeaderMap) -> InteractionsMeter {
        let form = match media(headers) {
            Media::EventStream => Form::Stream(SseSplitter::default()),
            Media::Json => Form::Whole(Box::new(JsonScan::new(WHOLE))),
            Media::AwsEvents | Media::Lines | Media::Other => Form::Other,
        };
        InteractionsMeter { form, stream: StreamState::default() }
    }
}

impl ResponseMeter for InteractionsMeter {
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
                read_interaction(scan, WHOLE, &mut reading);
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

/// Reads an interaction; `at` is [`WHOLE`] or [`NESTED`], member for member.
fn read_interaction(scan: &JsonScan, at: &'static [Path], reading: &mut Reading) {
    let [id, model, status, usage, error, tier_word, agent] = at else { return };
    reading.response_id = scan.read(id).or(reading.response_id.take());
    reading.model = scan.read(model).or_else(|| scan.read(agent)).or(reading.model.take());
    reading.tier_word = scan.read(tier_word).or(reading.tier_word.take());
    let over = match scan.read::<String>(status) {
        None => true,
        Some(word) if word == "in_progress" || word == "queued" => false,
        Some(word) => {
            if word == "failed" {
                reading.failure = Some(Failure { class: FailureClass::Other, code: None });
            }
            reading.finish_reasons = vec![word];
            true
        }
    };
    if let Some(usage) = scan.value(usage).filter(|raw| *raw != b"null") {
        match serde_json::from_slice::<InteractionUsage>(usage) {
            Ok(usage) => usage.read(reading, over),
            Err(_) => reading.usage_fault = Some("the usage could not be read"),
        }
    }
    if let Some(error) = scan.value(error).filter(|raw| *raw != b"null") {
        WireError::read(error).note(reading);
    }
}

impl InteractionUsage {
    fn read(&self, reading: &mut Reading, is_final: bool) {
        let (Some(input), Some(output)) = (self.total_input_tokens, self.total_output_tokens) else {
            reading.usage_fault = Some("the usage lacks a total");
            return;
        };
        let parts = self.input_tokens_by_modality.unwrap_or_default();
        let cached = self.total_cached_tokens.unwrap_or(0);
        let (audio, image, video) = parts.places();
        let beside = [cached, audio, image, video].into_iter().fold(0u64, u64::saturating_add);
        reading.usage_fault = (beside > input).then_some("the usage's input parts exceed its input");
        reading.usage = TokenUsage::ZERO
            .with(Meter::Input, input.saturating_sub(beside))
            .with(Meter::InputAudio, audio)
            .with(Meter::InputImage, image)
            .with(Meter::InputVideo, video)
            .with(Meter::CacheRead, cached)
            .with(Meter::ToolPrompt, self.total_tool_use_tokens.unwrap_or(0))
            .with(Meter::Output, output)
            .with(Meter::Reasoning, self.total_thought_tokens.unwrap_or(0));
        reading.usage_final = is_final;
    }
}

impl StreamState {
    fn event(&mut self, event: SseEvent<'_>) {
        if event.data == b"[DONE]" {
            return;
        }
        if !marks::is_object(event.data) {
            self.stumble("an event is not a JSON object");
            return;
        }
        // The event's name repeats its type.
        if let Some(name) = std::str::from_utf8(event.name).ok().filter(|name| !name.is_empty()) {
            self.named(name, event.data);
            return;
        }
        match serde_json::from_slice::<Typed<'_>>(event.data) {
            Ok(typed) => self.named(&typed.event_type, event.data),
            Err(_) => self.stumble("an event has no type"),
        }
    }

    fn named(&mut self, name: &str, data: &[u8]) {
        match name {
            "interaction.created" | "interaction.start" => self.lifecycle(data),
            "interaction.completed" | "interaction.complete" => {
                self.lifecycle(data);
                self.reading.end = StreamEnd::Complete;
            }
            "error" => {
                let raw = serde_json::from_slice::<ErrorEvent<'_>>(data).map(|event| event.error.get());
                WireError::read(raw.unwrap_or_default().as_bytes()).note(&mut self.reading);
            }
            "step.delta" | "content.delta" if !self.content_seen => {
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
            read_interaction(&scan, NESTED, &mut self.reading);
        } else {
            self.stumble("a lifecycle event is not whole JSON");
        }
    }

    fn stumble(&mut self, reason: &'static str) {
        self.reading.stumbled.get_or_insert(reason);
    }
}
