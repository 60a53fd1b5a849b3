//! One answer as each wire format writes it, whole and streamed; written by hand and not by what is tested.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test they serve")]

use outrigger_providers::{Dialect, dialects};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::events::{aws, deltas, sse};

/// What an answer says, to be written in any format.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) thought: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) calls: Vec<Map<String, Value>>,
    /// Characters per delta.
    pub(crate) step: usize,
    pub(crate) ending: Ending,
    pub(crate) usage: Usage,
}

/// Why it ends. Its natural end is told by the word for that, also where it calls tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Natural,
    Length,
    Filtered,
}

/// What it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) fresh: u64,
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) visible: u64,
    pub(crate) reasoning: u64,
}

pub(crate) fn any_said() -> impl Strategy<Value = Said> {
    let text = || proptest::option::of("[a-z é\"\\\\\n]{1,12}");
    let members = proptest::collection::btree_map("[a-z]{1,3}", "[a-z\"{}é]{0,6}", 0..3);
    let object =
        members.prop_map(|it| it.into_iter().map(|(name, text)| (name, Value::from(text))).collect());
    let ending =
        prop_oneof![4 => Just(Ending::Natural), 1 => Just(Ending::Length), 1 => Just(Ending::Filtered)];
    let usage = (0..9_000u64, 0..900u64, 0..90u64, 0..5_000u64, 0..700u64);
    let usage = usage.prop_map(|(fresh, read, written, visible, reasoning)| Usage {
        fresh,
        read,
        written,
        visible,
        reasoning,
    });
    (text(), text(), proptest::collection::vec(object, 0..3), 1usize..5, ending, usage).prop_map(
        |(thought, text, calls, step, ending, usage)| Said { thought, text, calls, step, ending, usage },
    )
}

/// A format as it is written here: a whole answer, and a stream with its content type.
#[derive(Clone)]
pub(crate) struct Format {
    pub(crate) name: &'static str,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) kind: &'static str,
    pub(crate) write: fn(&Said) -> (Value, Vec<u8>),
}

const SSE: &str = "text/event-stream";

/// All that are translated; Responses also as servers write it that leave out the deltas.
pub(crate) fn formats() -> [Format; 6] {
    let responses: &'static dyn Dialect = &dialects::openai_responses::OpenAiResponses;
    [
        Format {
            name: "openai_chat",
            dialect: &dialects::openai_chat::OPENAI_CHAT,
            kind: SSE,
            write: Said::chat,
        },
        Format {
            name: "anthropic_messages",
            dialect: &dialects::anthropic_messages::AnthropicMessages,
            kind: SSE,
            write: Said::messages,
        },
        Format {
            name: "openai_responses",
            dialect: responses,
            kind: SSE,
            write: |said| said.responses(false),
        },
        Format { name: "gemini", dialect: &dialects::gemini::Gemini, kind: SSE, write: Said::gemini },
        Format {
            name: "bedrock_converse",
            dialect: &dialects::bedrock_converse::BedrockConverse,
            kind: "application/vnd.amazon.eventstream",
            write: Said::converse,
        },
        Format { name: "bare_responses", dialect: responses, kind: SSE, write: |said| said.responses(true) },
    ]
}

impl Said {
    fn pieces(&self, text: &str) -> Vec<String> {
        let characters: Vec<char> = text.chars().collect();
        characters.chunks(self.step).map(|piece| piece.iter().collect()).collect()
    }

    fn word(&self, words: [&'static str; 3]) -> &'static str {
        words[self.ending as usize]
    }

    pub(crate) fn chat(&self) -> (Value, Vec<u8>) {
        let calls: Vec<Value> = self
            .calls
            .iter()
            .enumerate()
            .map(|(number, arguments)| {
                let function =
                    json!({"name": "tide", "arguments": Value::Object(arguments.clone()).to_string()});
                json!({"id": format!("c{number}"), "type": "function", "function": function})
            })
            .collect();
        let word = self.word(["stop", "length", "content_filter"]);
        let Usage { fresh, read, written, visible, reasoning } = self.usage;
        let (prompt, completion) = (fresh + read + written, visible + reasoning);
        let usage = json!({
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
            "completion_tokens_details": {"reasoning_tokens": reasoning}});
        let message = json!({"role": "assistant", "content": self.text, "reasoning_content": self.thought, "tool_calls": calls});
        let choice = json!({"index": 0, "message": message, "finish_reason": word});
        let whole = json!({"id": "r", "model": "m", "choices": [choice], "usage": usage});
        let mut said = vec![json!({"role": "assistant", "content": ""})];
        for piece in self.pieces(self.thought.as_deref().unwrap_or_default()) {
            said.push(json!({"reasoning_content": piece}));
        }
        for piece in self.pieces(self.text.as_deref().unwrap_or_default()) {
            said.push(json!({"content": piece}));
        }
        let mut rounds = Vec::new();
        for (number, call) in calls.iter().enumerate() {
            let function = json!({"name": "tide", "arguments": ""});
            said.push(json!({"tool_calls": [{"index": number, "id": call["id"], "type": "function", "function": function}]}));
            for (round, piece) in
                self.pieces(call["function"]["arguments"].as_str().unwrap()).into_iter().enumerate()
            {
                rounds.push((
                    round,
                    json!({"tool_calls": [{"index": number, "function": {"arguments": piece}}]}),
                ));
            }
        }
        // Calls are written side by side.
        rounds.sort_by_key(|(round, _)| *round);
        said.extend(rounds.into_iter().map(|(_, delta)| delta));
        let mut body = deltas(0, said);
        let choice = json!({"index": 0, "delta": {}, "finish_reason": word});
        body.extend(sse(&[
            ("", json!({"id": "r", "model": "m", "choices": [choice]})),
            ("", json!({"id": "r", "model": "m", "choices": [], "usage": usage})),
        ]));
        body.extend_from_slice(b"data: [DONE]\n\n");
        (whole, body)
    }

    pub(crate) fn messages(&self) -> (Value, Vec<u8>) {
        let (mut blocks, mut events) = (Vec::new(), Vec::new());
        let Usage { fresh, read, written, visible, reasoning } = self.usage;
        let input = json!({"input_tokens": fresh, "cache_read_input_tokens": read, "cache_creation_input_tokens": written, "output_tokens": 1});
        let mut usage = input.clone();
        usage["output_tokens"] = (visible + reasoning).into();
        usage["output_tokens_details"] = json!({"thinking_tokens": reasoning});
        let start = json!({"type": "message_start", "message": {"id": "r", "model": "m", "content": [], "usage": input}});
        events.push(("message_start", start));
        let mut block = |whole: Value, start: Value, deltas: Vec<Value>| {
            let index = blocks.len();
            blocks.push(whole);
            events.push((
                "content_block_start",
                json!({"type": "content_block_start", "index": index, "content_block": start}),
            ));
            for delta in deltas {
                events.push((
                    "content_block_delta",
                    json!({"type": "content_block_delta", "index": index, "delta": delta}),
                ));
            }
            events.push(("content_block_stop", json!({"type": "content_block_stop", "index": index})));
        };
        if let Some(thought) = &self.thought {
            let mut deltas: Vec<Value> = self
                .pieces(thought)
                .into_iter()
                .map(|piece| json!({"type": "thinking_delta", "thinking": piece}))
                .collect();
            deltas.push(json!({"type": "signature_delta", "signature": "c2ln"}));
            let whole = json!({"type": "thinking", "thinking": thought, "signature": "c2ln"});
            block(whole, json!({"type": "thinking", "thinking": "", "signature": ""}), deltas);
        }
        if let Some(text) = &self.text {
            let deltas = self
                .pieces(text)
                .into_iter()
                .map(|piece| json!({"type": "text_delta", "text": piece}))
                .collect();
            block(json!({"type": "text", "text": text}), json!({"type": "text", "text": ""}), deltas);
        }
        for (number, arguments) in self.calls.iter().enumerate() {
            let call = |input: Value| json!({"type": "tool_use", "id": format!("c{number}"), "name": "tide", "input": input});
            let text = Value::Object(arguments.clone()).to_string();
            let deltas = self
                .pieces(&text)
                .into_iter()
                .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}))
                .collect();
            block(call(Value::Object(arguments.clone())), call(json!({})), deltas);
        }
        let word = self.word(["end_turn", "max_tokens", "refusal"]);
        let delta = json!({"stop_reason": word, "stop_sequence": null});
        events.push(("message_delta", json!({"type": "message_delta", "delta": delta, "usage": usage})));
        events.push(("message_stop", json!({"type": "message_stop"})));
        (
            json!({"id": "r", "type": "message", "model": "m", "content": blocks, "stop_reason": word, "usage": usage}),
            sse(&events),
        )
    }

    /// Deltas of arguments may come before anything opens their call, and a server may leave the deltas out.
    pub(crate) fn responses(&self, bare: bool) -> (Value, Vec<u8>) {
        let (mut output, mut events) = (Vec::new(), Vec::new());
        let Usage { fresh, read, written, visible, reasoning } = self.usage;
        let (input, answer) = (fresh + read + written, visible + reasoning);
        let usage = json!({
            "input_tokens": input, "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
            "output_tokens": answer, "output_tokens_details": {"reasoning_tokens": reasoning}, "total_tokens": input + answer});
        let response = |status: &str, output: &[Value]| json!({"id": "r", "model": "m", "status": status, "output": output});
        events.push(("", json!({"type": "response.created", "response": response("in_progress", &[])})));
        let mut item = |whole: Value,
                        begun: Value,
                        content: Option<Value>,
                        delta: &str,
                        pieces: Vec<String>| {
            let place = output.len();
            if !bare {
                events.push((
                    "",
                    json!({"type": "response.output_item.added", "output_index": place, "item": begun}),
                ));
                if let Some(part) = content {
                    events.push(("", json!({"type": "response.content_part.added", "output_index": place, "content_index": 0, "part": part})));
                }
                for piece in pieces {
                    events.push((
                        "",
                        json!({"type": delta, "output_index": place, "content_index": 0, "delta": piece}),
                    ));
                }
            }
            events.push((
                "",
                json!({"type": "response.output_item.done", "output_index": place, "item": whole}),
            ));
            output.push(whole);
        };
        if let Some(thought) = &self.thought {
            let reasoning = |summary: Value, seal: Value| json!({"type": "reasoning", "id": "rs", "summary": summary, "encrypted_content": seal});
            let whole = reasoning(json!([{"type": "summary_text", "text": thought}]), json!("c2ln"));
            let delta = "response.reasoning_summary_text.delta";
            item(whole, reasoning(json!([]), Value::Null), None, delta, self.pieces(thought));
        }
        if let Some(text) = &self.text {
            let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
            let message = |content: Value| json!({"type": "message", "id": "msg", "role": "assistant", "content": content});
            let (whole, begun) = (message(json!([part(text)])), message(json!([])));
            item(whole, begun, Some(part("")), "response.output_text.delta", self.pieces(text));
        }
        for (number, arguments) in self.calls.iter().enumerate() {
            let call = |arguments: &str| json!({"type": "function_call", "id": "fc", "call_id": format!("c{number}"), "name": "tide", "arguments": arguments});
            let text = Value::Object(arguments.clone()).to_string();
            item(call(&text), call(""), None, "response.function_call_arguments.delta", self.pieces(&text));
        }
        let status = self.word(["completed", "incomplete", "incomplete"]);
        let mut whole = response(status, &output);
        whole["usage"] = usage;
        if status == "incomplete" {
            whole["incomplete_details"] =
                json!({"reason": self.word(["", "max_output_tokens", "content_filter"])});
        }
        events.push(("", json!({"type": format!("response.{status}"), "response": whole.clone()})));
        (whole, sse(&events))
    }

    /// Calls come whole here, and the end of the body is the end. What is written to a cache is not told apart.
    pub(crate) fn gemini(&self) -> (Value, Vec<u8>) {
        let (mut parts, mut pieces) = (Vec::new(), Vec::new());
        for (text, thought) in [(&self.thought, true), (&self.text, false)] {
            let part = |text: &str| {
                if thought { json!({"text": text, "thought": true}) } else { json!({"text": text}) }
            };
            parts.extend(text.as_deref().map(part));
            pieces.extend(self.pieces(text.as_deref().unwrap_or_default()).iter().map(|piece| part(piece)));
        }
        for arguments in &self.calls {
            let call =
                json!({"functionCall": {"name": "tide", "args": arguments}, "thoughtSignature": "c2ln"});
            parts.push(call.clone());
            pieces.push(call);
        }
        let Usage { fresh, read, written, visible, reasoning } = self.usage;
        let prompt = fresh + read + written;
        let body = |parts: Value, visible: u64| {
            let usage = json!({
                "promptTokenCount": prompt, "cachedContentTokenCount": read, "candidatesTokenCount": visible,
                "thoughtsTokenCount": reasoning, "totalTokenCount": prompt + visible + reasoning});
            json!({
                "responseId": "r", "modelVersion": "m", "usageMetadata": usage,
                "candidates": [{"index": 0, "content": {"role": "model", "parts": parts}}]})
        };
        let finished = |parts: Value| {
            let mut body = body(parts, visible);
            body["candidates"][0]["finishReason"] = self.word(["STOP", "MAX_TOKENS", "SAFETY"]).into();
            body
        };
        // Counted up chunk by chunk.
        let counted =
            |(number, piece): (usize, Value)| ("", body(json!([piece]), visible.min(number as u64)));
        let mut events: Vec<_> = pieces.into_iter().enumerate().map(counted).collect();
        events.push(("", finished(json!([{"text": ""}]))));
        (finished(Value::from(parts)), sse(&events))
    }

    /// Texts are not opened, and reasoning is not counted apart.
    pub(crate) fn converse(&self) -> (Value, Vec<u8>) {
        let (mut content, mut body) =
            (Vec::new(), aws("event", "messageStart", &json!({"role": "assistant"})));
        let mut block = |whole: Value, start: Option<Value>, deltas: Vec<Value>| {
            let index = content.len();
            content.push(whole);
            if let Some(start) = start {
                let start = json!({"contentBlockIndex": index, "start": start});
                body.extend(aws("event", "contentBlockStart", &start));
            }
            for delta in deltas {
                let delta = json!({"contentBlockIndex": index, "delta": delta});
                body.extend(aws("event", "contentBlockDelta", &delta));
            }
            body.extend(aws("event", "contentBlockStop", &json!({"contentBlockIndex": index})));
        };
        if let Some(thought) = &self.thought {
            let pieces = self.pieces(thought).into_iter();
            let mut deltas: Vec<Value> =
                pieces.map(|piece| json!({"reasoningContent": {"text": piece}})).collect();
            deltas.push(json!({"reasoningContent": {"signature": "c2ln"}}));
            let shown = json!({"text": thought, "signature": "c2ln"});
            block(json!({"reasoningContent": {"reasoningText": shown}}), None, deltas);
        }
        if let Some(text) = &self.text {
            let deltas = self.pieces(text).into_iter().map(|piece| json!({"text": piece})).collect();
            block(json!({"text": text}), None, deltas);
        }
        for (number, arguments) in self.calls.iter().enumerate() {
            let id = format!("c{number}");
            let text = Value::Object(arguments.clone()).to_string();
            let pieces = self.pieces(&text).into_iter();
            let deltas = pieces.map(|piece| json!({"toolUse": {"input": piece}})).collect();
            let whole = json!({"toolUse": {"toolUseId": id, "name": "tide", "input": arguments}});
            block(whole, Some(json!({"toolUse": {"toolUseId": id, "name": "tide"}})), deltas);
        }
        let word = self.word(["end_turn", "max_tokens", "content_filtered"]);
        let Usage { fresh, read, written, visible, reasoning } = self.usage;
        let output = visible + reasoning;
        let usage = json!({
            "inputTokens": fresh, "cacheReadInputTokens": read, "cacheWriteInputTokens": written, "outputTokens": output,
            "totalTokens": fresh + read + written + output});
        body.extend(aws("event", "messageStop", &json!({"stopReason": word})));
        body.extend(aws("event", "metadata", &json!({"usage": usage, "metrics": {"latencyMs": 1}})));
        let message = json!({"role": "assistant", "content": content});
        (json!({"output": {"message": message}, "stopReason": word, "usage": usage}), body)
    }
}
