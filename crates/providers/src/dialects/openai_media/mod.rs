//! OpenAI's images and audio (wire formats, section 1.5): large answers with a usage, if any, and requests that may be
//! forms.

mod form;
mod meter;

use http::{HeaderMap, StatusCode};

use crate::dialects::answer::AnswerMeter;
use crate::dialects::openai_errors;
use crate::{Dialect, Failure, FailureMembers, OwnError, Reading, RequestReader, ResponseMeter};

/// The wire format.
pub struct OpenAiMedia;

impl Dialect for OpenAiMedia {
    fn name(&self) -> &'static str {
        "openai_media"
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        Box::new(form::MediaRequest::default())
    }

    fn response_meter(&'static self, status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        AnswerMeter::boxed(headers, meter::MediaAnswer::new(status))
    }

    fn failure_members(&self) -> Option<FailureMembers> {
        Some(&[("error", &["null"])])
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
        openai_errors::classify(status, headers, reading)
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        openai_errors::body(error)
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        word
    }
}
