//! What is no call of a known API passes as it is: gRPC with its trailers both ways, answers that come early, an
//! expectation; over real sockets, one sidecar and one server of the test's own.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Either, Empty, Full};
use hyper::body::Incoming;
use outrigger_sidecar::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Bench, Body, HOST, head, within};

/// Ends the sidecar; nothing that passed was a call.
async fn nothing_was_metered(bench: Bench) {
    let (seen, records) = bench.end().await;
    assert_eq!((seen.panics, records.len()), (0, 0));
    assert!(seen.intercepted > 0, "it was read");
}

/// A gRPC message: not compressed, its length, its bytes.
fn message(text: &str) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend(text.as_bytes());
    bytes.into()
}

/// Answers message by message, and tells in the trailers what came with the request.
async fn echo(request: Request<Incoming>) -> Response<Body> {
    if request.uri().path().ends_with("/Refused") {
        // Trailers only: the status stands in a head that is the end.
        return Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "7")
            .header("grpc-message", "no%20tide")
            .body(Either::Left(Full::default()))
            .unwrap();
    }
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        let te = request.headers().get("te").cloned();
        let mut body = request.into_body();
        let mut trailers = HeaderMap::new();
        while let Some(Ok(frame)) = body.frame().await {
            match frame.into_data() {
                // The app may have left.
                Ok(data) => drop(sender.send_data(data).await),
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        trailers.insert("grpc-status", "0".parse().unwrap());
        trailers.extend(te.map(|te| ("x-te".parse().ok(), te)));
        drop(sender.send_trailers(trailers).await);
    });
    Response::builder().header("content-type", "application/grpc").body(Either::Right(body)).unwrap()
}

fn call<B>(path: &str, body: B) -> Request<B> {
    Request::post(format!("https://{HOST}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn grpc_streams_both_ways_at_once_and_keeps_its_trailers() {
    let bench = Bench::before(Settings::default(), echo).await;
    let mut sender = bench.h2().await;
    let (mut asking, body) = Channel::<Bytes, Infallible>::new(1);
    let response = within(sender.send_request(call("/tide.Tables/Watch", body))).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let mut answers = response.into_body();
    // Each is asked only when the one before has been answered.
    for text in ["ebb", "slack water", "flood"] {
        asking.send_data(message(text)).await.unwrap();
        let answer = within(answers.frame()).await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(answer, message(text));
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("x-pilot", "aboard".parse().unwrap());
    asking.send_trailers(trailers).await.unwrap();
    drop(asking);
    let last = within(answers.frame()).await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(last["grpc-status"], "0");
    assert_eq!(last["x-te"], "trailers");
    assert_eq!(last["x-pilot"], "aboard", "the request's came through too");
    assert!(within(answers.frame()).await.is_none());
    nothing_was_metered(bench).await;
}

#[tokio::test]
async fn a_grpc_answer_of_trailers_only_stays_one() {
    let bench = Bench::before(Settings::default(), echo).await;
    let mut sender = bench.h2().await;
    let asked = call("/tide.Tables/Refused", Full::from(message("ebb")));
    let response = within(sender.send_request(asked)).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "7");
    assert_eq!(response.headers()["grpc-message"], "no%20tide");
    assert!(hyper::body::Body::is_end_stream(response.body()), "its head is its end");
    nothing_was_metered(bench).await;
}

/// Answers without reading a byte of the body.
async fn at_once(_request: Request<Incoming>) -> Response<Body> {
    Response::builder().status(413).body(Either::Left(Full::from("too much"))).unwrap()
}

#[tokio::test]
async fn an_answer_may_come_before_its_request_has_ended() {
    let bench = Bench::before(Settings::default(), at_once).await;
    let mut sender = bench.h2().await;
    let (mut asking, body) = Channel::<Bytes, Infallible>::new(1);
    asking.send_data(Bytes::from_static(b"a part")).await.unwrap();
    let response = within(sender.send_request(call("/v1/files", body))).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(within(response.into_body().collect()).await.unwrap().to_bytes(), "too much");
    drop(asking);

    let mut stream = bench.open(HOST, "http/1.1").await;
    let request = format!("POST /v1/files HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000\r\n\r\na part");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 413 "));
    let mut body = [0; 8];
    within(stream.read_exact(&mut body)).await.unwrap();
    assert_eq!(&body, b"too much");
    nothing_was_metered(bench).await;
}

/// Tells how long the body was, and whether an expectation came through.
async fn count(request: Request<Incoming>) -> Response<Body> {
    let expects = request.headers().contains_key("expect");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Response::new(Either::Left(Full::from(format!("{} {expects}", body.len()))))
}

#[tokio::test]
async fn an_app_that_waits_to_be_asked_for_its_body_is_asked() {
    let bench = Bench::before(Settings::default(), count).await;
    let mut stream = bench.open(HOST, "http/1.1").await;
    let request = format!(
        "POST /v1/files HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(head(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"tide").await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    let mut told = [0; 7];
    within(stream.read_exact(&mut told)).await.unwrap();
    assert_eq!(&told, b"4 false");
    nothing_was_metered(bench).await;
}

#[tokio::test]
async fn websockets_over_http_2_are_not_offered() {
    const EXTENDED_CONNECT: u16 = 8;
    let bench = Bench::before(Settings::default(), count).await;
    let mut stream = bench.open(HOST, "h2").await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await.unwrap();
    let mut head = [0; 9];
    within(stream.read_exact(&mut head)).await.unwrap();
    assert_eq!((head[3], head[4]), (4, 0), "the server's settings come first");
    let mut settings = vec![0; usize::from(head[1]) * 256 + usize::from(head[2])];
    within(stream.read_exact(&mut settings)).await.unwrap();
    let names: Vec<u16> = settings.chunks(6).map(|one| u16::from_be_bytes([one[0], one[1]])).collect();
    assert!(!names.is_empty() && !names.contains(&EXTENDED_CONNECT), "{names:?}");
    drop(stream);

    // What only looks like a handshake is an ordinary request.
    let mut sender = bench.h2().await;
    let request = Request::get(format!("https://{HOST}/v1/realtime?model=gpt-realtime"))
        .header("sec-websocket-version", "13")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = within(sender.send_request(request)).await.unwrap();
    assert_eq!(within(response.into_body().collect()).await.unwrap().to_bytes(), "0 false");
    nothing_was_metered(bench).await;
}

#[tokio::test]
async fn no_session_ticket_comes_in_between_an_apps_first_words() {
    let bench = Bench::before(Settings::default(), at_once).await;
    let mut app = bench.open(HOST, "http/1.1").await;
    let ask = format!("GET /v1/files HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    app.write_all(ask.as_bytes()).await.unwrap();
    let answered = head(&mut app).await;
    assert!(answered.starts_with("HTTP/1.1 413 "), "{answered}");
    let session = app.get_ref().1;
    assert_eq!(session.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(session.tls13_tickets_received(), 0);
    nothing_was_metered(bench).await;
}
