//! Bedrock's InvokeModel and its stream (wire formats, section 1.9): a model vendor's own format inside AWS's. The vendor
//! stands in the model's name, so the service picks the row.

mod meter;

use http::{HeaderMap, StatusCode};

use crate::dialects::anthropic_messages::AnthropicMessages;
use crate::dialects::aws_errors;
use crate::dialects::facts::FactsReader;
use crate::dialects::openai_chat::OPENAI_CHAT;
use crate::framing::{JsonScan, Path};
use crate::{
    Dialect, Failure, FailureClass, OwnError, Reading, RequestFacts, RequestReader, ResponseMeter,
    ToolCallMark,
};

/// The wire format, by what is inside.
pub struct BedrockInvoke {
    /// The vendor's format, where it is one of ours. Else AWS's own counts are all that is read.
    pub(crate) inner: Option<&'static dyn Dialect>,
}

/// Anthropic's models.
pub static CLAUDE: BedrockInvoke = BedrockInvoke { inner: Some(&AnthropicMessages) };
/// Models that are asked in OpenAI's format.
pub static CHAT: BedrockInvoke = BedrockInvoke { inner: Some(&OPENAI_CHAT) };
/// All others.
pub static OTHER: BedrockInvoke = BedrockInvoke { inner: None };

/// Names under which vendors take what all of them have.
const FACTS: &[Path] = &[
    &["max_tokens"],
    &["max_gen_len"],
    &["inferenceConfig", "maxTokens"],
    &["textGenerationConfig", "maxTokenCount"],
    &["temperature"],
    &["inferenceConfig", "temperature"],
    &["textGenerationConfig", "temperature"],
    &["top_p"],
    &["inferenceConfig", "topP"],
    &["textGenerationConfig", "topP"],
    &["top_k"],
    &["inferenceConfig", "topK"],
];

fn facts(scan: &JsonScan) -> RequestFacts {
    fn first<'a, T: serde::Deserialize<'a>>(scan: &'a JsonScan, paths: &[Path]) -> Option<T> {
        paths.iter().find_map(|path| scan.read(path))
    }
    RequestFacts {
        max_tokens: first(scan, &FACTS[..4]),
        temperature: first(scan, &FACTS[4..7]),
        top_p: first(scan, &FACTS[7..10]),
        top_k: first(scan, &FACTS[10..]),
        ..RequestFacts::default()
    }
}

impl Dialect for BedrockInvoke {
    fn name(&self) -> &'static str {
        "bedrock_invoke"
    }

    fn tool_call_mark(&self) -> Option<ToolCallMark> {
        self.inner?.tool_call_mark()
    }

    fn canonical(&self) -> Option<&'static dyn crate::canonical::Reader> {
        self.inner?.canonical()
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        match self.inner {
            Some(inner) => inner.request_reader(),
            None => FactsReader::boxed(FACTS, facts),
        }
    }

    fn response_meter(&'static self, status: StatusCode, headers: &HeaderMap) -> Box<dyn ResponseMeter> {
        Box::new(meter::InvokeMeter::new(self, status, headers))
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
        match self.inner {
            Some(inner) => inner.finish_word(word),
            None => match word {
                "end_turn" | "FINISH" | "FINISHED" | "COMPLETE" => "stop",
                "max_tokens" | "LENGTH" | "MAX_TOKENS" => "length",
                "CONTENT_FILTERED" | "content_filtered" => "content_filter",
                other => other,
            },
        }
    }
}
