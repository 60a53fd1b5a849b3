//! Reads an answer with images, speech or a transcript as it passes. Per frame: payloads are stepped over.

use http::{HeaderMap, StatusCode};
use outrigger_pricing::{Meter, TokenUsage};
use serde::Deserialize;

use crate::dialects::marks;
use crate::dialects::openai_errors::{ERROR_PATHS, WireError};
use crate::framing::{JsonScan, Path, SseEvent, SseSplitter};
use crate::media::{Media, media};
use crate::{Reading, ResponseMeter, StreamEnd};

const WHOLE: &[Path] = &[
    &["usage"],
    &["model"],
    ERROR_PATHS[0],
    ERROR_PATHS[1],
    ERROR_PATHS[2],
    ERROR_PATHS[3],
    ERROR_PATHS[4],
    ERROR_PATHS[5],
];

/// `usage` on the wire: tokens with their parts, or the length of what was heard.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MediaUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    #[serde(alias = "input_token_details")]
    input_tokens_details: Parts,
    #[serde(alias = "output_token_details")]
    output_tokens_details: Parts,
    seconds: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parts {
    audio_tokens: u64,
    image_tokens: u64,
    cached_tokens: u64,
    text_tokens: Option<u64>,
}

/// The meter.
pub(super) struct MediaMeter {
    form: Form,
    refused: bool,
    stream: StreamState,
}

enum Form {
    Stream(SseSplitter),
    Whole(Box<JsonScan>),
    /// Audio or a plain transcript: whole when it ends, and it has nothing to say.
    Payload,
}

#[derive(Default)]
struct StreamState {
    reading: Reading,
    content_seen: bool,
    content_now: bool,
}

impl MediaMeter {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap) -> MediaMeter {
        let form = match media(headers) {
            Media::EventStream => Form::Stream(SseSplitter::default()),
            Media::Json => Form::Whole(Box::new(JsonScan::new(WHOLE))),
            Media::AwsEvents | Media::Lines | Media::Other => Form::Payload,
        };
        MediaMeter { form, refused: !status.is_success(), stream: StreamState::default() }
    }
}

impl ResponseMeter for MediaMeter {
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
            Form::Payload => false,
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
                reading.model = scan.read(&["model"]);
                if let Some(usage) = scan.value(&["usage"]) {
                    note_usage(&mut reading, usage);
                }
                if let Some(error) = WireError::scanned(scan, self.refused) {
                    error.note(&mut reading, &[]);
                }
                if scan.is_whole() {
                    reading.end = StreamEnd::Complete;
                } else {
                    reading.stumbled = Some("the body is not whole JSON");
                }
            }
            Form::Payload if self.refused => reading.stumbled = Some("the body is not of the API's type"),
            Form::Payload => reading.end = StreamEnd::Complete,
        }
        reading
    }
}

impl StreamState {
    fn event(&mut self, event: SseEvent<'_>) {
        if event.data == b"[DONE]" {
            return;
        }
        let mut scan = JsonScan::new(&[&["type"], &["usage"], ERROR_PATHS[0]]);
        scan.push(event.data);
        if !marks::is_object(event.data) || !scan.is_whole() {
            self.reading.stumbled.get_or_insert("an event is not a JSON object");
            return;
        }
        if let Some(error) = WireError::scanned(&scan, false) {
            error.note(&mut self.reading, &[]);
        }
        let kind: &str = scan.read(&["type"]).unwrap_or_default();
        if kind.ends_with(".delta") || kind.ends_with(".partial_image") {
            self.content_now |= !self.content_seen;
            self.content_seen = true;
        }
        if kind.ends_with(".done") || kind.ends_with(".completed") {
            if let Some(usage) = scan.value(&["usage"]) {
                note_usage(&mut self.reading, usage);
            }
            self.reading.end = StreamEnd::Complete;
        }
    }
}

fn note_usage(reading: &mut Reading, raw: &[u8]) {
    if raw == b"null" {
        return;
    }
    let Ok(usage) = serde_json::from_slice::<MediaUsage>(raw) else {
        reading.usage_fault = Some("the usage could not be read");
        return;
    };
    if let Some(seconds) = usage.seconds.filter(|seconds| *seconds >= 0.0) {
        reading.usage = TokenUsage::ZERO.with(Meter::AudioSecond, seconds.ceil() as u64);
        reading.usage_final = true;
        return;
    }
    let (Some(input), Some(output)) = (usage.input_tokens, usage.output_tokens) else {
        reading.usage_fault = Some("the usage lacks a total");
        return;
    };
    let (of_input, of_output) = (usage.input_tokens_details, usage.output_tokens_details);
    // An image model that does not split its answer answers in image tokens alone; a transcript is text.
    let images = match (of_output.image_tokens, of_output.text_tokens) {
        (0, None) if of_input.audio_tokens == 0 && reading.model.is_none() => output,
        (images, _) => images,
    };
    let mut fault = None;
    let mut rest = |total: u64, parts: &[u64]| {
        parts.iter().try_fold(total, |left, part| left.checked_sub(*part)).unwrap_or_else(|| {
            fault = Some("the usage's parts exceed their total");
            0
        })
    };
    reading.usage = TokenUsage::ZERO
        .with(
            Meter::Input,
            rest(input, &[of_input.audio_tokens, of_input.image_tokens, of_input.cached_tokens]),
        )
        .with(Meter::InputAudio, of_input.audio_tokens)
        .with(Meter::InputImage, of_input.image_tokens)
        .with(Meter::CacheRead, of_input.cached_tokens)
        .with(Meter::Output, rest(output, &[of_output.audio_tokens, images]))
        .with(Meter::OutputAudio, of_output.audio_tokens)
        .with(Meter::OutputImage, images);
    reading.usage_fault = fault;
    reading.usage_final = true;
}
