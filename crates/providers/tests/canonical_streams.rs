//! A stream is read into what the whole answer is read into, a cut stream into a beginning of it, and no body makes a reader fall.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test they serve")]

mod events;

use events::{chat, gemini, messages, responses, sse};
use outrigger_providers::canonical::{
    Answer, Arguments, Body, Event, Fold, Framed, Part, Reader, Seal, answer_from,
};
use outrigger_providers::dialects;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn readers() -> impl Iterator<Item = &'static dyn Reader> {
    dialects::ALL.into_iter().filter_map(|dialect| dialect.canonical())
}

/// What an answer says, to be written in any format.
#[derive(Debug, Clone)]
struct Said {
    thought: Option<String>,
    text: Option<String>,
    calls: Vec<Map<String, Value>>,
    /// Characters per delta.
    step: usize,
}

fn any_said() -> impl Strategy<Value = Said> {
    let text = || proptest::option::of("[a-z é\"\\\\\n]{1,12}");
    let members = proptest::collection::btree_map("[a-z]{1,3}", "[a-z\"{}é]{0,6}", 0..3);
    let object =
        members.prop_map(|it| it.into_iter().map(|(name, text)| (name, Value::from(text))).collect());
    (text(), text(), proptest::collection::vec(object, 0..3), 1usize..5)
        .prop_map(|(thought, text, calls, step)| Said { thought, text, calls, step })
}

impl Said {
    fn pieces(&self, text: &str) -> Vec<String> {
        let characters: Vec<char> = text.chars().collect();
        characters.chunks(self.step).map(|piece| piece.iter().collect()).collect()
    }

    fn chat(&self) -> (Value, Vec<u8>) {
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
        let message = json!({"role": "assistant", "content": self.text, "reasoning_content": self.thought, "tool_calls": calls});
        let whole = json!({"id": "r", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
        let mut deltas = vec![json!({"role": "assistant", "content": ""})];
        for piece in self.pieces(self.thought.as_deref().unwrap_or_default()) {
            deltas.push(json!({"reasoning_content": piece}));
        }
        for piece in self.pieces(self.text.as_deref().unwrap_or_default()) {
            deltas.push(json!({"content": piece}));
        }
        let mut rounds = Vec::new();
        for (number, call) in calls.iter().enumerate() {
            let function = json!({"name": "tide", "arguments": ""});
            deltas.push(json!({"tool_calls": [{"index": number, "id": call["id"], "type": "function", "function": function}]}));
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
        deltas.extend(rounds.into_iter().map(|(_, delta)| delta));
        let mut body = events::deltas(0, deltas);
        body.extend(sse(&[(
            "",
            json!({"id": "r", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        )]));
        body.extend_from_slice(b"data: [DONE]\n\n");
        (whole, body)
    }

    fn messages(&self) -> (Value, Vec<u8>) {
        let (mut blocks, mut events) = (Vec::new(), Vec::new());
        let start = json!({"type": "message_start", "message": {"id": "r", "model": "m", "content": []}});
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
        let delta = json!({"stop_reason": "end_turn", "stop_sequence": null});
        events.push(("message_delta", json!({"type": "message_delta", "delta": delta})));
        events.push(("message_stop", json!({"type": "message_stop"})));
        (
            json!({"id": "r", "type": "message", "model": "m", "content": blocks, "stop_reason": "end_turn"}),
            sse(&events),
        )
    }
}

impl Said {
    /// Deltas of arguments may come before anything opens their call, and a server may leave the deltas out.
    fn responses(&self, bare: bool) -> (Value, Vec<u8>) {
        let (mut output, mut events) = (Vec::new(), Vec::new());
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
        let whole = response("completed", &output);
        events.push(("", json!({"type": "response.completed", "response": whole.clone()})));
        (whole, sse(&events))
    }

    /// Calls come whole here, and the end of the body is the end.
    fn gemini(&self) -> (Value, Vec<u8>) {
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
        let body = |parts: Value| json!({"responseId": "r", "modelVersion": "m", "candidates": [{"index": 0, "content": {"role": "model", "parts": parts}}]});
        let finished = |parts: Value| {
            let mut body = body(parts);
            body["candidates"][0]["finishReason"] = "STOP".into();
            body
        };
        let mut events: Vec<_> = pieces.into_iter().map(|piece| ("", body(json!([piece])))).collect();
        events.push(("", finished(json!([{"text": ""}]))));
        (finished(Value::from(parts)), sse(&events))
    }
}

fn seal(part: &Part) -> &str {
    match &part.seal {
        Some(Seal::Signature(text) | Seal::Content(text)) => text,
        None => "",
    }
}

/// Whether one part is a beginning of another.
fn begins(cut: &Part, whole: &Part) -> bool {
    let body = match (&cut.body, &whole.body) {
        (Body::Text(cut), Body::Text(whole)) | (Body::Reasoning(cut), Body::Reasoning(whole)) => {
            whole.starts_with(cut)
        }
        (Body::ToolCall(cut), Body::ToolCall(whole)) => {
            let arguments = match (&cut.arguments, &whole.arguments) {
                (Arguments::Text(cut), Arguments::Object(whole)) => {
                    Value::Object(whole.clone()).to_string().starts_with(cut)
                }
                (cut, whole) => *cut == Arguments::Object(Map::new()) || cut == whole,
            };
            cut.name == whole.name && cut.id == whole.id && arguments
        }
        _ => false,
    };
    body && seal(whole).starts_with(seal(cut))
}

/// `ends`: whether the format has a last word.
fn check(
    reader: &dyn Reader,
    ends: bool,
    (whole, body): (Value, Vec<u8>),
    cut: usize,
) -> Result<(), TestCaseError> {
    let whole: Answer = reader.answer(whole).unwrap();
    let streamed = answer_from(reader, Framed::Events, &body);
    prop_assert_eq!((&streamed.answer, streamed.ended, &streamed.fault), (&whole, ends, &None));
    let cut = cut % body.len();
    let broken = answer_from(reader, Framed::Events, &body[..cut]);
    prop_assert_eq!(&broken.fault, &None);
    let none = Vec::new();
    let (came, all) = (broken.answer.choices.first().map_or(&none, |it| &it.parts), &whole.choices[0].parts);
    prop_assert!(came.len() <= all.len());
    for (came, all) in came.iter().zip(all) {
        prop_assert!(begins(came, all), "{:?} does not begin {:?}", came, all);
    }
    Ok(())
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = "type|role|content|text|choices|delta|tool_calls|function|name|index|id|messages|tools|source|error|content_block|\
        message|message_start|content_block_start|content_block_delta|tool_use|tool_result|base64|input_json_delta|user|tool";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(words, inner, 0..6)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_stream_says_what_the_whole_says_and_a_cut_one_a_beginning_of_it(said in any_said(), cut in any::<usize>()) {
        check(chat(), true, said.chat(), cut)?;
        check(messages(), true, said.messages(), cut)?;
        check(responses(), true, said.responses(false), cut)?;
        check(responses(), true, said.responses(true), cut)?;
        check(gemini(), false, said.gemini(), cut)?;
    }

    /// Hostile bodies are read or refused; the memory that an answer takes does not grow with the numbers it names.
    #[test]
    fn nothing_that_a_body_holds_makes_a_reader_fall(body in any_json(), events in proptest::collection::vec(any_json(), 0..8)) {
        for reader in readers() {
            let _read = reader.request(body.clone());
            let _read = reader.answer(body.clone());
            let mut stream = reader.stream();
            let mut said = Vec::new();
            let mut fold = Fold::default();
            for event in &events {
                let _read = stream.event("", event.clone(), &mut said);
            }
            prop_assert!(said.len() <= 200, "{} events out of {}", said.len(), events.len());
            said.drain(..).for_each(|event: Event| fold.take(event));
            prop_assert!(fold.answer().choices.len() <= 200);
        }
    }
}
