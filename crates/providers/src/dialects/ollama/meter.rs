//! Reads an answer of Ollama as it passes. Per frame: a line is looked into only where it begins or ends the answer.

use http::{HeaderMap, StatusCode};
use memchr::memmem::Finder;
use outrigger_pricing::{Meter, TokenUsage};

use crate::dialects::marks::{ERROR, Mark};
use crate::framing::{JsonScan, JsonValues, Path};
use crate::media::{Media, media};
use crate::scrub::scrubbed;
use crate::{Failure, FailureClass, Reading, ResponseMeter, StreamEnd};

const LINE: &[Path] = &[
    &["model"],
    &["done"],
    &["done_reason"],
    &["prompt_eval_count"],
    &["eval_count"],
    &["error"],
    &["message", "content"],
    &["message", "thinking"],
    &["message", "tool_calls"],
    &["response"],
    &["thinking"],
];

static DONE_REASON: Mark = Mark::new(|| Finder::new("\"done_reason\""));
/// Every server ends with it, also those that give no reason.
static DONE: Mark = Mark::new(|| Finder::new("\"total_duration\""));
static CALLS: Mark = Mark::new(|| Finder::new("\"tool_calls\""));

/// Phrases by which an error says that the prompt is too long.
const TOO_LONG: [&str; 2] = ["exceeds the available context size", "input length exceeds"];

/// The meter.
pub(super) struct OllamaMeter {
    form: Form,
    refused: bool,
    stream: StreamState,
}

enum Form {
    Lines(JsonValues),
    Whole(Box<JsonScan>),
    Other,
}

#[derive(Default)]
struct StreamState {
    reading: Reading,
    content_seen: bool,
    content_now: bool,
    calls_tool: bool,
}

impl OllamaMeter {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap) -> OllamaMeter {
        let form = match media(headers) {
            Media::Lines => Form::Lines(JsonValues::default()),
            Media::Json => Form::Whole(Box::new(JsonScan::new(LINE))),
            Media::EventStream | Media::AwsEvents | Media::Other => Form::Other,
        };
        OllamaMeter { form, refused: !status.is_success(), stream: StreamState::default() }
    }
}

impl ResponseMeter for OllamaMeter {
    fn chunk(&mut self, bytes: &[u8]) -> bool {
        let stream = &mut self.stream;
        match &mut self.form {
            Form::Lines(values) => values.push(bytes, &mut |value| stream.line(value)),
            Form::Whole(scan) => scan.push(bytes),
            Form::Other => {}
        }
        std::mem::take(&mut stream.content_now)
    }

    fn finish(&mut self) -> Reading {
        let stream = &mut self.stream;
        let broken = match &self.form {
            Form::Lines(values) if values.is_malformed() => Some("a line is not a JSON object"),
            Form::Lines(values) => {
                (values.skipped() > 0 && !stream.reading.usage_final).then_some("a line was too long to read")
            }
            Form::Whole(scan) => {
                stream.read(scan);
                // A plain answer is over when its body is; embeddings do not even say so.
                if scan.is_whole() {
                    if !self.refused && !stream.reading.usage_final {
                        note_usage(&mut stream.reading, scan);
                    }
                    stream.reading.end = StreamEnd::Complete;
                    None
                } else {
                    Some("the body is not whole JSON")
                }
            }
            Form::Other => Some("the body is not of the API's type"),
        };
        stream.content_now = false;
        let mut reading = std::mem::take(&mut stream.reading);
        reading.stumbled = broken.or(reading.stumbled);
        reading
    }
}

impl StreamState {
    fn line(&mut self, line: &[u8]) {
        let wanted = !self.content_seen
            || DONE.has_value(line)
            || DONE_REASON.has_value(line)
            || ERROR.has_value(line)
            || (!self.calls_tool && CALLS.has_value(line));
        if !wanted {
            return;
        }
        let mut scan = JsonScan::new(LINE);
        scan.push(line);
        if scan.is_whole() {
            self.read(&scan);
        } else {
            self.reading.stumbled.get_or_insert("a line is not a JSON object");
        }
    }

    fn read(&mut self, scan: &JsonScan) {
        let reading = &mut self.reading;
        if reading.model.is_none() {
            reading.model = scan.read(&["model"]);
        }
        if let Some(text) = scan.read::<String>(&["error"]) {
            let class = if TOO_LONG.iter().any(|phrase| text.contains(phrase)) {
                FailureClass::ContextLength
            } else {
                FailureClass::Other
            };
            reading.failure = Some(Failure { class, code: None });
            reading.failure_message = Some(scrubbed(&text)).filter(|text| !text.is_empty());
        }
        let calls = scan.value(&["message", "tool_calls"]).is_some_and(|raw| !matches!(raw, b"null" | b"[]"));
        self.calls_tool |= calls;
        let says = [&["message", "content"][..], &["message", "thinking"], &["response"], &["thinking"]]
            .iter()
            .any(|path| scan.value(path).is_some_and(|raw| !matches!(raw, b"null" | b"\"\"")));
        self.content_now |= (says || calls) && !self.content_seen;
        self.content_seen |= says || calls;
        if scan.read(&["done"]) == Some(true) {
            let word =
                if self.calls_tool { Some("tool_calls".to_owned()) } else { scan.read(&["done_reason"]) };
            reading.finish_reasons = word.into_iter().collect();
            note_usage(reading, scan);
            reading.end = StreamEnd::Complete;
        }
    }
}

fn note_usage(reading: &mut Reading, scan: &JsonScan) {
    let Some(prompt) = scan.read(&["prompt_eval_count"]) else {
        // A prompt that was cached whole is not counted by old servers.
        reading.usage_fault = Some("the usage names no prompt tokens");
        return;
    };
    let mut usage = TokenUsage::ZERO
        .with(Meter::Input, prompt)
        .with(Meter::Output, scan.read(&["eval_count"]).unwrap_or(0));
    usage.set(Meter::Reasoning, None);
    reading.usage = usage;
    reading.usage_final = true;
}
