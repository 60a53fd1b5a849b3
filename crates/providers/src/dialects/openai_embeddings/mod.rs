//! OpenAI's embeddings (wire formats, section 1.5): a whole answer with large vectors, which are stepped over.

use http::{HeaderMap, StatusCode};

use crate::dialects::facts::{FactsReader, one_or_more};
use crate::dialects::openai_chat::OPENAI_CHAT;
use crate::dialects::openai_names;
use crate::framing::{JsonScan, Path};
use crate::{
    Dialect, Failure, FailureMembers, OwnError, Reading, RequestFacts, RequestReader, ResponseMeter,
};

/// The wire format. Its answers and errors have the members of a chat completion, without choices.
pub struct OpenAiEmbeddings;

const FACTS: &[Path] = &[&["model"], &["dimensions"], &["encoding_format"], &["user"], &["metadata"]];

fn facts(scan: &JsonScan) -> RequestFacts {
    RequestFacts {
        model: scan.read(&["model"]),
        dimensions: scan.read(&["dimensions"]),
        encoding_formats: one_or_more(scan, &["encoding_format"]),
        names: openai_names::read(scan),
        ..RequestFacts::default()
    }
}

impl Dialect for OpenAiEmbeddings {
    fn name(&self) -> &'static str {
        "openai_embeddings"
    }

    fn names_model(&self) -> bool {
        true
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        FactsReader::boxed(FACTS, facts)
    }

    fn response_meter(&'static self, status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        OPENAI_CHAT.response_meter(status, headers)
    }

    fn failure_members(&self) -> Option<FailureMembers> {
        OPENAI_CHAT.failure_members()
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
        OPENAI_CHAT.classify(status, headers, reading)
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        OPENAI_CHAT.error_body(error)
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        word
    }
}
