//! Gemini's answers out of the canonical form, whole and as chunks. Calls come whole here, and there is no last word: an answer ends
//! with its finish reason.

use outrigger_pricing::TokenUsage;
use serde_json::{Map, Value, json};

use crate::OwnError;
use crate::canonical::{AnswerWriter, Asked, Begun, Block, Counts, Finish, Said, StreamWriter, object, sse};
use crate::dialects::google_errors;

/// Stands where Gemini's own signature would: its newer models refuse a history whose first call has none, and take this for one
/// that another made.
const FOREIGN: &str = "skip_thought_signature_validator";

/// Writes Gemini's answers.
pub(crate) struct GeminiWriter;

impl AnswerWriter for GeminiWriter {
    fn call_prefix(&self) -> &'static str {
        "call_"
    }

    fn answer(&self, said: &Said, asked: &Asked) -> Value {
        let mut parts = Vec::new();
        let mut called = false;
        for (block, text) in &said.blocks {
            parts.push(part(block, text, &mut called));
        }
        chunk(&head(asked), parts, Some(&said.finish), &said.usage)
    }

    fn stream_type(&self, asked: &Asked) -> &'static str {
        if asked.listed { "application/json" } else { "text/event-stream" }
    }

    fn stream(&self, asked: &Asked) -> Box<dyn StreamWriter> {
        let listed = asked.listed.then_some(false);
        Box::new(GeminiChunks::new(head(asked), listed))
    }

    fn resumed(&self, _asked: &Asked, begun: &Begun) -> Option<Box<dyn StreamWriter>> {
        let mut head = begun.grown.as_object()?.clone();
        head.retain(|name, _| ["modelVersion", "responseId"].contains(&name.as_str()));
        Some(Box::new(GeminiChunks::new(head, None)))
    }
}

/// What all chunks have in common.
fn head(asked: &Asked) -> Map<String, Value> {
    let (model, id) = (asked.model.as_str().into(), asked.id("", "response").into());
    [("modelVersion".to_owned(), model), ("responseId".to_owned(), id)].into_iter().collect()
}

/// A part of the answer. Of the calls the first is signed.
fn part(block: &Block, text: &str, called: &mut bool) -> Value {
    match block {
        Block::Text | Block::Refusal => json!({"text": text}),
        Block::Call { id, name, .. } => {
            let mut part = json!({"functionCall": {"id": id, "name": name, "args": object(text)}});
            if !std::mem::replace(called, true) {
                part["thoughtSignature"] = FOREIGN.into();
            }
            part
        }
    }
}

fn chunk(head: &Map<String, Value>, parts: Vec<Value>, finish: Option<&Finish>, usage: &TokenUsage) -> Value {
    let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
    if let Some(finish) = finish {
        candidate["finishReason"] = word(finish).into();
    }
    let mut chunk = head.clone();
    chunk.insert("candidates".to_owned(), json!([candidate]));
    if let Some(counts) = Counts::of(usage) {
        chunk.insert("usageMetadata".to_owned(), usage_metadata(&counts));
    }
    Value::Object(chunk)
}

fn word(finish: &Finish) -> &'static str {
    match finish {
        // Calls have no word of their own.
        Finish::End | Finish::Sequence(_) | Finish::ToolCalls => "STOP",
        Finish::Length | Finish::Window => "MAX_TOKENS",
        Finish::Filtered => "SAFETY",
    }
}

/// The prompt with what a cache held, the candidates without the thoughts, what tools put in beside both.
fn usage_metadata(counts: &Counts) -> Value {
    let mut usage = json!({
        "promptTokenCount": counts.prompt().saturating_sub(counts.tool_prompt),
        "candidatesTokenCount": counts.visible,
        "totalTokenCount": counts.total(),
    });
    let others = [
        ("cachedContentTokenCount", counts.cache_read),
        ("thoughtsTokenCount", counts.reasoning.unwrap_or(0)),
        ("toolUsePromptTokenCount", counts.tool_prompt),
    ];
    for (name, count) in others.into_iter().filter(|(_, count)| *count > 0) {
        usage[name] = count.into();
    }
    usage
}

/// One streamed answer.
struct GeminiChunks {
    head: Map<String, Value>,
    /// Where chunks are the elements of a list: whether it has begun.
    listed: Option<bool>,
    open: Block,
    /// Of the call that is open, until it is whole.
    arguments: String,
    called: bool,
}

impl GeminiChunks {
    fn new(head: Map<String, Value>, listed: Option<bool>) -> GeminiChunks {
        GeminiChunks { head, listed, open: Block::Text, arguments: String::new(), called: false }
    }

    fn parts(&mut self, parts: Vec<Value>, out: &mut Vec<u8>) {
        let chunk = chunk(&self.head, parts, None, &TokenUsage::UNKNOWN);
        self.tell(&chunk, out);
    }

    fn tell(&mut self, value: &Value, out: &mut Vec<u8>) {
        match &mut self.listed {
            None => sse(None, value, out),
            Some(begun) => {
                let before: &[u8] = if std::mem::replace(begun, true) { b",\r\n" } else { b"[" };
                out.extend_from_slice(before);
                out.extend_from_slice(value.to_string().as_bytes());
            }
        }
    }
}

impl StreamWriter for GeminiChunks {
    fn start(&mut self, _out: &mut Vec<u8>) {}

    fn open(&mut self, block: &Block, _out: &mut Vec<u8>) {
        self.open = block.clone();
        self.arguments.clear();
    }

    fn grow(&mut self, text: &str, out: &mut Vec<u8>) {
        match self.open {
            Block::Text | Block::Refusal => self.parts(vec![json!({"text": text})], out),
            Block::Call { .. } => self.arguments.push_str(text),
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Block::Call { .. } = self.open {
            let part = part(&self.open, &self.arguments, &mut self.called);
            self.parts(vec![part], out);
        }
    }

    fn end(&mut self, finish: &Finish, usage: &TokenUsage, out: &mut Vec<u8>) {
        let last = chunk(&self.head, vec![json!({"text": ""})], Some(finish), usage);
        self.tell(&last, out);
        if self.listed.is_some() {
            out.extend_from_slice(b"\r\n]\r\n");
        }
    }

    /// A list that failed is not closed.
    fn fail(&mut self, error: &OwnError<'_>, out: &mut Vec<u8>) {
        self.tell(&google_errors::value(error), out);
    }
}
