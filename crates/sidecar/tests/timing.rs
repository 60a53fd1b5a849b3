//! The times of a stream are those on the wire: the first content, not the head or an event without content, and the end with the
//! last byte; over real sockets, TLS and both HTTP versions, one sidecar and one server of the test's own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use outrigger_ledger::CallRecord;
use outrigger_sidecar::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Bench, Body, HOST, head, within};

const ASKED: &str = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
/// What the provider says, and how long it thinks before: a head and a role at once, the content much later, the usage later still.
const SAID: [(u64, &str); 5] = [
    (
        0,
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    ),
    (
        120,
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Ebb\"},\"finish_reason\":null}]}\n\n",
    ),
    (30, "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"),
    (
        90,
        "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\n",
    ),
    (60, "data: [DONE]\n\n"),
];
const CONTENT: &[u8] = b"\"Ebb\"";
/// How far what we say may be from what the client saw.
const APART: Duration = Duration::from_millis(10);
/// A machine under load delays some stream; the best of them shows what the measure is worth.
const STREAMS: usize = 6;

async fn answer(request: Request<Incoming>) -> Response<Body> {
    request.into_body().collect().await.unwrap();
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        for (after, piece) in SAID {
            // The provider's pace is what is measured, so it has to be one.
            tokio::time::sleep(Duration::from_millis(after)).await;
            sender.send_data(Bytes::from_static(piece.as_bytes())).await.unwrap();
        }
    });
    Response::builder().header("content-type", "text/event-stream").body(Either::Right(body)).unwrap()
}

/// When, after the request, a client had the first content and the last byte.
struct Seen {
    first: Duration,
    end: Duration,
}

/// Watches bytes come in.
struct Clock {
    asked: Instant,
    came: Vec<u8>,
    first: Option<Duration>,
}

impl Clock {
    fn start() -> Clock {
        Clock { asked: Instant::now(), came: Vec::new(), first: None }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.came.extend_from_slice(bytes);
        if self.first.is_none() && self.came.windows(CONTENT.len()).any(|window| window == CONTENT) {
            self.first = Some(self.asked.elapsed());
        }
    }

    fn end(self) -> Seen {
        Seen { first: self.first.unwrap(), end: self.asked.elapsed() }
    }
}

async fn over_h1(bench: &Bench) -> Seen {
    let mut stream = bench.open(HOST, "http/1.1").await;
    let length = ASKED.len();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n{ASKED}"
    );
    let mut clock = Clock::start();
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    let mut piece = [0; 4096];
    while !clock.came.ends_with(b"\r\n0\r\n\r\n") {
        let read = within(stream.read(&mut piece)).await.unwrap();
        assert!(read > 0, "the answer is whole");
        clock.take(&piece[..read]);
    }
    clock.end()
}

async fn over_h2(bench: &Bench) -> Seen {
    let mut sender = bench.h2::<Full<Bytes>>().await;
    let request = Request::post(format!("https://{HOST}/v1/chat/completions")).body(ASKED.into()).unwrap();
    let mut clock = Clock::start();
    let response = within(sender.send_request(request)).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    while let Some(frame) = within(body.frame()).await {
        if let Ok(data) = frame.unwrap().into_data() {
            clock.take(&data);
        }
    }
    clock.end()
}

/// How far the record's times are from what the client saw, and the record's own.
fn apart(record: &CallRecord, seen: &Seen) -> (Duration, Duration) {
    let times = record.times;
    let since = |at: outrigger_ledger::Timestamp| Duration::from_nanos(at.since(times.started));
    let first = since(times.first_content.unwrap_or_else(|| panic!("it had content: {record:?}")));
    let end = since(times.ended);
    assert!(first >= Duration::from_millis(120), "no head and no role is content: {first:?}");
    assert!(end >= Duration::from_millis(300), "it runs to the last byte: {end:?}");
    (first.abs_diff(seen.first), end.abs_diff(seen.end))
}

#[tokio::test]
async fn the_first_content_and_the_last_byte_are_those_on_the_wire() {
    for protocol in ["http/1.1", "h2"] {
        let bench = Bench::before(Settings::default(), answer).await;
        let mut saw = Vec::new();
        for count in 1..=STREAMS {
            saw.push(if protocol == "h2" { over_h2(&bench).await } else { over_h1(&bench).await });
            bench.recorded(count).await;
        }
        let (seen, records) = bench.end().await;
        assert_eq!((seen.panics, records.len()), (0, STREAMS));
        let apart: Vec<_> = records.iter().zip(&saw).map(|(record, seen)| apart(record, seen)).collect();
        let best = apart.iter().map(|(first, end)| *first.max(end)).min().unwrap();
        assert!(best < APART, "{protocol}: {apart:?}");
    }
}
