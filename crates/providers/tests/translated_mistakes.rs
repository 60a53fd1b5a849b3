//! The mistakes that translators of answers are known for, each by its name: none of them is made here.

use std::collections::BTreeMap;

use http::StatusCode;
use outrigger_pricing::Meter;
use outrigger_providers::canonical::{Asked, Framed, Whole, answer_from};
use outrigger_providers::dialects::{
    anthropic_messages, bedrock_converse, gemini, openai_chat, openai_responses,
};
use outrigger_providers::translate::{End, Stream, answer, headers};
use outrigger_providers::{Dialect, FailureClass, Reading, StreamEnd, dialects, services};
use serde_json::{Value, json};

use crate::events::{aws, content_type, deltas, sse};

const CHAT: &dyn Dialect = &openai_chat::OPENAI_CHAT;
const MESSAGES: &dyn Dialect = &anthropic_messages::AnthropicMessages;
const RESPONSES: &dyn Dialect = &openai_responses::OpenAiResponses;
const GEMINI: &dyn Dialect = &gemini::Gemini;
const CONVERSE: &dyn Dialect = &bedrock_converse::BedrockConverse;
const ALL: [&dyn Dialect; 5] = [CHAT, MESSAGES, RESPONSES, GEMINI, CONVERSE];

fn kind(dialect: &dyn Dialect) -> &'static str {
    dialect.answers().unwrap().stream_type(&Asked::default())
}

fn asked() -> Asked {
    let request = json!({"stream_options": {"include_usage": true}});
    let names = BTreeMap::from([("tide_4f2a".to_owned(), "tide.table:of the whole coast".to_owned())]);
    Asked {
        model: "ours".into(),
        call: "call-1".into(),
        created: 1_760_000_000,
        names,
        request: request.as_object().unwrap().clone(),
        listed: false,
    }
}

struct Got {
    bytes: Vec<u8>,
    end: End,
    whole: Whole,
    reading: Reading,
}

impl Got {
    /// The data of the events that the app gets, with their names.
    fn events(&self) -> Vec<(String, Value)> {
        let text = std::str::from_utf8(&self.bytes).unwrap();
        let events = text.split_terminator("\n\n").map(|event| {
            let name = event.strip_prefix("event: ").and_then(|rest| rest.split_once('\n'));
            let (name, data) = name.unwrap_or(("", event));
            (name.to_owned(), serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap_or_default())
        });
        events.collect()
    }

    /// Name, id and arguments of each call.
    fn calls(&self) -> Vec<(String, String, String)> {
        use outrigger_providers::canonical::{Arguments, Body};
        let parts = self.whole.answer.choices.iter().flat_map(|choice| &choice.parts);
        let calls = parts.filter_map(|part| match &part.body {
            Body::ToolCall(call) => {
                let arguments = match &call.arguments {
                    Arguments::Object(members) => Value::Object(members.clone()).to_string(),
                    Arguments::Text(text) => format!("no object: {text}"),
                };
                Some((call.name.clone(), call.id.clone().unwrap(), arguments))
            }
            _ => None,
        });
        calls.collect()
    }

    fn word(&self) -> &str {
        &self.whole.answer.choices[0].stop.as_ref().unwrap().word
    }
}

/// Byte by byte, as the worst network would.
fn stream(from: &'static dyn Dialect, to: &'static dyn Dialect, body: &[u8]) -> Got {
    let mut stream = Stream::new(from, to, &content_type(kind(from)), asked()).unwrap();
    let mut bytes = Vec::new();
    for byte in body {
        bytes.extend_from_slice(&stream.push(&[*byte]));
    }
    let end = stream.end();
    bytes.extend_from_slice(&end.bytes);
    let framed = if kind(to).ends_with("eventstream") { Framed::AwsMessages } else { Framed::Events };
    let mut meter = to.response_meter(StatusCode::OK, &content_type(kind(to)));
    meter.chunk(&bytes);
    let whole = answer_from(to.canonical().unwrap(), framed, &bytes);
    Got { bytes, end, whole, reading: meter.finish() }
}

fn whole(from: &'static dyn Dialect, to: &'static dyn Dialect, body: &Value) -> Value {
    let head = content_type("application/json");
    let got = answer(from, to, StatusCode::OK, &head, body.to_string().as_bytes(), &asked()).unwrap();
    serde_json::from_slice(&got.body).unwrap()
}

/// A chat's end, with its usage.
fn chat_end(word: &str) -> Vec<u8> {
    let mut body = sse(&[
        ("", json!({"id": "r", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": word}]})),
        (
            "",
            json!({"id": "r", "model": "m", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}}),
        ),
    ]);
    body.extend_from_slice(b"data: [DONE]\n\n");
    body
}

fn chat_stream(said: Vec<Value>, word: &str) -> Vec<u8> {
    [deltas(0, said), chat_end(word)].concat()
}

fn delta(index: u64, id: Option<&str>, name: Option<&str>, arguments: &str) -> Value {
    let mut call = json!({"index": index, "function": {"arguments": arguments}});
    if let Some(id) = id {
        call["id"] = id.into();
    }
    if let Some(name) = name {
        call["function"]["name"] = name.into();
    }
    json!({"tool_calls": [call]})
}

#[test]
fn tool_arguments_are_not_lost_where_they_come_only_at_the_end() {
    let item =
        json!({"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "tide", "arguments": ""});
    let mut done = item.clone();
    done["arguments"] = r#"{"at":"Brest"}"#.into();
    let response = json!({"id": "r", "model": "m", "status": "completed", "output": [done], "usage": {"input_tokens": 1, "output_tokens": 1}});
    let added = json!({"type": "response.output_item.added", "output_index": 0, "item": item});
    let completed = json!({"type": "response.completed", "response": response});
    let only_done = json!({"type": "response.function_call_arguments.done", "output_index": 0, "arguments": r#"{"at":"Brest"}"#});
    let item_done = json!({"type": "response.output_item.done", "output_index": 0, "item": done});
    let middles = [vec![only_done], vec![item_done], vec![]];
    for to in ALL {
        for middle in &middles {
            let events = [&added].into_iter().chain(middle).chain([&completed]);
            let body = sse(&events.map(|event| ("", event.clone())).collect::<Vec<_>>());
            let got = stream(RESPONSES, to, &body);
            let expected = ("tide".to_owned(), "call_a".to_owned(), r#"{"at":"Brest"}"#.to_owned());
            assert_eq!((got.end.outcome.clone(), got.calls()), (Ok(()), vec![expected]), "{}", to.name());
        }
    }
}

#[test]
fn parallel_calls_are_not_collapsed_onto_index_0() {
    let loose: [[u64; 2]; 2] = [[0, 0], [0, 1]];
    for indices in loose {
        let said = vec![
            delta(indices[0], Some("call_a"), Some("tide"), r#"{"n""#),
            delta(indices[0], None, None, ":1}"),
            delta(indices[1], Some("call_b"), Some("moon"), r#"{"n""#),
            delta(indices[1], None, None, ":2}"),
        ];
        for to in ALL {
            let got = stream(CHAT, to, &chat_stream(said.clone(), "tool_calls"));
            let names: Vec<_> =
                got.calls().into_iter().map(|(name, id, text)| format!("{name} {id} {text}")).collect();
            assert_eq!(names, [r#"tide call_a {"n":1}"#, r#"moon call_b {"n":2}"#], "{}", to.name());
        }
    }
    // And the other way round every call has its own index.
    let calls: Vec<Value> =
        ["tide", "moon"].iter().map(|name| json!({"functionCall": {"name": name, "args": {}}})).collect();
    let chunk = json!({"responseId": "r", "candidates": [{"index": 0, "content": {"parts": calls}, "finishReason": "STOP"}]});
    let got = stream(GEMINI, CHAT, &sse(&[("", chunk)]));
    let index = |event: &(String, Value)| event.1["choices"][0]["delta"]["tool_calls"][0]["index"].as_u64();
    let indices: Vec<u64> = got.events().iter().filter_map(index).collect();
    assert_eq!(indices, [0, 0, 1, 1]);
}

#[test]
fn interleaved_arguments_are_serialised_where_blocks_are_sequential() {
    let said = vec![
        delta(0, Some("call_a"), Some("tide"), r#"{"n""#),
        delta(1, Some("call_b"), Some("moon"), r#"{"n""#),
        json!({"content": "Look."}),
        delta(0, None, None, ":1}"),
        delta(1, None, None, ":2}"),
    ];
    let got = stream(CHAT, MESSAGES, &chat_stream(said, "tool_calls"));
    let kinds: Vec<String> = got
        .events()
        .iter()
        .map(|(name, data)| match data.get("index") {
            Some(index) => format!("{} {index}", name.trim_start_matches("content_block_")),
            None => name.clone(),
        })
        .collect();
    let expected = [
        "message_start",
        "start 0",
        "delta 0",
        "delta 0",
        "stop 0",
        "start 1",
        "delta 1",
        "delta 1",
        "stop 1",
        "start 2",
        "delta 2",
        "stop 2",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(kinds, expected, "no gap, no index twice, each begun and ended once");
    let calls: Vec<_> = got.calls().into_iter().map(|(name, _, text)| name + &text).collect();
    assert_eq!(calls, [r#"tide{"n":1}"#, r#"moon{"n":2}"#]);
}

#[test]
fn a_tool_call_is_not_told_as_a_normal_end_whatever_the_word() {
    let words = [
        (CHAT, "tool_calls"),
        (MESSAGES, "tool_use"),
        (RESPONSES, "completed"),
        (GEMINI, "STOP"),
        (CONVERSE, "tool_use"),
    ];
    for said in ["stop", "tool_calls", "function_call", "eos"] {
        let calls = vec![delta(0, Some("call_a"), Some("tide"), "{}")];
        for (to, word) in words {
            assert_eq!(stream(CHAT, to, &chat_stream(calls.clone(), said)).word(), word, "{said}");
        }
    }
    let chunk = json!({"responseId": "r", "candidates": [{"content": {"parts": [{"functionCall": {"name": "tide"}}]}, "finishReason": "STOP"}]});
    assert_eq!(stream(GEMINI, CHAT, &sse(&[("", chunk.clone())])).word(), "tool_calls");
    assert_eq!(whole(GEMINI, MESSAGES, &chunk)["stop_reason"], "tool_use");
}

#[test]
fn an_unknown_reason_to_end_is_no_normal_end() {
    for to in ALL {
        let got = stream(CHAT, to, &chat_stream(vec![json!({"content": "At "})], "gave_up"));
        assert_eq!(got.end.outcome.unwrap_err().class, FailureClass::Malformed, "{}", to.name());
        assert!(got.whole.error.is_some(), "{}", to.name());
    }
    let said = json!({"output": {"message": {"role": "assistant", "content": [{"text": "At"}]}}, "stopReason": "malformed_tool_use"});
    let head = content_type("application/json");
    let failed =
        answer(CONVERSE, CHAT, StatusCode::OK, &head, said.to_string().as_bytes(), &asked()).unwrap_err();
    assert_eq!(failed.class, FailureClass::Malformed);
}

/// What only one provider says its row of the format knows.
#[test]
fn a_word_that_only_one_provider_has_is_told_by_its_meaning() {
    let by = |host: &str| {
        let service = services::by_host(host).unwrap();
        (service.recognise)(&http::Method::POST, "/v1/chat/completions").dialect
    };
    let said = |word: &str| chat_stream(vec![json!({"content": "At "})], word);
    let (together, mistral) = (by("api.together.xyz"), by("api.mistral.ai"));
    assert_eq!(stream(together, MESSAGES, &said("eos")).word(), "end_turn");
    assert_eq!(stream(mistral, MESSAGES, &said("model_length")).word(), "max_tokens");
    assert!(stream(mistral, MESSAGES, &said("eos")).end.outcome.is_err());
    let exhausted = stream(by("api.deepseek.com"), MESSAGES, &said("insufficient_system_resource"));
    assert_eq!(exhausted.end.outcome.unwrap_err().class, FailureClass::Malformed);
}

/// An app that does not ask for server-sent events reads a list as it comes.
#[test]
fn gemini_apps_that_read_a_list_get_one_and_what_was_cut_is_not_closed() {
    let body = chat_stream(vec![json!({"content": "At "}), json!({"content": "six"})], "stop");
    let listed = Asked::of(br#"{"contents": []}"#, Some("key=k"), "call-1", 7);
    assert!(listed.listed && !Asked::of(b"{}", Some("alt=sse&key=k"), "call-1", 7).listed);
    let head = content_type("text/event-stream");
    for cut in [body.len(), body.len() / 2] {
        let mut stream = Stream::new(CHAT, GEMINI, &head, listed.clone()).unwrap();
        assert_eq!(stream.content_type(), "application/json");
        let mut told: Vec<u8> = body[..cut].chunks(9).flat_map(|piece| stream.push(piece)).collect();
        let end = stream.end();
        told.extend_from_slice(&end.bytes);
        let mut meter = GEMINI.response_meter(StatusCode::OK, &content_type("application/json"));
        meter.chunk(&told);
        let reading = meter.finish();
        let chunks = serde_json::from_slice::<Vec<Value>>(&told);
        if cut == body.len() {
            let text = |chunk: &Value| {
                chunk["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap().to_owned()
            };
            assert_eq!(chunks.unwrap().iter().map(text).collect::<String>(), "At six");
            assert_eq!((end.outcome, reading.end), (Ok(()), StreamEnd::Complete));
        } else {
            assert!(chunks.is_err() && end.outcome.is_err() && reading.failure.is_some(), "{reading:?}");
            assert_eq!(reading.end, StreamEnd::Open);
        }
    }
}

#[test]
fn a_response_repeats_the_request_and_keeps_nothing_of_what_was_said() {
    let request = json!({"model": "gpt-5", "instructions": "Brief.", "input": "secret", "metadata": {"a": "b"}, "temperature": 0.2,
        "tools": [{"type": "function", "name": "tide", "parameters": {}}], "tool_choice": "required"});
    let asked = Asked::of(request.to_string().as_bytes(), None, "call-1", 7);
    assert!(!format!("{asked:?}").contains("secret"));
    let said = json!({"id": "msg_1", "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}});
    let head = content_type("application/json");
    let got =
        answer(MESSAGES, RESPONSES, StatusCode::OK, &head, said.to_string().as_bytes(), &asked).unwrap();
    let got: Value = serde_json::from_slice(&got.body).unwrap();
    for member in ["model", "instructions", "metadata", "temperature", "tools", "tool_choice"] {
        assert_eq!(got[member], request[member], "{member}");
    }
    assert_eq!((&got["created_at"], &got["top_p"]), (&json!(7), &json!(1.0)));
}

#[test]
fn the_headers_are_of_the_apps_family_alone() {
    let names = |to: &dyn Dialect| {
        let headers = headers(to, &asked(), true);
        headers.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(CHAT), ["content-type", "x-request-id"]);
    assert_eq!(names(MESSAGES), ["content-type", "request-id"]);
    assert_eq!(names(CONVERSE), ["content-type", "x-amzn-requestid"]);
    assert_eq!(names(GEMINI), ["content-type"]);
}

fn gemini_chunk(text: &str, answer: u64, last: bool) -> (&'static str, Value) {
    let usage = json!({"promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": answer, "thoughtsTokenCount": 7, "totalTokenCount": 107 + answer});
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": [{"text": text}]}});
    if last {
        candidate["finishReason"] = "STOP".into();
    }
    ("", json!({"responseId": "r", "candidates": [candidate], "usageMetadata": usage}))
}

#[test]
fn cumulative_usage_is_not_summed_and_cached_tokens_are_neither_dropped_nor_counted_twice() {
    let body = sse(&[gemini_chunk("a", 1, false), gemini_chunk("b", 2, false), gemini_chunk("c", 3, true)]);
    for to in ALL {
        let usage = stream(GEMINI, to, &body).reading.usage;
        let found = (usage.get(Meter::Input), usage.get(Meter::CacheRead), usage.total_answer());
        assert_eq!(found, (Some(40), Some(60), Some(10)), "{}", to.name());
    }
    let body = sse(&[gemini_chunk("a", 3, true)]);
    let got = stream(GEMINI, MESSAGES, &body).events();
    let (_, told) = &got[got.len() - 2];
    assert_eq!(
        (&told["usage"]["input_tokens"], &told["usage"]["cache_read_input_tokens"]),
        (&json!(40), &json!(60))
    );
    let got = stream(GEMINI, CHAT, &body).events();
    let (_, told) = &got[got.len() - 2];
    assert_eq!((&told["usage"]["prompt_tokens"], &told["choices"]), (&json!(100), &json!([])));
    assert_eq!(told["usage"]["prompt_tokens_details"]["cached_tokens"], 60);
}

#[test]
fn usage_comes_to_the_app_only_where_it_asked_and_is_not_told_as_zero_where_it_is_unknown() {
    let body = chat_stream(vec![json!({"content": "At"})], "stop");
    let mut silent = asked();
    silent.request.clear();
    let mut unasked = Stream::new(MESSAGES, CHAT, &content_type("text/event-stream"), silent).unwrap();
    let start = json!({"type": "message_start", "message": {"id": "r", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}});
    let stop =
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}});
    let told = unasked.push(&sse(&[
        ("message_start", start),
        ("message_delta", stop),
        ("message_stop", json!({"type": "message_stop"})),
    ]));
    assert!(!String::from_utf8_lossy(&told).contains("usage"), "nobody asked");
    assert_eq!(unasked.outcome(), Some(&Ok(())));
    // A server that says nothing of it.
    let mute: Vec<u8> = body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.windows(5).any(|it| it == b"usage"))
        .flat_map(|line| [line, b"\n"].concat())
        .collect();
    let got = stream(CHAT, RESPONSES, &mute);
    assert_eq!((got.end.outcome, got.reading.usage_final), (Ok(()), false));
}

#[test]
fn an_error_in_mid_stream_is_neither_swallowed_nor_said_twice() {
    let chat = [
        deltas(0, vec![json!({"content": "At "})]),
        sse(&[("", json!({"error": {"message": "slow", "code": "rate_limit_exceeded"}}))]),
        chat_end("stop"),
    ]
    .concat();
    let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let block =
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "At "}});
    let messages = sse(&[("content_block_start", block), ("error", overloaded)]);
    let converse = [
        aws("event", "contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": "At "}})),
        aws("exception", "modelStreamErrorException", &json!({"message": "x"})),
    ]
    .concat();
    let failed = json!({"type": "response.failed", "response": {"id": "r", "status": "failed", "output": [], "error": {"code": "server_error", "message": "x"}}});
    let sources = [
        (CHAT, chat, FailureClass::RateLimit),
        (MESSAGES, messages, FailureClass::Overloaded),
        (RESPONSES, sse(&[("response.failed", failed)]), FailureClass::ServerError),
        (
            GEMINI,
            sse(&[
                gemini_chunk("At ", 1, false),
                ("", json!({"error": {"code": 503, "status": "UNAVAILABLE", "message": "x"}})),
            ]),
            FailureClass::Overloaded,
        ),
        (CONVERSE, converse, FailureClass::ServerError),
    ];
    for (from, body, class) in &sources {
        for to in ALL {
            let got = stream(*from, to, body);
            let name = format!("{} to {}", from.name(), to.name());
            assert_eq!(got.end.outcome.unwrap_err().class, *class, "{name}");
            let failure = got.reading.failure.unwrap();
            // A stream of Converse has no word of its own for each.
            assert!(failure.class == *class, "{name}: {failure:?}");
            let told = String::from_utf8_lossy(&got.bytes).matches("outrigger: ").count();
            let beside = usize::from(to.name() == "openai_responses");
            assert_eq!(told, 1 + beside, "{name}");
            assert!(got.whole.answer.choices.iter().all(|choice| choice.stop.is_none()), "{name}");
        }
    }
}

#[test]
fn no_thought_no_signature_and_no_id_of_one_provider_reaches_the_app_of_another() {
    let thinking = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}});
    let thought = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "secret thought"}});
    let signed = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2lnbmVk"}});
    let text = json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "At six"}});
    let start = json!({"type": "message_start", "message": {"id": "msg_theirs", "model": "claude-theirs", "content": [], "usage": {"input_tokens": 1}}});
    let delta =
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}});
    let body = sse(&[
        ("message_start", start),
        ("content_block_start", thinking),
        ("content_block_delta", thought),
        ("content_block_delta", signed),
        ("content_block_stop", json!({"type": "content_block_stop", "index": 0})),
        ("content_block_start", text),
        ("content_block_stop", json!({"type": "content_block_stop", "index": 1})),
        ("message_delta", delta),
        ("message_stop", json!({"type": "message_stop"})),
    ]);
    for to in ALL.into_iter().filter(|to| to.name() != "anthropic_messages") {
        let got = stream(MESSAGES, to, &body);
        assert_eq!((got.end.outcome, got.end.left_out), (Ok(()), vec!["reasoning"]), "{}", to.name());
        let text = String::from_utf8_lossy(&got.bytes);
        for theirs in ["secret thought", "c2lnbmVk", "msg_theirs", "claude-theirs"] {
            assert!(!text.contains(theirs), "{}: {theirs}", to.name());
        }
        assert!(text.contains("At six"));
    }
}

/// A turn of Gemini's newer models is refused whose first call is not signed; a documented word passes for one of another model.
#[test]
fn a_call_that_another_made_is_signed_so_that_gemini_takes_it_back() {
    let said =
        vec![delta(0, Some("call_a"), Some("tide"), "{}"), delta(1, Some("call_b"), Some("moon"), "{}")];
    let got = stream(CHAT, GEMINI, &chat_stream(said, "tool_calls"));
    let events = got.events();
    let calls = events.iter().map(|(_, chunk)| &chunk["candidates"][0]["content"]["parts"][0]);
    let signed: Vec<&Value> = calls
        .filter(|part| part.get("functionCall").is_some())
        .map(|part| &part["thoughtSignature"])
        .collect();
    assert_eq!(signed, [&json!("skip_thought_signature_validator"), &Value::Null]);
}

#[test]
fn tool_ids_are_kept_and_made_where_there_are_none_and_names_are_the_apps() {
    let answer = |id: Value| {
        json!({"responseId": "r", "candidates": [{"content": {"parts": [
        {"functionCall": {"id": id, "name": "tide_4f2a", "args": {"n": 1}}}, {"functionCall": {"name": "moon", "args": {}}}]}, "finishReason": "STOP"}]})
    };
    let prefixes = [(CHAT, "call_"), (MESSAGES, "toolu_"), (RESPONSES, "call_"), (CONVERSE, "tooluse_")];
    for (to, prefix) in prefixes {
        let got = stream(GEMINI, to, &sse(&[("", answer(json!("call_theirs")))]));
        let [(first, kept, _), (second, made, _)] = &got.calls()[..] else { panic!("two calls") };
        assert_eq!((first.as_str(), kept.as_str()), ("tide.table:of the whole coast", "call_theirs"));
        assert!(second == "moon" && made.starts_with(prefix), "{}: {made}", to.name());
        // What no other provider takes: too long, or of other letters.
        for odd in
            [Value::Null, json!(""), json!("chatcmpl-tool-0123456789abcdef0123456789abcdef"), json!("a.b/c")]
        {
            let got = stream(GEMINI, to, &sse(&[("", answer(odd.clone()))]));
            let [(_, one, _), (_, two, _)] = &got.calls()[..] else { panic!("two calls") };
            assert!(
                one.starts_with(prefix) && one != two && one.len() <= 40,
                "{}: {one} for {odd}",
                to.name()
            );
            assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{one}");
        }
    }
}

#[test]
fn text_stays_before_the_tools_and_no_block_is_empty() {
    let said = vec![
        json!({"role": "assistant", "content": ""}),
        json!({"content": null, "tool_calls": []}),
        json!({"content": "", "tool_calls": [{"index": 0, "id": "call_a", "function": {"name": "tide", "arguments": ""}}]}),
        json!({"content": "Wait", "tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
    ];
    let got = stream(CHAT, MESSAGES, &chat_stream(said, "tool_calls"));
    let starts: Vec<Value> = got
        .events()
        .into_iter()
        .filter(|(name, _)| name == "content_block_start")
        .map(|(_, event)| event["content_block"]["type"].clone())
        .collect();
    assert_eq!(starts, [json!("tool_use"), json!("text")]);
    let empty = stream(CHAT, MESSAGES, &chat_stream(vec![json!({"content": ""})], "stop"));
    assert!(empty.events().iter().all(|(name, _)| name != "content_block_start"));
    assert_eq!(empty.end.outcome, Ok(()));
}

#[test]
fn no_arguments_are_an_empty_object_and_broken_ones_are_never_one() {
    for to in ALL {
        let got =
            stream(CHAT, to, &chat_stream(vec![delta(0, Some("call_a"), Some("tide"), "")], "tool_calls"));
        assert_eq!(got.calls()[0].2, "{}", "{}", to.name());
        let got = stream(
            CHAT,
            to,
            &chat_stream(vec![delta(0, Some("call_a"), Some("tide"), r#"{"at":"#)], "tool_calls"),
        );
        assert_eq!(got.end.outcome.unwrap_err().class, FailureClass::Malformed, "{}", to.name());
    }
    // Cut off by the bound on tokens they are told as they came.
    let call = json!({"id": "call_a", "type": "function", "function": {"name": "tide", "arguments": r#"{"at":"Bre"#}});
    let cut = json!({"id": "r", "choices": [{"index": 0, "message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": "length"}]});
    let got = whole(CHAT, MESSAGES, &cut);
    assert_eq!(got["stop_reason"], "max_tokens");
    assert_eq!(got["content"][0]["input"], json!({"unreadable_arguments": r#"{"at":"Bre"#}));
    assert_eq!(whole(CHAT, RESPONSES, &cut)["output"][0]["arguments"], r#"{"at":"Bre"#);
}

#[test]
fn a_refusal_is_told_as_one_where_the_family_has_a_word_for_it() {
    let said = json!({"id": "r", "choices": [{"index": 0, "message": {"role": "assistant", "content": null, "refusal": "I will not."}, "finish_reason": "stop"}]});
    let message = whole(CHAT, MESSAGES, &said);
    assert_eq!(
        (&message["content"][0]["text"], &message["stop_reason"]),
        (&json!("I will not."), &json!("refusal"))
    );
    let response = whole(CHAT, RESPONSES, &said);
    assert_eq!(response["output"][0]["content"][0], json!({"type": "refusal", "refusal": "I will not."}));
    assert_eq!(whole(CHAT, GEMINI, &said)["candidates"][0]["content"]["parts"][0]["text"], "I will not.");
    let chat = whole(
        RESPONSES,
        CHAT,
        &json!({"id": "r", "status": "completed", "output": [
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]}]}),
    );
    let message = &chat["choices"][0]["message"];
    assert_eq!((&message["refusal"], &message["content"]), (&json!("I will not."), &Value::Null));
}

#[test]
fn a_blocked_prompt_is_a_filtered_answer_and_no_error() {
    let blocked = json!({"responseId": "r", "promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4}});
    assert_eq!(whole(GEMINI, CHAT, &blocked)["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(whole(GEMINI, MESSAGES, &blocked)["stop_reason"], "refusal");
    let got = stream(GEMINI, RESPONSES, &sse(&[("", blocked)]));
    assert_eq!((got.end.outcome.clone(), got.word()), (Ok(()), "content_filter"));
}

#[test]
fn the_stop_sequence_is_told_where_it_is_known() {
    let said = |stop: Value| json!({"id": "r", "content": [{"type": "text", "text": "a"}], "stop_reason": "stop_sequence", "stop_sequence": stop, "usage": {"input_tokens": 1, "output_tokens": 1}});
    assert_eq!(whole(MESSAGES, CHAT, &said(json!("END")))["choices"][0]["finish_reason"], "stop");
    assert_eq!(whole(MESSAGES, CONVERSE, &said(json!("END")))["stopReason"], "stop_sequence");
    let converse = json!({"output": {"message": {"role": "assistant", "content": [{"text": "a"}]}}, "stopReason": "stop_sequence"});
    let message = whole(CONVERSE, MESSAGES, &converse);
    assert_eq!((&message["stop_reason"], &message["stop_sequence"]), (&json!("end_turn"), &Value::Null));
}

#[test]
fn an_error_under_200_is_no_answer() {
    let head = content_type("application/json");
    let body = json!({"error": {"message": "busy", "code": "server_is_overloaded"}}).to_string();
    let failed = answer(CHAT, MESSAGES, StatusCode::OK, &head, body.as_bytes(), &asked()).unwrap_err();
    assert_eq!((failed.class, failed.message.as_str()), (FailureClass::Overloaded, "busy"));
    let cut = json!({"id": "r", "choices": []}).to_string();
    for body in ["", &cut[..cut.len() - 1], "<html>", &cut] {
        let failed = answer(CHAT, MESSAGES, StatusCode::OK, &head, body.as_bytes(), &asked()).unwrap_err();
        assert!(
            matches!(failed.class, FailureClass::StreamCut | FailureClass::Malformed),
            "{body}: {failed:?}"
        );
    }
}

/// Ollama sends lines instead of events, and arguments as objects; so do its imitation of OpenAI and others.
#[test]
fn lines_instead_of_events_are_read_and_arguments_that_are_objects_are_not_lost() {
    let line = |message: Value, more: Value| {
        let mut line = json!({"model": "m", "message": message, "done": false});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("{line}\n")
    };
    let call = json!({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "tide", "arguments": {"done": true}}}]});
    let end = json!({"done": true, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 4});
    let lines = [line(call, json!({})), line(json!({"role": "assistant", "content": ""}), end)].concat();
    let ollama = dialects::ALL.into_iter().find(|dialect| dialect.name() == "ollama").unwrap();
    let mut meter = ollama.response_meter(StatusCode::OK, &content_type("application/x-ndjson"));
    for byte in lines.as_bytes() {
        meter.chunk(&[*byte]);
    }
    let reading = meter.finish();
    assert_eq!((reading.end, reading.stumbled, &reading.failure), (StreamEnd::Complete, None, &None));
    assert_eq!((reading.usage.get(Meter::Input), reading.usage.get(Meter::Output)), (Some(9), Some(4)));

    let called = json!({"index": 0, "id": "a", "type": "function", "function": {"name": "tide", "arguments": {"at": "Brest"}}});
    let message = json!({"role": "assistant", "content": null, "tool_calls": [called]});
    let body = json!({"id": "r", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    let streamed = chat_stream(vec![json!({"tool_calls": [called]})], "tool_calls");
    for to in [MESSAGES, RESPONSES, GEMINI, CONVERSE] {
        let got = stream(CHAT, to, &streamed);
        let expected = ("tide".to_owned(), "a".to_owned(), r#"{"at":"Brest"}"#.to_owned());
        assert_eq!(got.calls(), [expected], "{}", to.name());
        let text = whole(CHAT, to, &body).to_string();
        assert!(text.contains("Brest"), "{}: {text}", to.name());
    }
}
