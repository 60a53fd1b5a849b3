//! What requests and answers are read into: every word of them has a place or is kept beside, and what cannot be read is named by
//! its place.

use outrigger_providers::canonical::{
    Arguments, Body, CacheHint, Call, Format, Framed, Grammar, Modality, Part, Role, Seal, StopReason,
    ToolChoice, ToolKind, answer_from, request_from,
};
use serde_json::{Value, json};

use crate::events::{chat, deltas, messages, sse};

fn call(id: &str, name: &str, arguments: Value) -> Part {
    let call = Call {
        id: Some(id.into()),
        name: name.into(),
        arguments: Arguments::of(Some(arguments)),
        free: false,
    };
    Part::new(Body::ToolCall(call))
}

/// What both formats say of one answer of a tool.
fn tide(text: &str) -> Part {
    Part::new(Body::ToolAnswer {
        id: Some("c1".into()),
        name: None,
        parts: vec![Part::text(text)],
        is_error: None,
    })
}

#[test]
fn a_chat_request_keeps_every_word_of_it() {
    let request = chat()
        .request(json!({
            "model": "gpt-5", "stream": true, "max_completion_tokens": 9, "max_tokens": 4, "temperature": 0.5, "stop": "END", "n": 2,
            "parallel_tool_calls": false, "reasoning_effort": "low", "user": "u_1", "stream_options": {"include_usage": true},
            "response_format": {"type": "json_schema", "json_schema": {"name": "t", "strict": true, "schema": {"type": "object"}}},
            "tool_choice": {"type": "function", "function": {"name": "tide"}},
            "tools": [
                {"type": "function", "function": {"name": "tide", "description": "When", "parameters": {"type": "object"}, "strict": true}},
                {"type": "custom", "custom": {"name": "sql", "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[a-z]+"}}}},
                {"type": "web_search"}],
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "name": "ann", "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
                    {"type": "file", "file": {"file_id": "file-1"}},
                    {"type": "hologram", "depth": 3}]},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "tide", "arguments": "{\"at\":\"Brest\"}"}},
                    {"id": "c2", "type": "function", "function": {"name": "tide", "arguments": ""}},
                    {"id": "", "type": "function", "function": {"name": "tide", "arguments": "{\"at\":"}},
                    {"id": "c4", "type": "custom", "custom": {"name": "sql", "input": "{}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "six"}]
        }))
        .unwrap();
    assert_eq!((request.model.as_deref(), request.stream), (Some("gpt-5"), true));
    let sampling = &request.sampling;
    assert_eq!((sampling.max_tokens, sampling.temperature, sampling.choices), (Some(9), Some(0.5), Some(2)));
    assert_eq!((&sampling.stop[..], request.parallel_tools), (&["END".to_owned()][..], Some(false)));
    assert_eq!(request.effort.level.as_deref(), Some("low"));
    let schema = json!({"type": "object"});
    let format = Format::Schema { name: Some("t".into()), schema: schema.clone(), strict: Some(true) };
    assert_eq!(request.format, Some(format));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("tide".into())));
    let kinds: Vec<_> = request.tools.iter().map(|tool| (tool.kind.as_str(), tool.name.as_str())).collect();
    assert_eq!(kinds, [("function", "tide"), ("custom", "sql"), ("web_search", "web_search")]);
    assert_eq!((&request.tools[0].schema, request.tools[0].strict), (&Some(schema), Some(true)));
    let grammar = Grammar { syntax: "regex".into(), definition: "[a-z]+".into() };
    assert_eq!(request.tools[1].kind, ToolKind::Free(Some(grammar)));
    let rest: Vec<&str> = request.rest.keys().map(String::as_str).collect();
    assert_eq!(rest, ["stream_options", "user"], "what has no place is kept by its name");

    let [brief, look, calls, answer] = &request.messages[..] else { panic!("four messages: {request:?}") };
    assert_eq!((&brief.role, &brief.parts[..]), (&Role::Developer, &[Part::text("Be brief.")][..]));
    assert_eq!((&look.role, look.name.as_deref()), (&Role::User, Some("ann")));
    let (image, mime) = (Modality::Image, Some("image/png".to_owned()));
    assert_eq!(look.parts[1].body, Body::Blob { modality: image, mime, data: "aGk=".into() });
    assert_eq!(look.parts[1].rest["image_url"], json!({"detail": "low"}));
    let uri = "https://x.example/a.png".to_owned();
    assert_eq!(look.parts[2].body, Body::Uri { modality: image, mime: None, uri });
    assert_eq!(look.parts[3].body, Body::File { modality: Modality::Document, id: "file-1".into() });
    let value = json!({"type": "hologram", "depth": 3});
    assert_eq!(look.parts[4].body, Body::Generic { kind: "hologram".into(), value });
    let nameless =
        Call { id: None, name: "tide".into(), arguments: Arguments::Text("{\"at\":".into()), free: false };
    let free = Call {
        id: Some("c4".into()),
        name: "sql".into(),
        arguments: Arguments::Text("{}".into()),
        free: true,
    };
    let expected = [
        call("c1", "tide", json!({"at": "Brest"})),
        call("c2", "tide", json!({})),
        Part::new(Body::ToolCall(nameless)),
        Part::new(Body::ToolCall(free)),
    ];
    assert_eq!(calls.parts, expected, "no arguments are an empty object, broken ones stay as they are");
    assert_eq!((&answer.role, &answer.parts[..]), (&Role::Tool, &[tide("six")][..]));
}

#[test]
fn a_messages_request_keeps_every_word_of_it() {
    let request = messages()
        .request(json!({
            "model": "claude-sonnet-5", "max_tokens": 512, "stop_sequences": ["END"], "metadata": {"user_id": "u"},
            "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
            "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "system": [{"type": "text", "text": "Brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            "tools": [
                {"name": "tide", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
                {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}],
            "messages": [
                {"role": "user", "content": "When?"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "redacted_thinking", "data": "eHg="},
                    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "tide"}},
                    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"title": "T"}]},
                    {"type": "tool_use", "id": "c1", "name": "tide", "input": {"at": "Brest"}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "six"},
                    {"type": "tool_result", "tool_use_id": "c2", "is_error": true, "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]},
                    {"type": "document", "title": "D", "source": {"type": "url", "url": "https://x.example/d.pdf"}},
                    {"type": "container_upload", "file_id": "f"}]}]
        }))
        .unwrap();
    assert_eq!(
        (request.sampling.max_tokens, &request.sampling.stop[..]),
        (Some(512), &["END".to_owned()][..])
    );
    assert_eq!((&request.tool_choice, request.parallel_tools), (&Some(ToolChoice::Required), Some(false)));
    assert_eq!((request.effort.level.as_deref(), request.effort.budget), (Some("high"), Some(2048)));
    assert_eq!(
        request.format,
        Some(Format::Schema { name: None, schema: json!({"type": "object"}), strict: None })
    );
    let rest = json!({"metadata": {"user_id": "u"}, "thinking": {"display": "omitted"}});
    assert_eq!(Value::Object(request.rest), rest, "what has no place is kept by its name");
    assert_eq!(request.system[0].cache, Some(CacheHint { ttl: Some("1h".into()) }));
    assert_eq!(request.tools[0].cache, Some(CacheHint::default()));
    assert_eq!(request.tools[1].kind, ToolKind::Provider("web_search_20250305".into()));
    assert_eq!(request.tools[1].rest["max_uses"], 3);

    let said = &request.messages[1].parts;
    assert_eq!(
        (&said[0].body, &said[0].seal),
        (&Body::Reasoning("hm".into()), &Some(Seal::Signature("c2ln".into())))
    );
    assert_eq!(
        (&said[1].body, &said[1].seal),
        (&Body::Reasoning(String::new()), &Some(Seal::Content("eHg=".into())))
    );
    assert!(matches!(&said[2].body, Body::ServerToolCall { kind, .. } if kind == "server_tool_use"));
    let answer = json!([{"title": "T"}]);
    let kind = "web_search_tool_result".to_owned();
    assert_eq!(said[3].body, Body::ServerToolAnswer { kind, id: Some("s1".into()), answer });
    assert_eq!(said[4], call("c1", "tide", json!({"at": "Brest"})));
    let answers = &request.messages[2].parts;
    assert_eq!(answers[0], tide("six"), "both formats say the same of a tool's answer");
    let Body::ToolAnswer { parts, is_error, .. } = &answers[1].body else { panic!("{answers:?}") };
    assert!(matches!(parts[0].body, Body::Blob { modality: Modality::Image, .. }));
    assert_eq!(*is_error, Some(true));
    assert!(matches!(answers[2].body, Body::Uri { modality: Modality::Document, .. }));
    assert_eq!(answers[2].rest["title"], "D");
    assert!(matches!(&answers[3].body, Body::Generic { kind, .. } if kind == "container_upload"));
}

#[test]
fn a_fault_names_its_place_and_shows_no_content() {
    let secret = "sk-hidden";
    let chats = [
        (
            json!({"messages": [{"role": "user"}, {"role": "user", "content": [{"type": "text", "text": 7, "x": secret}]}]}),
            "messages[1].content[0].text: is no text",
        ),
        (json!({"messages": secret}), "messages: is no list"),
        (json!({"messages": [{"content": secret}]}), "messages[0].role: is missing"),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"type": "function", "id": secret}]}]}),
            "messages[0].tool_calls[0].function: is missing",
        ),
        (json!({"stop": [secret, 1]}), "stop[1]: is no text"),
        (json!([secret]), "the body: is no object"),
    ];
    for (body, expected) in chats {
        assert_eq!(chat().request(body).unwrap_err().to_string(), expected);
    }
    let body = json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text"}]}]}]});
    let expected = "messages[0].content[0].content[0].text: is missing";
    assert_eq!(messages().request(body).unwrap_err().to_string(), expected);
    let fault = request_from(chat(), br#"{"messages": [{"role": "us"#).unwrap_err();
    assert_eq!(fault.to_string(), "the body: is no JSON, or broke off");
}

fn only_parts(body: &[u8]) -> Vec<Part> {
    let whole = answer_from(chat(), Framed::Events, body);
    assert_eq!(whole.fault, None);
    let [choice] = &whole.answer.choices[..] else { panic!("one choice: {whole:?}") };
    choice.parts.clone()
}

#[test]
fn loosely_numbered_calls_are_told_apart() {
    let begun = |index: Value, id: &str, arguments: &str| json!({"tool_calls": [{"index": index, "id": id, "function": {"name": "tide", "arguments": arguments}}]});
    let more = |index: Value, arguments: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]});
    let expected = [call("a", "tide", json!({"n": 1})), call("b", "tide", json!({"n": 2}))];
    for (one, two) in [(json!(0), json!(1)), (json!(0), json!(0)), (Value::Null, Value::Null)] {
        let (a, b) = (begun(one.clone(), "a", r#"{"n""#), begun(two.clone(), "b", r#"{"n""#));
        let body = deltas(0, vec![a, more(one, ":1}"), b, more(two.clone(), ":2}")]);
        assert_eq!(only_parts(&body), expected, "the second call at {two}");
    }
    let late = vec![
        json!({"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{\"n\""}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"name": "tide", "arguments": ":1}"}}]}),
    ];
    assert_eq!(only_parts(&deltas(0, late)), expected[..1], "arguments wait for the name");
}

#[test]
fn the_end_of_an_answer_is_what_its_content_says() {
    let whole = |word: &str, calls: Value| {
        let message = json!({"role": "assistant", "content": null, "tool_calls": calls});
        let body = json!({"id": "r", "choices": [{"message": message, "finish_reason": word}]});
        chat().answer(body).unwrap().choices[0].stop.clone().unwrap()
    };
    let calls = json!([{"id": "a", "type": "function", "function": {"name": "tide", "arguments": "{}"}}]);
    assert_eq!(whole("stop", calls.clone()).reason, StopReason::ToolCalls);
    assert_eq!(whole("stop", calls.clone()).word, "stop", "the provider's word is kept");
    assert_eq!(whole("length", calls).reason, StopReason::Length);
    assert_eq!(whole("gave_up", json!([])).reason, StopReason::Unknown, "never taken for a normal end");
}

#[test]
fn an_error_in_a_stream_is_told_beside_what_came() {
    let mut body = deltas(0, vec![json!({"content": "At "})]);
    body.extend(sse(&[("", json!({"error": {"message": "overloaded"}}))]));
    let whole = answer_from(chat(), Framed::Events, &body);
    assert_eq!((whole.ended, whole.error.unwrap()["error"]["message"].as_str()), (false, Some("overloaded")));
    assert_eq!(whole.answer.choices[0].parts, [Part::text("At ")]);
    assert_eq!(whole.answer.choices[0].stop, None, "no reason is reported that the provider did not send");
}

#[test]
fn an_error_instead_of_an_answer_is_told() {
    let body =
        json!({"type": "error", "error": {"type": "overloaded_error"}, "request_id": "req_1"}).to_string();
    for reader in [chat(), messages()] {
        let whole = answer_from(reader, Framed::Whole, body.as_bytes());
        assert_eq!(whole.error.unwrap()["error"]["type"], "overloaded_error");
        assert!(whole.answer.choices.iter().all(|choice| choice.parts.is_empty() && choice.stop.is_none()));
        let broken = answer_from(reader, Framed::Whole, &body.as_bytes()[..20]);
        assert_eq!(broken.fault.unwrap().to_string(), "the body: is no JSON, or broke off");
        assert!(!broken.ended);
    }
}
