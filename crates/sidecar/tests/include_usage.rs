//! Streams whose app did not ask for their usage: it is asked for, accounted and taken out again, and where that cannot be
//! done nothing is changed; over real sockets, one sidecar and one server of the test's own.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use outrigger_ledger::{CallRecord, Outcome, Provenance};
use outrigger_pricing::Meter;
use outrigger_sidecar::Settings;
use serde_json::{Value, json};

use crate::support::{Bench, Body, HOST, LISTED, within};

const PATH: &str = "/v1/chat/completions";
const PLAIN: &str =
    r#"{"model": "gpt-5-mini", "stream" : true, "messages":[{"role":"user","content":"Ebb?"}]}"#;
const ASKING: &str = r#"{"model": "gpt-5-mini", "stream" : true, "messages":[{"role":"user","content":"Ebb?"}],"stream_options":{"include_usage":true}}"#;

/// What reached the server.
#[derive(Debug, Clone)]
struct Got {
    headers: HeaderMap,
    body: String,
}

type Log = Arc<Mutex<Vec<Got>>>;

/// How the server answers beyond what it is asked.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// The words in which it refuses a request with `stream_options`.
    refuses: Option<&'static str>,
    /// Refuses everything.
    refuses_all: bool,
    /// Tells the length of its streams.
    measured: bool,
    /// Names a coding that nobody asked for.
    encoded: bool,
    /// Breaks off in the middle of an event.
    breaks: bool,
}

/// A stream as OpenAI sends it, asked for the usage or not.
fn stream(asked: bool) -> String {
    let null = if asked { r#","usage":null"# } else { "" };
    let mut stream = String::new();
    for word in ["The", " tide", " \\\"usage\\\":null"] {
        stream += &format!(
            r#"data: {{"id":"chatcmpl-1","model":"gpt-5-mini","choices":[{{"index":0,"delta":{{"content":"{word}"}},"finish_reason":null}}]{null},"obfuscation":"x"}}"#
        );
        stream += "\n\n";
    }
    stream += &format!(
        "data: {{\"id\":\"chatcmpl-1\",\"model\":\"gpt-5-mini\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]{null}}}\n\n"
    );
    if asked {
        stream += "data: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-5-mini\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\n";
    }
    stream + "data: [DONE]\n\n"
}

async fn answer(manner: Manner, log: Log, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    let asked: Value = serde_json::from_str(&text).unwrap_or_default();
    log.lock().unwrap().push(Got { headers: head.headers, body: text });
    let options = &asked["stream_options"];
    let refusal = match manner.refuses {
        _ if manner.refuses_all => Some("stream_options and all the rest are refused"),
        Some(words) if !options.is_null() => Some(words),
        _ => None,
    };
    if let Some(words) = refusal {
        let body = json!({"error": {"message": words, "type": "invalid_request_error"}}).to_string();
        let response = Response::builder().status(400).header("content-type", "application/json");
        return response.body(Either::Left(Full::from(body))).unwrap();
    }
    let text = stream(options["include_usage"] == true);
    let mut response = Response::builder().header("content-type", "text/event-stream; charset=utf-8");
    if manner.encoded {
        response = response.header("content-encoding", "br");
    }
    if manner.measured {
        response = response.header("content-digest", "sha-256=:x:");
        return response.body(Either::Left(Full::from(text))).unwrap();
    }
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        let end = if manner.breaks { text.len() - 70 } else { text.len() };
        for piece in text.as_bytes()[..end].chunks(50) {
            // The reader may have left.
            drop(sender.send_data(Bytes::copy_from_slice(piece)).await);
        }
        if manner.breaks {
            sender.abort(std::io::ErrorKind::ConnectionReset.into());
        }
    });
    response.body(Either::Right(body)).unwrap()
}

/// A sidecar before such a server, and what reaches it.
async fn bench(settings: Settings, manner: Manner) -> (Bench, Log) {
    let log = Log::default();
    let kept = Arc::clone(&log);
    (Bench::before(settings, move |request| answer(manner, Arc::clone(&kept), request)).await, log)
}

fn request(body: &str) -> http::request::Builder {
    Request::post(PATH)
        .header("host", HOST)
        .header("content-type", "application/json")
        .header("accept-encoding", "gzip, br")
        .header("content-length", body.len())
}

/// One request on a connection of its own: status, headers and body of the answer.
async fn call<B>(bench: &Bench, host: &'static str, request: Request<B>) -> (StatusCode, HeaderMap, String)
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let (mut request, io) = (request, TokioIo::new(bench.open(host, "http/1.1").await));
    request.headers_mut().insert("host", host.parse().unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let (head, body) = within(sender.send_request(request)).await.unwrap().into_parts();
    let body = within(body.collect()).await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.into()).unwrap())
}

async fn ask(bench: &Bench, body: &str) -> (StatusCode, HeaderMap, String) {
    call(bench, HOST, request(body).body(Full::from(body.to_owned())).unwrap()).await
}

fn got(log: &Log) -> Vec<Got> {
    log.lock().unwrap().clone()
}

/// The tokens of a call and how they are known.
fn tokens(record: &CallRecord) -> (Provenance, Option<u64>, Option<u64>) {
    let usage = &record.tokens.usage;
    (record.tokens.provenance, usage.get(Meter::Input), usage.get(Meter::Output))
}

const EXACT: (Provenance, Option<u64>, Option<u64>) = (Provenance::Exact, Some(9), Some(3));

#[tokio::test]
async fn the_usage_is_asked_for_accounted_and_taken_out_again() {
    let (bench, log) = bench(Settings::default(), Manner::default()).await;
    let (status, headers, body) = ask(&bench, PLAIN).await;
    assert_eq!((status, body), (StatusCode::OK, stream(false)));
    assert_eq!(headers["content-type"], "text/event-stream; charset=utf-8");
    let got = &got(&log)[0];
    assert_eq!(got.body, ASKING);
    assert_eq!(got.headers["content-length"], ASKING.len().to_string());
    assert_eq!(got.headers["accept-encoding"], "identity");
    let (seen, records) = bench.end().await;
    assert_eq!((seen.panics, tokens(&records[0]), records[0].outcome), (0, EXACT, Outcome::Answered));
    assert_eq!(records[0].transport.request_bytes, PLAIN.len() as u64, "as the app sent it");
    assert_eq!(records[0].transport.response_bytes, stream(true).len() as u64, "as the provider sent it");
}

#[tokio::test]
async fn over_http_2_too_and_chunked_stays_chunked() {
    let (bench, log) = bench(Settings::default(), Manner::default()).await;
    let mut sender = bench.h2().await;
    let request = Request::post(format!("https://{HOST}{PATH}")).body(Full::from(PLAIN)).unwrap();
    let body = within(sender.send_request(request)).await.unwrap().into_body();
    assert_eq!(within(body.collect()).await.unwrap().to_bytes(), stream(false));

    let (mut sending, body) = Channel::<Bytes, Infallible>::new(1);
    let request = Request::post(PATH).body(body).unwrap();
    let pieces = async {
        for piece in PLAIN.as_bytes().chunks(10) {
            sending.send_data(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        drop(sending);
    };
    let ((status, _, body), ()) = tokio::join!(call(&bench, HOST, request), pieces);
    assert_eq!((status, body), (StatusCode::OK, stream(false)));
    let got = got(&log);
    assert_eq!([&*got[0].body, &*got[1].body], [ASKING, ASKING]);
    assert_eq!(got[1].headers["transfer-encoding"], "chunked");
    assert!(!got[1].headers.contains_key("content-length"));
    let (_, records) = bench.end().await;
    assert!(records.iter().all(|record| tokens(record) == EXACT), "{records:?}");
}

#[tokio::test]
async fn whose_app_asks_is_left_alone() {
    let (bench, log) = bench(Settings::default(), Manner::default()).await;
    assert_eq!(ask(&bench, ASKING).await.2, stream(true));
    let whole = PLAIN.replace("true", "false");
    assert_eq!(ask(&bench, &whole).await.2, stream(false));
    let got = got(&log);
    assert_eq!([&*got[0].body, &*got[1].body], [ASKING, &whole]);
    assert!(got.iter().all(|got| got.headers["accept-encoding"] == "gzip, br"));
    bench.end().await;
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let settings = Settings { include_usage: false, ..Settings::default() };
    let (bench, log) = bench(settings, Manner::default()).await;
    assert_eq!(ask(&bench, PLAIN).await.2, stream(false));
    assert_eq!(got(&log)[0].body, PLAIN);
    let (_, records) = bench.end().await;
    assert_eq!(
        records[0].tokens.reason,
        Some("the app did not ask for the usage (stream_options.include_usage)")
    );
}

#[tokio::test]
async fn a_refusal_is_not_the_apps_and_is_remembered() {
    let refuses = Some("Unrecognized request argument supplied: stream_options");
    let (bench, log) = bench(Settings::default(), Manner { refuses, ..Manner::default() }).await;
    for _ in 0..2 {
        let (status, _, body) = ask(&bench, PLAIN).await;
        assert_eq!((status, body), (StatusCode::OK, stream(false)));
    }
    let got = got(&log);
    let bodies: Vec<&str> = got.iter().map(|got| &*got.body).collect();
    assert_eq!(bodies, [ASKING, PLAIN, PLAIN], "asked once");
    assert_eq!(got[1].headers["accept-encoding"], "gzip, br", "sent again as the app sent it");
    assert_eq!(got[1].headers["content-length"], PLAIN.len().to_string());
    let (_, records) = bench.end().await;
    let attempts: Vec<_> =
        records[0].attempts.iter().map(|attempt| (attempt.number, attempt.status)).collect();
    assert_eq!(attempts, [(1, Some(400)), (2, Some(200))]);
    assert_eq!(records[1].attempts.len(), 1);
    for record in &records {
        let reason = record.tokens.reason.unwrap_or_default();
        assert!(reason.contains("refuses to be asked"), "{reason}");
        assert_eq!((record.tokens.provenance, record.outcome), (Provenance::Unknown, Outcome::Answered));
    }
}

#[tokio::test]
async fn a_host_that_is_not_known_may_refuse_in_any_words() {
    let (bench, log) =
        bench(Settings::default(), Manner { refuses: Some("bad request"), ..Manner::default() }).await;
    for _ in 0..2 {
        let request = request(PLAIN).body(Full::from(PLAIN)).unwrap();
        assert_eq!(call(&bench, LISTED, request).await.2, stream(false));
    }
    assert_eq!(got(&log).iter().map(|got| &*got.body).collect::<Vec<_>>(), [ASKING, PLAIN, PLAIN]);
    bench.end().await;
}

#[tokio::test]
async fn what_is_the_apps_own_fault_is_told_and_not_held_against_the_host() {
    let (bench, log) = bench(Settings::default(), Manner { refuses_all: true, ..Manner::default() }).await;
    for _ in 0..2 {
        let (status, headers, body) = ask(&bench, PLAIN).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(headers["content-length"], body.len().to_string());
        assert!(body.contains("all the rest"), "{body}");
    }
    assert_eq!(got(&log).iter().map(|got| &*got.body).collect::<Vec<_>>(), [ASKING, PLAIN, ASKING, PLAIN]);
    let (_, records) = bench.end().await;
    assert!(records.iter().all(|record| record.outcome == Outcome::Failed && record.attempts.len() == 2));

    // An error of another kind is passed on as it was read.
    let refuses = Some("the model is gone");
    let (bench, log) = self::bench(Settings::default(), Manner { refuses, ..Manner::default() }).await;
    let (status, _, body) = ask(&bench, PLAIN).await;
    assert!(status == StatusCode::BAD_REQUEST && body.contains("the model is gone"), "{body}");
    assert_eq!(got(&log).len(), 1);
    bench.end().await;
}

#[tokio::test]
async fn what_cannot_be_changed_for_certain_passes_as_it_is_and_the_record_says_why() {
    let (bench, log) = bench(Settings::default(), Manner::default()).await;
    let long = PLAIN.replace("Ebb?", &"x".repeat(5 << 20));
    let doubled = PLAIN.replace("\"messages\"", "\"stream\":true,\"messages\"");
    let signature =
        "authorization: AWS4-HMAC-SHA256 Credential=A/1/r/s/aws4_request, SignedHeaders=host, Signature=0";
    let cases: [(&str, &str, &str); 8] = [
        (PLAIN, signature, "signed"),
        (PLAIN, "content-md5: 0Q==", "signed"),
        (PLAIN, "x-amz-content-sha256: 00", "signed"),
        (PLAIN, "content-digest: sha-256=:x:", "signed"),
        ("\u{1}not what it says", "content-encoding: zstd", "encoded"),
        (&long, "", "too long"),
        (&doubled, "", "read for certain"),
        ("{\"stream\":true,", "", "read for certain"),
    ];
    for (body, header, _) in &cases {
        let mut request = request(body);
        if let Some((name, value)) = header.split_once(": ") {
            request = request.header(name, value);
        }
        let (status, _, answer) =
            call(&bench, HOST, request.body(Full::from((*body).to_owned())).unwrap()).await;
        assert_eq!((status, answer), (StatusCode::OK, stream(false)));
    }
    for (got, (body, header, _)) in got(&log).iter().zip(&cases) {
        assert!(got.body == *body, "{header}");
        assert_eq!(got.headers["accept-encoding"], "gzip, br");
        assert_eq!(got.headers["content-length"], body.len().to_string());
    }
    let (_, records) = bench.end().await;
    for (record, (body, _, why)) in records.iter().zip(&cases) {
        // What is not even read is not known to be a stream.
        if body.starts_with(['{']) && serde_json::from_str::<Value>(body).is_ok() {
            let reason = record.tokens.reason.unwrap_or_default();
            assert!(reason.contains(why), "{reason}, not {why}");
        }
        assert_eq!(record.tokens.provenance, Provenance::Unknown);
    }
}

#[tokio::test]
async fn a_length_or_a_digest_of_the_other_body_goes() {
    let (bench, _) = bench(Settings::default(), Manner { measured: true, ..Manner::default() }).await;
    let (_, headers, body) = ask(&bench, PLAIN).await;
    assert_eq!(body, stream(false));
    assert!(
        !headers.contains_key("content-length") && !headers.contains_key("content-digest"),
        "{headers:?}"
    );
    let (_, headers, body) = ask(&bench, ASKING).await;
    assert_eq!(headers["content-length"], body.len().to_string());
    assert!(headers.contains_key("content-digest"));
    bench.end().await;
}

#[tokio::test]
async fn a_stream_that_comes_encoded_all_the_same_passes_and_its_host_is_not_asked_again() {
    let (bench, log) = bench(Settings::default(), Manner { encoded: true, ..Manner::default() }).await;
    assert_eq!(ask(&bench, PLAIN).await.2, stream(true), "it is not for us to decode");
    assert_eq!(ask(&bench, PLAIN).await.2, stream(false));
    assert_eq!(got(&log).iter().map(|got| &*got.body).collect::<Vec<_>>(), [ASKING, PLAIN]);
    bench.end().await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_breaks_off() {
    let (bench, _) = bench(Settings::default(), Manner { breaks: true, ..Manner::default() }).await;
    let io = TokioIo::new(bench.open(HOST, "http/1.1").await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = request(PLAIN).body(Full::new(Bytes::from_static(PLAIN.as_bytes()))).unwrap();
    let mut body = within(sender.send_request(request)).await.unwrap().into_body();
    let mut came = Vec::new();
    let broken = loop {
        match within(body.frame()).await {
            Some(Ok(frame)) => came.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken, "never a complete one");
    let came = String::from_utf8(came).unwrap();
    let whole = stream(false);
    let events = whole.strip_suffix("data: [DONE]\n\n").unwrap();
    assert!(came.starts_with(events), "{came}");
    let (_, records) = bench.end().await;
    assert_eq!(records[0].outcome, Outcome::Failed);
}
