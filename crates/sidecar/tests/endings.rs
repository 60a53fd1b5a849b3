//! How a stream ended, as it was on the wire: whole, ended in order without its end, broken by the provider, left by the app; over real
//! sockets and both HTTP versions, one sidecar and one server of the test's own.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use outrigger_ledger::{CallRecord, Outcome};
use outrigger_sidecar::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use crate::support::{Bench, Body, HOST, head, within};

const ASKED: &str = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
const CONTENT: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Ebb\"},\"finish_reason\":null}]}\n\n";
const FINISH: &str =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const REST: &str = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\ndata: [DONE]\n\n";

/// The pieces before the end, by the name of what is tried.
fn pieces(how: &str) -> &'static [&'static str] {
    if how == "whole" || how.ends_with("finished") { &[CONTENT, FINISH] } else { &[CONTENT] }
}

/// Says the pieces and, when the app has them, does what the request asks for.
async fn answer(mut go: watch::Receiver<bool>, request: Request<Incoming>) -> Response<Body> {
    let how = request.headers().get("x-how").unwrap().to_str().unwrap().to_owned();
    request.into_body().collect().await.unwrap();
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        for piece in pieces(&how) {
            sender.send_data(Bytes::from_static(piece.as_bytes())).await.unwrap();
        }
        go.wait_for(|go| *go).await.unwrap();
        if how == "whole" {
            sender.send_data(Bytes::from_static(REST.as_bytes())).await.unwrap();
        } else if how.starts_with("broken") {
            sender.abort(std::io::Error::other("the provider's machine fell over"));
        } else if how == "left" {
            // Nothing more comes; the app leaves.
            std::future::pending::<()>().await;
        }
    });
    Response::builder().header("content-type", "text/event-stream").body(Either::Right(body)).unwrap()
}

fn has(came: &[u8], piece: &str) -> bool {
    came.windows(piece.len()).any(|window| window == piece.as_bytes())
}

/// Reads the pieces, tells the provider to go on, and reads to the end unless the app leaves.
async fn over_h1(bench: &Bench, how: &str, go: &watch::Sender<bool>) {
    let mut stream = bench.open(HOST, "http/1.1").await;
    let length = ASKED.len();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}\r\nX-How: {how}\r\nContent-Length: {length}\r\n\r\n{ASKED}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    let (mut came, mut piece) = (Vec::new(), [0; 4096]);
    while !pieces(how).iter().all(|piece| has(&came, piece)) {
        let read = within(stream.read(&mut piece)).await.unwrap();
        came.extend_from_slice(&piece[..read]);
    }
    go.send_replace(true);
    while how != "left" && !came.ends_with(b"\r\n0\r\n\r\n") {
        match within(stream.read(&mut piece)).await {
            Ok(read @ 1..) => came.extend_from_slice(&piece[..read]),
            Ok(0) | Err(_) => break,
        }
    }
}

async fn over_h2(bench: &Bench, how: &str, go: &watch::Sender<bool>) {
    let mut sender = bench.h2::<Full<Bytes>>().await;
    let request = Request::post(format!("https://{HOST}/v1/chat/completions"))
        .header("x-how", how)
        .body(ASKED.into())
        .unwrap();
    let mut body = within(sender.send_request(request)).await.unwrap().into_body();
    let mut came = Vec::new();
    while !pieces(how).iter().all(|piece| has(&came, piece)) {
        came.extend_from_slice(&within(body.frame()).await.unwrap().unwrap().into_data().unwrap());
    }
    go.send_replace(true);
    while how != "left" && matches!(within(body.frame()).await, Some(Ok(_))) {}
}

/// Outcome, error type of call and attempt, finish reasons.
fn told(record: &CallRecord) -> (Outcome, Option<&str>, Option<&str>, Vec<&str>) {
    let cause = record.cause.as_ref().map(|cause| cause.error_type.as_str());
    let attempt = record.attempts[0].error_type.as_deref();
    (record.outcome, cause, attempt, record.finish_reasons.iter().map(String::as_str).collect())
}

#[tokio::test]
async fn every_way_to_end_has_its_name_and_no_finish_reason_is_made_up() {
    let cut = |what| (Outcome::Failed, Some(what), Some(what));
    for protocol in ["http/1.1", "h2"] {
        for (how, (outcome, cause, attempt), reasons) in [
            ("whole", (Outcome::Answered, None, None), ["stop"]),
            ("incomplete", cut("stream_incomplete"), ["error"]),
            // The reason was sent; that the answer is whole was not.
            ("incomplete_finished", cut("stream_incomplete"), ["stop"]),
            ("broken", cut("stream_interrupted"), ["error"]),
            ("broken_finished", cut("stream_interrupted"), ["stop"]),
            ("left", (Outcome::Cancelled, None, None), ["error"]),
        ] {
            let (go, gone) = watch::channel(false);
            let bench =
                Bench::before(Settings::default(), move |request| answer(gone.clone(), request)).await;
            if protocol == "h2" {
                over_h2(&bench, how, &go).await;
            } else {
                over_h1(&bench, how, &go).await;
            }
            bench.recorded(1).await;
            let (seen, records) = bench.end().await;
            assert_eq!((seen.panics, records.len()), (0, 1), "{protocol}, {how}");
            let expected = (outcome, cause, attempt, reasons.to_vec());
            assert_eq!(told(&records[0]), expected, "{protocol}, {how}");
        }
    }
}
