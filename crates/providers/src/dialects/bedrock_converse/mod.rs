//! Bedrock's Converse and ConverseStream (wire formats, section 1.9). The model and whether the answer streams stand in
//! the path.

mod canonical;
mod meter;

use http::{HeaderMap, StatusCode};

use crate::dialects::answer::AnswerMeter;
use crate::dialects::aws_errors;
use crate::dialects::facts::{FactsReader, names, one_or_more, output_type};
use crate::framing::{JsonScan, Path};
use crate::{
    AnswerTexts, Dialect, Failure, FailureClass, OwnError, Reading, RequestFacts, RequestReader,
    ResponseMeter, ToolCallMark,
};

/// The wire format.
pub struct BedrockConverse;

const FACTS: &[Path] = &[
    &["inferenceConfig", "maxTokens"],
    &["inferenceConfig", "temperature"],
    &["inferenceConfig", "topP"],
    &["inferenceConfig", "stopSequences"],
    &["guardrailConfig", "guardrailIdentifier"],
    &["additionalModelRequestFields", "top_k"],
    &["outputConfig", "effort"],
    &["outputConfig", "textFormat", "type"],
    &["serviceTier", "type"],
    &["requestMetadata"],
];

fn facts(scan: &JsonScan) -> RequestFacts {
    RequestFacts {
        max_tokens: scan.read(&["inferenceConfig", "maxTokens"]),
        temperature: scan.read(&["inferenceConfig", "temperature"]),
        top_p: scan.read(&["inferenceConfig", "topP"]),
        stop_sequences: one_or_more(scan, &["inferenceConfig", "stopSequences"]),
        guardrail: scan.read(&["guardrailConfig", "guardrailIdentifier"]),
        top_k: scan.read(&["additionalModelRequestFields", "top_k"]),
        reasoning_level: scan.read(&["outputConfig", "effort"]),
        output_type: output_type(scan, &["outputConfig", "textFormat", "type"]),
        tier_word: scan.read(&["serviceTier", "type"]),
        names: names(scan, &[], &[&["requestMetadata"]]),
        ..RequestFacts::default()
    }
}

impl Dialect for BedrockConverse {
    fn name(&self) -> &'static str {
        "bedrock_converse"
    }

    fn tool_call_mark(&self) -> Option<ToolCallMark> {
        Some(ToolCallMark { mark: r#""toolUseId""#, key: None })
    }

    fn answer_texts(&self, _streamed: bool) -> AnswerTexts {
        AnswerTexts { shown: &["text", "input"], reasoning: &["signature"] }
    }

    fn canonical(&self) -> Option<&'static dyn crate::canonical::Reader> {
        Some(&canonical::ConverseReader)
    }

    fn answers(&self) -> Option<&'static dyn crate::canonical::AnswerWriter> {
        Some(&canonical::ConverseWriter)
    }

    fn requests(&'static self) -> Option<&'static dyn crate::canonical::RequestWriter> {
        Some(self)
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        FactsReader::with_history(FACTS, facts)
    }

    fn response_meter(&'static self, _status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        AnswerMeter::boxed(headers, meter::ConverseAnswer::new(headers))
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
        aws_errors::classify(status, headers, reading)
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        aws_errors::body(error)
    }

    fn error_status(&self, class: FailureClass) -> u16 {
        aws_errors::status(class)
    }

    fn error_phrase(&self, class: FailureClass) -> Option<&'static str> {
        aws_errors::phrase(class)
    }

    fn error_headers(&self, error: &OwnError<'_>, headers: &mut HeaderMap) {
        aws_errors::header(error, headers);
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        match word {
            "end_turn" | "stop_sequence" => "stop",
            "max_tokens" | "model_context_window_exceeded" => "length",
            "tool_use" => "tool_call",
            "guardrail_intervened" | "content_filtered" => "content_filter",
            "malformed_model_output" | "malformed_tool_use" => "error",
            other => other,
        }
    }
}
