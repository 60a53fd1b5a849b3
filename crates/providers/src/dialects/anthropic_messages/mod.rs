//! Anthropic Messages (wire formats, section 1.7).

mod canonical;
mod coding_agent;
mod errors;
mod meter;
pub(crate) mod models;
pub(crate) mod schema;
mod usage;

use http::{HeaderMap, StatusCode};

use crate::dialects::answer::AnswerMeter;
use crate::dialects::facts::{FactsReader, names, one_or_more, output_type};
use crate::framing::{JsonScan, Path};
use crate::{
    AnswerTexts, Dialect, Failure, FailureClass, FailureMembers, OwnError, Reading, RequestFacts,
    RequestReader, ResponseMeter, ToolCallMark, Who,
};

pub(crate) use canonical::manner;

/// The wire format.
pub struct AnthropicMessages;

const FACTS: &[Path] = &[
    &["model"],
    &["stream"],
    &["max_tokens"],
    &["temperature"],
    &["top_p"],
    &["top_k"],
    &["stop_sequences"],
    &["output_config", "effort"],
    &["output_config", "format", "type"],
    &["service_tier"],
    &["metadata", "user_id"],
];

const NAMES: &[(Who, Path)] = &[(Who::User, &["metadata", "user_id"])];

fn facts(scan: &JsonScan) -> RequestFacts {
    RequestFacts {
        model: scan.read(&["model"]),
        stream: scan.read(&["stream"]).unwrap_or(false),
        max_tokens: scan.read(&["max_tokens"]),
        temperature: scan.read(&["temperature"]),
        top_p: scan.read(&["top_p"]),
        top_k: scan.read(&["top_k"]),
        stop_sequences: one_or_more(scan, &["stop_sequences"]),
        reasoning_level: scan.read(&["output_config", "effort"]),
        tier_word: scan.read(&["service_tier"]),
        output_type: output_type(scan, &["output_config", "format", "type"]),
        names: coding_agent::told_apart(names(scan, NAMES, &[])),
        ..RequestFacts::default()
    }
}

impl Dialect for AnthropicMessages {
    fn name(&self) -> &'static str {
        "anthropic_messages"
    }

    /// All ids of an answer: its own and those of its tool calls. Members come in any order, so nothing else tells them apart.
    fn tool_call_mark(&self) -> Option<ToolCallMark> {
        Some(ToolCallMark { mark: r#""id""#, key: None })
    }

    fn answer_texts(&self, _streamed: bool) -> AnswerTexts {
        AnswerTexts { shown: &["text", "partial_json"], reasoning: &["thinking", "signature", "data"] }
    }

    fn canonical(&self) -> Option<&'static dyn crate::canonical::Reader> {
        Some(&canonical::MessagesReader)
    }

    fn answers(&self) -> Option<&'static dyn crate::canonical::AnswerWriter> {
        Some(&canonical::MessagesWriter)
    }

    fn requests(&'static self) -> Option<&'static dyn crate::canonical::RequestWriter> {
        Some(self)
    }

    fn names_model(&self) -> bool {
        true
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        FactsReader::with_history(FACTS, facts)
    }

    fn response_meter(&'static self, _status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        AnswerMeter::boxed(headers, meter::MessagesAnswer::default())
    }

    fn failure_members(&self) -> Option<FailureMembers> {
        Some(&[("error", &["null"])])
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
        errors::classify(status, headers, reading)
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        errors::body(error)
    }

    fn error_status(&self, class: FailureClass) -> u16 {
        errors::status(class)
    }

    fn error_phrase(&self, class: FailureClass) -> Option<&'static str> {
        errors::phrase(class)
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        match word {
            "end_turn" | "stop_sequence" | "pause_turn" => "stop",
            "max_tokens" | "model_context_window_exceeded" => "length",
            "tool_use" => "tool_call",
            "refusal" => "content_filter",
            other => other,
        }
    }
}
