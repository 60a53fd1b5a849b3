//! Calls that a rule decides: what reaches each place, and what reaches the app, is held against what was sent, byte for byte. Whatever
//! differs must have its row in docs/what-we-change.md, and each row of its part on rules is met. A healthy primary changes nothing
//! beside what default traffic has, in every wire format.

use std::collections::BTreeSet;
use std::path::Path;

use outrigger_sidecar::Settings;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::diff::{Row, all_are_met, answer_rows, fields, request_rows};
use crate::support::places::{Does, Places};
use crate::support::traffic::exchanges;
use crate::support::wire::{Framing, Message, ask, ask_frames, provider};
use crate::support::{Bench, EU, HOST, within};

const PART: &str = "Calls that a rule decides";
const HELD: Row = (PART, "the request leaves when its end has come");
const AGAIN: Row = (PART, "the request is sent again");
const MOVED: Row = (PART, "it goes to a backup of the same format:");
const ANEW: Row = (PART, "it goes to a backup of another format");
const LED: Row = (PART, "it goes to the backup of the same format that gave");
const LEFT: Row = (PART, "an error in the app's format in the place of an answer: 400");
const UNSEEN: Row = (PART, "answers that failed are not shown");
const BEGINNING: Row = (PART, "the beginning of an answer");
const LATE: Row = (PART, "an error in the app's format (504)");
const ENDED: Row = (PART, "a stream ends with an error");
const CUT: Row = (PART, "the same | the provider's stream broke off");
const PASSED_OVER: Row = (PART, "the same, behind an error");
const GONE_ON: Row = (PART, "a stream that died goes on");
const IDENTITY: Row = (PART, "`accept-encoding` becomes `identity`");
const WHOLE: Row = (PART, "events of a stream reach the app whole");
const CALM: Row = (PART, "`x-should-retry: false`");
const AFTER: Row = (PART, "`Retry-After` becomes 60");
const PAGE: Row = (PART, "a page that is no answer");
const UNFIT: Row = (PART, "an answer under 200 that failed");
const TOLD: Row = (PART, "`x-outrigger-provider`");

const CLAUDE: &str = "api.anthropic.com";
const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const KEY: &str = "sk-of-the-backup";
const BACKUPS: &str = "version: 1
mode: act
backups:
  eu: { provider: openai, host: eu.api.openai.com, model: gpt-5-mini, credential: { file: key } }
  claude: { provider: anthropic, model: claude-sonnet-4-5, credential: { file: key } }
";
/// Nothing is left alone between the scenes.
const BREAKER: &str = "breaker: { consecutive: 100, minCalls: 10000 }";

/// A sidecar under rules before its places.
struct Scene {
    bench: Bench,
    places: Places,
    _folder: tempfile::TempDir,
}

fn settings(folder: &Path, document: &str) -> Settings {
    std::fs::write(folder.join("key"), KEY).unwrap();
    std::fs::write(folder.join("rules.yaml"), document).unwrap();
    Settings {
        rules: Some(folder.join("rules.yaml")),
        credentials: Some(folder.to_owned()),
        ..Settings::default()
    }
}

impl Scene {
    /// Under one rule for every call that does so.
    async fn new(does: &str) -> Scene {
        Scene::under(&format!("{BACKUPS}rules:\n  - {{ name: r, match: {{}}, {BREAKER}, {does} }}\n")).await
    }

    async fn under(document: &str) -> Scene {
        let hosts = [HOST, EU, CLAUDE].map(str::to_owned);
        let places = Places::of(&hosts).await;
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), document);
        let bench = Bench::at((places.address, &places.authority, &hosts), settings);
        assert_eq!(bench.rules().map(|rules| rules.state).as_deref(), Some("current"), "{:?}", bench.rules());
        Scene { bench, places, _folder: folder }
    }

    async fn ask(&self, request: &Message) -> (Vec<Message>, Message) {
        let mut stream = self.bench.open(HOST, "http/1.1").await;
        let answer = ask(&mut stream, request).await;
        (self.places.got(), answer)
    }
}

/// A request with headers of every kind.
fn request(path: &str, body: &Value) -> Message {
    let fields = [
        ("host", HOST),
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("TE", "gzip"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip, br"),
        ("User-Agent", "OpenAI/Python 2.9.0"),
        ("authorization", "Bearer sk-of-the-app-0123456789"),
        ("OpenAI-Organization", "org-of-the-app"),
        ("OpenAI-Beta", "tides=v1"),
        ("Content-Type", "application/json"),
        ("X-Stainless-Lang", "python"),
        ("x-outrigger-step", "plan"),
        ("Cookie", "a=1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    let start = format!("POST {path}?trace=a%2Fb HTTP/1.1");
    Message::new(&start, &fields, Framing::Length, body.to_string().as_bytes())
}

fn chat(stream: bool) -> Message {
    let mut body = json!({"model": "gpt-5.1", "max_completion_tokens": 64, "messages": [{"role": "user", "content": "Ebb?"}]});
    if stream {
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
    }
    request(CHAT, &body)
}

fn answer(start: &str, kind: &str, more: &[(&str, &str)], framing: Framing, body: &[u8]) -> Message {
    let fields = [
        ("Date", "Thu, 26 Nov 2026 10:00:00 GMT"),
        ("Content-Type", kind),
        ("Connection", "keep-alive"),
        ("X-Request-ID", "req_1"),
        ("alt-svc", "h3=\":443\""),
    ];
    Message::new(start, &[&fields, more].concat(), framing, body)
}

const OK: &str = "HTTP/1.1 200 OK";
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

fn good(model: &str) -> Message {
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": "Ebb at nine."}, "finish_reason": "stop"});
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13});
    let body = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": usage});
    answer(OK, JSON, &[], Framing::Length, body.to_string().as_bytes())
}

fn failed(status: &str, code: &str, more: &[(&str, &str)]) -> Message {
    let body = json!({"error": {"message": "no", "type": code, "param": null, "code": code}}).to_string();
    answer(&format!("HTTP/1.1 {status}"), JSON, more, Framing::Length, body.as_bytes())
}

fn down() -> Message {
    failed("500 Internal Server Error", "server_error", &[])
}

fn chunk(delta: Value, finish: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.1", "choices": [choice]});
    format!("data: {chunk}\n\n")
}

/// The events of a stream of Chat Completions.
fn events() -> Vec<String> {
    let usage = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.1", "choices": [],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}});
    vec![
        chunk(json!({"role": "assistant", "content": ""}), None),
        chunk(json!({"content": "Ebb at"}), None),
        chunk(json!({"content": " nine."}), None),
        chunk(json!({}), Some("stop")),
        format!("data: {usage}\n\n"),
        "data: [DONE]\n\n".to_owned(),
    ]
}

fn stream(framing: Framing, body: &str) -> Message {
    answer(OK, EVENTS, &[], framing, body.as_bytes())
}

/// Which rows explain what reached the place that the app addressed.
fn home_rows(sent: &Message, got: &Message) -> BTreeSet<Row> {
    let mut rows = request_rows(sent, got, false);
    rows.insert(HELD);
    rows
}

/// Which rows explain what reached a backup of the same format.
fn moved_rows(sent: &Message, got: &Message, row: Row) -> BTreeSet<Row> {
    const ALONG: [&str; 6] =
        ["accept", "accept-encoding", "content-type", "content-encoding", "user-agent", "openai-beta"];
    let (path, _) = sent.start.split_once('?').unwrap();
    assert_eq!(got.start, format!("{path} HTTP/1.1"), "no query");
    let expected = String::from_utf8_lossy(&sent.body).replace("\"gpt-5.1\"", "\"gpt-5-mini\"");
    assert_eq!((String::from_utf8_lossy(&got.body), got.framing), (expected.into(), Framing::Length));
    let lower = |message: &Message| {
        let mut fields = message.fields.clone();
        fields.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        fields.sort();
        Message { fields, ..message.clone() }
    };
    let key = format!("Bearer {KEY}");
    fields(&lower(sent), &lower(got), row, |name, before, after| match (name, before, after) {
        ("host", Some(_), Some(EU)) => Some(row),
        ("authorization", Some(_), Some(now)) if now == key => Some(row),
        ("content-length", _, Some(length)) if length == got.body.len().to_string() => Some(row),
        (name, Some(_), None) if !ALONG.contains(&name) => Some(row),
        _ => None,
    })
}

/// Which rows explain what the app got of a place's answer. Headers of ours may be put in where a rule has done something.
fn back_rows(sent: &Message, got: &Message, touched: bool) -> BTreeSet<Row> {
    let mut plain = got.clone();
    let mut rows = BTreeSet::new();
    let ours = ["x-outrigger-provider", "x-outrigger-model", "x-outrigger-attempts", "x-outrigger-call-id"];
    plain.fields.retain(|(name, value)| match (name.to_ascii_lowercase().as_str(), value.as_str()) {
        (name, _) if touched && ours.contains(&name) => {
            rows.insert(TOLD);
            false
        }
        ("x-should-retry", "false") if touched => {
            rows.insert(CALM);
            false
        }
        _ => true,
    });
    let mut sent = sent.clone();
    if let Some(after) = sent.field("retry-after").filter(|_| touched).map(str::to_owned)
        && plain.field("retry-after") != Some(&after)
    {
        rows.insert(AFTER);
        for message in [&mut sent, &mut plain] {
            message.fields.retain(|(name, value)| {
                let name = name.to_ascii_lowercase();
                name != "retry-after-ms"
                    && (name != "retry-after" || !["60", &after].contains(&value.as_str()))
            });
        }
    }
    rows.extend(answer_rows(&sent, &plain, false));
    rows
}

/// An error of Outrigger's own in the format of Chat and Responses, with nothing of a place's in it; the rows of its headers.
fn own_error(got: &Message, status: u16, says: &str) -> BTreeSet<Row> {
    let mut rows = BTreeSet::new();
    assert!(got.start.starts_with(&format!("HTTP/1.1 {status} ")), "{}", got.start);
    let told: Value = serde_json::from_slice(&got.body).unwrap();
    let message = told["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("outrigger: ") && message.contains(says), "{message}");
    for (name, value) in &got.fields {
        match name.to_ascii_lowercase().as_str() {
            "content-type" => assert_eq!(value, JSON),
            "content-length" => assert_eq!(*value, got.body.len().to_string()),
            "x-outrigger-error" | "date" => {}
            "x-should-retry" if value == "false" => drop(rows.insert(CALM)),
            name if name.starts_with("x-outrigger-") => drop(rows.insert(TOLD)),
            other => panic!("{other}: {value}"),
        }
    }
    rows
}

/// What the app got of a stream that ended early: what came, then an error in its format.
fn error_at_the_end(got: &Message, came: &str) {
    let body = String::from_utf8_lossy(&got.body);
    let rest = body.strip_prefix(came).unwrap_or_else(|| panic!("{body}"));
    // The format of Responses names its events.
    let data = rest.strip_prefix("event: error\n").unwrap_or(rest).strip_prefix("data: ").unwrap();
    let error: Value = serde_json::from_str(data.trim_end()).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().starts_with("outrigger: "), "{error}");
    assert_eq!(got.framing, Framing::Chunked, "it ends in order behind that");
}

#[tokio::test]
async fn a_healthy_primary_under_a_rule_is_asked_and_answers_as_without_one() {
    let all = exchanges();
    let hosts: BTreeSet<String> = all.iter().map(|one| one.host.clone()).collect();
    let hosts: Vec<String> = hosts.into_iter().collect();
    let (address, authority, script) = provider(hosts.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let rule = "rules:\n  - { name: all, match: {}, deadlines: { responseHead: 1m, betweenTokens: 1m, total: 5m }, retry: {}, failover: { to: [claude], maxPrice: 1000x } }\n";
    let settings = settings(folder.path(), &format!("{BACKUPS}{rule}"));
    let bench = Bench::at((address, &authority, &hosts), settings);
    for one in &all {
        script.lock().unwrap().answer = Some(one.answer.clone());
        println!("{} over {}", one.name, if one.h2 { "h2" } else { "h1" });
        let answer = if one.h2 {
            ask_frames(bench.open(&one.host, "h2").await, &one.request).await
        } else {
            ask(&mut bench.open(&one.host, "http/1.1").await, &one.request).await
        };
        let got = script.lock().unwrap().got.take().unwrap();
        request_rows(&one.request, &got, false);
        answer_rows(&one.answer, &answer, one.request.body != got.body);
    }
    let (seen, records) = bench.end().await;
    assert_eq!((seen.panics, records.len()), (0, all.len()));
    for record in &records {
        let routed = record.routed.as_ref().unwrap();
        assert!(routed.acts && record.moved_for().is_none(), "{record:?}");
    }
}

/// The request is held until it has ended; a long one passes as it comes.
async fn held() -> BTreeSet<Row> {
    let scene = Scene::new("retry: {}").await;
    let sent = chat(false);
    scene.places.says(HOST, [Does::Answers(good("gpt-5.1")), Does::Answers(good("gpt-5.1"))]);
    let bytes = sent.bytes();
    let (now, last) = bytes.split_at(bytes.len() - 1);
    let mut waits = scene.bench.open(HOST, "http/1.1").await;
    waits.write_all(now).await.unwrap();
    let (got, answer) = scene.ask(&sent).await;
    assert_eq!(scene.places.begun(), 1, "what has not ended has not left");
    let mut met = home_rows(&sent, &got[0]);
    met.extend(back_rows(&good("gpt-5.1"), &answer, false));
    waits.write_all(last).await.unwrap();
    let answer = Message::read(&mut waits).await;
    met.extend(home_rows(&sent, &scene.places.got()[0]));
    met.extend(back_rows(&good("gpt-5.1"), &answer, false));

    let long = "Ebb? ".repeat(1024 * 1024);
    let body = json!({"model": "gpt-5.1", "messages": [{"role": "user", "content": long}]});
    let sent = request(CHAT, &body);
    scene.places.says(HOST, [Does::Answers(down())]);
    let bytes = sent.bytes();
    let (now, last) = bytes.split_at(bytes.len() - 1);
    waits.write_all(now).await.unwrap();
    scene.places.have_begun(3).await;
    waits.write_all(last).await.unwrap();
    let answer = Message::read(&mut waits).await;
    met.extend(request_rows(&sent, &scene.places.got()[0], false));
    met.extend(back_rows(&down(), &answer, false));
    met
}

/// The same place again, then a backup of the same format; headers of ours on and off.
async fn again_and_moved() -> BTreeSet<Row> {
    let mut met = BTreeSet::new();
    for told in [true, false] {
        let switch = format!("responseHeaders: {told}\n");
        let does = "retry: { attempts: 2, budget: 100%, backoff: { initial: 1ms } }, failover: { to: [eu] }";
        let rules = format!("{BACKUPS}{switch}rules:\n  - {{ name: r, match: {{}}, {BREAKER}, {does} }}\n");
        let scene = Scene::under(&rules).await;
        let (sent, late) = (chat(false), Does::Answers(down()));
        scene.places.says(HOST, [late.clone(), Does::Answers(good("gpt-5.1"))]);
        let (got, answer) = scene.ask(&sent).await;
        met.extend(home_rows(&sent, &got[0]));
        assert_eq!(got[0], got[1]);
        met.extend([AGAIN, UNSEEN]);
        met.extend(back_rows(&good("gpt-5.1"), &answer, told));

        for streams in [false, true] {
            let sent = chat(streams);
            let says =
                if streams { stream(Framing::Chunked, &events().concat()) } else { good("gpt-5-mini") };
            scene.places.says(HOST, [late.clone(), late.clone()]);
            scene.places.says(EU, [Does::Answers(says.clone())]);
            let (got, answer) = scene.ask(&sent).await;
            assert_eq!(got.len(), 3);
            assert_eq!(got[0], got[1]);
            met.extend(moved_rows(&sent, &got[2], MOVED));
            met.extend(back_rows(&says, &answer, told));
        }
    }
    met
}

/// A backup of another format: request and answer are written anew.
async fn anew() -> BTreeSet<Row> {
    let scene = Scene::new("failover: { to: [claude] }").await;
    let says = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_sequence": null,
        "content": [{"type": "text", "text": "Ebb at nine."}], "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 4}});
    scene.places.says(HOST, [Does::Answers(down())]);
    scene
        .places
        .says(CLAUDE, [Does::Answers(answer(OK, JSON, &[], Framing::Length, says.to_string().as_bytes()))]);
    let sent = chat(false);
    let (got, answer) = scene.ask(&sent).await;
    let mut met = home_rows(&sent, &got[0]);
    let agent = concat!("outrigger/", env!("CARGO_PKG_VERSION"));
    let length = got[1].body.len().to_string();
    let mut fields = got[1].fields.clone();
    fields.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
    fields.sort();
    let expected = [
        ("accept", JSON),
        ("accept-encoding", "identity"),
        ("anthropic-version", "2023-06-01"),
        ("content-length", &length),
        ("content-type", JSON),
        ("host", CLAUDE),
        ("user-agent", agent),
        ("x-api-key", KEY),
    ];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(got[1].start, "POST /v1/messages HTTP/1.1");
    let asked: Value = serde_json::from_slice(&got[1].body).unwrap();
    let turn = json!({"role": "user", "content": "Ebb?"});
    assert_eq!(asked, json!({"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [turn]}));
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["choices"][0]["message"]["content"], "Ebb at nine.");
    let names: BTreeSet<String> = answer.fields.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let written = ["content-type", "x-request-id"];
    let ours = ["provider", "model", "attempts", "call-id"].map(|name| format!("x-outrigger-{name}"));
    let expected: BTreeSet<String> = written.into_iter().map(str::to_owned).chain(ours).collect();
    assert_eq!((names, answer.start.as_str(), answer.framing), (expected, OK, Framing::Chunked));
    met.extend([ANEW, TOLD]);
    met
}

/// A stream that is held until its first content: the app has nothing of it before, and then every byte.
async fn beginning() -> BTreeSet<Row> {
    let scene = Scene::new("failover: { to: [eu] }").await;
    let events = events();
    let says = stream(Framing::Chunked, &events.concat());
    // Within the head of its first piece, which has no content yet.
    let bytes = says.bytes();
    let role = events[0].len() + bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    scene.places.says(HOST, [Does::Pauses(says.clone(), role), Does::Answers(good("gpt-5.1"))]);
    let sent = chat(true);
    let mut held = scene.bench.open(HOST, "http/1.1").await;
    held.write_all(&sent.bytes()).await.unwrap();
    scene.places.have_begun(1).await;
    // Another call comes and goes meanwhile.
    let (got, _) = scene.ask(&chat(false)).await;
    assert_eq!(got.len(), 2);
    let mut met = home_rows(&sent, &got[0]);
    let mut first = [0];
    let nothing = tokio::select! { biased; read = held.read(&mut first) => Err(read), () = std::future::ready(()) => Ok(()) };
    assert!(nothing.is_ok(), "{nothing:?}");
    scene.places.goes_on();
    let answer = Message::read(&mut held).await;
    met.extend(back_rows(&says, &answer, false));
    met.insert(BEGINNING);
    met
}

/// What is late, or dies, ends in the app's format.
async fn late() -> BTreeSet<Row> {
    let mut met = BTreeSet::new();
    let scene = Scene::new("deadlines: { responseHead: 50ms }").await;
    scene.places.says(HOST, [Does::Nothing]);
    let (got, answer) = scene.ask(&chat(false)).await;
    met.extend(home_rows(&chat(false), &got[0]));
    met.extend(own_error(&answer, 504, "responseHead of 50ms"));
    met.insert(LATE);

    let events = events();
    let scene = Scene::new("deadlines: { betweenTokens: 50ms }").await;
    let (came, half) = (events[..2].concat(), format!("{}data: {{\"id\"", events[..2].concat()));
    for body in [&came, &half] {
        let says = stream(Framing::Broken, body);
        let bytes = says.bytes().len();
        // All that there is of it comes; what would be behind does not.
        let more = stream(Framing::Chunked, body);
        scene.places.says(HOST, [Does::Pauses(more, bytes)]);
        let (_, answer) = scene.ask(&chat(true)).await;
        if *body == came {
            error_at_the_end(&answer, &came);
        } else {
            assert_eq!(answer.framing, Framing::Broken);
            assert!(half.as_bytes().starts_with(&answer.body), "{answer:?}");
        }
        assert_eq!(answer.start, OK);
    }
    met.insert(ENDED);
    scene.places.says(
        HOST,
        [Does::Answers(stream(Framing::Broken, &came)), Does::Answers(stream(Framing::Chunked, &came))],
    );
    for _ in 0..2 {
        let (_, answer) = scene.ask(&chat(true)).await;
        error_at_the_end(&answer, &came);
    }
    met.insert(CUT);
    met
}

/// An error that the app's SDK would hand on as any other event.
async fn passed_over() -> BTreeSet<Row> {
    let scene = Scene::new("deadlines: { total: 30s }").await;
    let event = |value: Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
    let came = [
        json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "error": null}, "sequence_number": 0}),
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "Ebb", "sequence_number": 1}),
        json!({"type": "error", "code": "server_error", "message": "no", "param": null, "sequence_number": 2}),
    ];
    let came = came.map(event).concat();
    scene.places.says(HOST, [Does::Answers(stream(Framing::Chunked, &came))]);
    let sent = request(RESPONSES, &json!({"model": "gpt-5.1", "stream": true, "input": "Ebb?"}));
    let (_, answer) = scene.ask(&sent).await;
    error_at_the_end(&answer, &came);
    [PASSED_OVER].into()
}

/// A stream that dies and is gone on with.
async fn gone_on() -> BTreeSet<Row> {
    let scene = Scene::new("failover: { to: [eu], continueCutStreams: true }").await;
    let events = events();
    let came = events[..2].concat();
    scene.places.says(HOST, [Does::Answers(stream(Framing::Broken, &format!("{came}{}", &events[2][..20])))]);
    let rest =
        stream(Framing::Chunked, &events.concat().replace("Ebb at", "").replace("chatcmpl-1", "chatcmpl-2"));
    scene.places.says(EU, [Does::Answers(rest)]);
    let sent = chat(true);
    let (got, answer) = scene.ask(&sent).await;
    // The primary is asked for what can be read, and for nothing else that differs.
    let mut readable = got[0].clone();
    for (name, value) in &mut readable.fields {
        if name.eq_ignore_ascii_case("accept-encoding") {
            assert_eq!(value, "identity");
            *value = "gzip, br".to_owned();
        }
    }
    let mut met = home_rows(&sent, &readable);
    met.insert(IDENTITY);
    let asked: Value = serde_json::from_slice(&got[1].body).unwrap();
    let (before, after): (Value, _) =
        (serde_json::from_slice(&sent.body).unwrap(), asked["messages"].as_array().unwrap());
    assert_eq!(
        (after.len(), &after[0], &after[1]),
        (3, &before["messages"][0], &json!({"role": "assistant", "content": "Ebb at"}))
    );
    assert_eq!(
        (got[1].field("accept-encoding"), got[1].field("authorization")),
        (Some("identity"), Some(&*format!("Bearer {KEY}")))
    );
    let text = String::from_utf8_lossy(&answer.body);
    let more =
        text.strip_prefix(&came).unwrap_or_else(|| panic!("the part of an event is not among it: {text}"));
    assert!(
        more.starts_with("data: ") && !more.contains("chatcmpl-2") && more.ends_with("data: [DONE]\n\n"),
        "{more}"
    );
    assert_eq!(answer.framing, Framing::Chunked);
    met.extend([GONE_ON, WHOLE]);
    met
}

/// All places fail.
async fn all_fail() -> BTreeSet<Row> {
    let mut met = BTreeSet::new();
    let scene = Scene::new("failover: { to: [eu] }").await;
    let sent = chat(false);
    let waits = [("Retry-After", "3600"), ("Retry-After-Ms", "3600000")];
    let limited = failed("429 Too Many Requests", "rate_limit_exceeded", &waits);
    for says in [limited, down()] {
        scene.places.says(HOST, [Does::Answers(says.clone())]);
        scene.places.says(EU, [Does::Answers(down())]);
        let (got, answer) = scene.ask(&sent).await;
        met.extend(home_rows(&sent, &got[0]));
        met.extend(moved_rows(&sent, &got[1], MOVED));
        met.extend(back_rows(&says, &answer, true));
    }
    let page = answer("HTTP/1.1 502 Bad Gateway", "text/html", &[], Framing::Length, b"<html>edge</html>");
    scene.places.says(HOST, [Does::Answers(page)]);
    scene.places.says(EU, [Does::Answers(down())]);
    let (_, answer) = scene.ask(&sent).await;
    met.extend(own_error(&answer, 502, "with a page that is no answer of its API"));
    met.insert(PAGE);
    scene.places.says(HOST, [Does::Answers(stream(Framing::Chunked, &events()[0]))]);
    scene.places.says(EU, [Does::Answers(down())]);
    let (_, answer) = scene.ask(&chat(true)).await;
    met.extend(own_error(&answer, 502, "began to answer and failed before the first content"));
    met.insert(UNFIT);

    // What is the app's own fault passes as it is.
    let refused = failed("400 Bad Request", "invalid_request_error", &[]);
    scene.places.says(HOST, [Does::Answers(refused.clone())]);
    let (got, answer) = scene.ask(&sent).await;
    assert_eq!(got.len(), 1);
    let rows = back_rows(&refused, &answer, false);
    assert!(rows.iter().all(|(part, _)| *part != PART), "{rows:?}");
    met
}

/// An answer that a backup keeps.
async fn kept() -> BTreeSet<Row> {
    let scene = Scene::new("failover: { to: [eu] }").await;
    let says = |id: &str| {
        let text = json!({"type": "output_text", "text": "At nine.", "annotations": []});
        let message = json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [text]});
        let body = json!({"id": id, "object": "response", "created_at": 1, "status": "completed", "model": "gpt-5-mini", "output": [message]});
        answer(OK, JSON, &[], Framing::Length, body.to_string().as_bytes())
    };
    let first = request(RESPONSES, &json!({"model": "gpt-5.1", "input": "Ebb?"}));
    scene.places.says(HOST, [Does::Answers(down())]);
    scene
        .places
        .says(EU, [Does::Answers(says("resp_1")), Does::Answers(says("resp_2")), Does::Answers(down())]);
    let mut met = BTreeSet::new();
    let (got, answer) = scene.ask(&first).await;
    met.extend(moved_rows(&first, &got[1], MOVED));
    met.extend(back_rows(&says("resp_1"), &answer, true));
    let then =
        request(RESPONSES, &json!({"model": "gpt-5.1", "input": "Flood?", "previous_response_id": "resp_1"}));
    let (got, answer) = scene.ask(&then).await;
    assert_eq!(got.len(), 1);
    met.extend(moved_rows(&then, &got[0], LED));
    met.extend(back_rows(&says("resp_2"), &answer, true));
    let (got, answer) = scene.ask(&then).await;
    assert_eq!(got.len(), 1);
    met.extend(own_error(&answer, 500, "it failed there: server_error"));
    met.insert(LEFT);
    met
}

#[tokio::test]
async fn calls_that_a_rule_decides_change_by_the_rows_of_the_page_alone_and_each_row_is_met() {
    let mut met = within(held()).await;
    met.extend(within(again_and_moved()).await);
    met.extend(within(anew()).await);
    met.extend(within(beginning()).await);
    met.extend(within(late()).await);
    met.extend(within(passed_over()).await);
    met.extend(within(gone_on()).await);
    met.extend(within(all_fail()).await);
    met.extend(within(kept()).await);
    met.retain(|(part, _)| *part == PART);
    all_are_met(&[PART], &met);
}
