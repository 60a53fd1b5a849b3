//! Reads a chat completion as it passes. Per frame: a stream's event is searched for three member names and parsed only
//! where one has a value.

use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::marks;
use crate::dialects::openai_chat::usage::{ChatUsage, tier};
use crate::dialects::openai_errors::{ERROR_PATHS, WireError};
use crate::framing::{JsonScan, Path, SseEvent, SseSplitter};
use crate::media::{Media, media};
use crate::{Reading, ResponseMeter, StreamEnd};

const WHOLE: &[Path] = &[
    &["id"],
    &["model"],
    &["service_tier"],
    &["usage"],
    &["choices", "*", "finish_reason"],
    ERROR_PATHS[0],
    ERROR_PATHS[1],
    ERROR_PATHS[2],
];

/// The members of a chunk that tell us something.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    service_tier: Option<String>,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: usize,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    delta: Delta,
}

/// Whether a delta carries content; the content itself is not kept.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Delta {
    content: Option<serde_json::Value>,
    refusal: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    tool_calls: Option<Vec<serde::de::IgnoredAny>>,
}

impl Delta {
    fn has_content(&self) -> bool {
        let text = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        self.content.as_ref().is_some_and(|content| !content.is_null() && content.as_str() != Some(""))
            || text(&self.refusal)
            || text(&self.reasoning_content)
            || text(&self.reasoning)
            || self.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
    }
}

/// More choices than any request may ask for are not followed.
const CHOICES: usize = 128;

/// The meter.
pub(crate) struct ChatMeter {
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
    headed: bool,
    content_seen: bool,
    content_now: bool,
}

impl ChatMeter {
    pub(crate) fn new(headers: &HeaderMap) -> ChatMeter {
        let form = match media(headers) {
            Media::EventStream => Form::Stream(SseSplitter::default()),
            Media::Json => Form::Whole(Box::new(JsonScan::new(WHOLE))),
            Media::Other => Form::Other,
        };
        ChatMeter { form, stream: StreamState::default() }
    }
}

impl ResponseMeter for ChatMeter {
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
            Form::Whole(scan) => read_whole(scan, &mut reading),
            Form::Other => reading.stumbled = Some("the body is not of the API's type"),
        }
        reading
    }
}

fn read_whole(scan: &JsonScan, reading: &mut Reading) {
    reading.response_id = scan.read(&["id"]);
    reading.model = scan.read(&["model"]);
    note_tier(reading, scan.read(&["service_tier"]));
    reading.finish_reasons = scan
        .values(&["choices", "*", "finish_reason"])
        .filter_map(|raw| serde_json::from_slice(raw).ok())
        .collect();
    if let Some(raw) = scan.value(&["usage"]) {
        note_usage(reading, raw);
    }
    if let Some(error) = WireError::scanned(scan) {
        error.note(reading);
    }
    if scan.is_whole() {
        reading.end = StreamEnd::Complete;
    } else {
        reading.stumbled = Some("the body is not whole JSON");
    }
}

fn note_tier(reading: &mut Reading, word: Option<String>) {
    if let Some(word) = word {
        reading.tier = Some(tier(&word));
        reading.tier_word = Some(word);
    }
}

fn note_usage(reading: &mut Reading, raw: &[u8]) {
    if raw == b"null" {
        return;
    }
    match serde_json::from_slice::<ChatUsage>(raw)
        .map_err(|_| "the usage could not be read")
        .and_then(|usage| usage.meters())
    {
        Ok(meters) => {
            reading.usage = meters;
            reading.usage_final = true;
        }
        Err(fault) => reading.usage_fault = Some(fault),
    }
}

impl StreamState {
    fn event(&mut self, event: SseEvent<'_>) {
        let data = event.data;
        if data == b"[DONE]" {
            self.reading.end = StreamEnd::Complete;
            return;
        }
        if !marks::is_object(data) {
            self.reading.stumbled.get_or_insert("an event is not a JSON object");
            return;
        }
        let wanted = !self.headed
            || !self.content_seen
            || marks::FINISH_REASON.has_value(data)
            || marks::USAGE.has_value(data)
            || marks::ERROR.has_value(data)
            || event.name == b"error";
        if !wanted {
            return;
        }
        match serde_json::from_slice::<Chunk<'_>>(data) {
            Ok(chunk) => self.chunk(chunk),
            Err(_) => {
                self.reading.stumbled.get_or_insert("an event is not a chat chunk");
            }
        }
    }

    fn chunk(&mut self, chunk: Chunk<'_>) {
        let reading = &mut self.reading;
        if let Some(raw) = chunk.error {
            match serde_json::from_str::<WireError>(raw.get()) {
                Ok(error) => error.note(reading),
                // Some servers send a plain text.
                Err(_) => WireError { message: serde_json::from_str(raw.get()).ok(), ..WireError::default() }
                    .note(reading),
            }
        }
        self.headed |= chunk.id.is_some();
        reading.response_id = reading.response_id.take().or(chunk.id);
        if chunk.model.as_deref().is_some_and(|model| !model.is_empty()) {
            reading.model = chunk.model;
        }
        note_tier(reading, chunk.service_tier);
        if let Some(raw) = chunk.usage {
            note_usage(reading, raw.get().as_bytes());
        }
        for choice in chunk.choices {
            self.content_now |= !self.content_seen && choice.delta.has_content();
            self.content_seen |= self.content_now;
            if let Some(word) = choice.finish_reason
                && choice.index < CHOICES
            {
                if reading.finish_reasons.len() <= choice.index {
                    reading.finish_reasons.resize(choice.index + 1, String::new());
                }
                reading.finish_reasons[choice.index] = word;
            }
        }
    }
}
