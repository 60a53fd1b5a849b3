//! Reads a chat completion. An event of a stream is searched for three member names and read only where one has a value.

use http::StatusCode;

use crate::dialects::answer::{Answer, Look, Told, text_into, texts_at, usage_at};
use crate::dialects::marks;
use crate::dialects::openai_chat::OpenAiChat;
use crate::dialects::openai_chat::usage::{ChatUsage, tier};
use crate::dialects::openai_errors::{ERROR_PATHS, WireError};
use crate::framing::{JsonScan, Path};
use crate::{Reading, StreamEnd};

const WHOLE: &[Path] = &[
    &["id"],
    &["model"],
    &["service_tier"],
    &["system_fingerprint"],
    &["usage"],
    FINISH,
    ERROR_PATHS[0],
    ERROR_PATHS[1],
    ERROR_PATHS[2],
    ERROR_PATHS[3],
    ERROR_PATHS[4],
    ERROR_PATHS[5],
];

const FINISH: Path = &["choices", "*", "finish_reason"];
const INDEX: Path = &["choices", "*", "index"];
const CALLS: Path = &["choices", "*", "delta", "tool_calls"];
/// Where texts of an answer stand; legacy Completions have theirs in the delta's place.
const TEXTS: [Path; 5] = [
    &["choices", "*", "delta", "content"],
    &["choices", "*", "delta", "refusal"],
    &["choices", "*", "delta", "reasoning_content"],
    &["choices", "*", "delta", "reasoning"],
    &["choices", "*", "text"],
];

/// Number of paths in [`CHUNK`].
const CHUNKS: usize = 20;

/// The members of a chunk that tell us something.
pub(crate) const CHUNK: [Path; CHUNKS] = [
    &["id"],
    &["model"],
    &["service_tier"],
    &["system_fingerprint"],
    &["usage"],
    &["object"],
    FINISH,
    INDEX,
    CALLS,
    TEXTS[0],
    TEXTS[1],
    TEXTS[2],
    TEXTS[3],
    TEXTS[4],
    ERROR_PATHS[0],
    ERROR_PATHS[1],
    ERROR_PATHS[2],
    ERROR_PATHS[3],
    ERROR_PATHS[4],
    ERROR_PATHS[5],
];

/// [`CHUNK`] with two members of a service's own: where else its usage and its errors may stand.
pub(crate) const fn chunk_with(usage: Path, error: Path) -> [Path; CHUNKS + 2] {
    let mut paths = [usage; CHUNKS + 2];
    let mut at = 0;
    while at < CHUNKS {
        paths[at] = CHUNK[at];
        at += 1;
    }
    paths[CHUNKS + 1] = error;
    paths
}

/// More choices than any request may ask for are not followed.
const CHOICES: usize = 128;

/// The answer.
pub(super) struct ChatAnswer {
    dialect: &'static OpenAiChat,
    /// Whether the head said that this is an error.
    refused: bool,
}

impl ChatAnswer {
    pub(super) fn new(dialect: &'static OpenAiChat, status: StatusCode) -> ChatAnswer {
        ChatAnswer { dialect, refused: !status.is_success() }
    }

    fn usage(&self, scan: &JsonScan, at: Path, reading: &mut Reading) {
        if let Some(mut usage) = usage_at::<ChatUsage>(scan, at, reading) {
            (self.dialect.amend)(scan.value(at).unwrap_or_default(), &mut usage);
            usage.read(reading);
        }
    }

    /// What a service puts into a member of its own.
    fn beside(&self, scan: &JsonScan, reading: &mut Reading) {
        let [usage, error] = self.dialect.chunk[CHUNKS..] else { return };
        if !reading.usage_final {
            self.usage(scan, usage, reading);
        }
        if let Some(raw) = scan.value(error).filter(|raw| *raw != b"null") {
            WireError::read(raw).note(reading, self.dialect.codes);
        }
    }
}

impl Answer for ChatAnswer {
    fn whole_paths(&self) -> &'static [Path] {
        WHOLE
    }

    fn event_paths(&self) -> &'static [Path] {
        self.dialect.chunk
    }

    fn whole(&mut self, scan: &JsonScan, told: &mut Told) {
        let reading = &mut told.reading;
        reading.response_id = scan.read(&["id"]);
        reading.model = scan.read(&["model"]);
        note_tier(scan, reading);
        reading.system_fingerprint = scan.read(&["system_fingerprint"]);
        reading.finish_reasons = texts_at(scan, FINISH).map(Into::into).collect();
        self.usage(scan, &["usage"], reading);
        if let Some(error) = WireError::scanned(scan, self.refused) {
            error.note(reading, self.dialect.codes);
        }
    }

    fn look(&mut self, name: &[u8], data: Option<&[u8]>, told: &mut Told) -> Look {
        let wanted = data.is_none_or(|data| {
            told.awaits_content()
                || told.reading.response_id.is_none()
                || marks::FINISH_REASON.has_value(data)
                || marks::USAGE.has_value(data)
                || marks::ERROR.stands(data)
                || name == b"error"
        });
        if wanted { Look::Read } else { Look::Skip }
    }

    fn event(&mut self, name: &str, scan: &JsonScan, told: &mut Told) {
        let reading = &mut told.reading;
        // Some servers send the error beside its name, some without it.
        let is_error = name == "error" || scan.read::<&str>(&["object"]) == Some("error");
        if let Some(error) = WireError::scanned(scan, is_error) {
            error.note(reading, self.dialect.codes);
        }
        // A first event that carries nothing but filter results has an empty one.
        if reading.response_id.is_none() {
            text_into(&mut reading.response_id, scan, &["id"]);
        }
        text_into(&mut reading.model, scan, &["model"]);
        note_tier(scan, reading);
        text_into(&mut reading.system_fingerprint, scan, &["system_fingerprint"]);
        self.usage(scan, &["usage"], reading);
        self.beside(scan, reading);
        for (element, raw) in scan.elements(FINISH).filter(|(_, raw)| *raw != b"null") {
            let index = index(scan, element);
            if let Ok(word) = serde_json::from_slice(raw)
                && index < CHOICES
            {
                if reading.finish_reasons.len() <= index {
                    reading.finish_reasons.resize(index + 1, String::new());
                }
                reading.finish_reasons[index] = word;
            }
        }
        if told.awaits_content() && has_content(scan) {
            told.content();
        }
    }

    fn done(&mut self, told: &mut Told) {
        told.reading.end = StreamEnd::Complete;
    }

    fn finish(&mut self, told: &mut Told) {
        let words = &told.reading.finish_reasons;
        if self.dialect.ends_at_finish && !words.is_empty() && !words.iter().any(String::is_empty) {
            told.reading.end = StreamEnd::Complete;
        }
    }
}

/// The number of the choice that stands in this element.
fn index(scan: &JsonScan, element: u32) -> usize {
    let found = scan.elements(INDEX).find(|(other, _)| *other == element);
    found.and_then(|(_, raw)| serde_json::from_slice(raw).ok()).unwrap_or(0)
}

/// Whether a chunk carries content; a text that was too long to be picked is one.
fn has_content(scan: &JsonScan) -> bool {
    let says =
        |path| scan.has_dropped(path) || scan.values(path).any(|raw| !matches!(raw, b"null" | b"\"\""));
    TEXTS.into_iter().any(says)
        || scan.has_dropped(CALLS)
        || scan.values(CALLS).any(|raw| raw.contains(&b'{'))
}

fn note_tier(scan: &JsonScan, reading: &mut Reading) {
    text_into(&mut reading.tier_word, scan, &["service_tier"]);
    reading.tier = reading.tier_word.as_deref().map(tier);
}
