//! Cohere's chat, embed and rerank (wire formats, section 1.10). The bill is `billed_units`, which the token counts beside
//! it exceed.

mod meter;

use http::{HeaderMap, StatusCode};

use crate::dialects::answer::AnswerMeter;
use crate::dialects::facts::{FactsReader, one_or_more, output_type};
use crate::dialects::openai_errors::by_status;
use crate::framing::{JsonScan, Path};
use crate::{
    AnswerTexts, Dialect, Failure, FailureClass, OwnError, Reading, RequestFacts, RequestReader,
    ResponseMeter, ToolCallMark,
};

/// The wire format.
pub struct Cohere;

const FACTS: &[Path] = &[
    &["model"],
    &["stream"],
    &["max_tokens"],
    &["temperature"],
    &["p"],
    &["k"],
    &["seed"],
    &["frequency_penalty"],
    &["presence_penalty"],
    &["response_format", "type"],
    &["stop_sequences"],
    &["output_dimension"],
    &["embedding_types"],
];

fn facts(scan: &JsonScan) -> RequestFacts {
    RequestFacts {
        model: scan.read(&["model"]),
        stream: scan.read(&["stream"]).unwrap_or(false),
        max_tokens: scan.read(&["max_tokens"]),
        temperature: scan.read(&["temperature"]),
        top_p: scan.read(&["p"]),
        top_k: scan.read(&["k"]),
        seed: scan.read(&["seed"]),
        frequency_penalty: scan.read(&["frequency_penalty"]),
        presence_penalty: scan.read(&["presence_penalty"]),
        output_type: output_type(scan, &["response_format", "type"]),
        stop_sequences: one_or_more(scan, &["stop_sequences"]),
        dimensions: scan.read(&["output_dimension"]),
        encoding_formats: one_or_more(scan, &["embedding_types"]),
        ..RequestFacts::default()
    }
}

impl Dialect for Cohere {
    fn name(&self) -> &'static str {
        "cohere"
    }

    fn tool_call_mark(&self) -> Option<ToolCallMark> {
        Some(ToolCallMark { mark: r#""tool_calls""#, key: Some(r#""id""#) })
    }

    fn answer_texts(&self, _streamed: bool) -> AnswerTexts {
        AnswerTexts { shown: &["text", "arguments"], reasoning: &[] }
    }

    fn names_model(&self) -> bool {
        true
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        FactsReader::with_history(FACTS, facts)
    }

    fn response_meter(&'static self, status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        AnswerMeter::boxed(headers, meter::CohereAnswer::new(status))
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
        let told = reading.failure.clone();
        if status.is_success() || told.as_ref().is_some_and(|failure| failure.class != FailureClass::Other) {
            return told;
        }
        let class = match status.as_u16() {
            // A token of the wrong kind.
            498 => FailureClass::Authentication,
            number => by_status(number, headers).unwrap_or(FailureClass::Other),
        };
        Some(Failure { class, code: None })
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        serde_json::json!({"message": error.message}).to_string().into_bytes()
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        match word {
            "COMPLETE" | "STOP_SEQUENCE" => "stop",
            "MAX_TOKENS" => "length",
            "TOOL_CALL" => "tool_call",
            "ERROR_TOXIC" => "content_filter",
            "ERROR" | "ERROR_LIMIT" | "TIMEOUT" => "error",
            other => other,
        }
    }
}
