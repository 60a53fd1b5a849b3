//! OpenAI Responses (wire formats, section 1.4).

mod canonical;
mod meter;
mod socket;
mod usage;

use http::{HeaderMap, StatusCode};

use crate::dialects::answer::AnswerMeter;
use crate::dialects::facts::{FactsReader, name_or_id, output_type};
use crate::dialects::{openai_errors, openai_names};
use crate::framing::{JsonScan, Path};
use crate::{
    AnswerTexts, Dialect, Failure, FailureMembers, OwnError, Reading, RequestFacts, RequestReader,
    ResponseMeter, SocketMeter, ToolCallMark,
};

/// The wire format.
pub struct OpenAiResponses;

const FACTS: &[Path] = &[
    &["model"],
    &["stream"],
    &["max_output_tokens"],
    &["temperature"],
    &["top_p"],
    &["reasoning", "effort"],
    &["service_tier"],
    &["text", "format", "type"],
    &["previous_response_id"],
    &["conversation"],
    &["prompt", "id"],
    &["prompt", "version"],
    &["user"],
    &["safety_identifier"],
    &["session_id"],
    &["litellm_session_id"],
    &["trace", "span_name"],
    &["prompt_cache_key"],
    &["metadata"],
    &["client_metadata"],
];

fn facts(scan: &JsonScan) -> RequestFacts {
    RequestFacts {
        model: scan.read(&["model"]),
        stream: scan.read(&["stream"]).unwrap_or(false),
        max_tokens: scan.read(&["max_output_tokens"]),
        temperature: scan.read(&["temperature"]),
        top_p: scan.read(&["top_p"]),
        reasoning_level: scan.read(&["reasoning", "effort"]),
        tier_word: scan.read(&["service_tier"]),
        output_type: output_type(scan, &["text", "format", "type"]),
        previous_response_id: scan.read(&["previous_response_id"]),
        prompt_template: scan.read(&["prompt", "id"]).map(|id| (id, scan.read(&["prompt", "version"]))),
        conversation: name_or_id(scan, &["conversation"]),
        names: openai_names::read(scan),
        ..RequestFacts::default()
    }
}

impl Dialect for OpenAiResponses {
    fn name(&self) -> &'static str {
        "openai_responses"
    }

    fn answer_texts(&self, streamed: bool) -> AnswerTexts {
        // A stream repeats what came in pieces when it is whole.
        let shown: &[_] = if streamed { &["delta"] } else { &["text", "refusal", "arguments"] };
        AnswerTexts { shown, reasoning: &[] }
    }

    fn api_type(&self) -> Option<&'static str> {
        Some("responses")
    }

    fn tool_call_mark(&self) -> Option<ToolCallMark> {
        Some(ToolCallMark { mark: r#""call_id""#, key: None })
    }

    fn canonical(&self) -> Option<&'static dyn crate::canonical::Reader> {
        Some(&canonical::ResponsesReader)
    }

    fn answers(&self) -> Option<&'static dyn crate::canonical::AnswerWriter> {
        Some(&canonical::ResponsesWriter)
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
        AnswerMeter::boxed(headers, meter::ResponsesAnswer)
    }

    fn socket_meter(&self, _query: Option<&str>) -> Option<Box<dyn SocketMeter>> {
        Some(socket::meter())
    }

    fn keeps_answers(&self) -> bool {
        true
    }

    fn failure_members(&self) -> Option<FailureMembers> {
        Some(&[("error", &["null"]), ("status", &["\"completed\"", "\"incomplete\""])])
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
        openai_errors::classify(status, headers, reading)
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        openai_errors::body(error)
    }

    fn raises_told_errors(&self) -> bool {
        // The flat `error` event, which is the one that is documented, and `response.failed` are handed to the app as any other event.
        false
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        match word {
            "completed" => "stop",
            "max_output_tokens" | "max_messages" => "length",
            "failed" | "cancelled" => "error",
            "function_call" | "custom_tool_call" => "tool_call",
            other => other,
        }
    }
}
