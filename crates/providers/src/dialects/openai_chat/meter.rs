//! Reads a chat completion as it passes. Per frame: a stream's event is searched for three member names and parsed only
//! where one has a value.

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::marks;
use crate::dialects::openai_chat::OpenAiChat;
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
    ERROR_PATHS[3],
    ERROR_PATHS[4],
    ERROR_PATHS[5],
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
    #[serde(default)]
    object: Option<String>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: usize,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    delta: Delta,
    /// Legacy Completions have it in the delta's place.
    #[serde(default)]
    text: Option<String>,
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

struct StreamState {
    dialect: &'static OpenAiChat,
    /// Whether the head said that this is an error.
    refused: bool,
    reading: Reading,
    headed: bool,
    content_seen: bool,
    content_now: bool,
}

impl ChatMeter {
    pub(crate) fn new(dialect: &'static OpenAiChat, status: StatusCode, headers: &HeaderMap) -> ChatMeter {
        let form = match media(headers) {
            Media::EventStream => Form::Stream(SseSplitter::default()),
            Media::Json => Form::Whole(Box::new(JsonScan::new(WHOLE))),
            Media::AwsEvents | Media::Lines | Media::Other => Form::Other,
        };
        let stream = StreamState {
            dialect,
            refused: !status.is_success(),
            reading: Reading::default(),
            headed: false,
            content_seen: false,
            content_now: false,
        };
        ChatMeter { form, stream }
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
                let words = &reading.finish_reasons;
                if self.stream.dialect.ends_at_finish
                    && !words.is_empty()
                    && !words.iter().any(String::is_empty)
                {
                    reading.end = StreamEnd::Complete;
                }
            }
            Form::Whole(scan) => read_whole(&self.stream, scan, &mut reading),
            Form::Other => reading.stumbled = Some("the body is not of the API's type"),
        }
        reading
    }
}

fn read_whole(stream: &StreamState, scan: &JsonScan, reading: &mut Reading) {
    reading.response_id = scan.read(&["id"]);
    reading.model = scan.read(&["model"]);
    note_tier(reading, scan.read(&["service_tier"]));
    reading.finish_reasons = scan
        .values(&["choices", "*", "finish_reason"])
        .filter_map(|raw| serde_json::from_slice(raw).ok())
        .collect();
    if let Some(raw) = scan.value(&["usage"]) {
        stream.dialect.note_usage(reading, raw);
    }
    if let Some(error) = WireError::scanned(scan, stream.refused) {
        error.note(reading, stream.dialect.codes);
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

impl OpenAiChat {
    /// What a service puts into a member of its own.
    fn note_beside(&self, reading: &mut Reading, data: &[u8]) {
        if self.beside.is_empty() || !(marks::USAGE.has_value(data) || marks::ERROR.has_value(data)) {
            return;
        }
        let mut scan = JsonScan::new(self.beside);
        scan.push(data);
        for path in self.beside {
            match scan.value(path) {
                Some(raw) if path.last() == Some(&"usage") => self.note_usage(reading, raw),
                Some(raw) if raw != b"null" => WireError::read(raw).note(reading, self.codes),
                _ => {}
            }
        }
    }

    fn note_usage(&self, reading: &mut Reading, raw: &[u8]) {
        if raw == b"null" {
            return;
        }
        match serde_json::from_slice::<ChatUsage>(raw) {
            Ok(mut usage) => {
                (self.amend)(raw, &mut usage);
                usage.read(reading);
            }
            Err(_) => reading.usage_fault = Some("the usage could not be read"),
        }
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
            Ok(chunk) => self.chunk(chunk, data),
            Err(_) => {
                self.reading.stumbled.get_or_insert("an event is not a chat chunk");
            }
        }
    }

    fn chunk(&mut self, chunk: Chunk<'_>, data: &[u8]) {
        let reading = &mut self.reading;
        // Some servers send the error beside its name, some without it.
        if chunk.error.is_some() || chunk.object.as_deref() == Some("error") {
            let mut scan = JsonScan::new(&ERROR_PATHS);
            scan.push(data);
            if let Some(error) = WireError::scanned(&scan, true) {
                error.note(reading, self.dialect.codes);
            }
        }
        // A first event that carries nothing but filter results has an empty one.
        let id = chunk.id.filter(|id| !id.is_empty());
        self.headed |= id.is_some();
        reading.response_id = reading.response_id.take().or(id);
        if chunk.model.as_deref().is_some_and(|model| !model.is_empty()) {
            reading.model = chunk.model;
        }
        note_tier(reading, chunk.service_tier);
        match chunk.usage.map(|raw| raw.get()).filter(|raw| *raw != "null") {
            Some(raw) => self.dialect.note_usage(reading, raw.as_bytes()),
            None => self.dialect.note_beside(reading, data),
        }
        for choice in chunk.choices {
            self.content_now |= !self.content_seen
                && (choice.delta.has_content()
                    || choice.text.as_deref().is_some_and(|text| !text.is_empty()));
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
