//! Google's Interactions (wire formats, section 1.8): steps instead of candidates, the model in the body.

mod meter;

use http::{HeaderMap, StatusCode};

use crate::dialects::answer::AnswerMeter;
use crate::dialects::facts::FactsReader;
use crate::dialects::google_errors;
use crate::framing::{JsonScan, Path};
use crate::{
    AnswerTexts, Dialect, Failure, FailureClass, OwnError, Reading, RequestFacts, RequestReader,
    ResponseMeter, ToolCallMark,
};

/// The wire format.
pub struct GeminiInteractions;

const FACTS: &[Path] = &[
    &["model"],
    &["agent"],
    &["stream"],
    &["generation_config", "max_output_tokens"],
    &["generation_config", "temperature"],
    &["generation_config", "top_p"],
    &["generation_config", "seed"],
    &["generation_config", "thinking_level"],
    &["response_format", "mime_type"],
    &["service_tier"],
    &["previous_interaction_id"],
];

fn facts(scan: &JsonScan) -> RequestFacts {
    RequestFacts {
        model: scan.read(&["model"]).or_else(|| scan.read(&["agent"])),
        stream: scan.read(&["stream"]).unwrap_or(false),
        max_tokens: scan.read(&["generation_config", "max_output_tokens"]),
        temperature: scan.read(&["generation_config", "temperature"]),
        top_p: scan.read(&["generation_config", "top_p"]),
        seed: scan.read(&["generation_config", "seed"]),
        reasoning_level: scan.read(&["generation_config", "thinking_level"]),
        output_type: scan
            .read::<&str>(&["response_format", "mime_type"])
            .filter(|kind| *kind == "application/json")
            .map(|_| "json"),
        tier_word: scan.read(&["service_tier"]),
        previous_response_id: scan.read(&["previous_interaction_id"]),
        ..RequestFacts::default()
    }
}

impl Dialect for GeminiInteractions {
    fn name(&self) -> &'static str {
        "gemini_interactions"
    }

    fn tool_call_mark(&self) -> Option<ToolCallMark> {
        Some(ToolCallMark { mark: r#""function_call""#, key: Some(r#""id""#) })
    }

    fn answer_texts(&self, _streamed: bool) -> AnswerTexts {
        AnswerTexts { shown: &["text"], reasoning: &[] }
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        FactsReader::with_history(FACTS, facts)
    }

    fn response_meter(&'static self, _status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        AnswerMeter::boxed(headers, meter::InteractionsAnswer)
    }

    fn keeps_answers(&self) -> bool {
        true
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
        google_errors::classify(status, headers, reading)
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        google_errors::body(error)
    }

    fn error_phrase(&self, class: FailureClass) -> Option<&'static str> {
        google_errors::phrase(class)
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        match word {
            "completed" => "stop",
            "requires_action" => "tool_call",
            "incomplete" => "length",
            "failed" | "cancelled" => "error",
            other => other,
        }
    }
}
