//! Chat completions out of the canonical form, whole and as chunks. Reasoning has no place here.

use outrigger_pricing::TokenUsage;
use serde_json::{Map, Value, json};

use crate::OwnError;
use crate::canonical::{AnswerWriter, Asked, Begun, Block, Counts, Finish, Said, StreamWriter, sse};
use crate::dialects::openai_errors;

/// Writes chat completions.
pub(crate) struct ChatWriter;

impl AnswerWriter for ChatWriter {
    fn call_prefix(&self) -> &'static str {
        "call_"
    }

    fn has_free_calls(&self) -> bool {
        true
    }

    fn request_id(&self) -> Option<(&'static str, &'static str)> {
        Some(("x-request-id", "req_"))
    }

    fn answer(&self, said: &Said, asked: &Asked) -> Value {
        let mut calls = Vec::new();
        for (block, arguments) in &said.blocks {
            if let Block::Call { id, name, free } = block {
                let (kind, given) = words(*free);
                calls.push(json!({"id": id, "type": kind, kind: {"name": name, given: arguments}}));
            }
        }
        let mut message = json!({
            "role": "assistant",
            "content": said.joined(&Block::Text),
            "refusal": said.joined(&Block::Refusal),
            "annotations": [],
        });
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        let choice =
            json!({"index": 0, "message": message, "logprobs": null, "finish_reason": word(&said.finish)});
        let mut body = head(asked, "chat.completion");
        body.insert("choices".to_owned(), json!([choice]));
        if let Some(counts) = Counts::of(&said.usage) {
            body.insert("usage".to_owned(), usage(&counts));
        }
        Value::Object(body)
    }

    fn stream(&self, asked: &Asked) -> Box<dyn StreamWriter> {
        Box::new(ChatChunks::new(head(asked, "chat.completion.chunk"), asked))
    }

    fn resumed(&self, asked: &Asked, begun: &Begun) -> Option<Box<dyn StreamWriter>> {
        let mut head = begun.grown.as_object()?.clone();
        head.retain(|name, _| REPEATED.contains(&name.as_str()));
        Some(Box::new(ChatChunks::new(head, asked)))
    }
}

/// Members that all chunks of a completion have in common.
const REPEATED: [&str; 6] = ["id", "object", "created", "model", "system_fingerprint", "service_tier"];

/// What all chunks and a whole completion have in common.
fn head(asked: &Asked, object: &str) -> Map<String, Value> {
    let head = [
        ("id", asked.id("chatcmpl-", "").into()),
        ("object", object.into()),
        ("created", asked.created.into()),
        ("model", asked.model.as_str().into()),
        ("system_fingerprint", Value::Null),
    ];
    head.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What a call is called, and what it is given.
const fn words(free: bool) -> (&'static str, &'static str) {
    if free { ("custom", "input") } else { ("function", "arguments") }
}

fn word(finish: &Finish) -> &'static str {
    match finish {
        Finish::End | Finish::Sequence(_) => "stop",
        Finish::Length | Finish::Window => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}

/// All input and all output, with their parts beside them.
fn usage(counts: &Counts) -> Value {
    let mut usage = json!({
        "prompt_tokens": counts.prompt(),
        "completion_tokens": counts.answer(),
        "total_tokens": counts.total(),
        "prompt_tokens_details": {"cached_tokens": counts.cache_read, "cache_write_tokens": counts.written(), "audio_tokens": 0},
    });
    if let Some(reasoning) = counts.reasoning {
        usage["completion_tokens_details"] = json!({
            "reasoning_tokens": reasoning, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        });
    }
    usage
}

/// One streamed completion.
struct ChatChunks {
    head: Map<String, Value>,
    include_usage: bool,
    /// Calls so far: each has the next index.
    calls: u64,
    open: Block,
}

impl ChatChunks {
    fn new(head: Map<String, Value>, asked: &Asked) -> ChatChunks {
        let include_usage = asked.request.get("stream_options").is_some_and(|it| it["include_usage"] == true);
        ChatChunks { head, include_usage, calls: 0, open: Block::Text }
    }

    fn chunk(&self, choices: Value, usage: Value, out: &mut Vec<u8>) {
        let mut chunk = self.head.clone();
        chunk.insert("choices".to_owned(), choices);
        if self.include_usage {
            chunk.insert("usage".to_owned(), usage);
        }
        sse(None, &Value::Object(chunk), out);
    }

    fn delta(&self, delta: &Value, finish: Option<&str>, out: &mut Vec<u8>) {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        self.chunk(json!([choice]), Value::Null, out);
    }
}

impl StreamWriter for ChatChunks {
    fn start(&mut self, out: &mut Vec<u8>) {
        self.delta(&json!({"role": "assistant", "content": "", "refusal": null}), None, out);
    }

    fn open(&mut self, block: &Block, out: &mut Vec<u8>) {
        self.open = block.clone();
        if let Block::Call { id, name, free } = block {
            let (kind, given) = words(*free);
            let call = json!({"index": self.calls, "id": id, "type": kind, kind: {"name": name, given: ""}});
            self.delta(&json!({"tool_calls": [call]}), None, out);
            self.calls += 1;
        }
    }

    fn grow(&mut self, text: &str, out: &mut Vec<u8>) {
        let delta = match &self.open {
            Block::Text => json!({"content": text}),
            Block::Refusal => json!({"refusal": text}),
            Block::Call { free, .. } => {
                let (kind, given) = words(*free);
                let call = json!({"index": self.calls.saturating_sub(1), kind: {given: text}});
                json!({"tool_calls": [call]})
            }
        };
        self.delta(&delta, None, out);
    }

    fn close(&mut self, _out: &mut Vec<u8>) {}

    fn end(&mut self, finish: &Finish, usage: &TokenUsage, out: &mut Vec<u8>) {
        self.delta(&json!({}), Some(word(finish)), out);
        // What is not known is not told as zero.
        if let Some(counts) = Counts::of(usage).filter(|_| self.include_usage) {
            self.chunk(json!([]), self::usage(&counts), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn fail(&mut self, error: &OwnError<'_>, out: &mut Vec<u8>) {
        sse(None, &openai_errors::value(error), out);
    }
}
