//! What a rule has to do while all is well, over real sockets: it keeps nobody waiting, and what it left unread at first is read all the
//! same; one sidecar and one server of the test's own.

use http::{Request, StatusCode};
use outrigger_ledger::Outcome;

use crate::support::HOST;
use crate::support::scene::{Ending, PATH, PLAIN, Says, Scene, good, server_error};
use crate::support::streams::{WHOLE, call, stream};

/// A rule that has all to do with every call.
const RULE: &str = "rules:\n  - { name: chat, match: { model: gpt-5.1 }, deadlines: { responseHead: 30s, firstToken: 30s, betweenTokens: 30s, total: 5m }, \
                    retry: { backoff: { initial: 1ms } }, failover: { to: [eu] } }\n";

#[tokio::test]
async fn neither_an_answer_nor_the_end_of_a_stream_waits_for_its_record() {
    let scene = Scene::new(RULE).await;
    let stuck = scene.bench.stuck();
    let (status, _, body) = scene.call().await;
    assert_eq!((status, body), (StatusCode::OK, good(&"gpt-5.1".into())));
    drop(stuck);
    scene.bench.recorded(1).await;
    scene.says(HOST, [stream(&WHOLE, Ending::Clean)]);
    let stuck = scene.bench.stuck();
    let got = call(&scene).await;
    assert_eq!((got.text, got.in_order), (WHOLE.concat(), true));
    drop(stuck);
    let records = scene.end().await;
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record.outcome == Outcome::Answered && record.tokens.usage.total_answer().is_some()));
}

/// As gzip, in one block that is stored.
fn gzip(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let mut encoded = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    encoded.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
    encoded.extend(text);
    encoded.extend(crc32fast::hash(text).to_le_bytes());
    encoded.extend(u32::from(length).to_le_bytes());
    encoded
}

#[tokio::test]
async fn a_model_that_does_not_stand_there_plainly_is_read_as_ever() {
    let twice = r#"{"model":"gpt-4.1","messages":[],"model":"gpt-5.1"}"#;
    let escaped = r#"{"model":"gpt\u002d5.1","messages":[]}"#;
    let other = r#"{"model":"gpt-4.1","messages":[{"model":"gpt-5.1"}]}"#;
    let encoded = gzip(PLAIN.as_bytes());
    for (body, coding, decides) in [
        (PLAIN.as_bytes(), "identity", true),
        (twice.as_bytes(), "identity", true),
        (escaped.as_bytes(), "identity", true),
        (other.as_bytes(), "identity", false),
        (&encoded[..], "gzip", true),
    ] {
        let scene = Scene::new(RULE).await;
        let request = Request::post(PATH).header("content-encoding", coding);
        let (status, ..) = scene.call_with(request, body.to_vec()).await;
        assert_eq!(status, StatusCode::OK);
        let records = scene.end().await;
        let record = &records[0];
        let rule = record.routed.as_ref().filter(|routed| routed.acts).map(|routed| &*routed.rule);
        assert_eq!(rule, decides.then_some("chat"), "{:?}", String::from_utf8_lossy(body));
        assert_eq!(record.facts.model.as_deref(), Some(if decides { "gpt-5.1" } else { "gpt-4.1" }));
        assert_eq!(record.transport.request_bytes, body.len() as u64);
    }
}

#[tokio::test]
async fn a_request_is_read_once_however_often_it_is_sent() {
    for says in [vec![server_error(), Says::Well], vec![Says::Reset, Says::Well], vec![server_error()]] {
        let scene = Scene::new(RULE).await;
        scene.says(HOST, says.clone());
        let (status, ..) = scene.call().await;
        assert_eq!(status, StatusCode::OK);
        let records = scene.end().await;
        let record = &records[0];
        assert!(record.attempts.len() > 1, "{says:?}");
        assert_eq!(record.transport.request_bytes, PLAIN.len() as u64, "{says:?}");
        assert_eq!(record.facts.model.as_deref(), Some("gpt-5.1"), "{says:?}");
    }
}
