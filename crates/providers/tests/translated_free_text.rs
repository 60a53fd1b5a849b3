//! Tools that take free text, between the two formats that have them: requests, answers and streams, each written by hand in both.
//! Whoever else is asked refuses them (`translation_gate`).

use http::StatusCode;
use outrigger_providers::canonical::{Arguments, Asked, Body, Framed, answer_from};
use outrigger_providers::translate::{Place, Stream, answer};
use serde_json::{Value, json};

use crate::events::{content_type, sse};
use crate::talks::{CHAT, RESPONSES, Side, at, dialect, place, service, translated};

const GRAMMAR: &str = "start: \"SELECT\" WORD";

fn chat(more: Value) -> Value {
    let mut body = json!({
        "model": "m", "max_completion_tokens": 64,
        "messages": [
            {"role": "user", "content": "Which tides?"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT {tide"}},
                {"id": "call_2", "type": "function", "function": {"name": "wind", "arguments": "{\"at\":\"Brest\"}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "six"},
            {"role": "tool", "tool_call_id": "call_2", "content": "calm"}],
        "tools": [
            {"type": "custom", "custom": {"name": "sql", "description": "Asks", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": GRAMMAR}}}},
            {"type": "custom", "custom": {"name": "note", "format": {"type": "text"}}},
            {"type": "function", "function": {"name": "wind", "parameters": {"type": "object", "properties": {}}, "strict": false}}],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn responses(more: Value) -> Value {
    let mut body = json!({
        "model": "m", "max_output_tokens": 64, "store": false,
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Which tides?"}]},
            {"type": "custom_tool_call", "call_id": "call_1", "name": "sql", "input": "SELECT {tide"},
            {"type": "function_call", "call_id": "call_2", "name": "wind", "arguments": "{\"at\":\"Brest\"}"},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "six"},
            {"type": "function_call_output", "call_id": "call_2", "output": "calm"}],
        "tools": [
            {"type": "custom", "name": "sql", "description": "Asks", "format": {"type": "grammar", "syntax": "lark", "definition": GRAMMAR}},
            {"type": "custom", "name": "note"},
            {"type": "function", "name": "wind", "parameters": {"type": "object", "properties": {}}, "strict": false}],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn said(from: Side, to: Side, body: &Value) -> Value {
    let outgoing = translated(from, to, body, false).unwrap();
    assert_eq!(outgoing.losses, [], "nothing is lost");
    let mut body: Value = serde_json::from_slice(&outgoing.body).unwrap();
    body["model"] = "m".into();
    body
}

#[test]
fn a_request_is_said_exactly_in_both_directions() {
    let sql = json!({"type": "custom", "custom": {"name": "sql"}});
    let wind = json!({"type": "function", "function": {"name": "wind"}});
    let (flat_sql, flat_wind) =
        (json!({"type": "custom", "name": "sql"}), json!({"type": "function", "name": "wind"}));
    let choices = [
        (json!({}), json!({})),
        (json!({"tool_choice": sql}), json!({"tool_choice": flat_sql})),
        (
            json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [sql, wind]}}}),
            json!({"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [flat_sql, flat_wind]}}),
        ),
    ];
    for (chats, responses_own) in choices {
        assert_eq!(said(CHAT, RESPONSES, &chat(chats.clone())), responses(responses_own.clone()));
        let mut expected = chat(chats);
        // Any text is what is meant where nothing is said.
        expected["tools"][1]["custom"].as_object_mut().unwrap().remove("format");
        assert_eq!(said(RESPONSES, CHAT, &responses(responses_own)), expected);
    }
}

#[test]
fn a_format_that_is_not_known_and_servers_that_only_imitate_refuse_it() {
    let format = json!({"type": "custom", "custom": {"name": "sql", "format": {"type": "hologram"}}});
    let refused = translated(CHAT, RESPONSES, &chat(json!({"tools": [format]})), false).unwrap_err();
    let reasons: Vec<String> = refused.reasons.iter().map(ToString::to_string).collect();
    assert_eq!(reasons, ["tools[0].custom.format: a member that is not known here"]);
    let groq = Place::at(service("groq"), dialect("openai_chat"), "llama-3.3-70b-versatile").unwrap();
    let groq = Place { facts: place(CHAT).facts, ..groq };
    for (from, body, at_call) in
        [(CHAT, chat(json!({})), "messages[1].content[0]"), (RESPONSES, responses(json!({})), "input[1]")]
    {
        let refused = at(from, &groq, &body, false).unwrap_err();
        let reasons: Vec<String> = refused.reasons.iter().map(ToString::to_string).collect();
        assert_eq!(
            reasons[..2],
            ["tools[0]: a tool that takes free text", "tools[1]: a tool that takes free text"]
        );
        assert!(
            reasons.contains(&format!("{at_call}: a call of a tool that takes free text")),
            "{reasons:?}"
        );
    }
}

/// What is called with what, and whether that is free text.
type Called = Vec<(String, String, bool)>;

fn expected() -> Called {
    vec![
        ("sql".into(), "SELECT {tide\n".into(), true),
        ("wind".into(), "{\"at\":\"Brest\"}".into(), false),
        ("note".into(), String::new(), true),
    ]
}

fn called(side: Side, framed: Framed, body: &[u8]) -> Called {
    let whole = answer_from(dialect(side.dialect).canonical().unwrap(), framed, body);
    assert_eq!((&whole.fault, &whole.error), (&None, &None), "{}", String::from_utf8_lossy(body));
    let parts = whole.answer.choices[0].parts.iter();
    let calls = parts.filter_map(|part| match &part.body {
        Body::ToolCall(call) => {
            assert!(call.id.as_deref().is_some_and(|id| id.starts_with("call_")), "{call:?}");
            let given = match &call.arguments {
                Arguments::Object(members) if call.free => format!("an object: {members:?}"),
                Arguments::Object(members) => Value::Object(members.clone()).to_string(),
                Arguments::Text(text) => text.clone(),
            };
            Some((call.name.clone(), given, call.free))
        }
        _ => None,
    });
    calls.collect()
}

fn asked() -> Asked {
    Asked { model: "ours".into(), call: "call-1".into(), created: 1_760_000_000, ..Asked::default() }
}

fn chat_answer() -> Value {
    json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT {tide\n"}},
            {"id": "call_2", "type": "function", "function": {"name": "wind", "arguments": "{\"at\":\"Brest\"}"}},
            {"id": "call_3", "type": "custom", "custom": {"name": "note", "input": ""}}]}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}})
}

fn responses_answer() -> Value {
    json!({"id": "r", "object": "response", "created_at": 1, "status": "completed", "model": "m", "error": null, "incomplete_details": null,
        "output": [
            {"id": "ctc_1", "type": "custom_tool_call", "status": "completed", "call_id": "call_1", "name": "sql", "input": "SELECT {tide\n"},
            {"id": "fc_2", "type": "function_call", "status": "completed", "call_id": "call_2", "name": "wind", "arguments": "{\"at\":\"Brest\"}"},
            {"id": "ctc_3", "type": "custom_tool_call", "status": "completed", "call_id": "call_3", "name": "note", "input": ""}],
        "usage": {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}})
}

#[test]
fn an_answer_is_said_exactly_in_both_directions() {
    for (from, to, body) in [(CHAT, RESPONSES, chat_answer()), (RESPONSES, CHAT, responses_answer())] {
        let (text, json) = (body.to_string(), content_type("application/json"));
        let said = answer(
            dialect(from.dialect),
            dialect(to.dialect),
            StatusCode::OK,
            &json,
            text.as_bytes(),
            &asked(),
        );
        let said = said.unwrap();
        assert!(said.left_out.is_empty());
        assert_eq!(
            called(to, Framed::Whole, &said.body),
            expected(),
            "{}",
            String::from_utf8_lossy(&said.body)
        );
    }
    let json = content_type("application/json");
    let said = answer(
        dialect(RESPONSES.dialect),
        dialect(CHAT.dialect),
        StatusCode::OK,
        &json,
        responses_answer().to_string().as_bytes(),
        &asked(),
    );
    let said: Value = serde_json::from_slice(&said.unwrap().body).unwrap();
    let theirs = chat_answer();
    let (said, theirs) = (&said["choices"][0], &theirs["choices"][0]);
    assert_eq!(said["message"]["tool_calls"], theirs["message"]["tool_calls"]);
    assert_eq!(said["finish_reason"], "tool_calls");
}

/// Chat's chunks name no end of a call but the next one's beginning, and the answer's.
fn chat_stream() -> Vec<u8> {
    let chunk = |delta: Value, finish: Value| json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    let call = |call: Value| chunk(json!({"tool_calls": [call]}), Value::Null);
    let events = [
        chunk(json!({"role": "assistant", "content": null}), Value::Null),
        call(json!({"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "sql", "input": ""}})),
        call(json!({"index": 0, "custom": {"input": "SELECT "}})),
        call(
            json!({"index": 1, "id": "call_2", "type": "function", "function": {"name": "wind", "arguments": ""}}),
        ),
        call(json!({"index": 0, "custom": {"input": "{tide\n"}})),
        call(json!({"index": 1, "function": {"arguments": "{\"at\":\"Brest\"}"}})),
        call(json!({"index": 2, "id": "call_3", "type": "custom", "custom": {"name": "note", "input": ""}})),
        chunk(json!({}), "tool_calls".into()),
    ];
    let events = events.into_iter().map(|event| ("", event)).collect::<Vec<_>>();
    [&sse(&events)[..], b"data: [DONE]\n\n"].concat()
}

fn responses_stream() -> Vec<u8> {
    let answer = responses_answer();
    let under_way = |item: &Value, given: &str| {
        let mut item = item.clone();
        (item["status"], item[given]) = ("in_progress".into(), "".into());
        item
    };
    let mut begun = answer.clone();
    (begun["status"], begun["output"]) = ("in_progress".into(), json!([]));
    let mut events = vec![("response.created", json!({"type": "response.created", "response": begun}))];
    for (at, item) in answer["output"].as_array().unwrap().iter().enumerate() {
        let free = item["type"] == "custom_tool_call";
        let (given, kind) = if free {
            ("input", ["response.custom_tool_call_input.delta", "response.custom_tool_call_input.done"])
        } else {
            ("arguments", ["response.function_call_arguments.delta", "response.function_call_arguments.done"])
        };
        let placed = |kind: &str, more: Value| {
            let mut event = json!({"type": kind, "output_index": at, "item_id": item["id"]});
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            event
        };
        let added = "response.output_item.added";
        events.push((added, json!({"type": added, "output_index": at, "item": under_way(item, given)})));
        for piece in item[given].as_str().unwrap().split_inclusive('{') {
            events.push((kind[0], placed(kind[0], json!({"delta": piece}))));
        }
        events.push((kind[1], placed(kind[1], json!({given: item[given]}))));
        let done = "response.output_item.done";
        events.push((done, json!({"type": done, "output_index": at, "item": item})));
    }
    events.push(("response.completed", json!({"type": "response.completed", "response": answer})));
    sse(&events)
}

#[test]
fn a_stream_is_said_exactly_in_both_directions_however_it_is_cut_and_never_whole_when_it_was() {
    for (from, to, body) in [(CHAT, RESPONSES, chat_stream()), (RESPONSES, CHAT, responses_stream())] {
        let stream = || {
            let headers = content_type("text/event-stream");
            Stream::new(dialect(from.dialect), dialect(to.dialect), &headers, asked()).unwrap()
        };
        for cut in [1, 7, 64, body.len()] {
            let mut stream = stream();
            let mut said: Vec<u8> = body.chunks(cut).flat_map(|piece| stream.push(piece)).collect();
            let end = stream.end();
            assert_eq!(end.outcome, Ok(()), "{}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&end.bytes);
            assert_eq!(called(to, Framed::Events, &said), expected(), "{}", String::from_utf8_lossy(&said));
        }
        for cut in (0..body.len() - 64).step_by(3) {
            let mut stream = stream();
            stream.push(&body[..cut]);
            assert!(stream.end().outcome.is_err(), "cut at {cut}");
        }
    }
}
