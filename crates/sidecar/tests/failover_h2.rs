//! Apps that speak HTTP/2 and whose calls a rule decides, over real sockets: moved, translated, cut and left, one stream of a connection
//! at a time; the others never notice.

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use outrigger_ledger::Outcome;
use outrigger_providers::FailureClass;
use outrigger_sidecar::Settings;
use serde_json::{Value, json};

use crate::support::scene::{
    APPS_KEY, BACKUPS_KEY, CLAUDE, Ending, PATH, PLAIN, Says, Scene, good, server_error,
};
use crate::support::{EU, HOST, within};

const STREAM: &str = r#"{"model":"gpt-5.1","stream":true,"max_completion_tokens":9,"messages":[{"role":"user","content":"Ebb?"}]}"#;
const RULES: &str = "version: 1\nmode: act\nbackups:\n  eu: { provider: openai, host: eu.api.openai.com, model: gpt-5-mini, credential: { file: eu } }\n  \
                     claude: { provider: anthropic, model: claude-sonnet-4-5, credential: { file: eu } }\n\
                     rules:\n  - { name: claude, match: { headers: { x-to: claude } }, failover: { to: [claude] } }\n  \
                     - { name: eu, match: {}, failover: { to: [eu] } }\n";

/// More of an answer than is held back.
const LONGER_THAN_HELD: usize = 1_500_000;

type App = SendRequest<Full<Bytes>>;

async fn scene() -> (Scene, App) {
    let scene = Scene::with(Settings::default(), RULES).await;
    scene.says(HOST, [server_error()]);
    let app = scene.bench.h2().await;
    (scene, app)
}

async fn call(app: &mut App, to: &str, body: &'static str) -> Response<Incoming> {
    let request = Request::post(format!("https://{HOST}{PATH}"))
        .version(Version::HTTP_2)
        .header("authorization", format!("Bearer {APPS_KEY}"))
        .header("content-type", "application/json")
        .header("x-to", to)
        .body(Full::from(body))
        .unwrap();
    within(app.send_request(request)).await.unwrap()
}

/// What the app has of an answer, and whether it ended in order.
async fn read(scene: &Scene, answer: Response<Incoming>) -> (String, bool) {
    let (mut body, mut text) = (answer.into_body(), String::new());
    while let Some(frame) = within(body.frame()).await {
        let Ok(frame) = frame else { return (text, false) };
        if let Some(bytes) = frame.data_ref() {
            text.push_str(std::str::from_utf8(bytes).unwrap());
        }
        scene.goes_on(&text);
    }
    (text, true)
}

/// The connection that a call was made on serves another.
async fn is_well(scene: &Scene, app: &mut App) {
    scene.says(EU, [Says::Well]);
    let answer = call(app, "eu", PLAIN).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(read(scene, answer).await, (good(&"gpt-5-mini".into()), true));
}

fn chunk(text: &str) -> String {
    let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": null});
    format!("data: {}\n\n", json!({"id": "c", "model": "gpt-5-mini", "choices": [choice]}))
}

fn event(value: Value) -> String {
    format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap())
}

fn message(text: &str, whole: bool) -> Vec<String> {
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 1}});
    let mut events = vec![
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
    ];
    if whole {
        let delta = json!({"stop_reason": "end_turn", "stop_sequence": null});
        events.push(json!({"type": "content_block_stop", "index": 0}));
        events.push(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 4}}));
        events.push(json!({"type": "message_stop"}));
    }
    events.into_iter().map(event).collect()
}

#[tokio::test]
async fn calls_are_moved_and_translated_for_an_app_that_speaks_http2() {
    let (scene, mut app) = scene().await;
    let answer = call(&mut app, "eu", PLAIN).await;
    assert_eq!((answer.version(), answer.status()), (Version::HTTP_2, StatusCode::OK));
    assert_eq!(answer.headers()["x-outrigger-attempts"], "2");
    assert_eq!(read(&scene, answer).await, (good(&"gpt-5-mini".into()), true));
    let got = scene.got().pop().unwrap();
    assert_eq!((got.host.as_str(), got.body), (EU, PLAIN.replace("gpt-5.1", "gpt-5-mini")));
    assert_eq!(got.headers["authorization"], format!("Bearer {BACKUPS_KEY}"));

    scene.says(CLAUDE, [Says::Stream(message("Ebb at nine.", true), Ending::Clean)]);
    let answer = call(&mut app, "claude", STREAM).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let (text, in_order) = read(&scene, answer).await;
    assert!(in_order && text.contains("Ebb at nine.") && text.ends_with("data: [DONE]\n\n"), "{text}");
    let records = scene.end().await;
    assert_eq!(records.len(), 2);
    for (record, provider) in records.iter().zip(["openai", "anthropic"]) {
        assert_eq!((record.outcome, record.provider), (Outcome::Answered, provider));
        assert_eq!(record.routed.as_ref().unwrap().serving, 2);
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_ends_its_stream_with_an_error_and_the_connection_goes_on() {
    let (scene, mut app) = scene().await;
    for (to, host, says) in [
        ("eu", EU, Says::Stream(vec![chunk("Ebb")], Ending::Broken)),
        ("eu", EU, Says::Stream(vec![chunk("Ebb")], Ending::CleanWhenTold)),
        ("claude", CLAUDE, Says::Stream(message("Ebb", false), Ending::Clean)),
    ] {
        scene.says(host, [says.clone()]);
        let answer = call(&mut app, to, STREAM).await;
        assert_eq!(answer.status(), StatusCode::OK, "{says:?}");
        let (text, in_order) = read(&scene, answer).await;
        let honest = !in_order || text.contains("data: {\"error\":");
        assert!(text.contains("Ebb") && honest && !text.contains("[DONE]"), "{says:?}: {text}");
        is_well(&scene, &mut app).await;
    }
    // In one piece there is no place for an error: the stream is reset.
    let begun = format!("{{\"choices\":[{{\"message\":{{\"content\":\"E{}", "b".repeat(LONGER_THAN_HELD));
    scene.says(EU, [Says::Cut(begun.clone())]);
    let answer = call(&mut app, "eu", PLAIN).await;
    let status = answer.status();
    let (text, in_order) = read(&scene, answer).await;
    assert!(status == StatusCode::OK && !in_order && text == begun, "{status} {in_order} {}", text.len());
    is_well(&scene, &mut app).await;
    let records = scene.end().await;
    for record in records.iter().filter(|record| record.outcome != Outcome::Answered) {
        assert_eq!(record.cause.as_ref().unwrap().class, FailureClass::StreamCut);
    }
    let answered = records.iter().filter(|record| record.outcome == Outcome::Answered).count();
    assert_eq!((records.len(), answered), (8, 4));
}

#[tokio::test]
async fn an_app_that_leaves_a_stream_cancels_it_alone() {
    let (scene, mut app) = scene().await;
    for (to, host, says) in [
        ("eu", EU, Says::Stream(vec![chunk("Ebb")], Ending::Silent)),
        ("claude", CLAUDE, Says::Stream(message("Ebb", false), Ending::Silent)),
    ] {
        scene.says(host, [says]);
        let mut body = call(&mut app, to, STREAM).await.into_body();
        let frame = within(body.frame()).await.unwrap().unwrap();
        assert!(!frame.data_ref().unwrap().is_empty());
        drop(body);
        is_well(&scene, &mut app).await;
    }
    scene.bench.recorded(4).await;
    let records = scene.end().await;
    let left = records.iter().filter(|record| record.outcome == Outcome::Cancelled);
    let providers: Vec<&str> = left.map(|record| record.provider).collect();
    assert_eq!(providers, ["openai", "anthropic"]);
}
