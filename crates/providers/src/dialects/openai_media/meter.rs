//! Reads an answer with images, speech or a transcript.

use http::StatusCode;
use outrigger_pricing::{Meter, TokenUsage};
use serde::Deserialize;

use crate::dialects::answer::{Answer, Look, Told, usage_at};
use crate::dialects::openai_errors::{ERROR_PATHS, WireError};
use crate::framing::{JsonScan, Path};
use crate::{Reading, StreamEnd};

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

const EVENT: &[Path] = &[&["type"], &["usage"], ERROR_PATHS[0]];

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

/// The answer.
pub(super) struct MediaAnswer {
    refused: bool,
}

impl MediaAnswer {
    pub(super) fn new(status: StatusCode) -> MediaAnswer {
        MediaAnswer { refused: !status.is_success() }
    }
}

impl Answer for MediaAnswer {
    const KIND: Option<&'static str> = Some("type");

    fn whole_paths(&self) -> &'static [Path] {
        WHOLE
    }

    fn event_paths(&self) -> &'static [Path] {
        EVENT
    }

    fn whole(&mut self, scan: &JsonScan, told: &mut Told) {
        told.reading.model = scan.read(&["model"]);
        note_usage(scan, &mut told.reading);
        if let Some(error) = WireError::scanned(scan, self.refused) {
            error.note(&mut told.reading, &[]);
        }
    }

    fn look(&mut self, kind: &[u8], _data: Option<&[u8]>, _told: &mut Told) -> Look {
        if kind.ends_with(b".delta") || kind.ends_with(b".partial_image") {
            Look::Content
        } else {
            Look::Read
        }
    }

    fn event(&mut self, kind: &str, scan: &JsonScan, told: &mut Told) {
        if let Some(error) = WireError::scanned(scan, false) {
            error.note(&mut told.reading, &[]);
        }
        if kind.ends_with(".delta") || kind.ends_with(".partial_image") {
            told.content();
        } else if kind.ends_with(".done") || kind.ends_with(".completed") {
            note_usage(scan, &mut told.reading);
            if kind == "speech.audio.done" {
                note_spoken(&mut told.reading);
            }
            told.reading.end = StreamEnd::Complete;
        }
    }

    /// Audio or a plain transcript: whole when it ends, and it has nothing to say.
    fn other(&mut self, told: &mut Told) {
        if self.refused {
            told.stumble("the body is not of the API's type");
        } else {
            told.reading.end = StreamEnd::Complete;
        }
    }
}

/// Speech answers in audio alone, which it does not split.
fn note_spoken(reading: &mut Reading) {
    if let Some(spoken) = reading.usage.get(Meter::OutputImage) {
        reading.usage.set(Meter::OutputImage, Some(0));
        reading.usage.set(Meter::OutputAudio, Some(spoken));
    }
}

fn note_usage(scan: &JsonScan, reading: &mut Reading) {
    let Some(usage) = usage_at::<MediaUsage>(scan, &["usage"], reading) else { return };
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
