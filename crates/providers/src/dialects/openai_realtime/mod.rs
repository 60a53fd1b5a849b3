//! OpenAI Realtime (wire formats, section 1.5): spoken turns over a WebSocket.

mod socket;
mod usage;

use http::{HeaderMap, StatusCode};

use crate::dialects::facts::FactsReader;
use crate::dialects::openai_errors;
use crate::dialects::openai_responses::OpenAiResponses;
use crate::framing::Path;
use crate::{Dialect, Failure, OwnError, Reading, RequestFacts, RequestReader, ResponseMeter, SocketMeter};

/// The wire format.
pub struct OpenAiRealtime;

impl Dialect for OpenAiRealtime {
    fn name(&self) -> &'static str {
        "openai_realtime"
    }

    /// A handshake has no body.
    fn request_reader(&self) -> Box<dyn RequestReader> {
        const NOTHING: &[Path] = &[];
        FactsReader::boxed(NOTHING, |_| RequestFacts::default())
    }

    /// The answer to a handshake that was refused: an error as everywhere else.
    fn response_meter(&'static self, status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        OpenAiResponses.response_meter(status, headers)
    }

    fn socket_meter(&self, query: Option<&str>) -> Option<Box<dyn SocketMeter>> {
        Some(socket::meter(query))
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap, reading: &Reading) -> Option<Failure> {
        openai_errors::classify(status, headers, reading)
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        openai_errors::body(error)
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        match word {
            "completed" => "stop",
            "max_output_tokens" => "length",
            "failed" => "error",
            "function_call" => "tool_call",
            // `turn_detected` (the user spoke on) and `client_cancelled` have no word in the conventions.
            other => other,
        }
    }
}
