//! Ollama's native chat, generate and embed (wire formats, section 1.10): one object per line, and a stream unless the
//! request says otherwise.

mod meter;

use http::{HeaderMap, StatusCode};

use crate::dialects::answer::AnswerMeter;
use crate::dialects::facts::{FactsReader, one_or_more};
use crate::dialects::openai_errors::by_status;
use crate::framing::{JsonScan, Path};
use crate::{
    AnswerTexts, Dialect, Failure, FailureClass, OwnError, Reading, RequestFacts, RequestReader,
    ResponseMeter,
};

/// The wire format.
pub struct Ollama;

const FACTS: &[Path] = &[
    &["model"],
    &["stream"],
    &["options", "num_predict"],
    &["options", "temperature"],
    &["options", "top_p"],
    &["options", "top_k"],
    &["options", "seed"],
    &["options", "stop"],
    &["dimensions"],
    &["think"],
    &["format"],
];

fn facts(scan: &JsonScan) -> RequestFacts {
    RequestFacts {
        model: scan.read(&["model"]),
        stream: scan.read(&["stream"]).unwrap_or(true),
        // A negative number means without a bound.
        max_tokens: scan.read(&["options", "num_predict"]),
        temperature: scan.read(&["options", "temperature"]),
        top_p: scan.read(&["options", "top_p"]),
        top_k: scan.read(&["options", "top_k"]),
        seed: scan.read(&["options", "seed"]),
        stop_sequences: one_or_more(scan, &["options", "stop"]),
        dimensions: scan.read(&["dimensions"]),
        reasoning_level: scan.read(&["think"]),
        // `"json"` or a schema.
        output_type: scan.value(&["format"]).filter(|raw| !matches!(*raw, b"null" | b"\"\"")).map(|_| "json"),
        ..RequestFacts::default()
    }
}

impl Dialect for Ollama {
    fn name(&self) -> &'static str {
        "ollama"
    }

    fn answer_texts(&self, _streamed: bool) -> AnswerTexts {
        AnswerTexts { shown: &["content", "response"], reasoning: &["thinking"] }
    }

    fn names_model(&self) -> bool {
        true
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        FactsReader::with_history(FACTS, facts)
    }

    fn response_meter(&'static self, status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        AnswerMeter::boxed(headers, meter::OllamaAnswer::new(status))
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
        let told = reading.failure.clone();
        if status.is_success() || told.as_ref().is_some_and(|failure| failure.class != FailureClass::Other) {
            return told;
        }
        let class = by_status(status.as_u16(), headers).unwrap_or(FailureClass::Other);
        Some(Failure { class, code: None })
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        serde_json::json!({"error": error.message}).to_string().into_bytes()
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        match word {
            "load" | "unload" => "stop",
            "tool_calls" => "tool_call",
            other => other,
        }
    }
}
