//! Reads a generated content as it passes. Per frame: usage comes with nearly every chunk and is cumulative, so a chunk in
//! the middle of the answer is set aside in a buffer that is reused, and read only where no other follows it.

use http::HeaderMap;
use outrigger_pricing::Meter;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::gemini::usage::UsageMetadata;
use crate::dialects::google_errors::WireError;
use crate::dialects::marks::{self, Mark};
use crate::framing::{JsonScan, JsonValues, Path, SseEvent, SseSplitter};
use crate::media::{Media, media};
use crate::{Failure, FailureClass, Reading, ResponseMeter, StreamEnd};

const WHOLE: &[Path] = &[
    &["responseId"],
    &["modelVersion"],
    &["usageMetadata"],
    &["promptFeedback", "blockReason"],
    &["error"],
    &["candidates", "*", "finishReason"],
    &["candidates", "*", "content", "parts", "*", "functionCall", "name"],
    &["candidates", "*", "groundingMetadata", "webSearchQueries"],
    // Vertex's embeddings have a shape of their own.
    &["predictions", "*", "embeddings", "statistics", "token_count"],
];

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
/// A buffer that one large chunk made bigger than this is given back.
const KEPT: usize = 16 * 1024;
/// What a turn that ends in tool calls is told by: the wire says `STOP`.
pub(super) const TOOL_CALL: &str = "functionCall";

static FINISH: Mark = Mark::new(|| memchr::memmem::Finder::new("\"finishReason\""));
static BLOCKED: Mark = Mark::new(|| memchr::memmem::Finder::new("\"blockReason\""));
static CALL: Mark = Mark::new(|| memchr::memmem::Finder::new("\"functionCall\""));
static QUERIES: Mark = Mark::new(|| memchr::memmem::Finder::new("\"webSearchQueries\""));

/// One chunk of a stream.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(default, borrow)]
    candidates: Option<&'a RawValue>,
    #[serde(default)]
    usage_metadata: Option<UsageMetadata>,
    #[serde(default, borrow)]
    model_version: Option<&'a RawValue>,
    #[serde(default, borrow)]
    response_id: Option<&'a RawValue>,
    #[serde(default)]
    prompt_feedback: Option<Feedback>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    #[serde(default)]
    block_reason: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Candidate {
    index: usize,
    finish_reason: Option<String>,
    content: Content,
    grounding_metadata: Grounding,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Content {
    parts: Vec<Part>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    function_call: Option<serde::de::IgnoredAny>,
    inline_data: Option<serde::de::IgnoredAny>,
    executable_code: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Grounding {
    web_search_queries: Vec<serde::de::IgnoredAny>,
}

/// The meter.
pub(crate) struct GeminiMeter {
    form: Form,
    stream: StreamState,
}

enum Form {
    Events(SseSplitter),
    /// JSON of which nothing has been seen: an array is a stream, an object a whole answer.
    Undecided,
    Elements(JsonValues),
    Whole(Box<JsonScan>),
    Other,
}

#[derive(Default)]
struct StreamState {
    reading: Reading,
    usage: Option<UsageMetadata>,
    /// A chunk in the middle of the answer, of which nothing but the usage can matter, and that only if it is the last.
    pending: Vec<u8>,
    calls_tool: bool,
    searches: u64,
    content_seen: bool,
    content_now: bool,
}

impl GeminiMeter {
    pub(crate) fn new(headers: &HeaderMap) -> GeminiMeter {
        let form = match media(headers) {
            Media::EventStream => Form::Events(SseSplitter::default()),
            Media::Json => Form::Undecided,
            Media::AwsEvents | Media::Lines | Media::Other => Form::Other,
        };
        GeminiMeter { form, stream: StreamState::default() }
    }
}

impl ResponseMeter for GeminiMeter {
    fn chunk(&mut self, bytes: &[u8]) -> bool {
        if matches!(self.form, Form::Undecided) {
            match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => return false,
                Some(b'[') => self.form = Form::Elements(JsonValues::default()),
                Some(_) => self.form = Form::Whole(Box::new(JsonScan::new(WHOLE))),
            }
        }
        let stream = &mut self.stream;
        match &mut self.form {
            Form::Events(splitter) => splitter.push(bytes, &mut |event| stream.event(event)),
            Form::Elements(values) => values.push(bytes, &mut |value| stream.element(value)),
            Form::Whole(scan) => scan.push(bytes),
            Form::Undecided | Form::Other => {}
        }
        std::mem::take(&mut stream.content_now)
    }

    fn finish(&mut self) -> Reading {
        let stream = &mut self.stream;
        stream.read_pending();
        let (too_long, broken) = match &self.form {
            Form::Events(splitter) => (splitter.skipped() > 0, None),
            Form::Elements(values) if values.is_malformed() => {
                (false, Some("the body is no array of chunks"))
            }
            Form::Elements(values) => {
                // The bracket may be lost with the connection although the answer was whole; then it is not.
                if !values.is_whole() {
                    stream.reading.end = StreamEnd::Open;
                }
                (values.skipped() > 0, None)
            }
            Form::Whole(scan) => {
                stream.whole(scan);
                let broken = if scan.is_whole() { None } else { Some("the body is not whole JSON") };
                (false, broken)
            }
            Form::Undecided => (false, Some("the body is empty")),
            Form::Other => (false, Some("the body is not of the API's type")),
        };
        let mut reading = std::mem::take(&mut stream.reading);
        if let Some(usage) = stream.usage.take() {
            usage.read(&mut reading);
        }
        note_searches(&mut reading, stream.searches);
        if stream.calls_tool {
            for word in reading.finish_reasons.iter_mut().filter(|word| *word == "STOP") {
                *word = TOOL_CALL.to_owned();
            }
        }
        if too_long && !reading.usage_final {
            reading.stumbled.get_or_insert("an event was too long to read");
        }
        reading.stumbled = broken.or(reading.stumbled);
        reading
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

impl StreamState {
    fn event(&mut self, event: SseEvent<'_>) {
        // Its compatible twin ends so; a proxy that mixes them up harms nobody.
        if event.data == b"[DONE]" {
            return;
        }
        if marks::is_object(event.data) {
            self.element(event.data);
        } else {
            self.stumble("an event is not a JSON object");
        }
    }

    fn element(&mut self, data: &[u8]) {
        let wanted = !self.content_seen
            || FINISH.has_value(data)
            || marks::ERROR.has_value(data)
            || BLOCKED.has_value(data)
            || QUERIES.has_value(data)
            || (!self.calls_tool && CALL.has_value(data));
        if wanted {
            self.read_pending();
            self.read_chunk(data);
        } else {
            // Its usage replaces that of the chunk before, which told nothing else.
            self.pending.clear();
            self.pending.extend_from_slice(data);
        }
    }

    /// Reads the last chunk that was set aside.
    fn read_pending(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let mut pending = std::mem::take(&mut self.pending);
        self.read_chunk(&pending);
        if pending.capacity() <= KEPT {
            pending.clear();
            self.pending = pending;
        }
    }

    fn read_chunk(&mut self, data: &[u8]) {
        match serde_json::from_slice::<Chunk<'_>>(data) {
            Ok(chunk) => self.chunk(&chunk),
            Err(_) => self.stumble("an event is not a chunk of content"),
        }
    }

    fn chunk(&mut self, chunk: &Chunk<'_>) {
        if let Some(error) = chunk.error {
            WireError::read(error.get().as_bytes()).note(&mut self.reading);
        }
        if let Some(later) = chunk.usage_metadata {
            self.usage.get_or_insert_default().overlay(later);
        }
        let text = |raw: Option<&RawValue>| serde_json::from_str(raw?.get()).ok();
        if self.reading.response_id.is_none() {
            self.reading.response_id = text(chunk.response_id);
        }
        if self.reading.model.is_none() {
            self.reading.model = text(chunk.model_version);
        }
        if let Some(word) = chunk.prompt_feedback.as_ref().and_then(|told| told.block_reason.as_deref()) {
            self.blocked(word);
        }
        let Some(candidates) = chunk.candidates.map(|raw| raw.get()) else { return };
        let wanted = !self.content_seen
            || FINISH.has_value(candidates.as_bytes())
            || (!self.calls_tool && CALL.has_value(candidates.as_bytes()))
            || QUERIES.has_value(candidates.as_bytes());
        if !wanted {
            return;
        }
        match serde_json::from_str::<Vec<Candidate>>(candidates) {
            Ok(candidates) => candidates.into_iter().for_each(|candidate| self.candidate(candidate)),
            Err(_) => self.stumble("an event's candidates could not be read"),
        }
    }

    fn candidate(&mut self, candidate: Candidate) {
        let calls = candidate.content.parts.iter().any(|part| part.function_call.is_some());
        let content = calls
            || candidate.content.parts.iter().any(|part| {
                part.text.as_deref().is_some_and(|text| !text.is_empty())
                    || part.inline_data.is_some()
                    || part.executable_code.is_some()
            });
        self.calls_tool |= calls;
        self.content_now |= content && !self.content_seen;
        self.content_seen |= content;
        let queries = candidate.grounding_metadata.web_search_queries.len() as u64;
        self.searches = self.searches.max(queries);
        if candidate.index >= CANDIDATES {
            return;
        }
        let words = &mut self.reading.finish_reasons;
        if words.len() <= candidate.index {
            words.resize(candidate.index + 1, String::new());
        }
        if let Some(word) = candidate.finish_reason {
            words[candidate.index] = word;
        }
        // Nothing but the words tells that the answer is over.
        let over = words.iter().all(|word| !word.is_empty());
        self.reading.end = if over { StreamEnd::Complete } else { StreamEnd::Open };
    }

    /// A refused prompt is answered with 200 and without candidates.
    fn blocked(&mut self, word: &str) {
        let code = BLOCKS.iter().find(|known| **known == word).copied();
        self.reading.failure = Some(Failure { class: FailureClass::ContentPolicy, code });
        self.reading.end = StreamEnd::Complete;
    }

    fn whole(&mut self, scan: &JsonScan) {
        self.reading.response_id = scan.read(&["responseId"]);
        self.reading.model = scan.read(&["modelVersion"]);
        self.usage = scan.read(&["usageMetadata"]);
        let words = scan.values(WHOLE[5]).filter_map(|raw| serde_json::from_slice(raw).ok());
        self.reading.finish_reasons = words.collect();
        self.calls_tool = scan.values(WHOLE[6]).next().is_some();
        self.searches = scan
            .values(WHOLE[7])
            .filter_map(|raw| serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(raw).ok())
            .map(|queries| queries.len() as u64)
            .max()
            .unwrap_or(0);
        if let Some(word) = scan.read::<String>(&["promptFeedback", "blockReason"]) {
            self.blocked(&word);
        }
        if let Some(error) = scan.value(&["error"]) {
            WireError::read(error).note(&mut self.reading);
        }
        self.predictions(scan);
        if scan.is_whole() {
            self.reading.end = StreamEnd::Complete;
        }
    }

    /// Vertex's embeddings count their tokens text by text.
    fn predictions(&mut self, scan: &JsonScan) {
        let mut counts = scan.values(WHOLE[8]).filter_map(|raw| serde_json::from_slice::<f64>(raw).ok());
        let Some(first) = counts.next() else { return };
        let tokens = counts.fold(first, |sum, count| sum + count);
        self.reading.usage = outrigger_pricing::TokenUsage::ZERO.with(Meter::Input, tokens as u64);
        if scan.has_dropped() {
            self.reading.usage_fault = Some("the answer counts more texts than are followed");
        }
        self.reading.usage_final = true;
    }

    fn stumble(&mut self, reason: &'static str) {
        self.reading.stumbled.get_or_insert(reason);
    }
}
