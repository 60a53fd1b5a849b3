//! Reads a generated content. Usage comes with nearly every chunk and is cumulative, but a later report may leave out what
//! an earlier one told: so each is read, and laid over those before it. Of a chunk in the middle of the answer it is all
//! that is read.

use memchr::memmem::Finder;
use outrigger_pricing::{Meter, TokenUsage};

use crate::dialects::answer::{Answer, Framing, Look, Told, texts_at, usage_at};
use crate::dialects::gemini::usage::UsageMetadata;
use crate::dialects::google_errors::WireError;
use crate::dialects::marks::{self, Mark};
use crate::framing::{JsonScan, Path};
use crate::media::Media;
use crate::{Failure, FailureClass, Reading, StreamEnd};

const WHOLE: &[Path] = &[
    &["responseId"],
    &["modelVersion"],
    USAGE,
    &["promptFeedback", "blockReason"],
    &["error"],
    FINISH,
    CALL,
    QUERIES,
    TOKENS,
];

const CHUNK: &[Path] = &[
    &["responseId"],
    &["modelVersion"],
    USAGE,
    &["promptFeedback", "blockReason"],
    &["error"],
    FINISH,
    CALL,
    QUERIES,
    INDEX,
    TEXT,
    OTHERS[0],
    OTHERS[1],
];

const USAGE: Path = &["usageMetadata"];
const FINISH: Path = &["candidates", "*", "finishReason"];
const INDEX: Path = &["candidates", "*", "index"];
const QUERIES: Path = &["candidates", "*", "groundingMetadata", "webSearchQueries"];
const TEXT: Path = &["candidates", "*", "content", "parts", "*", "text"];
const CALL: Path = &["candidates", "*", "content", "parts", "*", "functionCall", "name"];
/// Parts that are content by being there.
const OTHERS: [Path; 2] = [
    &["candidates", "*", "content", "parts", "*", "inlineData", "mimeType"],
    &["candidates", "*", "content", "parts", "*", "executableCode", "language"],
];
/// Vertex's embeddings have a shape of their own.
const TOKENS: Path = &["predictions", "*", "embeddings", "statistics", "token_count"];

/// Why a prompt was refused, as far as it may stand in a label.
const BLOCKS: [&str; 8] = [
    "SAFETY",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "IMAGE_SAFETY",
    "MODEL_ARMOR",
    "JAILBREAK",
    "BLOCK_REASON_UNSPECIFIED",
];

/// More candidates than any request may ask for are not followed.
const CANDIDATES: usize = 128;
/// What a turn that ends in tool calls is told by: the wire says `STOP`.
pub(super) const TOOL_CALL: &str = "functionCall";

static FINISHES: Mark = Mark::new(|| Finder::new("\"finishReason\""));
static BLOCKED: Mark = Mark::new(|| Finder::new("\"blockReason\""));
static CALLS: Mark = Mark::new(|| Finder::new("\"functionCall\""));
static SEARCHES: Mark = Mark::new(|| Finder::new("\"webSearchQueries\""));
static INDICES: Mark = Mark::new(|| Finder::new("\"index\""));
static REPORT: Mark = Mark::new(|| Finder::new("\"usageMetadata\""));

/// The answer.
#[derive(Default)]
pub(super) struct GeminiAnswer {
    usage: Option<UsageMetadata>,
    /// The report of a chunk in the middle of the answer, and what follows it there; not read yet.
    report: Vec<u8>,
    calls_tool: bool,
    searches: u64,
}

impl Answer for GeminiAnswer {
    fn framing(media: Media) -> Option<Framing> {
        match media {
            Media::EventStream => Some(Framing::Events),
            Media::Json => Some(Framing::WholeOrArray),
            Media::AwsEvents | Media::Lines | Media::Other => None,
        }
    }

    fn whole_paths(&self) -> &'static [Path] {
        WHOLE
    }

    fn event_paths(&self) -> &'static [Path] {
        CHUNK
    }

    fn whole(&mut self, scan: &JsonScan, told: &mut Told) {
        self.read(scan, &mut told.reading);
        told.reading.finish_reasons = texts_at(scan, FINISH).map(Into::into).collect();
        predictions(scan, &mut told.reading);
    }

    fn look(&mut self, _kind: &[u8], chunk: Option<&[u8]>, told: &mut Told) -> Look {
        let Some(chunk) = chunk else { return Look::Read };
        let wanted = told.awaits_content()
            || FINISHES.has_value(chunk)
            || marks::ERROR.has_value(chunk)
            || BLOCKED.has_value(chunk)
            || SEARCHES.has_value(chunk)
            || CALLS.has_value(chunk)
            // Of another candidate than the first: whether it has ended matters.
            || INDICES.values(chunk).any(|value| value.first() != Some(&b'0'));
        if wanted || !self.set_aside(chunk) { Look::Read } else { Look::Skip }
    }

    fn event(&mut self, _kind: &str, scan: &JsonScan, told: &mut Told) {
        self.read(scan, &mut told.reading);
        candidates(scan, &mut told.reading);
        let says = scan.has_dropped(TEXT)
            || scan.values(TEXT).any(|raw| !matches!(raw, b"null" | b"\"\""))
            || [CALL, OTHERS[0], OTHERS[1]].into_iter().any(|path| scan.value(path).is_some());
        if says {
            told.content();
        }
    }

    fn finish(&mut self, told: &mut Told) {
        let reading = &mut told.reading;
        self.read_report();
        if let Some(usage) = self.usage.take() {
            usage.read(reading);
        }
        note_searches(reading, self.searches);
        if self.calls_tool {
            for word in reading.finish_reasons.iter_mut().filter(|word| *word == "STOP") {
                *word = TOOL_CALL.to_owned();
            }
        }
    }
}

/// Grounding is billed by the query, but for the second generation by the prompt.
fn note_searches(reading: &mut Reading, searches: u64) {
    if searches == 0 || !reading.usage_final {
        return;
    }
    if reading.model.as_deref().is_some_and(|model| model.starts_with("gemini-2")) {
        reading.usage.set(Meter::GroundedPrompt, Some(1));
    } else {
        reading.usage.set(Meter::WebSearch, Some(searches));
    }
}

impl GeminiAnswer {
    /// What chunks and whole answers have in common.
    fn read(&mut self, scan: &JsonScan, reading: &mut Reading) {
        self.read_report();
        if let Some(error) = scan.value(&["error"]).filter(|raw| *raw != b"null") {
            WireError::read(error).note(reading);
        }
        if let Some(later) = usage_at(scan, USAGE, reading) {
            self.usage.get_or_insert_default().overlay(later);
        }
        reading.response_id = reading.response_id.take().or_else(|| scan.read(&["responseId"]));
        reading.model = reading.model.take().or_else(|| scan.read(&["modelVersion"]));
        if let Some(word) = scan.read::<String>(&["promptFeedback", "blockReason"]) {
            blocked(&word, reading);
        }
        self.calls_tool |= scan.value(CALL).is_some();
        let queries = scan
            .values(QUERIES)
            .filter_map(|raw| serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(raw).ok())
            .map(|queries| queries.len() as u64);
        self.searches = queries.fold(self.searches, u64::max);
    }

    /// Sets the usage of a chunk aside that tells nothing else. Returns whether that could be done without a scan.
    fn set_aside(&mut self, chunk: &[u8]) -> bool {
        let mut reports = REPORT.values(chunk);
        let (report, more) = (reports.next(), reports.next());
        let Some(report) = report else { return true };
        if more.is_some() {
            return false;
        }
        if !same_but_for_numbers(&self.report, report) {
            self.read_report();
        }
        self.report.clear();
        self.report.extend_from_slice(report);
        true
    }

    /// Lays the report that was set aside over those before it.
    fn read_report(&mut self) {
        let mut values = serde_json::Deserializer::from_slice(&self.report).into_iter();
        if let Some(Ok(later)) = values.next() {
            self.usage.get_or_insert_default().overlay(later);
        }
        self.report.clear();
    }
}

/// Whether two texts have the same members, so that the later replaces the earlier.
fn same_but_for_numbers(mut one: &[u8], mut other: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    loop {
        let same = same_bytes(one, other);
        (one, other) = (&one[same..], &other[same..]);
        match (digits(one), digits(other)) {
            (0, 0) => return one.is_empty() && other.is_empty(),
            (first, second) => (one, other) = (&one[first..], &other[second..]),
        }
    }
}

/// How many bytes two texts have in common.
fn same_bytes(one: &[u8], other: &[u8]) -> usize {
    const WORD: usize = 8;
    let words = one.chunks_exact(WORD).zip(other.chunks_exact(WORD));
    let same = WORD * words.take_while(|(one, other)| one == other).count();
    same + one[same..].iter().zip(&other[same..]).take_while(|(one, other)| one == other).count()
}

/// Which candidates there are, and which of them have ended: nothing else tells that the answer is over.
fn candidates(scan: &JsonScan, reading: &mut Reading) {
    let number = |raw: &[u8]| serde_json::from_slice::<usize>(raw).ok();
    let words = &mut reading.finish_reasons;
    let last =
        scan.elements(INDEX).filter_map(|(_, raw)| number(raw)).filter(|index| *index < CANDIDATES).max();
    let ended = scan.elements(FINISH).next().map(|_| 0);
    if let Some(last) = last.max(ended).filter(|last| words.len() <= *last) {
        words.resize(last + 1, String::new());
    }
    for (element, raw) in scan.elements(FINISH) {
        // The first may be written without its number.
        let index = scan.elements(INDEX).find(|(other, _)| *other == element);
        let index = index.and_then(|(_, raw)| number(raw)).unwrap_or(0);
        if let (Some(word), Ok(told)) = (words.get_mut(index), serde_json::from_slice(raw)) {
            *word = told;
        }
    }
    if !words.is_empty() {
        let over = words.iter().all(|word| !word.is_empty());
        reading.end = if over { StreamEnd::Complete } else { StreamEnd::Open };
    }
}

/// A refused prompt is answered with 200 and without candidates.
fn blocked(word: &str, reading: &mut Reading) {
    let code = BLOCKS.iter().find(|known| **known == word).copied();
    reading.failure = Some(Failure { class: FailureClass::ContentPolicy, code });
    reading.end = StreamEnd::Complete;
}

/// Vertex's embeddings count their tokens text by text.
fn predictions(scan: &JsonScan, reading: &mut Reading) {
    let mut counts = scan.values(TOKENS).filter_map(|raw| serde_json::from_slice::<f64>(raw).ok());
    let Some(first) = counts.next() else { return };
    let tokens = counts.fold(first, |sum, count| sum + count);
    reading.usage = TokenUsage::ZERO.with(Meter::Input, tokens as u64);
    if scan.has_dropped(TOKENS) {
        reading.usage_fault = Some("the answer counts more texts than are followed");
    }
    reading.usage_final = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_with_the_same_members_are_told_from_others() {
        let first = r#"{"promptTokenCount":9,"candidatesTokenCount":99},"modelVersion":"m"}"#;
        for (other, same) in [
            (r#"{"promptTokenCount":9,"candidatesTokenCount":100},"modelVersion":"m"}"#, true),
            (r#"{"promptTokenCount":1234567890,"candidatesTokenCount":0},"modelVersion":"m"}"#, true),
            (r#"{"promptTokenCount":9,"thoughtsTokenCount":99},"modelVersion":"m"}"#, false),
            (r#"{"promptTokenCount":9,"candidatesTokenCount":99},"modelVersion":"m""#, false),
            (r#"{"promptTokenCount":9}"#, false),
            ("", false),
        ] {
            assert_eq!(same_but_for_numbers(first.as_bytes(), other.as_bytes()), same, "{other}");
            assert_eq!(same_but_for_numbers(other.as_bytes(), first.as_bytes()), same, "{other}");
        }
    }
}
