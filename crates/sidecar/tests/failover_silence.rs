//! Streams that a rule decides and that fall silent, over real sockets: what counts as silence, whom it is held against, and how an app
//! is told where it cannot be told in words; one sidecar and one server of the test's own that stands for two hosts.

use http::Request;
use http_body_util::{BodyExt, Full};
use outrigger_ledger::Outcome;
use outrigger_providers::FailureClass;
use outrigger_sidecar::{HangUp, Settings};

use crate::support::scene::{BACKUP, Ending, PATH, Says, Scene};
use crate::support::streams::{EBB, MOVED, ROLE, STREAM, WHOLE, call, stream};
use crate::support::{EU, HOST, within};

#[tokio::test]
async fn signs_of_life_are_no_tokens() {
    let rules = MOVED.replace("failover", "deadlines: { betweenTokens: 300ms }, failover");
    let scene = Scene::new(&rules).await;
    scene.says(HOST, [stream(&[ROLE, EBB], Ending::Pings(usize::MAX, String::new()))]);
    let got = call(&scene).await;
    let pings = got.text.matches("ping").count();
    assert!(pings > 1, "{}", got.text);
    let (_, told) = got.text.split_once("data: {\"error\":").unwrap();
    assert!(told.contains("the betweenTokens of 300ms") && told.ends_with("\n\n") && got.in_order, "{told}");
    let records = scene.end().await;
    assert_eq!(records[0].cause.as_ref().unwrap().class, FailureClass::Timeout);
}

#[tokio::test]
async fn signs_of_life_are_no_tokens_where_it_is_only_reported() {
    let report =
        "rules:\n  - { name: chat, match: {}, deadlines: { betweenTokens: 300ms, onExceeded: report } }\n";
    let scene = Scene::new(report).await;
    scene.says(HOST, [stream(&[ROLE, EBB], Ending::Pings(20, WHOLE[2..].concat()))]);
    let got = call(&scene).await;
    assert!(got.text.ends_with(&WHOLE[2..].concat()) && got.in_order, "{}", got.text);
    let records = scene.end().await;
    assert_eq!(records[0].routed.as_ref().unwrap().exceeded, ["betweenTokens"]);
}

#[tokio::test]
async fn a_stream_that_is_compressed_breaks_off_without_words() {
    let scene = Scene::new(MOVED).await;
    let pieces = [ROLE, EBB].map(str::to_owned).to_vec();
    scene.says(HOST, [Says::Compressed(pieces, Ending::Broken)]);
    let got = call(&scene).await;
    assert_eq!((got.text, got.in_order), ([ROLE, EBB].concat(), false), "plain text would be garbage there");
}

/// Asks for a stream and hangs up once its first content is there.
async fn hang_up(scene: &Scene) {
    let mut sender = scene.bench.h1(HOST).await;
    let request = Request::post(PATH).header("host", HOST).body(Full::<bytes::Bytes>::from(STREAM)).unwrap();
    let mut body = within(sender.send_request(request)).await.unwrap().into_body();
    let mut text = String::new();
    while !text.ends_with(EBB) {
        let frame = within(body.frame()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn an_app_that_gives_up_a_silent_stream_says_nothing_for_the_place() {
    let document = format!("{BACKUP}{MOVED}");
    let scene = Scene::with(Settings { hang_up: HangUp::Cancel, ..Settings::default() }, &document).await;
    let broken = stream(&[ROLE, EBB], Ending::Broken);
    let silent = stream(&[ROLE, EBB], Ending::Silent);
    scene.says(HOST, [broken.clone(), broken.clone(), silent, broken]);
    scene.says(EU, [stream(&WHOLE, Ending::Clean)]);
    call(&scene).await;
    call(&scene).await;
    hang_up(&scene).await;
    within(scene.bench.recorded(3)).await;
    assert!(!call(&scene).await.text.contains("[DONE]"), "two failures and a silence");
    assert_eq!(call(&scene).await.text, WHOLE.concat(), "the third failure in a row");
    assert_eq!(scene.asked(), (4, 1));
    assert_eq!(scene.end().await[2].outcome, Outcome::Cancelled);
}
