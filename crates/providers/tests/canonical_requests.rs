//! What requests of Responses, Gemini and Converse are read into, as `canonical.rs` has it for Chat Completions and Messages.

use outrigger_providers::canonical::{
    Arguments, Body, CacheHint, Call, Event, Fold, Format, Framed, Modality, Part, Role, Seal, StopReason,
    ToolChoice, ToolKind, answer_from,
};
use serde_json::{Value, json};

use crate::events::{converse, gemini, responses, sse};

fn call(id: Option<&str>, arguments: Arguments, free: bool) -> Body {
    Body::ToolCall(Call { id: id.map(str::to_owned), name: "tide".to_owned(), arguments, free })
}

fn object(value: Value) -> Arguments {
    Arguments::of(Some(value))
}

#[test]
fn a_responses_request_keeps_every_word_of_it() {
    let request = responses()
        .request(json!({
            "model": "gpt-6", "stream": true, "max_output_tokens": 9, "instructions": "Brief.", "store": false,
            "previous_response_id": "resp_0", "parallel_tool_calls": true,
            "reasoning": {"effort": "high", "summary": "auto"},
            "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "t", "strict": true, "schema": {"type": "object"}}},
            "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "tide"}]},
            "tools": [
                {"type": "function", "name": "tide", "parameters": {"type": "object"}, "strict": true},
                {"type": "custom", "name": "sql"},
                {"type": "file_search", "vector_store_ids": ["v"]}],
            "input": [
                {"role": "user", "content": [
                    {"type": "input_text", "text": "When?"},
                    {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"},
                    {"type": "input_file", "file_id": "file-1"}]},
                {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
                    "encrypted_content": "c2ln"},
                {"type": "message", "role": "assistant", "phase": "commentary", "content": [{"type": "output_text", "text": "So"}]},
                {"type": "function_call", "call_id": "c1", "name": "tide", "arguments": "{\"n\":1}"},
                {"type": "custom_tool_call", "call_id": "c2", "name": "tide", "input": "free"},
                {"type": "function_call_output", "call_id": "c1", "output": "six"},
                {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"query": "tide"}},
                {"type": "item_reference", "id": "i"}]
        }))
        .unwrap();
    assert_eq!((request.system, request.stream), (vec![Part::text("Brief.")], true));
    assert_eq!((request.effort.level.as_deref(), request.sampling.max_tokens), (Some("high"), Some(9)));
    assert_eq!(request.verbosity.as_deref(), Some("low"));
    let schema = json!({"type": "object"});
    assert_eq!(request.format, Some(Format::Schema { name: Some("t".into()), schema, strict: Some(true) }));
    let choice = ToolChoice::Allowed { names: vec!["tide".into()], required: true };
    assert_eq!(request.tool_choice, Some(choice));
    let kinds: Vec<_> = request.tools.iter().map(|tool| tool.kind.as_str()).collect();
    assert_eq!(kinds, ["function", "custom", "file_search"]);
    let rest = json!({"store": false, "previous_response_id": "resp_0", "reasoning": {"summary": "auto"}});
    assert_eq!(Value::Object(request.rest), rest, "what has no place is kept by its name");

    let said: Vec<(&Role, &Part)> =
        request.messages.iter().flat_map(|it| it.parts.iter().map(|part| (&it.role, part))).collect();
    let blob = Body::Blob { modality: Modality::Image, mime: Some("image/png".into()), data: "aGk=".into() };
    let file = Body::File { modality: Modality::Document, id: "file-1".into() };
    let answer = Body::ToolAnswer {
        id: Some("c1".into()),
        name: None,
        parts: vec![Part::text("six")],
        is_error: None,
    };
    let expected = [
        (&Role::User, Body::Text("When?".into())),
        (&Role::User, blob),
        (&Role::User, file),
        (&Role::Assistant, Body::Reasoning("a\n\nb".into())),
        (&Role::Assistant, Body::Text("So".into())),
        (&Role::Assistant, call(Some("c1"), object(json!({"n": 1})), false)),
        (&Role::Assistant, call(Some("c2"), Arguments::Text("free".into()), true)),
        (&Role::Tool, answer),
    ];
    for ((role, part), (wanted, body)) in said.iter().zip(&expected) {
        assert_eq!((role, &part.body), (wanted, body));
    }
    assert_eq!(said[1].1.rest["detail"], "low");
    assert_eq!(said[3].1.seal, Some(Seal::Content("c2ln".into())));
    assert_eq!(request.messages[2].rest["phase"], "commentary");
    assert!(matches!(&said[8].1.body, Body::ServerToolCall { kind, .. } if kind == "web_search_call"));
    assert!(matches!(&said[9].1.body, Body::Generic { kind, .. } if kind == "item_reference"));
    let text = responses().request(json!({"input": "When?"})).unwrap();
    assert_eq!(text.messages[0].parts, [Part::text("When?")]);
}

#[test]
fn a_gemini_request_keeps_every_word_of_it_in_either_spelling() {
    let camel = json!({
        "systemInstruction": {"parts": [{"text": "Brief."}]},
        "cachedContent": "cachedContents/1",
        "tools": [{"functionDeclarations": [{"name": "tide", "parametersJsonSchema": {"type": "object"}}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["tide"]}},
        "generationConfig": {"maxOutputTokens": 9, "topK": 40.0, "stopSequences": ["END"], "responseMimeType": "application/json",
            "thinkingConfig": {"thinkingBudget": -1, "includeThoughts": true}},
        "contents": [
            {"role": "user", "parts": [{"text": "When?"}, {"inlineData": {"mimeType": "audio/wav", "data": "aGk="}},
                {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/v"}}]},
            {"role": "model", "parts": [{"text": "hm", "thought": true},
                {"functionCall": {"name": "tide", "args": {"n": 1}}, "thoughtSignature": "c2ln"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "tide", "response": {"error": "none"}}}, {"hologram": {"depth": 3}}]}]
    });
    let snake = [
        ("systemInstruction", "system_instruction"),
        ("functionDeclarations", "function_declarations"),
        ("parametersJsonSchema", "parameters_json_schema"),
        ("toolConfig", "tool_config"),
        ("functionCallingConfig", "function_calling_config"),
        ("allowedFunctionNames", "allowed_function_names"),
        ("generationConfig", "generation_config"),
        ("maxOutputTokens", "max_output_tokens"),
        ("topK", "top_k"),
        ("stopSequences", "stop_sequences"),
        ("responseMimeType", "response_mime_type"),
        ("inlineData", "inline_data"),
        ("mimeType", "mime_type"),
        ("fileData", "file_data"),
        ("fileUri", "file_uri"),
        ("functionCall\"", "function_call\""),
        ("thoughtSignature", "thought_signature"),
        ("functionResponse", "function_response"),
    ];
    let respelt = snake.iter().fold(camel.to_string(), |text, (camel, snake)| text.replace(camel, snake));
    for body in [camel, serde_json::from_str(&respelt).unwrap()] {
        let request = gemini().request(body).unwrap();
        assert_eq!((&request.system[..], request.format), (&[Part::text("Brief.")][..], Some(Format::Json)));
        assert_eq!((request.sampling.max_tokens, request.sampling.top_k), (Some(9), Some(40)));
        assert_eq!((&request.sampling.stop[..], request.effort.budget), (&["END".to_owned()][..], None));
        assert_eq!(request.tool_choice, Some(ToolChoice::Named("tide".into())));
        assert_eq!(request.tools[0].schema, Some(json!({"type": "object"})));
        assert_eq!(request.tools[1].kind, ToolKind::Provider("googleSearch".into()));
        assert_eq!(request.rest["cachedContent"], "cachedContents/1");
        let [asked, said, answered] = &request.messages[..] else { panic!("three messages") };
        let (audio, video) = (Modality::Audio, Modality::Video);
        assert_eq!(
            asked.parts[1].body,
            Body::Blob { modality: audio, mime: Some("audio/wav".into()), data: "aGk=".into() }
        );
        assert_eq!(
            asked.parts[2].body,
            Body::Uri { modality: video, mime: Some("video/mp4".into()), uri: "gs://b/v".into() }
        );
        assert_eq!((&said.role, &said.parts[0].body), (&Role::Assistant, &Body::Reasoning("hm".into())));
        assert_eq!(said.parts[1].body, call(None, object(json!({"n": 1})), false));
        assert_eq!(said.parts[1].seal, Some(Seal::Signature("c2ln".into())));
        let Body::ToolAnswer { name, is_error, .. } = &answered.parts[0].body else { panic!("{answered:?}") };
        assert_eq!((name.as_deref(), *is_error), (Some("tide"), Some(true)));
        assert!(matches!(&answered.parts[1].body, Body::Generic { kind, .. } if kind == "hologram"));
    }
}

#[test]
fn a_blocked_prompt_is_filtered_and_a_failed_response_has_no_reason_to_end() {
    let blocked = gemini().answer(json!({"promptFeedback": {"blockReason": "SAFETY"}})).unwrap();
    assert_eq!(blocked.choices[0].stop.as_ref().unwrap().reason, StopReason::Filtered);
    let calls = json!([{"functionCall": {"name": "tide", "args": {}}}]);
    let called = gemini()
        .answer(json!({"candidates": [{"content": {"parts": calls}, "finishReason": "STOP"}]}))
        .unwrap();
    assert_eq!(called.choices[0].stop.as_ref().unwrap().reason, StopReason::ToolCalls);
    let failed = json!({"type": "response.failed", "response": {"id": "r", "status": "failed", "output": [], "error": {"code": "server_error"}}});
    let whole = answer_from(responses(), Framed::Events, &sse(&[("response.failed", failed)]));
    assert_eq!(whole.error.unwrap()["code"], "server_error");
    assert!(whole.answer.choices.iter().all(|choice| choice.stop.is_none()));
    let cut =
        json!({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []});
    assert_eq!(responses().answer(cut).unwrap().choices[0].stop.as_ref().unwrap().reason, StopReason::Length);
}

#[test]
fn a_converse_request_keeps_every_word_of_it() {
    let request = converse()
        .request(json!({
            "system": [{"text": "Brief."}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
            "inferenceConfig": {"maxTokens": 9, "stopSequences": ["END"]},
            "outputConfig": {"effort": "low", "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "t", "schema": "{\"type\":\"object\"}"}}}},
            "toolConfig": {"toolChoice": {"any": {}}, "tools": [
                {"toolSpec": {"name": "tide", "inputSchema": {"json": {"type": "object"}}}}, {"cachePoint": {"type": "default"}},
                {"systemTool": {"name": "nova"}}]},
            "guardrailConfig": {"guardrailIdentifier": "g"},
            "messages": [
                {"role": "user", "content": [{"text": "When?"}, {"image": {"format": "png", "source": {"bytes": "aGk="}}}]},
                {"role": "assistant", "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
                    {"toolUse": {"toolUseId": "c1", "name": "tide", "input": {"n": 1}}}]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "c1", "status": "error", "content": [{"text": "six"}]}}, {"guardContent": {"text": {}}}]}]
        }))
        .unwrap();
    assert_eq!(request.system[0].cache, Some(CacheHint { ttl: Some("1h".into()) }));
    assert_eq!((request.sampling.max_tokens, &request.sampling.stop[..]), (Some(9), &["END".to_owned()][..]));
    let schema = json!({"type": "object"});
    assert_eq!(
        request.format,
        Some(Format::Schema { name: Some("t".into()), schema: schema.clone(), strict: None })
    );
    assert_eq!(
        (request.tool_choice, request.effort.level.as_deref()),
        (Some(ToolChoice::Required), Some("low"))
    );
    assert_eq!(
        (&request.tools[0].schema, &request.tools[0].cache),
        (&Some(schema), &Some(CacheHint::default()))
    );
    assert_eq!(request.tools[1].kind, ToolKind::Provider("systemTool".into()));
    assert_eq!(Value::Object(request.rest), json!({"guardrailConfig": {"guardrailIdentifier": "g"}}));
    let [asked, said, answered] = &request.messages[..] else { panic!("three messages") };
    let mime = Some("image/png".into());
    assert_eq!(asked.parts[1].body, Body::Blob { modality: Modality::Image, mime, data: "aGk=".into() });
    assert_eq!(said.parts[0].seal, Some(Seal::Signature("c2ln".into())));
    assert_eq!(said.parts[1].body, call(Some("c1"), object(json!({"n": 1})), false));
    let parts = vec![Part::text("six")];
    let answer = Body::ToolAnswer { id: Some("c1".into()), name: None, parts, is_error: Some(true) };
    assert_eq!(answered.parts[0].body, answer);
    assert!(matches!(&answered.parts[1].body, Body::Generic { kind, .. } if kind == "guardContent"));
}

#[test]
fn a_converse_stream_says_what_the_whole_says() {
    let delta =
        |index: u64, delta: Value| ("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta}));
    let messages = [
        ("messageStart", json!({"role": "assistant"})),
        delta(0, json!({"reasoningContent": {"text": "h"}})),
        delta(0, json!({"reasoningContent": {"text": "m"}})),
        delta(0, json!({"reasoningContent": {"signature": "c2ln"}})),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
        delta(1, json!({"text": "At "})),
        delta(1, json!({"text": "six"})),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 2, "start": {"toolUse": {"name": "tide", "toolUseId": "c1"}}}),
        ),
        delta(2, json!({"toolUse": {"input": "{\"n\""}})),
        delta(2, json!({"toolUse": {"input": ":1}"}})),
        ("messageStop", json!({"stopReason": "tool_use"})),
        ("metadata", json!({"usage": {}})),
    ];
    let (mut stream, mut said) = (converse().stream(), Vec::new());
    for (name, data) in messages {
        stream.event(name, data, &mut said).unwrap();
    }
    assert_eq!(said.last(), Some(&Event::Done));
    let mut fold = Fold::default();
    said.into_iter().for_each(|event| fold.take(event));
    let content = json!([
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}, {"text": "At six"},
        {"toolUse": {"toolUseId": "c1", "name": "tide", "input": {"n": 1}}}]);
    let whole =
        json!({"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "tool_use"});
    assert_eq!(fold.answer(), converse().answer(whole).unwrap());
}
