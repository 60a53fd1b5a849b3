//! OpenAI Chat Completions (wire formats, section 1.3).

mod canonical;
pub mod include_usage;
mod meter;
mod usage;

use http::{HeaderMap, StatusCode};

use crate::dialects::answer::AnswerMeter;
use crate::dialects::facts::{FactsReader, one_or_more, output_type};
use crate::dialects::{openai_errors, openai_names};
use crate::framing::{JsonScan, Path};
use crate::{
    AnswerTexts, Dialect, Failure, FailureClass, FailureMembers, OwnError, Reading, RequestFacts,
    RequestReader, ResponseMeter, ToolCallMark,
};

pub(crate) use canonical::{TakenEffort, Takes, address, written};
pub(crate) use meter::chunk_with;
pub(crate) use usage::{ChatUsage, Details, tier};

/// The wire format, with what a service does differently: a row of its own per deviation.
pub struct OpenAiChat {
    /// Brings a usage that differs into OpenAI's form; gets it raw as well.
    pub(crate) amend: fn(&[u8], &mut ChatUsage),
    /// Where a chunk tells what is wanted; see [`chunk_with`].
    pub(crate) chunk: &'static [Path],
    /// Whether a stream ends with its finish reason, without OpenAI's last word.
    pub(crate) ends_at_finish: bool,
    /// Finish words that OpenAI does not have, and what they mean by the conventions.
    pub(crate) finish: &'static [(&'static str, &'static str)],
    /// Error codes and types that OpenAI does not have.
    pub(crate) codes: &'static [(&'static str, FailureClass)],
    /// Statuses that mean something else than they do elsewhere.
    pub(crate) statuses: &'static [(u16, FailureClass)],
    /// What is taken of a request.
    pub(crate) takes: &'static Takes,
}

impl OpenAiChat {
    /// The format as OpenAI speaks it.
    pub(crate) const PLAIN: OpenAiChat = OpenAiChat {
        amend: |_, _| {},
        chunk: &meter::CHUNK,
        ends_at_finish: false,
        finish: &[],
        codes: &[],
        statuses: &[],
        takes: &Takes::ALL,
    };
}

/// The wire format as OpenAI speaks it.
pub static OPENAI_CHAT: OpenAiChat = OpenAiChat::PLAIN;

const FACTS: &[Path] = &[
    &["model"],
    &["stream"],
    &["stream_options", "include_usage"],
    &["max_completion_tokens"],
    &["max_tokens"],
    &["temperature"],
    &["top_p"],
    &["n"],
    &["seed"],
    &["frequency_penalty"],
    &["presence_penalty"],
    &["stop"],
    &["reasoning_effort"],
    &["service_tier"],
    &["response_format", "type"],
    &["user"],
    &["safety_identifier"],
    &["session_id"],
    &["litellm_session_id"],
    &["trace", "span_name"],
    &["prompt_cache_key"],
    &["metadata"],
];

fn facts(scan: &JsonScan) -> RequestFacts {
    let stream = scan.read(&["stream"]).unwrap_or(false);
    RequestFacts {
        model: scan.read(&["model"]),
        stream,
        include_usage: stream.then(|| scan.read(&["stream_options", "include_usage"]).unwrap_or(false)),
        max_tokens: scan.read(&["max_completion_tokens"]).or_else(|| scan.read(&["max_tokens"])),
        temperature: scan.read(&["temperature"]),
        top_p: scan.read(&["top_p"]),
        choices: scan.read(&["n"]).filter(|n| *n != 1),
        seed: scan.read(&["seed"]),
        frequency_penalty: scan.read(&["frequency_penalty"]),
        presence_penalty: scan.read(&["presence_penalty"]),
        stop_sequences: one_or_more(scan, &["stop"]),
        reasoning_level: scan.read(&["reasoning_effort"]),
        tier_word: scan.read(&["service_tier"]),
        output_type: output_type(scan, &["response_format", "type"]),
        names: openai_names::read(scan),
        ..RequestFacts::default()
    }
}

impl Dialect for OpenAiChat {
    fn name(&self) -> &'static str {
        "openai_chat"
    }

    fn answer_texts(&self, _streamed: bool) -> AnswerTexts {
        AnswerTexts { shown: &["content", "refusal", "arguments"], reasoning: &[] }
    }

    fn api_type(&self) -> Option<&'static str> {
        Some("chat_completions")
    }

    fn has_include_usage(&self) -> bool {
        true
    }
    fn tool_call_mark(&self) -> Option<ToolCallMark> {
        Some(ToolCallMark { mark: r#""tool_calls""#, key: Some(r#""id""#) })
    }

    fn canonical(&self) -> Option<&'static dyn crate::canonical::Reader> {
        Some(&canonical::ChatReader)
    }

    fn answers(&self) -> Option<&'static dyn crate::canonical::AnswerWriter> {
        Some(&canonical::ChatWriter)
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

    fn response_meter(&'static self, status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        AnswerMeter::boxed(headers, meter::ChatAnswer::new(self, status))
    }

    fn failure_members(&self) -> Option<FailureMembers> {
        Some(&[("error", &["null"])])
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
        let odd = self.statuses.iter().find(|(number, _)| *number == status.as_u16());
        let code = reading.failure.as_ref().and_then(|failure| failure.code);
        match odd {
            Some((_, class)) => Some(Failure { class: *class, code }),
            None => openai_errors::classify(status, headers, reading),
        }
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        openai_errors::body(error)
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        match word {
            "tool_calls" | "function_call" => "tool_call",
            other => self.finish.iter().find(|(word, _)| *word == other).map_or(other, |(_, means)| means),
        }
    }
}
