//! OpenAI's legacy Completions: a text continued. Answers are those of Chat Completions with a text in a delta's place.

use http::{HeaderMap, StatusCode};

use crate::dialects::openai_chat::OPENAI_CHAT;
use crate::{AnswerTexts, Dialect, Failure, FailureMembers, OwnError, Reading, RequestReader, ResponseMeter};

/// The wire format.
pub struct OpenAiCompletions;

impl Dialect for OpenAiCompletions {
    fn name(&self) -> &'static str {
        "openai_completions"
    }

    fn has_include_usage(&self) -> bool {
        true
    }

    fn answer_texts(&self, _streamed: bool) -> AnswerTexts {
        AnswerTexts { shown: &["text"], reasoning: &[] }
    }

    fn names_model(&self) -> bool {
        true
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        OPENAI_CHAT.request_reader()
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
        OPENAI_CHAT.finish_word(word)
    }
}
