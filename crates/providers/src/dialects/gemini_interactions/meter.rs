//! Reads an interaction. A stream's events are told by one member, and steps are not looked into.

use outrigger_pricing::{Meter, TokenUsage};
use serde::Deserialize;

use crate::dialects::answer::{Answer, Look, Told, usage_at};
use crate::dialects::gemini::ByModality;
use crate::dialects::google_errors::WireError;
use crate::framing::{JsonScan, Path};
use crate::{Failure, FailureClass, Reading, StreamEnd};

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

/// [`NESTED`] and what stands around it.
const EVENT: &[Path] = &[
    &["event_type"],
    &["error"],
    NESTED[0],
    NESTED[1],
    NESTED[2],
    NESTED[3],
    NESTED[4],
    NESTED[5],
    NESTED[6],
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

/// The answer.
pub(super) struct InteractionsAnswer;

impl Answer for InteractionsAnswer {
    const KIND: Option<&'static str> = Some("event_type");

    fn whole_paths(&self) -> &'static [Path] {
        WHOLE
    }

    fn event_paths(&self) -> &'static [Path] {
        EVENT
    }

    fn whole(&mut self, scan: &JsonScan, told: &mut Told) {
        read_interaction(scan, WHOLE, &mut told.reading);
    }

    fn look(&mut self, kind: &[u8], _data: Option<&[u8]>, _told: &mut Told) -> Look {
        match kind {
            b"step.delta" | b"content.delta" => Look::Content,
            b"" | b"error" => Look::Read,
            lifecycle if lifecycle.starts_with(b"interaction.") => Look::Read,
            _ => Look::Skip,
        }
    }

    fn event(&mut self, kind: &str, scan: &JsonScan, told: &mut Told) {
        match kind {
            "interaction.created" | "interaction.start" => read_interaction(scan, NESTED, &mut told.reading),
            "interaction.completed" | "interaction.complete" => {
                read_interaction(scan, NESTED, &mut told.reading);
                told.reading.end = StreamEnd::Complete;
            }
            "error" => {
                WireError::read(scan.value(&["error"]).unwrap_or_default()).note(&mut told.reading);
            }
            "step.delta" | "content.delta" => told.content(),
            "" => told.stumble("an event has neither a name nor a type"),
            _ => {}
        }
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
    if let Some(usage) = usage_at::<InteractionUsage>(scan, usage, reading) {
        usage.read(reading, over);
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
