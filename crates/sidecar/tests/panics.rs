//! What a fault of our own prints: where it happened, and nothing of what it was working on. Looked at from outside the process,
//! over all that it said.

use std::process::Command;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use outrigger_sidecar::{logging, panics};

use crate::support::{Bench, Body, HOST, within};

/// Among the planted secrets of `tests/secrets.txt`.
const KEY: &str = "sk-harbour-mistyped-5566778899";
/// In the environment of the process that shall stumble.
const STUMBLES: &str = "OUTRIGGER_TEST_STUMBLES";
const TEST: &str = "panics::a_fault_of_ours_prints_its_place_and_no_secret";

async fn answer(request: Request<Incoming>) -> Response<Body> {
    request.into_body().collect().await.unwrap();
    let body = r#"{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}"#;
    Response::new(Either::Left(Full::from(body)))
}

/// A sidecar whose recorder stumbles over the key of a call.
async fn stumble() {
    let _logging = logging::start("info");
    panics::print_place_only();
    let bench = Bench::faulty(KEY, answer).await;
    let mut app = bench.h1::<Full<Bytes>>(HOST).await;
    let request = Request::post("/v1/chat/completions")
        .header("host", HOST)
        .header("authorization", format!("Bearer {KEY}"))
        .body(Full::from(r#"{"model":"m","messages":[]}"#))
        .unwrap();
    let answer = within(app.send_request(request)).await.unwrap();
    let status = answer.status();
    let body = within(answer.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!((status.as_u16(), body.is_empty()), (200, false), "the app notices nothing");
    within(bench.recorded(1)).await;
    let (seen, _) = bench.end().await;
    assert_eq!(seen.panics, 1);
}

#[test]
fn a_fault_of_ours_prints_its_place_and_no_secret() {
    if std::env::var_os(STUMBLES).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(stumble());
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(STUMBLES, "1")
        .env("RUST_BACKTRACE", "full")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("a fault of Outrigger's own") && said.contains("support/mod.rs:"), "{said}");
    assert!(!said.contains("5566778899"), "{said}");
}
