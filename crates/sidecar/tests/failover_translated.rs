//! Calls that are moved to a backup of another wire format, over real sockets: asked in its words, answered in the app's, streamed and
//! not; refused where something cannot be said there.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use outrigger_ledger::Outcome;
use outrigger_providers::FailureClass;
use outrigger_sidecar::Settings;
use serde_json::{Value, json};

use crate::support::scene::{BACKUPS_KEY, CLAUDE, Ending, PATH, Says, Scene, server_error};
use crate::support::{HOST, within};

const RULES: &str = "version: 1\nmode: act\nbackups:\n  claude: { provider: anthropic, model: claude-sonnet-4-5, credential: { file: eu } }\n\
                     rules:\n  - { name: chat, match: {}, failover: { to: [claude] } }\n";

async fn scene() -> Scene {
    let scene = Scene::with(Settings::default(), RULES).await;
    scene.says(HOST, [server_error()]);
    scene
}

fn asked(stream: bool) -> Value {
    json!({
        "model": "gpt-5.1", "stream": stream, "max_completion_tokens": 64, "seed": 7,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Ebb?"}],
    })
}

fn message() -> String {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": "Ebb at nine."}], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 9, "output_tokens": 4},
    })
    .to_string()
}

fn events(texts: &[&str], whole: bool) -> Vec<String> {
    let event = |value: Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
    let mut events = vec![
        event(
            json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
            "model": "claude-sonnet-4-5-20250929", "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": 9, "output_tokens": 1}}}),
        ),
        event(
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ),
    ];
    for text in texts {
        events.push(event(
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
        ));
    }
    if whole {
        events.push(event(json!({"type": "content_block_stop", "index": 0})));
        events.push(event(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 4}})));
        events.push(event(json!({"type": "message_stop"})));
    }
    events
}

/// The texts of a stream of Chat's, and its last event.
fn told(stream: &str) -> (String, String) {
    let data: Vec<&str> = stream.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    let chunks = data.iter().filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let texts = chunks.filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()));
    (texts.collect(), (*data.last().unwrap()).to_owned())
}

#[tokio::test]
async fn an_answer_comes_back_in_the_apps_format_and_is_accounted_as_the_backups() {
    let scene = scene().await;
    scene.says(CLAUDE, [Says::Status(200, &[], message())]);
    let (status, headers, body) = scene.call_with(Request::post(PATH), asked(false).to_string()).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["object"]), (StatusCode::OK, &json!("chat.completion")));
    assert_eq!(body["choices"][0]["message"]["content"], "Ebb at nine.");
    assert_eq!((&body["choices"][0]["finish_reason"], &body["model"]), (&json!("stop"), &json!("gpt-5.1")));
    assert_eq!(body["usage"]["prompt_tokens"], 9);
    assert_eq!(headers["x-outrigger-provider"], "anthropic");
    let got = scene.got().pop().unwrap();
    assert_eq!((got.host.as_str(), got.path.as_str()), (CLAUDE, "/v1/messages"));
    assert_eq!(got.headers["x-api-key"], BACKUPS_KEY);
    assert!(got.headers.contains_key("anthropic-version"));
    let left = format!("{:?}{}", got.headers, got.body);
    assert!(!left.contains("of-the-app") && !left.contains("x-tier"), "{left}");
    let sent: Value = serde_json::from_str(&got.body).unwrap();
    assert_eq!((&sent["model"], &sent["max_tokens"]), (&json!("claude-sonnet-4-5"), &json!(64)));
    let records = scene.end().await;
    let record = &records[0];
    assert_eq!((record.provider, record.outcome), ("anthropic", Outcome::Answered));
    // By hand: 9 × 3 + 4 × 15 per million.
    assert_eq!(record.cost.total.map(|total| total.to_string()).as_deref(), Some("0.000087"));
    let losses = &record.routed.as_ref().unwrap().losses;
    assert!(losses.iter().any(|loss| loss.contains("seed")), "{losses:?}");
}

#[tokio::test]
async fn a_stream_comes_back_in_the_apps_format_and_one_that_was_cut_is_no_whole_one() {
    let scene = scene().await;
    scene.says(CLAUDE, [Says::Stream(events(&["Ebb ", "at nine."], true), Ending::Clean)]);
    let (status, headers, body) = scene.call_with(Request::post(PATH), asked(true).to_string()).await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"text/event-stream".parse().unwrap()));
    assert_eq!(told(&body), ("Ebb at nine.".to_owned(), "[DONE]".to_owned()), "{body}");

    scene.says(CLAUDE, [Says::Stream(events(&["Ebb "], false), Ending::Clean)]);
    let (_, _, body) = scene.call_with(Request::post(PATH), asked(true).to_string()).await;
    let (text, last) = told(&body);
    assert!(text == "Ebb " && last.starts_with("{\"error\":") && !body.contains("[DONE]"), "{body}");

    // Before its first content nothing has been shown, so the app gets a real error.
    scene.says(CLAUDE, [Says::Stream(events(&[], false), Ending::Clean)]);
    let (status, _, body) = scene.call_with(Request::post(PATH), asked(true).to_string()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{body}");
    let records = scene.end().await;
    assert_eq!(records[0].tokens.usage.total_answer(), Some(4));
    assert_eq!(records[1].cause.as_ref().unwrap().class, FailureClass::StreamCut);
    assert_eq!(records[2].attempts[1].class, Some(FailureClass::StreamCut));
}

#[tokio::test]
async fn what_has_no_place_in_the_apps_format_is_told_in_the_record() {
    let scene = scene().await;
    let mut thoughtful: Value = serde_json::from_str(&message()).unwrap();
    let thought = json!({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"});
    thoughtful["content"].as_array_mut().unwrap().insert(0, thought);
    scene.says(CLAUDE, [Says::Status(200, &[], thoughtful.to_string())]);
    let (_, _, body) = scene.call_with(Request::post(PATH), asked(false).to_string()).await;
    assert!(body.contains("Ebb at nine.") && !body.contains("Hm."), "{body}");
    // Some servers answer a request for a stream with one document.
    let (_, headers, body) = scene.call_with(Request::post(PATH), asked(true).to_string()).await;
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(told(&body), ("Ebb at nine.".to_owned(), "[DONE]".to_owned()), "{body}");
    let event = |value: Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
    let mut thoughtful = events(&["Ebb ", "at nine."], true);
    let block = json!({"type": "content_block_start", "index": 9, "content_block": {"type": "thinking", "thinking": ""}});
    let delta = json!({"type": "content_block_delta", "index": 9, "delta": {"type": "thinking_delta", "thinking": "Hm."}});
    let stop = json!({"type": "content_block_stop", "index": 9});
    thoughtful.splice(1..1, [block, delta, stop].map(event));
    scene.says(CLAUDE, [Says::Stream(thoughtful, Ending::Clean)]);
    let (_, _, body) = scene.call_with(Request::post(PATH), asked(true).to_string()).await;
    assert_eq!(told(&body).0, "Ebb at nine.");
    let records = scene.end().await;
    assert_eq!(records.len(), 3);
    for record in &records {
        assert_eq!(record.routed.as_ref().unwrap().left_out, ["reasoning"]);
    }
}

/// An answer of so many letters in one piece.
fn long(letters: usize) -> Says {
    let mut long: Value = serde_json::from_str(&message()).unwrap();
    long["content"][0]["text"] = "e".repeat(letters).into();
    Says::Status(200, &[], long.to_string())
}

#[tokio::test]
async fn answers_in_one_piece_have_room_together_until_their_apps_have_read_them() {
    const LETTERS: usize = 13 * 1024 * 1024;
    let scene = scene().await;
    scene.says(CLAUDE, [long(LETTERS)]);
    let mut slow = scene.bench.h1(HOST).await;
    let request =
        Request::post(PATH).header("host", HOST).body(Full::<Bytes>::from(asked(false).to_string()));
    let unread = within(slow.send_request(request.unwrap())).await.unwrap();
    assert_eq!(unread.status(), StatusCode::OK);
    // As it came and as it is said it takes more than is left.
    let (status, _, _) = scene.call_with(Request::post(PATH), asked(false).to_string()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "the answer of the app's own provider");
    let body = within(unread.into_body().collect()).await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"].as_str().unwrap().len(), LETTERS);
    let (status, _, _) = scene.call_with(Request::post(PATH), asked(false).to_string()).await;
    assert_eq!(status, StatusCode::OK, "there is room again");
    scene.says(CLAUDE, [long(17 * 1024 * 1024)]);
    let (status, _, _) = scene.call_with(Request::post(PATH), asked(false).to_string()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "longer than any may be");
    let records = scene.end().await;
    let outcomes: Vec<_> = records.iter().map(|record| record.outcome == Outcome::Answered).collect();
    assert_eq!(outcomes, [true, false, true, false]);
}

#[tokio::test]
async fn what_cannot_be_said_there_is_refused_in_plain_words_and_never_sent() {
    let scene = scene().await;
    let mut request = asked(false);
    request["n"] = 2.into();
    let (status, _, _) = scene.call_with(Request::post(PATH), Bytes::from(request.to_string())).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(scene.got().iter().all(|got| got.host == HOST));
    let records = scene.end().await;
    let over = &records[0].routed.as_ref().unwrap().passed_over;
    assert!(over.len() == 1 && over[0] == "claude: the number of answers: more than one answer", "{over:?}");
}
