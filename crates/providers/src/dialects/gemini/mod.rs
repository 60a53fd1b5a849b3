//! Gemini's generateContent in its three forms, and the embeddings beside it (wire formats, section 1.8). The model and
//! whether the answer streams stand in the path.

mod canonical;
mod meter;
mod models;
pub(crate) mod schema;
mod usage;

use http::{HeaderMap, StatusCode};

use crate::dialects::answer::AnswerMeter;
use crate::dialects::facts::{FactsReader, names, one_or_more};
use crate::dialects::google_errors;
use crate::framing::{JsonScan, Path};
use crate::{
    AnswerTexts, Dialect, Failure, FailureClass, FailureMembers, OwnError, Reading, RequestFacts,
    RequestReader, ResponseMeter, ToolCallMark,
};

pub(crate) use usage::ByModality;

/// The wire format.
pub struct Gemini;

/// Servers take both spellings, and SDKs send both.
const FACTS: &[Path] = &[
    &["generationConfig", "maxOutputTokens"],
    &["generation_config", "max_output_tokens"],
    &["generationConfig", "temperature"],
    &["generation_config", "temperature"],
    &["generationConfig", "topP"],
    &["generation_config", "top_p"],
    &["generationConfig", "topK"],
    &["generation_config", "top_k"],
    &["generationConfig", "candidateCount"],
    &["generation_config", "candidate_count"],
    &["generationConfig", "seed"],
    &["generation_config", "seed"],
    &["generationConfig", "frequencyPenalty"],
    &["generation_config", "frequency_penalty"],
    &["generationConfig", "presencePenalty"],
    &["generation_config", "presence_penalty"],
    &["generationConfig", "responseMimeType"],
    &["generation_config", "response_mime_type"],
    &["generationConfig", "thinkingConfig", "thinkingLevel"],
    &["generation_config", "thinking_config", "thinking_level"],
    &["serviceTier"],
    &["service_tier"],
    &["model"],
    &["labels"],
    &["generationConfig", "stopSequences"],
    &["generation_config", "stop_sequences"],
    &["outputDimensionality"],
    &["output_dimensionality"],
];

fn facts(scan: &JsonScan) -> RequestFacts {
    /// Reads the member of either spelling; `at` is the place of the first in [`FACTS`].
    fn either<'a, T: serde::Deserialize<'a>>(scan: &'a JsonScan, at: usize) -> Option<T> {
        scan.read(FACTS[at]).or_else(|| scan.read(FACTS[at + 1]))
    }
    RequestFacts {
        // Some requests repeat it as `models/NAME`; the path, where there is one, wins.
        model: scan
            .read::<String>(&["model"])
            .map(|model| model.strip_prefix("models/").map(str::to_owned).unwrap_or(model)),
        max_tokens: either(scan, 0),
        temperature: either(scan, 2),
        top_p: either(scan, 4),
        top_k: either::<f64>(scan, 6).map(|k| k as u64),
        choices: either(scan, 8).filter(|count| *count != 1),
        seed: either(scan, 10),
        frequency_penalty: either(scan, 12),
        presence_penalty: either(scan, 14),
        output_type: match either::<&str>(scan, 16) {
            Some("application/json") => Some("json"),
            Some("text/plain") => Some("text"),
            _ => None,
        },
        reasoning_level: either::<String>(scan, 18).map(|level| level.to_ascii_lowercase()),
        tier_word: either(scan, 20),
        stop_sequences: [FACTS[24], FACTS[25]]
            .into_iter()
            .map(|path| one_or_more(scan, path))
            .find(|texts| !texts.is_empty())
            .unwrap_or_default(),
        dimensions: either(scan, 26),
        names: names(scan, &[], &[&["labels"]]),
        ..RequestFacts::default()
    }
}

/// The finish words of an answer that was filtered.
const FILTERED: [&str; 10] = [
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
];

impl Dialect for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn tool_call_mark(&self) -> Option<ToolCallMark> {
        Some(ToolCallMark { mark: r#""functionCall""#, key: Some(r#""id""#) })
    }

    fn answer_texts(&self, _streamed: bool) -> AnswerTexts {
        AnswerTexts { shown: &["text"], reasoning: &[] }
    }

    fn canonical(&self) -> Option<&'static dyn crate::canonical::Reader> {
        Some(&canonical::GeminiReader)
    }

    fn answers(&self) -> Option<&'static dyn crate::canonical::AnswerWriter> {
        Some(&canonical::GeminiWriter)
    }

    fn requests(&'static self) -> Option<&'static dyn crate::canonical::RequestWriter> {
        Some(self)
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        FactsReader::with_history(FACTS, facts)
    }

    fn response_meter(&'static self, _status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        AnswerMeter::boxed(headers, meter::GeminiAnswer::default())
    }

    fn failure_members(&self) -> Option<FailureMembers> {
        Some(&[("error", &["null"]), ("promptFeedback", &["null", "{}"])])
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
            "STOP" => "stop",
            "MAX_TOKENS" => "length",
            meter::TOOL_CALL => "tool_call",
            word if FILTERED.contains(&word) => "content_filter",
            "MALFORMED_FUNCTION_CALL"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS"
            | "MISSING_THOUGHT_SIGNATURE"
            | "MALFORMED_RESPONSE"
            | "OTHER" => "error",
            other => other,
        }
    }
}
