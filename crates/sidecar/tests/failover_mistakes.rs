//! Mistakes that others made (wire formats, section 2.11), as far as they show over real sockets alone: compressed frames that are not
//! decoded, a reader that loses what comes with the close, an error in a stream that nobody hears.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use outrigger_ledger::{Outcome, Provenance};
use outrigger_providers::FailureClass;
use outrigger_sidecar::Settings;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::scene::{self, CLAUDE, Ending, PATH, Says, Scene, frames, server_error};
use crate::support::streams::{MOVED, ROLE, STREAM, WHOLE, classes, stream};
use crate::support::{Bench, EU, HOST, certified, within};

fn texts(pieces: &[&str]) -> Vec<String> {
    pieces.iter().map(|piece| (*piece).to_owned()).collect()
}

/// What the app has of a stream that it asks for, byte for byte.
async fn call(bench: &Bench, path: &str, body: &'static str) -> (StatusCode, HeaderMap, Bytes) {
    let mut sender = bench.h1(HOST).await;
    let request = Request::post(path).header("host", HOST).header("authorization", "Bearer sk-of-the-app");
    let request = request.body(Full::<Bytes>::from(body)).unwrap();
    let (head, body) = within(sender.send_request(request)).await.unwrap().into_parts();
    (head.status, head.headers, within(body.collect()).await.unwrap().to_bytes())
}

/// A server may compress each event for itself. What is in such a stream is known when it comes, and its bytes stay the provider's.
#[tokio::test]
async fn compressed_frames_are_decoded_to_decide_and_pass_as_they_are() {
    let refusal = "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":\"server_is_overloaded\"}}\n\n";
    let scene = Scene::new(MOVED).await;
    let whole = texts(&WHOLE);
    scene.says(
        HOST,
        [Says::Zstd(whole.clone(), Ending::Clean), Says::Zstd(texts(&[ROLE, refusal]), Ending::Clean)],
    );
    scene.says(EU, [Says::Zstd(whole.clone(), Ending::Clean)]);
    for moved in [false, true] {
        let (status, headers, body) = call(&scene.bench, PATH, STREAM).await;
        assert_eq!((status, &headers["content-encoding"]), (StatusCode::OK, &"zstd".parse().unwrap()));
        assert!(body == frames(&whole).concat(), "{moved}: other bytes than the provider's");
    }
    assert_eq!(scene.asked(), (2, 1));
    let records = scene.end().await;
    assert_eq!(classes(&records[0]), [None]);
    assert_eq!(classes(&records[1]), [Some(FailureClass::Overloaded), None]);
    for record in records {
        assert_eq!((record.outcome, record.tokens.provenance), (Outcome::Answered, Provenance::Exact));
        assert_eq!(record.tokens.usage.total_prompt(), Some(9));
    }
}

/// A backup of another format that compresses although it was asked not to is never read as if it had not.
#[tokio::test]
async fn compressed_frames_of_a_backup_are_never_translated_as_they_are() {
    let rules = "version: 1\nmode: act\nbackups:\n  claude: { provider: anthropic, model: claude-sonnet-4-5, credential: { file: eu } }\n\
                 rules:\n  - { name: chat, match: {}, failover: { to: [claude] } }\n";
    let scene = Scene::with(Settings::default(), rules).await;
    scene.says(HOST, [server_error()]);
    scene.says(CLAUDE, [Says::Zstd(texts(&WHOLE), Ending::Clean)]);
    let asked = r#"{"model":"gpt-5.1","stream":true,"messages":[{"role":"user","content":"Ebb?"}]}"#;
    let (status, headers, body) = call(&scene.bench, PATH, asked).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!headers.contains_key("content-encoding"), "{headers:?}");
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told["error"]["code"], "server_error", "the primary's own word");
    let got = scene.got().pop().unwrap();
    assert_eq!((got.host.as_str(), &got.headers["accept-encoding"]), (CLAUDE, &"identity".parse().unwrap()));
    assert_eq!(scene.end().await[0].attempts[1].class, Some(FailureClass::Malformed));
}

/// Says a stream and closes behind it at once: its last bytes and the end of the connection arrive together.
async fn closes_at_once(body: &'static str) -> (std::net::SocketAddr, String) {
    let (acceptor, authority) = certified(vec![HOST.to_owned()]);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who only asks what is spoken leaves after the handshake.
                let Ok(mut tls) = acceptor.accept(stream).await else { return };
                let mut got = Vec::new();
                while !got.ends_with(STREAM.as_bytes()) {
                    let mut piece = [0; 4096];
                    match tls.read(&mut piece).await {
                        Ok(0) | Err(_) => return,
                        Ok(read) => got.extend_from_slice(&piece[..read]),
                    }
                }
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}"
                );
                let _told = tls.write_all(answer.as_bytes()).await.and(tls.shutdown().await);
            });
        }
    });
    (address, authority)
}

/// The reader of a stream races its close: nothing that came is lost, and an end that came is seen.
#[tokio::test]
async fn a_reader_that_races_the_close_of_its_stream_loses_nothing() {
    const ROUNDS: usize = 40;
    let whole: &'static str = WHOLE.concat().leak();
    let (address, authority) = closes_at_once(whole).await;
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.yaml");
    std::fs::write(&rules, "version: 1\nmode: act\nrules:\n  - { name: chat, match: {}, deadlines: { total: 30s }, retry: { attempts: 2 } }\n").unwrap();
    for rules in [None, Some(rules)] {
        let acts = rules.is_some();
        let bench =
            Bench::at((address, &authority, &[HOST.to_owned()]), Settings { rules, ..Settings::default() });
        for round in 0..ROUNDS {
            let (status, _, body) = call(&bench, PATH, STREAM).await;
            assert_eq!((status, &*body), (StatusCode::OK, whole.as_bytes()), "{round}, rules: {acts}");
        }
        let (_, records) = bench.end().await;
        assert_eq!(records.len(), ROUNDS);
        for record in records {
            assert_eq!((record.outcome, record.tokens.provenance), (Outcome::Answered, Provenance::Exact));
            assert_eq!((record.attempts.len(), record.tokens.usage.total_prompt()), (1, Some(9)));
        }
    }
}

/// OpenAI's SDKs raise at an error in a stream of Responses only where it is nested; the flat one, which is documented, and
/// `response.failed` they hand to the app like any other event: what came before looks like all of the answer.
#[tokio::test]
async fn an_error_in_a_stream_that_the_sdk_passes_over_is_not_swallowed() {
    const RESPONSES: &str = "/v1/responses";
    const ASKED: &str = r#"{"model":"gpt-5.1","stream":true,"input":"Ebb?"}"#;
    let event = |value: Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
    let created = event(
        json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "error": null}, "sequence_number": 0}),
    );
    let delta = event(
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "Ebb", "sequence_number": 1}),
    );
    let flat = |code: &str| {
        event(json!({"type": "error", "code": code, "message": "no", "param": null, "sequence_number": 2}))
    };
    let failed = event(
        json!({"type": "response.failed", "response": {"id": "resp_1", "status": "failed", "error": {"code": "server_error", "message": "no"}}, "sequence_number": 2}),
    );
    let bare =
        "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":null}}\n\n".to_owned();
    for (what, last, class) in [
        ("a rate limit", flat("rate_limit_exceeded"), FailureClass::RateLimit),
        ("a server error", flat("server_error"), FailureClass::ServerError),
        ("a response that failed", failed, FailureClass::ServerError),
        ("an error without a name", bare, FailureClass::ServerError),
    ] {
        let scene = Scene::new(MOVED).await;
        scene.says(HOST, [stream(&[&created, &delta, &last], Ending::Clean)]);
        let (_, _, body) = call(&scene.bench, RESPONSES, ASKED).await;
        let body = String::from_utf8(body.to_vec()).unwrap();
        let told = body.strip_prefix(&[&*created, &*delta, &*last].concat()).unwrap();
        let data = told.strip_prefix("event: error\ndata: ").unwrap_or_else(|| panic!("{what}: {told}"));
        let data: Value = serde_json::from_str(data).unwrap();
        assert!(
            data["error"]["message"].as_str().unwrap().contains("ended its answer with an error"),
            "{what}: {data}"
        );

        // Before its first content another place is asked, and the app hears of none of it.
        scene.says(HOST, [stream(&[&created, &last], Ending::Clean)]);
        scene.says(EU, [stream(&[&created, &delta], Ending::Clean)]);
        let (_, _, body) = call(&scene.bench, RESPONSES, ASKED).await;
        assert!(body.starts_with([&*created, &*delta].concat().as_bytes()), "{what}");
        let records = scene.end().await;
        assert_eq!(records[0].cause.as_ref().map(|cause| cause.class), Some(class), "{what}");
        assert_eq!(records[1].attempts[0].class, Some(class), "{what}");
    }

    // A refusal of the content is the app's, as it came; so is everything where nobody acts.
    let refused = flat("content_policy_violation");
    for (mode, last) in [("act", refused), ("observe", flat("server_error"))] {
        let scene = Scene::with(
            Settings::default(),
            &format!("{}{MOVED}", scene::BACKUP).replace("mode: act", &format!("mode: {mode}")),
        )
        .await;
        let pieces = [&*created, &*delta, &*last];
        scene.says(HOST, [stream(&pieces, Ending::Clean)]);
        let (_, _, body) = call(&scene.bench, RESPONSES, ASKED).await;
        assert_eq!(body, pieces.concat(), "{mode}");
    }
}
