//! What an app is answered with, in the words that every format has, and who writes it in one of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use outrigger_pricing::{Kind, Meter, Modality, TokenUsage};
use serde_json::{Map, Value};
use twox_hash::XxHash3_64;

use crate::OwnError;

/// What the app asked, as far as it shapes the answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Asked {
    /// The model by the app's name for it, which the answer repeats. Who answered in truth stands in the record.
    pub model: String,
    /// A name of this call that no other has: the ids of the answer are made of it.
    pub call: String,
    /// When, in seconds since 1970.
    pub created: u64,
    /// Tools whose names the backup's format does not take: by the name that the backup knows, the app's own.
    pub names: BTreeMap<String, String>,
    /// Members of the app's request, of which some formats repeat a part.
    pub request: Map<String, Value>,
    /// Gemini: whether the app takes a stream as one JSON list, since it did not ask for server-sent events.
    pub listed: bool,
}

impl Asked {
    /// Of the app's request: its (decoded) body, and the query of its path. The model is that of the body where it names one. What the
    /// app said to the model is not kept.
    #[must_use]
    pub fn of(body: &[u8], query: Option<&str>, call: &str, created: u64) -> Asked {
        let mut request: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
        for said in ["messages", "input", "contents", "system", "systemInstruction"] {
            request.remove(said);
        }
        let model = request.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
        let listed = !query.unwrap_or_default().split('&').any(|part| part == "alt=sse");
        Asked { model, call: call.to_owned(), created, names: BTreeMap::new(), request, listed }
    }

    /// An id in the shape of a family: its prefix and what no other call, nor another part of this one, has.
    pub(crate) fn id(&self, prefix: &str, of: &str) -> String {
        let mut id = String::from(prefix);
        for part in 0..2u8 {
            let hash = XxHash3_64::oneshot(format!("{part}\0{}\0{prefix}\0{of}", self.call).as_bytes());
            // Writing to a string does not fail.
            let _written = write!(id, "{hash:016x}");
        }
        id
    }

    /// The app's name of a tool.
    pub(crate) fn tool(&self, name: String) -> String {
        self.names.get(&name).cloned().unwrap_or(name)
    }
}

/// A streamed answer of one text that was told a part of, in a format's own words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Begun {
    /// Its first event.
    pub first: Value,
    /// The event by which the text grew last.
    pub grown: Value,
    /// The last event.
    pub last: Value,
    /// The text so far.
    pub text: String,
}

/// A block of an answer; its text comes after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A text.
    Text,
    /// The model's words for not answering.
    Refusal,
    /// A call of one of the app's tools; its text is the JSON of the arguments, or free text.
    Call {
        /// Pairs it with its answer.
        id: String,
        /// The tool by the app's name.
        name: String,
        /// Whether the tool takes free text.
        free: bool,
    },
}

/// Why an answer ended, where it did end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The model had done.
    End,
    /// A text that ends it came up; which, where it is said.
    Sequence(Option<String>),
    /// The bound on its tokens.
    Length,
    /// The model's window was full.
    Window,
    /// It waits for tools.
    ToolCalls,
    /// A filter stepped in.
    Filtered,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Its blocks with their texts, in order.
    pub blocks: Vec<(Block, String)>,
    /// Why it ended.
    pub finish: Finish,
    /// What it took, as far as it is known.
    pub usage: TokenUsage,
}

impl Said {
    /// The texts of one kind as one; `None` where there is none.
    pub(crate) fn joined(&self, kind: &Block) -> Option<String> {
        let mut texts =
            self.blocks.iter().filter(|(block, _)| block == kind).map(|(_, text)| text).peekable();
        texts.peek()?;
        Some(texts.map(String::as_str).collect())
    }
}

/// Writes answers in a wire format.
pub trait AnswerWriter: Sync {
    /// What the ids of its tool calls begin with.
    fn call_prefix(&self) -> &'static str;
    /// Whether calls of tools that take free text have a place.
    fn has_free_calls(&self) -> bool {
        false
    }
    /// The body of an answer that is not streamed.
    fn answer(&self, said: &Said, asked: &Asked) -> Value;
    /// The content type of a stream.
    fn stream_type(&self, asked: &Asked) -> &'static str {
        let _unused = asked;
        "text/event-stream"
    }
    /// For one streamed answer.
    fn stream(&self, asked: &Asked) -> Box<dyn StreamWriter>;
    /// For the rest of a streamed answer that was told a part of: its text is open, and what comes goes on with it. `None` where that
    /// cannot be said.
    fn resumed(&self, asked: &Asked, begun: &Begun) -> Option<Box<dyn StreamWriter>> {
        let _unused = (asked, begun);
        None
    }
    /// The id by which an app may name the answer in a later request; `None` where its format has no such word.
    fn kept_id(&self, asked: &Asked) -> Option<String> {
        let _unused = asked;
        None
    }
    /// The header by which the family names a request, and what its ids begin with; `None` where it has none.
    fn request_id(&self) -> Option<(&'static str, &'static str)> {
        None
    }
}

/// Writes one streamed answer. Blocks come one after another, each closed before the next opens, and none is empty but a call's.
pub trait StreamWriter: Send {
    /// The answer is under way. Called once, before all others but [`fail`](StreamWriter::fail).
    fn start(&mut self, out: &mut Vec<u8>);
    /// A block begins.
    fn open(&mut self, block: &Block, out: &mut Vec<u8>);
    /// It grows.
    fn grow(&mut self, text: &str, out: &mut Vec<u8>);
    /// It is whole.
    fn close(&mut self, out: &mut Vec<u8>);
    /// The answer is whole: the format's last words.
    fn end(&mut self, finish: &Finish, usage: &TokenUsage, out: &mut Vec<u8>);
    /// The answer will not be whole: an error as the family tells it under way. Nothing follows.
    fn fail(&mut self, error: &OwnError<'_>, out: &mut Vec<u8>);
}

/// An event of a stream of server-sent events.
pub(crate) fn sse(name: Option<&str>, data: &Value, out: &mut Vec<u8>) {
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// The arguments of a call where a format has an object for them. What is no object is kept under a name that says so: never
/// an empty object in silence.
pub(crate) fn object(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(members) => Value::Object(members),
        Err(_) => Value::Object(Map::from_iter([(UNREAD.to_owned(), arguments.into())])),
    }
}

/// Where arguments stand that are no JSON object.
const UNREAD: &str = "unreadable_arguments";

/// A usage by sides, as the formats divide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Neither read from a cache nor written to one.
    pub(crate) fresh: u64,
    /// Put in by the provider's own tools.
    pub(crate) tool_prompt: u64,
    pub(crate) cache_read: u64,
    /// For minutes.
    pub(crate) written_short: u64,
    /// For hours.
    pub(crate) written_long: u64,
    /// What the app sees; all of the answer where the reasoning is not told apart.
    pub(crate) visible: u64,
    pub(crate) reasoning: Option<u64>,
}

impl Counts {
    /// `None` where a side is not known.
    pub(crate) fn of(usage: &TokenUsage) -> Option<Counts> {
        let all = |kind: Kind| usage.sum(|meter| meter.kind() == kind);
        let long = usage.sum(|meter| {
            [Meter::CacheWrite1h, Meter::CacheWrite12h].contains(&meter)
                || meter.kind() == Kind::CacheWrite
                    && meter.modality() != Modality::Text
                    && (meter.as_str().contains("_1h") || meter.as_str().contains("_12h"))
        })?;
        Some(Counts {
            fresh: all(Kind::Input)?,
            tool_prompt: all(Kind::ToolPrompt)?,
            cache_read: usage.total_cached()?,
            written_short: all(Kind::CacheWrite)?.saturating_sub(long),
            written_long: long,
            visible: all(Kind::Output)?.saturating_add(all(Kind::Citation)?),
            reasoning: usage.get(Meter::Reasoning).and_then(|_| all(Kind::Reasoning)),
        })
    }

    pub(crate) fn written(&self) -> u64 {
        self.written_short.saturating_add(self.written_long)
    }

    /// All that went in.
    pub(crate) fn prompt(&self) -> u64 {
        [self.fresh, self.tool_prompt, self.cache_read, self.written()]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// All that came out.
    pub(crate) fn answer(&self) -> u64 {
        self.visible.saturating_add(self.reasoning.unwrap_or(0))
    }

    pub(crate) fn total(&self) -> u64 {
        self.prompt().saturating_add(self.answer())
    }
}
