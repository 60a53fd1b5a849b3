//! Mistakes that others made in requests they translated (wire formats, section 2.11), each by its name.

use outrigger_providers::translate::{App, Outgoing, Place, request};
use outrigger_providers::{Addressed, Operation};
use serde_json::{Value, json};

use crate::talks::{
    self, CHAT, CONVERSE, GEMINI, MESSAGES, RESPONSES, SIDES, Side, at, dialect, place, read, service,
    translated,
};

fn body_of(outgoing: &Outgoing) -> Value {
    serde_json::from_slice(&outgoing.body).unwrap()
}

/// What another side is asked instead of this.
fn asked(from: Side, to: Side, body: &Value) -> (Value, Outgoing) {
    let outgoing = translated(from, to, body, false).unwrap();
    (body_of(&outgoing), outgoing)
}

fn why(from: Side, to: Side, body: &Value) -> String {
    translated(from, to, body, false).map(|outgoing| body_of(&outgoing)).unwrap_err().to_string()
}

fn chat(more: Value) -> Value {
    let mut body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "When is the tide?"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn with_tools(more: Value) -> Value {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}});
    let mut body = chat(json!({"tools": [tool("tide"), tool("berth"), tool("wind")]}));
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// Two calls of one turn, answered.
fn looped() -> Value {
    with_tools(json!({"messages": [
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_a", "type": "function", "function": {"name": "tide", "arguments": "{\"at\":\"Brest\"}"}},
            {"id": "call_b", "type": "function", "function": {"name": "berth", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "call_b", "content": "four"},
        {"role": "tool", "tool_call_id": "call_a", "content": "six"}]}))
}

#[test]
fn max_tokens_left_out_are_the_models_own_and_never_4096() {
    let (body, _) = asked(CHAT, MESSAGES, &chat(json!({})));
    assert_eq!(body["max_tokens"], 64_000);
    let newest = Place { model: "claude-sonnet-5-5", facts: None, ..place(MESSAGES) };
    let outgoing = at(CHAT, &newest, &chat(json!({})), false).unwrap();
    assert_eq!(body_of(&outgoing)["max_tokens"], 128_000);
    let (body, _) = asked(CHAT, CONVERSE, &chat(json!({})));
    assert_eq!(body["inferenceConfig"]["maxTokens"], 128_000);
    let (body, outgoing) = asked(CHAT, MESSAGES, &chat(json!({"max_tokens": 900_000})));
    assert_eq!(
        (body["max_tokens"].as_u64(), outgoing.losses[0].what),
        (Some(64_000), "more tokens than the model ever answers with")
    );
    let (body, _) = asked(
        MESSAGES,
        CHAT,
        &json!({"model": "c", "max_tokens": 7, "messages": [{"role": "user", "content": "Hi"}]}),
    );
    assert_eq!(body["max_completion_tokens"], 7);
}

#[test]
fn how_wordy_the_answer_is_to_be_is_told_wherever_that_can_be_said() {
    let wordy = chat(
        json!({"messages": [{"role": "user", "content": "In JSON."}], "verbosity": "low", "response_format": {"type": "json_object"}}),
    );
    let newest = |side| Place { model: "gpt-6.1-terra", ..place(side) };
    let outgoing = at(CHAT, &newest(RESPONSES), &wordy, false).unwrap();
    let text = json!({"format": {"type": "json_object"}, "verbosity": "low"});
    assert_eq!((&body_of(&outgoing)["text"], outgoing.losses.len()), (&text, 0));
    let back = json!({"model": "m", "input": "When?", "text": {"verbosity": "high"}});
    assert_eq!(body_of(&at(RESPONSES, &newest(CHAT), &back, false).unwrap())["verbosity"], "high");
    let older = at(CHAT, &Place { model: "gpt-4o", ..place(RESPONSES) }, &wordy, false).unwrap();
    assert_eq!(body_of(&older)["text"], json!({"format": {"type": "json_object"}}));
    assert_eq!(older.losses[0].what, "how wordy the answer is to be");
}

#[test]
fn schemas_with_references_and_closed_objects_reach_gemini_as_json_schema() {
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["a"], "properties": {"a": {"$ref": "#/$defs/b"}},
        "$defs": {"b": {"anyOf": [{"type": "string"}, {"type": "null"}]}}});
    let tool = json!({"type": "function", "function": {"name": "tide", "parameters": schema}});
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "t", "strict": true, "schema": schema}});
    let (body, outgoing) = asked(CHAT, GEMINI, &chat(json!({"tools": [tool], "response_format": format})));
    let function = &body["tools"][0]["functionDeclarations"][0];
    assert_eq!((&function["parametersJsonSchema"], function.get("parameters")), (&schema, None));
    let config = &body["generationConfig"];
    assert_eq!((&config["responseJsonSchema"], config.get("responseSchema")), (&schema, None));
    assert!(outgoing.losses.is_empty(), "{:?}", outgoing.losses);
}

#[test]
fn a_model_is_asked_for_its_answer_in_the_order_of_the_apps_schema() {
    let schema = r#"{"type":"object","properties":{"why":{"type":"string"},"answer":{"type":"string"}},"required":["why","answer"],"additionalProperties":false}"#;
    let text = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"response_format":{{"type":"json_schema","json_schema":{{"name":"t","strict":true,"schema":{schema}}}}}}}"#
    );
    let addressed = Addressed::default();
    let (service, dialect) = (service("openai"), dialect("openai_chat"));
    let app =
        App { service, dialect, operation: Operation::Chat, addressed: &addressed, path: "/", query: None };
    for to in [RESPONSES, MESSAGES, GEMINI, CONVERSE] {
        let outgoing = request(&app, text.as_bytes(), &place(to)).unwrap();
        let sent = String::from_utf8(outgoing.body.to_vec()).unwrap().replace('\\', "");
        assert!(sent.contains(schema), "{sent}");
    }
}

#[test]
fn limits_that_claude_does_not_enforce_are_told_and_noted() {
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1}}});
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "t", "strict": true, "schema": schema}});
    let (body, outgoing) = asked(CHAT, MESSAGES, &chat(json!({"response_format": format})));
    let sent = &body["output_config"]["format"]["schema"]["properties"]["n"];
    assert_eq!(*sent, json!({"type": "integer", "description": "{minimum: 1}"}));
    assert_eq!(outgoing.losses[0].what, "limits of a schema that are told but not enforced");
}

#[test]
fn geminis_own_schemas_are_said_in_json_schema() {
    let body = json!({"contents": [{"parts": [{"text": "When?"}]}], "tools": [{"functionDeclarations": [
        {"name": "tide", "parameters": {"type": "OBJECT", "properties": {"at": {"type": "STRING", "nullable": true}}}}]}]});
    let (body, _) = asked(GEMINI, CHAT, &body);
    let expected = json!({"type": "object", "properties": {"at": {"type": ["string", "null"]}}});
    assert_eq!(body["tools"][0]["function"]["parameters"], expected);
}

#[test]
fn signatures_and_thoughts_never_reach_another_provider() {
    let thought = json!({"model": "c", "max_tokens": 9, "messages": [
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm SECRET", "signature": "SEALED"},
            {"type": "redacted_thinking", "data": "SEALED"},
            {"type": "text", "text": "At six."}]},
        {"role": "user", "content": "And then?"}]});
    let responses = json!({"model": "g", "include": ["reasoning.encrypted_content"], "input": [
        {"role": "user", "content": "When?"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "SECRET"}], "encrypted_content": "SEALED"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "At six."}]},
        {"role": "user", "content": "And then?"}]});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "When?"}]},
        {"role": "model", "parts": [{"text": "SECRET", "thought": true}, {"text": "At six.", "thoughtSignature": "SEALED"}]},
        {"role": "user", "parts": [{"text": "And then?"}]}]});
    for (from, body) in [(MESSAGES, thought), (RESPONSES, responses), (GEMINI, gemini)] {
        for to in SIDES.into_iter().filter(|to| to.dialect != from.dialect) {
            let (said, outgoing) = asked(from, to, &body);
            let text = said.to_string();
            assert!(
                !text.contains("SEALED") && !text.contains("SECRET") && text.contains("At six."),
                "{text}"
            );
            assert!(outgoing.losses.iter().any(|loss| loss.what == "what the model thought"));
        }
    }
}

#[test]
fn signatures_are_kept_where_the_same_model_family_answers() {
    let body = json!({"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "When?"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "SEALED"}]}, {"role": "user", "content": "?"}]});
    let vertex = Place::at(service("vertex"), dialect("anthropic_messages"), "claude-sonnet-5-5").unwrap();
    let vertex = Place { region: Some("us-east5"), project: Some("tides"), ..vertex };
    let outgoing = at(MESSAGES, &vertex, &body, false).unwrap();
    assert!(!outgoing.rewritten && outgoing.losses.is_empty());
    assert_eq!(
        outgoing.path,
        "/v1/projects/tides/locations/us-east5/publishers/anthropic/models/claude-sonnet-5-5:rawPredict"
    );
    let mut expected = body;
    expected.as_object_mut().unwrap().remove("model");
    expected["anthropic_version"] = "vertex-2023-10-16".into();
    assert_eq!(body_of(&outgoing), expected);
}

#[test]
fn foreign_calls_carry_the_documented_sentinel_to_gemini_3_alone() {
    let (body, _) = asked(CHAT, GEMINI, &looped());
    let calls = body["contents"][1]["parts"].as_array().unwrap();
    assert_eq!(calls[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert!(calls[1].get("thoughtSignature").is_none(), "the first of a group vouches for it");
    let older = Place { model: "gemini-2.5-flash", facts: None, ..place(GEMINI) };
    let body = body_of(&at(CHAT, &older, &looped(), false).unwrap());
    assert!(!body.to_string().contains("thoughtSignature"));
}

#[test]
fn that_nothing_may_be_called_is_said_or_shown_or_refused() {
    let body = with_tools(json!({"tool_choice": "none"}));
    assert_eq!(asked(CHAT, MESSAGES, &body).0["tool_choice"], json!({"type": "none"}));
    assert_eq!(asked(CHAT, GEMINI, &body).0["toolConfig"]["functionCallingConfig"]["mode"], "NONE");
    let (hidden, outgoing) = asked(CHAT, CONVERSE, &body);
    assert!(hidden.get("toolConfig").is_none() && outgoing.losses[0].what.contains("by showing no tools"));
    let mut with_history = looped();
    with_history["tool_choice"] = "none".into();
    assert!(why(CHAT, CONVERSE, &with_history).contains("after calls in the history"));
}

#[test]
fn only_allowed_tools_can_be_called() {
    let allowed = |mode: &str| {
        let tools = json!([{"type": "function", "function": {"name": "wind"}}, {"type": "function", "function": {"name": "tide"}}]);
        with_tools(
            json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}}),
        )
    };
    let (body, outgoing) = asked(CHAT, MESSAGES, &allowed("required"));
    let names: Vec<_> = body["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!((names, &body["tool_choice"]), (vec![json!("tide"), json!("wind")], &json!({"type": "any"})));
    assert!(outgoing.losses[0].what.contains("by showing no others"));
    let config =
        |mode: &str| asked(CHAT, GEMINI, &allowed(mode)).0["toolConfig"]["functionCallingConfig"].clone();
    assert_eq!(config("required"), json!({"mode": "ANY", "allowedFunctionNames": ["wind", "tide"]}));
    assert_eq!(config("auto"), json!({"mode": "VALIDATED", "allowedFunctionNames": ["wind", "tide"]}));
    let choice = asked(CHAT, RESPONSES, &allowed("auto")).0["tool_choice"].clone();
    assert_eq!(choice["mode"], "auto");
}

#[test]
fn results_of_one_turn_stand_together_and_keep_their_calls() {
    let (body, _) = asked(CHAT, MESSAGES, &looped());
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
    assert_eq!(
        body["messages"][1]["content"],
        json!([{"type": "tool_use", "id": "call_a", "name": "tide", "input": {"at": "Brest"}},
            {"type": "tool_use", "id": "call_b", "name": "berth", "input": {}}])
    );
    assert_eq!(
        body["messages"][2],
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_b", "content": "four"},
            {"type": "tool_result", "tool_use_id": "call_a", "content": "six"}]})
    );
    let (body, _) = asked(CHAT, GEMINI, &looped());
    let answers: Vec<_> = body["contents"][2]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["functionResponse"]["name"].clone())
        .collect();
    assert_eq!(answers, ["berth", "tide"], "looked up by the call's id");
    let (body, _) = asked(CHAT, RESPONSES, &looped());
    let kinds: Vec<_> = body["input"].as_array().unwrap().iter().map(|it| it["type"].clone()).collect();
    assert_eq!(
        kinds,
        ["message", "function_call", "function_call", "function_call_output", "function_call_output"]
    );
    assert_eq!(body["input"][3]["output"], "four");
}

#[test]
fn calls_without_ids_are_paired_in_order_and_get_some() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "When?"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "tide", "args": {"at": "Brest"}}}, {"functionCall": {"name": "tide", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "tide", "response": {"output": "six"}}},
            {"functionResponse": {"name": "tide", "response": {"output": "four"}}}]}]});
    let (body, _) = asked(GEMINI, CHAT, &body);
    let messages = body["messages"].as_array().unwrap();
    let ids: Vec<_> =
        messages[1]["tool_calls"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert_ne!(ids[0], ids[1]);
    let answers: Vec<_> =
        messages[2..].iter().map(|it| (it["tool_call_id"].clone(), it["content"].clone())).collect();
    assert_eq!(answers, [(ids[0].clone(), json!("six")), (ids[1].clone(), json!("four"))]);
}

#[test]
fn arguments_are_text_on_one_side_and_an_object_on_the_other_and_never_lost() {
    let (body, _) = asked(CHAT, CONVERSE, &looped());
    assert_eq!(body["messages"][1]["content"][0]["toolUse"]["input"], json!({"at": "Brest"}));
    let mut broken = looped();
    broken["messages"][1]["tool_calls"][0]["function"]["arguments"] = "{\"at\":".into();
    let (body, outgoing) = asked(CHAT, MESSAGES, &broken);
    assert_eq!(body["messages"][1]["content"][0]["input"], json!({"unreadable_arguments": "{\"at\":"}));
    assert!(
        outgoing.losses.iter().any(|loss| loss.place == "messages[1].content[0]"),
        "{:?}",
        outgoing.losses
    );
    let (body, _) = asked(CHAT, RESPONSES, &broken);
    assert_eq!(body["input"][1]["arguments"], "{\"at\":", "text stays as it was written");
}

#[test]
fn a_call_without_an_answer_is_refused_with_its_place() {
    let mut body = looped();
    body["messages"].as_array_mut().unwrap().pop();
    body["messages"].as_array_mut().unwrap().push(json!({"role": "user", "content": "Well?"}));
    assert_eq!(why(CHAT, MESSAGES, &body), "messages[3]: a call of a tool that has no answer");
}

#[test]
fn thinking_gives_way_to_an_ordered_call_and_never_meets_one() {
    let body = with_tools(json!({"tool_choice": "required", "reasoning_effort": "high", "temperature": 0.5}));
    let (body, outgoing) = asked(CHAT, MESSAGES, &body);
    assert_eq!(
        (&body["thinking"]["type"], &body["tool_choice"]["type"]),
        (&json!("disabled"), &json!("any"))
    );
    assert_eq!(body["temperature"], 0.5);
    assert!(outgoing.losses.iter().any(|loss| loss.what.contains("where a call is ordered")));
    let free = with_tools(json!({"reasoning_effort": "high", "temperature": 0.5}));
    let (body, outgoing) = asked(CHAT, MESSAGES, &free);
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 4096}));
    assert!(
        body.get("temperature").is_none()
            && outgoing.losses.iter().any(|loss| loss.what == "the temperature")
    );
    let mut in_loop = looped();
    in_loop["reasoning_effort"] = "high".into();
    let (body, _) = asked(CHAT, MESSAGES, &in_loop);
    assert_eq!(body["thinking"]["type"], "disabled", "the thought before the calls is not there");
}

#[test]
fn a_budget_of_thought_stays_below_the_answers_bound() {
    let short = chat(json!({"reasoning_effort": "high", "max_tokens": 2000}));
    assert_eq!(asked(CHAT, MESSAGES, &short).0["thinking"]["budget_tokens"], 1999);
    let shorter = chat(json!({"reasoning_effort": "high", "max_tokens": 800}));
    assert_eq!(asked(CHAT, MESSAGES, &shorter).0["thinking"]["type"], "disabled");
}

#[test]
fn a_backup_is_asked_for_its_own_model_at_its_own_path_with_no_header_of_the_apps() {
    let app_model = "gpt-4o";
    for to in SIDES {
        let from = if to.dialect.starts_with("openai") { MESSAGES } else { CHAT };
        let body =
            json!({"model": app_model, "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]});
        let outgoing = translated(from, to, &body, true).unwrap();
        let text = String::from_utf8(outgoing.body.to_vec()).unwrap();
        assert!(to.model == app_model || !text.contains(app_model), "{text}");
        assert!(
            outgoing.path.contains(&to.model.replace(':', "%3A")) || text.contains(to.model),
            "{}",
            outgoing.path
        );
        let mut names: Vec<_> = outgoing.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        let expected: &[&str] = if to.dialect == "anthropic_messages" {
            &["anthropic-version", "content-type"]
        } else {
            &["content-type"]
        };
        assert_eq!(names, expected);
    }
}

#[test]
fn blank_texts_are_left_out_and_nothing_is_sent_empty() {
    let body = chat(json!({"messages": [
        {"role": "system", "content": " "},
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "When?"}]},
        {"role": "assistant", "content": " \n"},
        {"role": "user", "content": "Well?"}]}));
    for to in [MESSAGES, GEMINI, CONVERSE, RESPONSES] {
        let said = read(to.dialect, &translated(CHAT, to, &body, false).unwrap().body);
        let texts: Vec<String> = talks::Talk::lines_of(&said).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["When?", "Well?"], "{}", to.dialect);
        assert!(said.system.is_empty() && said.messages.iter().all(|message| !message.parts.is_empty()));
    }
    assert!(why(CHAT, MESSAGES, &chat(json!({"messages": []}))).contains("nobody has said anything"));
}

#[test]
fn tools_keep_their_order_and_bytes_so_that_caches_hold() {
    let bodies: Vec<_> = (0..3).map(|_| asked(CHAT, MESSAGES, &with_tools(json!({}))).1.body).collect();
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[1], bodies[2]);
    let names: Vec<_> = body_of(&asked(CHAT, MESSAGES, &with_tools(json!({}))).1)["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["tide", "berth", "wind"]);
}

#[test]
fn a_name_too_long_is_shortened_everywhere_and_found_on_the_way_back() {
    let long = format!("mcp.harbour/{}", "tide".repeat(30));
    let mut body = looped();
    body["tools"][0]["function"]["name"] = long.as_str().into();
    body["messages"][1]["tool_calls"][0]["function"]["name"] = long.as_str().into();
    body["tool_choice"] = json!({"type": "function", "function": {"name": long}});
    for to in [MESSAGES, GEMINI, CONVERSE, RESPONSES] {
        let (said, outgoing) = asked(CHAT, to, &body);
        let [(sent, app)] = &outgoing.names.iter().collect::<Vec<_>>()[..] else {
            panic!("{:?}", outgoing.names)
        };
        assert_eq!((app.as_str(), sent.len() <= 64), (long.as_str(), true));
        let text = said.to_string();
        assert!(!text.contains(&long) && text.matches(sent.as_str()).count() >= 3, "{text}");
    }
}

#[test]
fn mistral_gets_ids_of_nine_letters_the_same_on_both_sides() {
    let mistral = Place::at(service("mistral"), dialect("openai_chat"), "mistral-large-4").unwrap();
    let outgoing = at(CHAT, &mistral, &looped(), false).unwrap();
    let body = body_of(&outgoing);
    let id = |value: &Value| value.as_str().unwrap().to_owned();
    let called = id(&body["messages"][1]["tool_calls"][0]["id"]);
    assert!(called.len() == 9 && called.chars().all(|letter| letter.is_ascii_alphanumeric()), "{called}");
    assert_eq!(id(&body["messages"][3]["tool_call_id"]), called);
    assert!(outgoing.rewritten);
}

/// A model that is not held to a schema otherwise is made to call a tool whose arguments are the answer: while it thinks that is refused,
/// and what it thought would be lost.
#[test]
fn thinking_together_with_json_mode_is_asked_for_as_both_or_refused_and_never_by_an_ordered_call() {
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["at"], "properties": {"at": {"type": "string"}}});
    let held =
        json!({"type": "json_schema", "json_schema": {"name": "tide", "strict": true, "schema": schema}});
    let any = json!({"type": "json_object"});
    for sides in [SIDES, talks::NEWEST] {
        for to in sides.into_iter().filter(|to| to.dialect != "openai_chat") {
            for format in [&held, &any] {
                let body =
                    chat(json!({"reasoning_effort": "high", "max_tokens": 9000, "response_format": format}));
                let (sent, outgoing) = asked(CHAT, to, &body);
                let said = talks::read(to.dialect, &outgoing.body);
                assert!(said.tools.is_empty() && said.tool_choice.is_none(), "{}: {sent}", to.model);
                let is_told = |what: &str| outgoing.losses.iter().any(|loss| loss.what.contains(what));
                let thinks = said.effort.level.as_deref() == Some("high") || said.effort.budget.is_some();
                assert!(thinks || is_told("how much to think"), "{}: {sent}", to.model);
                assert!(
                    said.format.is_some() || (format == &any && is_told("by an instruction")),
                    "{}: {sent}",
                    to.model
                );
            }
        }
    }
    let old = Side { model: "claude-3-7-sonnet-20250219", ..MESSAGES };
    let body = chat(json!({"reasoning_effort": "high", "response_format": held}));
    assert_eq!(
        why(CHAT, old, &body),
        "the answer's form: an answer after a schema, to which the model is not known to be held"
    );
}
