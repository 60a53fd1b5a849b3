//! Answers that were written in another wire format than they came in, before the official SDKs: a server on loopback translates
//! what a backup would have said, streamed and not, and what the SDKs learn from it must be that.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use outrigger_providers::canonical::Asked;
use outrigger_providers::{FailureClass, translate};
use outrigger_tests::process::Program;
use outrigger_tests::{file, setting};
use serde_json::{Map, Value, json};

use super::python;
use crate::events::content_type;
use crate::said::{Ending, Format, Said, Usage, formats};

/// What a model asks for by its name, `FORMAT.SCENARIO`: an answer as a backup of that format gives it.
const SCENARIOS: [&str; 7] = ["text", "tools", "schema", "long", "filtered", "cut", "busy"];

fn said(scenario: &str) -> Said {
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    let (text, calls) = match scenario {
        "tools" => {
            ("Let me look.", vec![object(json!({"at": "Brest"})), object(json!({"at": "Saint-Malo é"}))])
        }
        "schema" => (r#"{"at":"six"}"#, Vec::new()),
        _ => ("At six, as \"ever\".", Vec::new()),
    };
    let ending = match scenario {
        "long" => Ending::Length,
        "filtered" => Ending::Filtered,
        _ => Ending::Natural,
    };
    Said {
        thought: Some("Hm.".to_owned()),
        text: Some(text.to_owned()),
        calls,
        step: 5,
        ending,
        usage: Usage { fresh: 20, read: 8, written: 4, visible: 11, reasoning: 6 },
    }
}

/// The word of each API for an end.
fn word(api: &str, scenario: &str) -> &'static str {
    let words: [&str; 4] = match api {
        "openai_chat" => ["stop", "tool_calls", "length", "content_filter"],
        "openai_responses" => ["completed", "completed", "max_output_tokens", "content_filter"],
        "anthropic_messages" => ["end_turn", "tool_use", "max_tokens", "refusal"],
        "gemini" => ["STOP", "STOP", "MAX_TOKENS", "SAFETY"],
        _ => ["end_turn", "tool_use", "max_tokens", "content_filtered"],
    };
    let place = ["tools", "long", "filtered"].iter().position(|one| *one == scenario).map_or(0, |at| at + 1);
    words[place]
}

/// Serves one connection: requests one after another.
fn serve(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let (mut line, mut length, mut first) = (String::new(), 0, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            if first.is_empty() {
                first.clone_from(&line);
            }
            if let Some((_, value)) =
                line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = first.split(' ').nth(1).unwrap_or_default();
        let (status, headers, body) = answered(path, &body);
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len())?;
        for (name, value) in &headers {
            write!(stream, "{name}: {}\r\n", value.to_str().unwrap_or_default())?;
        }
        stream.write_all(b"\r\n")?;
        stream.write_all(&body)?;
    }
}

fn answered(path: &str, body: &[u8]) -> (http::StatusCode, http::HeaderMap, Vec<u8>) {
    let request: Map<String, Value> = serde_json::from_slice(body).expect("SDKs send JSON");
    let (api, streams) = match path {
        "/v1/chat/completions" => ("openai_chat", None),
        "/v1/responses" => ("openai_responses", None),
        "/v1/messages" => ("anthropic_messages", None),
        path if path.starts_with("/model/") => ("bedrock_converse", Some(path.ends_with("-stream"))),
        path => ("gemini", Some(path.contains(":streamGenerateContent"))),
    };
    let streams = streams.unwrap_or_else(|| request.get("stream").is_some_and(|stream| stream == true));
    let of_path = path.split(['/', ':', '?']).find(|part| part.contains('.'));
    let model =
        request.get("model").and_then(Value::as_str).or(of_path).expect("a model is named").to_owned();
    let (from, scenario) = model.split_once('.').expect("the model names a scenario");
    let find = |name: &str| formats().into_iter().find(|format| format.name == name).expect("a format");
    let (from, to) = (find(from), find(api));
    if scenario == "busy" {
        let told = translate::error(to.dialect, FailureClass::RateLimit, None, "every target is busy");
        let mut headers = told.headers;
        headers.insert("x-should-retry", http::HeaderValue::from_static("false"));
        return (told.status, headers, told.body);
    }
    let (whole, events) = (from.write)(&said(scenario));
    let asked = Asked {
        model: model.clone(),
        call: format!("call {}", body.len()),
        created: 1_760_000_000,
        request,
        ..Asked::default()
    };
    let headers = translate::headers(to.dialect, &asked, streams);
    let body = if streams {
        streamed(
            &from,
            &to,
            &headers,
            asked,
            if scenario == "cut" { &events[..events.len() * 2 / 3] } else { &events },
        )
    } else {
        let head = content_type("application/json");
        let whole = whole.to_string();
        let ok = http::StatusCode::OK;
        translate::answer(from.dialect, to.dialect, ok, &head, whole.as_bytes(), &asked)
            .expect("an answer")
            .body
    };
    (http::StatusCode::OK, headers, body)
}

fn streamed(from: &Format, to: &Format, headers: &http::HeaderMap, asked: Asked, events: &[u8]) -> Vec<u8> {
    let head = content_type(from.kind);
    let mut stream = translate::Stream::new(from.dialect, to.dialect, &head, asked).expect("a pair");
    assert_eq!(headers.get("content-type").and_then(|it| it.to_str().ok()), Some(to.kind));
    let mut body: Vec<u8> = events.chunks(7).flat_map(|piece| stream.push(piece)).collect();
    body.extend_from_slice(&stream.end().bytes);
    body
}

fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes is no concern of the test.
            std::thread::spawn(move || drop(serve(stream)));
        }
    });
    address
}

/// What a client says of every scenario of an API, from every other format.
fn asked(mut words: Vec<String>, api: &str, address: SocketAddr) -> Vec<Value> {
    words.extend([format!("http://{address}"), api.to_owned()]);
    for from in formats().iter().filter(|from| from.name != api) {
        words.extend(SCENARIOS.iter().map(|scenario| format!("{}.{scenario}", from.name)));
    }
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    let ended = Program::start(command).end();
    assert!(ended.status.success(), "{}", ended.errors);
    ended.output.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Python's helpers know an answer that was cut short as an error, whoever wrote it.
const SHORT: [(&str, &str, &str); 4] = [
    ("chat_stream", "long", "LengthFinishReasonError"),
    ("chat_stream", "filtered", "ContentFilterFinishReasonError"),
    ("responses_stream", "long", "RuntimeError"),
    ("responses_stream", "filtered", "RuntimeError"),
];

fn check(api: &str, seen: &Value) {
    let (model, call) =
        (seen["model"].as_str().unwrap_or_default(), seen["call"].as_str().unwrap_or_default());
    let scenario = model.split_once('.').map_or("", |(_, scenario)| scenario);
    let streams = call.contains('_');
    if scenario == "busy" {
        let classes = ["RateLimitError", "ClientError", "ThrottlingException", "ApiError"];
        assert!(seen["error"].as_str().is_some_and(|class| classes.contains(&class)), "{seen}");
        return;
    }
    if scenario == "cut" && streams {
        assert!(seen["error"].is_string(), "what was cut is an error to every SDK: {seen}");
        assert!(seen["message"].as_str().is_some_and(|text| text.contains("outrigger: ")), "{seen}");
        return;
    }
    if SHORT.iter().any(|(of, one, error)| *of == call && *one == scenario && seen["error"] == *error) {
        return;
    }
    let said = said(scenario);
    let answer = &seen["answer"];
    assert_eq!(answer["text"].as_str(), said.text.as_deref(), "{seen}");
    let calls: Vec<(&str, Value)> = answer["calls"]
        .as_array()
        .expect("a list of calls")
        .iter()
        .map(|call| {
            assert!(call[0].as_str().is_some_and(|id| !id.is_empty()), "{seen}");
            let arguments = serde_json::from_str(call[2].as_str().unwrap_or_default()).unwrap_or_default();
            (call[1].as_str().unwrap_or_default(), arguments)
        })
        .collect();
    let expected: Vec<(&str, Value)> =
        said.calls.iter().map(|call| ("tide", Value::Object(call.clone()))).collect();
    assert_eq!(calls, expected, "{seen}");
    assert_eq!(answer["stop"], word(api, scenario), "{seen}");
    if call != "chat_chunks" {
        assert_eq!(answer["usage"], json!([32, 17]), "{seen}");
    }
    if scenario == "schema" && !streams && answer.get("parsed").is_some() && api != "bedrock_converse" {
        assert_eq!(answer["parsed"], "six", "{seen}");
    }
}

const APIS: [&str; 5] =
    ["openai_chat", "openai_responses", "anthropic_messages", "gemini", "bedrock_converse"];

#[test]
fn pythons_sdks_take_every_translated_answer_by_their_own_types() {
    let address = server();
    for api in APIS {
        let seen = asked(python("clients/python/translated.py", &[]), api, address);
        let least = 5 * SCENARIOS.len() * 2;
        assert!(seen.len() >= least - SCENARIOS.len() * 2, "{api}: {} calls", seen.len());
        seen.iter().for_each(|seen| check(api, seen));
    }
}

#[test]
fn nodes_sdks_take_every_translated_answer() {
    let address = server();
    // The packages lie in the cache, beside which the script must stand for its imports.
    let beside = std::path::Path::new(&setting("OUTRIGGER_TEST_NODE_DIR")).join("translated.mjs");
    std::fs::copy(file("clients/node/translated.mjs"), &beside).expect("the client can be copied");
    let script = beside.display().to_string();
    for api in &APIS[..4] {
        let seen = asked(vec![setting("OUTRIGGER_TEST_NODE24"), script.clone()], api, address);
        assert!(seen.len() >= 4 * SCENARIOS.len() * 2, "{api}: {} calls", seen.len());
        seen.iter().for_each(|seen| check(api, seen));
    }
}
