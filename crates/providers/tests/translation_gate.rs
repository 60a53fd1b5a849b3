//! What the gate refuses, each with its place in the app's request, in the words of the app's format; and what goes as it is.

use outrigger_providers::translate::{App, Outgoing, Place, Refused, request};
use outrigger_providers::{Addressed, Operation};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::talks::{
    self, CHAT, CONVERSE, GEMINI, MESSAGES, RESPONSES, SIDES, Side, at, dialect, place, service, translated,
};

fn why(from: Side, to: Side, body: &Value) -> Vec<String> {
    translated(from, to, body, false).unwrap_err().reasons.iter().map(ToString::to_string).collect()
}

fn chat(more: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "When?"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn every_reason_names_its_place_in_the_words_of_the_apps_format() {
    let body = chat(
        json!({"n": 2, "logit_bias": {"50256": -100}, "audio": {"voice": "a"}, "hologram": 1, "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "file", "file": {"file_id": "file-1"}}]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sql", "input": "x"}}]}]}),
    );
    assert_eq!(
        why(CHAT, MESSAGES, &body),
        [
            "audio: an answer that is spoken",
            "hologram: a member that is not known here",
            "logit_bias: a bias on tokens",
            "messages[0].content[1]: a file that the provider keeps",
            "messages[1].content[0]: a call of a tool that takes free text",
            "the number of answers: more than one answer",
        ]
    );
    let body = json!({"model": "m", "previous_response_id": "resp_1", "background": true,
        "tools": [{"type": "web_search"}, {"type": "function", "name": "f", "defer_loading": true, "parameters": null}],
        "input": [{"type": "item_reference", "id": "i"}, {"role": "user", "content": [{"type": "input_image", "image_url": "https://x.example/a.png"}]},
            {"type": "web_search_call", "id": "ws", "action": {}}]});
    assert_eq!(
        why(RESPONSES, GEMINI, &body),
        [
            "background: an answer that is fetched later",
            "previous_response_id: an answer that the provider keeps",
            "tools[1].defer_loading: a tool that is loaded later",
            "tools[0]: a tool of the provider's",
            "input[0]: an item that the provider keeps",
            "input[1]: a picture by its address",
            "input[2]: what a tool of the provider's did",
        ]
    );
    let body = json!({"model": "m", "max_tokens": 9, "container": "c_1", "mcp_servers": [{"name": "m"}], "system": [{"type": "image", "source": {"type": "base64", "data": "aGk=", "media_type": "image/png"}}],
        "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "none", "content": "six"}]}]});
    assert_eq!(
        why(MESSAGES, CHAT, &body)[..4],
        [
            "container: a container that the provider keeps",
            "mcp_servers: servers that the provider calls",
            "system[0]: an instruction that is no text",
            "messages[0].content[0]: a tool's answer to no call",
        ]
    );
    let body = json!({"cachedContent": "cachedContents/1", "generationConfig": {"responseModalities": ["IMAGE"], "candidateCount": 2},
        "contents": [{"parts": [{"fileData": {"fileUri": "gs://b/v", "mimeType": "video/mp4"}}, {"executableCode": {"code": "1"}}]}]});
    assert_eq!(
        why(GEMINI, CHAT, &body),
        [
            "cachedContent: a prompt that the provider keeps",
            "generationConfig.responseModalities: an answer that is no text",
            "contents[0].parts[0]: a file that the provider keeps",
            "contents[0].parts[1]: a kind of part that is not known here",
            "the number of answers: more than one answer",
        ]
    );
    let body = json!({"guardrailConfig": {"guardrailIdentifier": "g"}, "additionalModelRequestFields": {"top_k": 5, "odd": 1},
        "messages": [{"role": "user", "content": [{"text": "When?"}, {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/v"}}}}]}]});
    assert_eq!(
        why(CONVERSE, MESSAGES, &body),
        [
            "additionalModelRequestFields.odd: a member that is not known here",
            "guardrailConfig: a guardrail",
            "messages[0].content[1]: a file that the provider keeps",
        ]
    );
}

#[test]
fn a_body_that_cannot_be_read_is_refused_with_its_fault() {
    assert_eq!(
        why(CHAT, MESSAGES, &chat(json!({"messages": [{"content": "x"}]}))),
        ["messages[0].role: is missing"]
    );
    let addressed = Addressed::default();
    let app = App {
        service: service("openai"),
        dialect: dialect("openai_chat"),
        operation: Operation::Chat,
        addressed: &addressed,
        path: "/",
        query: None,
    };
    let refused = request(&app, b"{\"messages\":", &place(MESSAGES)).unwrap_err();
    assert_eq!(refused.to_string(), "the call: is no JSON, or broke off");
    let vectors = App { operation: Operation::Embeddings, ..app };
    let refused = request(&vectors, b"{}", &place(MESSAGES)).unwrap_err();
    assert_eq!(refused.to_string(), "the call: it is no turn of a conversation");
    let cohere = App { dialect: dialect("cohere"), ..app };
    assert_eq!(
        request(&cohere, b"{}", &place(MESSAGES)).unwrap_err().to_string(),
        "the call: its format has no translation"
    );
}

#[test]
fn what_asks_for_nothing_refuses_nothing() {
    let body = chat(
        json!({"n": 1, "logprobs": false, "top_logprobs": 0, "logit_bias": {}, "modalities": ["text"], "audio": null, "store": false,
        "tools": [], "metadata": {}, "stream_options": {"include_usage": true}}),
    );
    let outgoing = translated(CHAT, MESSAGES, &body, false).unwrap();
    assert!(outgoing.losses.is_empty(), "{:?}", outgoing.losses);
}

/// Another account that speaks the app's own format.
fn elsewhere(side: Side, to: &'static str, model: &'static str, body: &Value) -> Result<Outgoing, Refused> {
    let place = Place::at(service(to), dialect(side.dialect), model).unwrap();
    assert_eq!(place.dialect.name(), side.dialect);
    at(side, &Place { region: Some("r"), project: Some("p"), ..place }, body, false)
}

#[test]
fn within_one_format_all_bytes_but_the_models_name_are_the_apps() {
    let text = r#"{ "model":"gpt-6", "n": 2,"logprobs":true, "messages":[{"role":"developer","content":"x"}],"seed":12345678901234567890}"#;
    let addressed = Addressed::default();
    let app = App {
        service: service("openai"),
        dialect: dialect("openai_chat"),
        operation: Operation::Chat,
        addressed: &addressed,
        path: "/",
        query: None,
    };
    // A number that no reader of ours takes is refused, not changed.
    let place = Place::at(service("azure"), app.dialect, "gpt-6").unwrap();
    let place = Place { deployment: Some("our gpt"), ..place };
    assert!(request(&app, text.as_bytes(), &place).is_err());
    let text = text.replace("12345678901234567890", "7");
    let outgoing = request(&app, text.as_bytes(), &place).unwrap();
    assert_eq!(outgoing.body, text.replace("gpt-6", "our gpt").into_bytes());
    assert!(!outgoing.rewritten && outgoing.headers.is_empty() && outgoing.losses.is_empty());
}

#[test]
fn what_an_account_keeps_is_refused_in_its_own_format_too() {
    let to = |side, to, model, body: &Value| elsewhere(side, to, model, body).unwrap_err().to_string();
    let body = json!({"model": "m", "conversation": "conv_1", "input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]});
    assert_eq!(
        to(RESPONSES, "azure", "gpt-6", &body),
        "conversation: a conversation that the provider keeps; input[0]: a file that the provider keeps"
    );
    let body = json!({"contents": [{"parts": [{"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/1"}}]}]});
    assert_eq!(
        to(GEMINI, "vertex", "gemini-3", &body),
        "contents[0].parts[0]: a file that the provider keeps"
    );
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "tools": [{"type": "web_search_20260101", "name": "web_search"}]});
    assert_eq!(to(MESSAGES, "vertex", "claude-x", &body), "tools[0]: a tool of the provider's");
    assert!(elsewhere(MESSAGES, "anthropic", "claude-x", &body).is_ok(), "the same provider runs it");
}

#[test]
fn thoughts_that_one_account_sealed_are_left_out_for_another_in_the_same_format() {
    let body = json!({"model": "gpt-6", "input": [{"role": "user", "content": "When?"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "SEALED"},
        {"type": "function_call", "call_id": "c1", "name": "tide", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "six"}]});
    let outgoing = elsewhere(RESPONSES, "azure", "gpt-6", &body).unwrap();
    let text = String::from_utf8(outgoing.body.to_vec()).unwrap();
    assert!(
        outgoing.rewritten && !text.contains("SEALED") && !text.contains("rs_1") && text.contains("\"c1\""),
        "{text}"
    );
    assert_eq!(outgoing.losses[0].to_string(), "input[1]: what the model thought (dropped)");
}

#[test]
fn a_host_that_does_not_take_all_of_chat_completions_is_asked_what_it_takes() {
    let plain = chat(json!({"temperature": 0.5}));
    let outgoing = elsewhere(CHAT, "mistral", "mistral-large-4", &plain).unwrap();
    assert!(!outgoing.rewritten, "what all of them take goes as it is");
    let body = chat(json!({"seed": 7, "max_completion_tokens": 9, "user": "u", "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "Brief."}]}, {"role": "user", "content": "When?"}],
        "tools": [{"type": "function", "function": {"name": "tide", "parameters": {"type": "object"}}}], "tool_choice": "required"}));
    let outgoing = elsewhere(CHAT, "mistral", "mistral-large-4", &body).unwrap();
    let said: Value = serde_json::from_slice(&outgoing.body).unwrap();
    assert_eq!(
        said,
        json!({"model": "mistral-large-4", "random_seed": 7, "max_tokens": 9, "tool_choice": "any",
            "messages": [{"role": "system", "content": "Brief."}, {"role": "user", "content": "When?"}],
            "tools": [{"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}}]})
    );
    let whats: Vec<_> = outgoing.losses.iter().map(|loss| loss.what).collect();
    assert_eq!(whats, ["who the user is"]);
    let format = json!({"type": "json_schema", "json_schema": {"name": "t", "schema": {"type": "object"}}});
    let refused =
        elsewhere(CHAT, "deepseek", "deepseek-chat", &chat(json!({"response_format": format}))).unwrap_err();
    assert!(refused.to_string().contains("an answer after a schema"), "{refused}");
    let called = elsewhere(CHAT, "perplexity", "sonar", &body).unwrap_err();
    assert!(called.to_string().contains("tools, which the model does not call"), "{called}");
}

/// Each says one thing that some service is known not to take.
#[test]
fn only_what_another_provider_takes_goes_there_as_it_is() {
    let user = json!({"role": "user", "content": "When?"});
    let model = |more: Value| {
        let mut message = json!({"role": "assistant", "content": "At six."});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chat(json!({"messages": [user, message, user]}))
    };
    let system = json!({"role": "system", "content": "Brief."});
    let tool = json!({"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}});
    let call =
        json!({"id": "abcdefghi", "type": "function", "function": {"name": "tide", "arguments": "{}"}});
    let called = json!({"role": "assistant", "content": "", "tool_calls": [call]});
    let answered = json!({"role": "tool", "tool_call_id": "abcdefghi", "content": "six"});
    let looped = chat(json!({"tools": [tool], "messages": [user, called, answered]}));
    for (to, body, as_it_is) in [
        ("mistral", chat(json!({})), true),
        ("mistral", model(json!({})), true),
        ("mistral", looped.clone(), true),
        ("deepseek", looped.clone(), false),
        ("mistral", model(json!({"refusal": null})), false),
        ("mistral", model(json!({"annotations": []})), false),
        ("mistral", chat(json!({"messages": [{"role": "user", "name": "ann", "content": "When?"}]})), false),
        ("mistral", chat(json!({"top_k": 4})), false),
        ("together", chat(json!({"top_k": 4})), true),
        ("perplexity", chat(json!({"messages": [system, user]})), true),
        ("perplexity", chat(json!({"messages": [user, system]})), false),
        ("perplexity", chat(json!({"messages": [user, user]})), false),
        ("mistral", chat(json!({"messages": [user, user]})), true),
        ("azure", model(json!({"refusal": null, "annotations": []})), true),
    ] {
        let outgoing = elsewhere(CHAT, to, "large", &body).unwrap();
        assert_eq!(!outgoing.rewritten, as_it_is, "{to}: {body}");
    }
    let offered = elsewhere(CHAT, "perplexity", "sonar", &chat(json!({"tools": [tool]}))).unwrap_err();
    assert!(offered.to_string().contains("tools, which the model does not call"), "{offered}");
}

#[test]
fn a_provider_gets_what_it_was_asked_in_its_own_words() {
    let text = r#"{"model":"mistral-large-4", "safe_prompt":true,"random_seed":7, "messages":[{"role":"user","content":"When?"}],"tool_choice":"any","x":null}"#;
    let addressed = Addressed::default();
    let (service, dialect) = (service("mistral"), dialect("openai_chat"));
    let app = App {
        service,
        dialect,
        operation: Operation::Chat,
        addressed: &addressed,
        path: "/v1/chat/completions",
        query: None,
    };
    let place = Place::at(service, dialect, "mistral-small-4").unwrap();
    let outgoing = request(&app, text.as_bytes(), &place).unwrap();
    assert_eq!(outgoing.body, text.replace("large", "small").into_bytes());
}

fn anything() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "text",
        "user",
        "assistant",
        "tool",
        "function",
        "image_url",
        "tool_use",
        "tool_result",
        "c1",
        "auto",
        "https://x.example/",
        "data:image/png;base64,aGk=",
        "reasoning",
        "function_call",
        "message",
        "",
    ]);
    let keys = prop::sample::select(vec![
        "type",
        "role",
        "content",
        "text",
        "messages",
        "input",
        "contents",
        "parts",
        "tools",
        "tool_choice",
        "tool_calls",
        "id",
        "name",
        "function",
        "parameters",
        "functionCall",
        "functionResponse",
        "args",
        "response",
        "toolUse",
        "toolResult",
        "system",
        "model",
        "stop",
        "thinking",
        "arguments",
        "tool_use_id",
        "call_id",
        "output",
        "input_schema",
        "response_format",
        "json_schema",
        "schema",
        "generationConfig",
        "inferenceConfig",
        "toolConfig",
    ]);
    let leaf = prop_oneof![
        words.prop_map(Value::from),
        any::<u16>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!({}))
    ];
    leaf.prop_recursive(6, 64, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone(), inner, 0..6).prop_map(|map| map
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    /// Whatever a body says, it is refused with a reason or said in words that the other side reads.
    #[test]
    fn hostile_bodies_are_refused_or_readable(body in anything()) {
        for from in SIDES {
            for to in SIDES {
                match translated(from, to, &body, true) {
                    Ok(outgoing) => {
                        prop_assert!(!outgoing.rewritten || from.dialect != to.dialect);
                        let said = talks::read(to.dialect, &outgoing.body);
                        prop_assert!(from.dialect == to.dialect || !said.messages.is_empty());
                    }
                    Err(refused) => prop_assert!((1..=16).contains(&refused.reasons.len())),
                }
            }
        }
    }
}
