//! Reads an answer of Cohere. A stream's events are told by name, and deltas are not looked into.

use http::StatusCode;
use outrigger_pricing::{Meter, TokenUsage};
use serde::Deserialize;

use crate::dialects::answer::{Answer, Look, Told, usage_at};
use crate::framing::{JsonScan, Path};
use crate::scrub::scrubbed;
use crate::{Failure, FailureClass, Reading, StreamEnd};

/// Chat tells its usage at the top, embed and rerank below `meta` …
const WHOLE: &[Path] = &[&["id"], &["finish_reason"], &["usage"], &["meta"], &["message"]];

/// … and a stream's end below `delta`.
const EVENT: &[Path] =
    &[&["type"], &["id"], &["delta", "finish_reason"], &["delta", "usage"], &["delta", "error"]];

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

/// The answer.
pub(super) struct CohereAnswer {
    refused: bool,
}

impl CohereAnswer {
    pub(super) fn new(status: StatusCode) -> CohereAnswer {
        CohereAnswer { refused: !status.is_success() }
    }
}

impl Answer for CohereAnswer {
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
        reading.finish_reasons = scan.read(&["finish_reason"]).into_iter().collect();
        note_usage(scan, if scan.value(&["usage"]).is_some() { &["usage"] } else { &["meta"] }, reading);
        if self.refused {
            let text: String = scan.read(&["message"]).unwrap_or_default();
            note_error(reading, &text);
        }
    }

    fn look(&mut self, kind: &[u8], _data: Option<&[u8]>, _told: &mut Told) -> Look {
        match kind {
            b"content-delta" | b"tool-call-start" | b"tool-plan-delta" => Look::Content,
            b"" | b"message-start" | b"message-end" => Look::Read,
            _ => Look::Skip,
        }
    }

    fn event(&mut self, kind: &str, scan: &JsonScan, told: &mut Told) {
        let reading = &mut told.reading;
        match kind {
            "message-start" => reading.response_id = scan.read(&["id"]),
            "message-end" => {
                reading.finish_reasons = scan.read(&["delta", "finish_reason"]).into_iter().collect();
                note_usage(scan, &["delta", "usage"], reading);
                if let Some(text) = scan.read::<String>(&["delta", "error"]) {
                    note_error(reading, &text);
                }
                reading.end = StreamEnd::Complete;
            }
            "content-delta" | "tool-call-start" | "tool-plan-delta" => told.content(),
            "" => told.stumble("an event has neither a name nor a type"),
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

fn note_usage(scan: &JsonScan, at: Path, reading: &mut Reading) {
    let Some(usage) = usage_at::<CohereUsage>(scan, at, reading) else { return };
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
