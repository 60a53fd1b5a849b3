//! Reads a message as it passes. Per frame: a stream's events are told by name, and the many deltas are not looked into.

use http::HeaderMap;
use serde::Deserialize;

use crate::dialects::anthropic_messages::errors::{WireDetails, WireError};
use crate::dialects::anthropic_messages::usage::MessagesUsage;
use crate::dialects::marks;
use crate::framing::{JsonScan, Path, SseEvent, SseSplitter};
use crate::media::{Media, media};
use crate::{Reading, ResponseMeter, StreamEnd};

const WHOLE: &[Path] = &[
    &["id"],
    &["model"],
    &["stop_reason"],
    &["usage"],
    &["error", "type"],
    &["error", "message"],
    &["error", "details", "error_code"],
];

#[derive(Deserialize)]
struct MessageStart {
    message: Started,
}

#[derive(Deserialize)]
struct Started {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: MessagesUsage,
}

#[derive(Deserialize)]
struct MessageDelta {
    #[serde(default)]
    delta: Stopped,
    #[serde(default)]
    usage: MessagesUsage,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Stopped {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct ErrorEvent {
    #[serde(default)]
    error: WireError,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow)]
    r#type: std::borrow::Cow<'a, str>,
}

/// The meter.
pub(crate) struct MessagesMeter {
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
    usage: MessagesUsage,
    content_seen: bool,
    content_now: bool,
}

impl MessagesMeter {
    pub(crate) fn new(headers: &HeaderMap) -> MessagesMeter {
        let form = match media(headers) {
            Media::EventStream => Form::Stream(SseSplitter::default()),
            Media::Json => Form::Whole(Box::new(JsonScan::new(WHOLE))),
            Media::AwsEvents | Media::Lines | Media::Other => Form::Other,
        };
        MessagesMeter { form, stream: StreamState::default() }
    }
}

impl ResponseMeter for MessagesMeter {
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
    reading.finish_reasons = scan.read(&["stop_reason"]).into_iter().collect();
    if let Some(raw) = scan.value(&["usage"]) {
        match serde_json::from_slice::<MessagesUsage>(raw) {
            Ok(usage) => usage.read(reading, usage.counts_answer()),
            Err(_) => reading.usage_fault = Some("the usage could not be read"),
        }
    }
    let error = WireError {
        r#type: scan.read(&["error", "type"]),
        message: scan.read(&["error", "message"]),
        details: scan
            .read(&["error", "details", "error_code"])
            .map(|code| WireDetails { error_code: Some(code) }),
    };
    if error.r#type.is_some() || error.message.is_some() {
        error.note(reading);
    }
    if scan.is_whole() {
        reading.end = StreamEnd::Complete;
    } else {
        reading.stumbled = Some("the body is not whole JSON");
    }
}

impl StreamState {
    fn event(&mut self, event: SseEvent<'_>) {
        if !marks::is_object(event.data) {
            self.stumble("an event is not a JSON object");
        } else if event.name.is_empty() {
            match serde_json::from_slice::<Typed<'_>>(event.data) {
                Ok(typed) => self.named(typed.r#type.as_bytes(), event.data),
                Err(_) => self.stumble("an event has neither a name nor a type"),
            }
        } else {
            self.named(event.name, event.data);
        }
    }

    fn named(&mut self, name: &[u8], data: &[u8]) {
        match name {
            b"content_block_delta" => {
                self.content_now |= !self.content_seen;
                self.content_seen = true;
            }
            b"message_start" => match serde_json::from_slice::<MessageStart>(data) {
                Ok(start) => {
                    self.reading.response_id = start.message.id;
                    self.reading.model = start.message.model;
                    self.usage = start.message.usage;
                    self.usage.read(&mut self.reading, false);
                }
                Err(_) => self.stumble("the message's start could not be read"),
            },
            b"message_delta" => match serde_json::from_slice::<MessageDelta>(data) {
                Ok(delta) => {
                    let counts = delta.usage.counts_answer();
                    self.usage.overlay(delta.usage);
                    // Some gateways report the input only here, so an earlier fault may be mended now.
                    self.reading.usage_fault = None;
                    self.usage.read(&mut self.reading, counts);
                    if let Some(word) = delta.delta.stop_reason {
                        self.reading.finish_reasons = vec![word];
                    }
                }
                Err(_) => self.stumble("the message's end could not be read"),
            },
            b"message_stop" => self.reading.end = StreamEnd::Complete,
            b"error" => match serde_json::from_slice::<ErrorEvent>(data) {
                Ok(event) => event.error.note(&mut self.reading),
                Err(_) => WireError::default().note(&mut self.reading),
            },
            _ => {}
        }
    }

    fn stumble(&mut self, reason: &'static str) {
        self.reading.stumbled.get_or_insert(reason);
    }
}
