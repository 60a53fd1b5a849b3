//! Apps that hang up in the middle of a stream: its provider is cancelled at once, or, where it bills the answer to the end all
//! the same, read on for the usage; over real sockets, one sidecar and one server of the test's own.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Either};
use hyper::body::Incoming;
use outrigger_ledger::{CallRecord, Outcome, Provenance};
use outrigger_pricing::Meter;
use outrigger_sidecar::{HangUp, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};

use crate::support::{BEDROCK, Bench, Body, HOST, head, within};

const ASKED: &str = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
const UNASKED: &str = r#"{"model":"m","stream":true,"messages":[]}"#;
const FIRST: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Ebb\"},\"finish_reason\":null}]}\n\n";
const REST: [&str; 3] = [
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\n",
    "data: [DONE]\n\n",
];

/// Says the first event, and the rest when it is told to. Reports whether it was heard to the end.
async fn answer(
    mut go: watch::Receiver<bool>,
    heard: mpsc::UnboundedSender<bool>,
    request: Request<Incoming>,
) -> Response<Body> {
    request.into_body().collect().await.unwrap();
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        sender.send_data(Bytes::from_static(FIRST.as_bytes())).await.unwrap();
        go.wait_for(|go| *go).await.unwrap();
        let mut whole = true;
        for piece in REST {
            whole &= sender.send_data(Bytes::from_static(piece.as_bytes())).await.is_ok();
        }
        drop(sender);
        heard.send(whole).unwrap();
    });
    Response::builder().header("content-type", "text/event-stream").body(Either::Right(body)).unwrap()
}

/// A sidecar before such a server; what makes it go on, and what it reports.
async fn bench(settings: Settings) -> (Bench, watch::Sender<bool>, mpsc::UnboundedReceiver<bool>) {
    let (go, gone) = watch::channel(false);
    let (heard, hears) = mpsc::unbounded_channel();
    (Bench::before(settings, move |request| answer(gone.clone(), heard.clone(), request)).await, go, hears)
}

/// Asks, reads the first event and leaves; returns when the sidecar has seen that.
async fn hang_up(bench: &Bench, host: &'static str, body: &str) {
    let mut stream = bench.open(host, "http/1.1").await;
    let path = if host == BEDROCK { "/openai/v1/chat/completions" } else { "/v1/chat/completions" };
    let length = body.len();
    let request = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    let mut came = Vec::new();
    while !came.ends_with(b"\n\n\r\n") {
        came.push(within(stream.read_u8()).await.unwrap());
    }
    stream.shutdown().await.unwrap();
    // It takes no leave of who has left.
    let _torn = within(stream.read_to_end(&mut came)).await;
}

fn known(record: &CallRecord) -> (Outcome, Provenance, Option<u64>, Option<u64>) {
    let usage = &record.tokens.usage;
    (record.outcome, record.tokens.provenance, usage.get(Meter::Input), usage.get(Meter::Output))
}

const LATE: (Outcome, Provenance, Option<u64>, Option<u64>) =
    (Outcome::Cancelled, Provenance::ProviderLate, Some(9), Some(3));

fn is_lost(record: &CallRecord) -> bool {
    record.outcome == Outcome::Cancelled && record.tokens.provenance != Provenance::ProviderLate
}

#[tokio::test]
async fn what_is_billed_all_the_same_is_read_on_for_its_usage() {
    for body in [ASKED, UNASKED] {
        let (bench, go, mut hears) = bench(Settings::default()).await;
        hang_up(&bench, BEDROCK, body).await;
        go.send_replace(true);
        assert!(within(hears.recv()).await.unwrap(), "heard to the end");
        bench.recorded(1).await;
        let (seen, records) = bench.end().await;
        assert_eq!((seen.panics, known(&records[0])), (0, LATE));
        let length: usize = REST.iter().map(|piece| piece.len()).sum();
        assert_eq!(records[0].transport.response_bytes, (FIRST.len() + length) as u64);
        let times = records[0].times;
        assert!(times.first_content.is_some_and(|first| first <= times.ended), "it ended when the app left");
    }
}

#[tokio::test]
async fn elsewhere_or_where_that_is_not_wished_it_is_cancelled_at_once() {
    let cancel = Settings { hang_up: HangUp::Cancel, ..Settings::default() };
    for (settings, host) in [(Settings::default(), HOST), (cancel, BEDROCK)] {
        let (bench, go, mut hears) = bench(settings).await;
        hang_up(&bench, host, ASKED).await;
        // There is a record before the provider has said another word.
        bench.recorded(1).await;
        go.send_replace(true);
        assert!(within(hears.recv()).await.is_some());
        let (_, records) = bench.end().await;
        assert!(is_lost(&records[0]), "{records:?}");
        assert_eq!(records[0].transport.response_bytes, FIRST.len() as u64);
    }
}

#[tokio::test]
async fn past_its_time_or_its_bytes_it_is_cancelled() {
    let no_time = Settings { hang_up_seconds: 0, ..Settings::default() };
    let (bench, go, _hears) = bench(no_time).await;
    hang_up(&bench, BEDROCK, ASKED).await;
    bench.recorded(1).await;
    drop(go);
    assert!(is_lost(&bench.end().await.1[0]));

    let no_room = Settings { hang_up_bytes: 10, ..Settings::default() };
    let (bench, go, _hears) = self::bench(no_room).await;
    hang_up(&bench, BEDROCK, ASKED).await;
    go.send_replace(true);
    bench.recorded(1).await;
    let (_, records) = bench.end().await;
    assert!(is_lost(&records[0]) && records[0].transport.response_bytes > FIRST.len() as u64);
}

#[tokio::test]
async fn only_so_many_are_read_on_at_a_time() {
    let (bench, go, _hears) = bench(Settings::default()).await;
    for _ in 0..18 {
        hang_up(&bench, BEDROCK, ASKED).await;
    }
    bench.recorded(2).await;
    go.send_replace(true);
    bench.recorded(18).await;
    // And there is room again.
    hang_up(&bench, BEDROCK, ASKED).await;
    bench.recorded(19).await;
    let (_, records) = bench.end().await;
    let late = |records: &[Arc<CallRecord>]| records.iter().filter(|record| known(record) == LATE).count();
    assert!(records[..2].iter().all(|record| is_lost(record)), "those that found no room");
    assert_eq!(late(&records[2..18]), 16);
}

#[tokio::test]
async fn what_is_being_read_on_when_the_process_ends_has_its_record() {
    let (bench, _go, _hears) = bench(Settings::default()).await;
    hang_up(&bench, BEDROCK, ASKED).await;
    let (seen, records) = bench.end().await;
    assert_eq!((seen.panics, records.len()), (0, 1));
    assert_ne!(records[0].tokens.provenance, Provenance::ProviderLate);
}
