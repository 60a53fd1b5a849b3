//! Reads an answer of Ollama. A line is looked into only where it begins or ends the answer.

use http::StatusCode;
use memchr::memmem::Finder;
use outrigger_pricing::{Meter, TokenUsage};

use crate::dialects::answer::{Answer, Framing, Look, Told};
use crate::dialects::marks::{ERROR, Mark};
use crate::framing::{JsonScan, Path};
use crate::media::Media;
use crate::scrub::scrubbed;
use crate::{Failure, FailureClass, Reading, StreamEnd};

const LINE: &[Path] = &[
    &["model"],
    &["done"],
    &["done_reason"],
    &["prompt_eval_count"],
    &["eval_count"],
    &["error"],
    &["message", "content"],
    &["message", "thinking"],
    TOOL_CALLS,
    &["response"],
    &["thinking"],
];

const TOOL_CALLS: Path = &["message", "tool_calls"];

static DONE_REASON: Mark = Mark::new(|| Finder::new("\"done_reason\""));
/// Every server ends with it, also those that give no reason.
static DONE: Mark = Mark::new(|| Finder::new("\"total_duration\""));
static CALLS: Mark = Mark::new(|| Finder::new("\"tool_calls\""));

/// Phrases by which an error says that the prompt is too long.
const TOO_LONG: [&str; 2] = ["exceeds the available context size", "input length exceeds"];

/// The answer.
pub(super) struct OllamaAnswer {
    refused: bool,
    calls_tool: bool,
}

impl OllamaAnswer {
    pub(super) fn new(status: StatusCode) -> OllamaAnswer {
        OllamaAnswer { refused: !status.is_success(), calls_tool: false }
    }
}

impl Answer for OllamaAnswer {
    fn framing(media: Media) -> Option<Framing> {
        match media {
            Media::Lines => Some(Framing::Lines),
            Media::Json => Some(Framing::Whole),
            Media::EventStream | Media::AwsEvents | Media::Other => None,
        }
    }

    fn whole_paths(&self) -> &'static [Path] {
        LINE
    }

    fn event_paths(&self) -> &'static [Path] {
        LINE
    }

    fn whole(&mut self, scan: &JsonScan, told: &mut Told) {
        self.event("", scan, told);
        // A plain answer is over when its body is; embeddings do not even say so.
        if scan.is_whole() && !self.refused && !told.reading.usage_final {
            note_usage(&mut told.reading, scan);
        }
    }

    fn look(&mut self, _kind: &[u8], line: Option<&[u8]>, told: &mut Told) -> Look {
        let wanted = line.is_none_or(|line| {
            told.awaits_content()
                || DONE.has_value(line)
                || DONE_REASON.has_value(line)
                || ERROR.has_value(line)
                || (!self.calls_tool && CALLS.has_value(line))
        });
        if wanted { Look::Read } else { Look::Skip }
    }

    fn event(&mut self, _kind: &str, scan: &JsonScan, told: &mut Told) {
        let says = [&["message", "content"][..], &["message", "thinking"], &["response"], &["thinking"]]
            .iter()
            .any(|path| {
                scan.has_dropped(path)
                    || scan.value(path).is_some_and(|raw| !matches!(raw, b"null" | b"\"\""))
            });
        let calls = scan.has_dropped(TOOL_CALLS)
            || scan.value(TOOL_CALLS).is_some_and(|raw| !matches!(raw, b"null" | b"[]"));
        self.calls_tool |= calls;
        if says || calls {
            told.content();
        }
        let reading = &mut told.reading;
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
