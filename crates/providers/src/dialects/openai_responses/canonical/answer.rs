//! Responses out of the canonical form, whole and as events. A stream tells everything twice: as it comes, and at its end.
//! Reasoning is left out: without what its maker sealed an item of it is refused when the app sends it back.

use outrigger_pricing::TokenUsage;
use serde_json::{Map, Value, json};

use crate::OwnError;
use crate::canonical::{AnswerWriter, Asked, Begun, Block, Counts, Finish, Said, StreamWriter, sse};
use crate::dialects::openai_errors;

/// Writes responses.
pub(crate) struct ResponsesWriter;

impl AnswerWriter for ResponsesWriter {
    fn call_prefix(&self) -> &'static str {
        "call_"
    }

    fn has_free_calls(&self) -> bool {
        true
    }

    fn request_id(&self) -> Option<(&'static str, &'static str)> {
        Some(("x-request-id", "req_"))
    }

    fn kept_id(&self, asked: &Asked) -> Option<String> {
        Some(response_id(asked))
    }

    fn answer(&self, said: &Said, asked: &Asked) -> Value {
        let cut = is_cut(&said.finish);
        let last = said.blocks.len().saturating_sub(1);
        let items = said.blocks.iter().enumerate().map(|(place, (block, text))| {
            let status = if cut && place == last { "incomplete" } else { "completed" };
            item(&item_id(asked, block, place), block, Some(text), status)
        });
        let output = items.collect();
        ended(head(asked), output, &said.finish, &said.usage)
    }

    fn stream(&self, asked: &Asked) -> Box<dyn StreamWriter> {
        Box::new(ResponseEvents {
            head: head(asked),
            asked: Asked { call: asked.call.clone(), ..Asked::default() },
            number: 0,
            output: Vec::new(),
            open: Block::Text,
            id: String::new(),
            text: String::new(),
            closed: false,
        })
    }

    fn resumed(&self, asked: &Asked, begun: &Begun) -> Option<Box<dyn StreamWriter>> {
        let (first, grown, last) = (&begun.first, &begun.grown, &begun.last);
        // What was told whole grows no more, and only the first part of the first item is known whole.
        if last["type"] != "response.output_text.delta"
            || grown["output_index"] != 0
            || grown["content_index"] != 0
        {
            return None;
        }
        Some(Box::new(ResponseEvents {
            head: first["response"].as_object()?.clone(),
            asked: Asked { call: asked.call.clone(), ..Asked::default() },
            // Servers that imitate the format leave both out.
            number: last["sequence_number"].as_u64().map_or(0, |number| number.saturating_add(1)),
            output: Vec::new(),
            open: Block::Text,
            id: grown["item_id"].as_str().unwrap_or_default().to_owned(),
            text: begun.text.clone(),
            closed: false,
        }))
    }
}

/// Members of the request that a response repeats, and what they are where the app did not say.
const REPEATED: [&str; 18] = [
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// A response under way.
fn head(asked: &Asked) -> Map<String, Value> {
    let mut head = Map::new();
    let defaults = json!({
        "background": false, "error": null, "incomplete_details": null, "instructions": null, "max_output_tokens": null,
        "max_tool_calls": null, "metadata": {}, "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null}, "store": true, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_logprobs": 0, "top_p": 1.0,
        "truncation": "disabled", "user": null, "object": "response", "status": "in_progress", "output": [], "usage": null,
    });
    if let Value::Object(members) = defaults {
        head = members;
    }
    for name in REPEATED {
        if let Some(value) = asked.request.get(name).filter(|value| !value.is_null()) {
            head.insert(name.to_owned(), value.clone());
        }
    }
    head.insert("id".to_owned(), response_id(asked).into());
    head.insert("created_at".to_owned(), asked.created.into());
    head.insert("model".to_owned(), asked.model.as_str().into());
    head
}

fn is_cut(finish: &Finish) -> bool {
    matches!(finish, Finish::Length | Finish::Window | Finish::Filtered)
}

fn status(finish: &Finish) -> (&'static str, Option<&'static str>) {
    match finish {
        Finish::End | Finish::Sequence(_) | Finish::ToolCalls => ("completed", None),
        Finish::Length | Finish::Window => ("incomplete", Some("max_output_tokens")),
        Finish::Filtered => ("incomplete", Some("content_filter")),
    }
}

fn ended(mut head: Map<String, Value>, output: Vec<Value>, finish: &Finish, usage: &TokenUsage) -> Value {
    let (status, reason) = status(finish);
    head.insert("status".to_owned(), status.into());
    if let Some(reason) = reason {
        head.insert("incomplete_details".to_owned(), json!({"reason": reason}));
    }
    head.insert("output".to_owned(), output.into());
    if let Some(counts) = Counts::of(usage) {
        head.insert("usage".to_owned(), self::usage(&counts));
    }
    Value::Object(head)
}

/// All input and all output, with their parts beside them.
fn usage(counts: &Counts) -> Value {
    let mut input = json!({"cached_tokens": counts.cache_read, "cache_write_tokens": counts.written()});
    if counts.written() > 0 {
        input["cache_write_tokens_details"] =
            json!({"ttl_30m_tokens": counts.written_short, "ttl_12h_tokens": counts.written_long});
    }
    json!({
        "input_tokens": counts.prompt(),
        "input_tokens_details": input,
        "output_tokens": counts.answer(),
        "output_tokens_details": {"reasoning_tokens": counts.reasoning.unwrap_or(0)},
        "total_tokens": counts.total(),
    })
}

fn response_id(asked: &Asked) -> String {
    asked.id("resp_", "")
}

fn item_id(asked: &Asked, block: &Block, place: usize) -> String {
    let prefix = match block {
        Block::Call { free: true, .. } => "ctc_",
        Block::Call { .. } => "fc_",
        Block::Text | Block::Refusal => "msg_",
    };
    asked.id(prefix, &place.to_string())
}

/// An item of the output; a message that begins has no content yet.
fn item(id: &str, block: &Block, text: Option<&str>, status: &str) -> Value {
    match block {
        Block::Text | Block::Refusal => {
            let content: Vec<Value> = text.map(|text| part(block, text)).into_iter().collect();
            json!({"id": id, "type": "message", "role": "assistant", "status": status, "content": content})
        }
        Block::Call { id: call, name, free: true } => json!({
            "id": id, "type": "custom_tool_call", "call_id": call, "name": name, "input": text.unwrap_or_default(),
            "status": status,
        }),
        Block::Call { id: call, name, .. } => json!({
            "id": id, "type": "function_call", "call_id": call, "name": name, "arguments": text.unwrap_or_default(),
            "status": status,
        }),
    }
}

fn part(block: &Block, text: &str) -> Value {
    match block {
        Block::Refusal => json!({"type": "refusal", "refusal": text}),
        _ => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
    }
}

/// One streamed response.
struct ResponseEvents {
    head: Map<String, Value>,
    asked: Asked,
    /// Of the next event.
    number: u64,
    /// The items so far.
    output: Vec<Value>,
    open: Block,
    /// Of the item that is open.
    id: String,
    text: String,
    /// Whether the open item has all its text. It is told whole when something follows: the last one may have been cut.
    closed: bool,
}

impl ResponseEvents {
    fn event(&mut self, kind: &str, members: Value, out: &mut Vec<u8>) {
        let mut event = members;
        event["type"] = kind.into();
        event["sequence_number"] = self.number.into();
        self.number += 1;
        sse(Some(kind), &event, out);
    }

    /// Where a text stands: its item, and its only part there.
    fn place(&self) -> Value {
        json!({"item_id": self.id, "output_index": self.output.len(), "content_index": 0})
    }

    fn placed(&self, members: &[(&str, Value)]) -> Value {
        let mut place = self.place();
        for (name, value) in members {
            place[*name] = value.clone();
        }
        place
    }

    /// Tells the open item whole.
    fn done(&mut self, status: &str, out: &mut Vec<u8>) {
        if !std::mem::take(&mut self.closed) {
            return;
        }
        let text = std::mem::take(&mut self.text);
        let block = self.open.clone();
        match &block {
            Block::Text => {
                let done = self.placed(&[("text", text.as_str().into()), ("logprobs", json!([]))]);
                self.event("response.output_text.done", done, out);
            }
            Block::Refusal => {
                let done = self.placed(&[("refusal", text.as_str().into())]);
                self.event("response.refusal.done", done, out);
            }
            Block::Call { free: true, .. } => {
                let done = json!({"item_id": self.id, "output_index": self.output.len(), "input": text});
                self.event("response.custom_tool_call_input.done", done, out);
            }
            Block::Call { name, .. } => {
                let done = json!({
                    "item_id": self.id, "output_index": self.output.len(), "name": name, "arguments": text,
                });
                self.event("response.function_call_arguments.done", done, out);
            }
        }
        if !matches!(block, Block::Call { .. }) {
            let done = self.placed(&[("part", part(&block, &text))]);
            self.event("response.content_part.done", done, out);
        }
        let item = item(&self.id, &block, Some(&text), status);
        let done = json!({"output_index": self.output.len(), "item": item});
        self.event("response.output_item.done", done, out);
        self.output.push(item);
    }
}

impl StreamWriter for ResponseEvents {
    fn start(&mut self, out: &mut Vec<u8>) {
        let response = Value::Object(self.head.clone());
        self.event("response.created", json!({"response": response}), out);
        self.event("response.in_progress", json!({"response": response}), out);
    }

    fn open(&mut self, block: &Block, out: &mut Vec<u8>) {
        self.done("completed", out);
        self.open = block.clone();
        self.id = item_id(&self.asked, block, self.output.len());
        let item = item(&self.id, block, None, "in_progress");
        let added = json!({"output_index": self.output.len(), "item": item});
        self.event("response.output_item.added", added, out);
        if !matches!(block, Block::Call { .. }) {
            let added = self.placed(&[("part", part(block, ""))]);
            self.event("response.content_part.added", added, out);
        }
    }

    fn grow(&mut self, text: &str, out: &mut Vec<u8>) {
        self.text.push_str(text);
        let (kind, delta) = match &self.open {
            Block::Text => (
                "response.output_text.delta",
                self.placed(&[("delta", text.into()), ("logprobs", json!([]))]),
            ),
            Block::Refusal => ("response.refusal.delta", self.placed(&[("delta", text.into())])),
            Block::Call { free, .. } => (
                if *free {
                    "response.custom_tool_call_input.delta"
                } else {
                    "response.function_call_arguments.delta"
                },
                json!({"item_id": self.id, "output_index": self.output.len(), "delta": text}),
            ),
        };
        self.event(kind, delta, out);
    }

    fn close(&mut self, _out: &mut Vec<u8>) {
        self.closed = true;
    }

    fn end(&mut self, finish: &Finish, usage: &TokenUsage, out: &mut Vec<u8>) {
        self.done(if is_cut(finish) { "incomplete" } else { "completed" }, out);
        let response = ended(std::mem::take(&mut self.head), std::mem::take(&mut self.output), finish, usage);
        let kind = if is_cut(finish) { "response.incomplete" } else { "response.completed" };
        self.event(kind, json!({"response": response}), out);
    }

    /// SDKs raise on the error's object; its type has the same members beside it.
    fn fail(&mut self, error: &OwnError<'_>, out: &mut Vec<u8>) {
        let mut event = openai_errors::value(error);
        for name in ["message", "code", "param"] {
            event[name] = event["error"][name].clone();
        }
        self.event("error", event, out);
    }
}
