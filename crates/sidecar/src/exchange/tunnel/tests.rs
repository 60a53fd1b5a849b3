//! Tunnels between an app and a server in memory.

use std::rc::Rc;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method, StatusCode};
use outrigger_ledger::{CallId, CallRecord, CallStart, Mode, Recorder, SilentStream, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::services;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::clock::CallClock;
use crate::exchange::pulse::Pulses;
use crate::exchange::watch::{Records, Watch};

/// An app and a server with a tunnel between them whose ends hold `size` bytes.
fn joined(
    size: usize,
    early: &'static [u8],
    answered: &'static [u8],
    watch: Option<SocketWatch>,
) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<io::Result<()>>) {
    let (app, app_side) = duplex(size);
    let (server_side, server) = duplex(size);
    let task = tokio::task::spawn_local(join(
        app_side,
        server_side,
        Bytes::from_static(early),
        Bytes::from_static(answered),
        watch,
    ));
    (app, server, task)
}

#[tokio::test(flavor = "local")]
async fn what_came_early_comes_first_and_each_half_closes_on_its_own() {
    for app_first in [true, false] {
        let (app, server, task) = joined(16, b"early ", b"answered ", None);
        let (mut one, mut other, of_other, of_one) = if app_first {
            (app, server, "answered ", "early ")
        } else {
            (server, app, "early ", "answered ")
        };
        one.write_all(b"question").await.unwrap();
        one.shutdown().await.unwrap();
        let mut heard = String::new();
        other.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, format!("{of_one}question"));
        other.write_all(b"an answer after the end").await.unwrap();
        other.shutdown().await.unwrap();
        heard.clear();
        one.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, format!("{of_other}an answer after the end"));
        task.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "local")]
async fn a_slow_reader_loses_nothing_and_holds_its_sender_back() {
    let (mut app, mut server, task) = joined(100, b"", b"", None);
    let sent: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    let whole = sent.clone();
    let writing = tokio::task::spawn_local(async move {
        app.write_all(&whole).await.unwrap();
        app.shutdown().await.unwrap();
        app
    });
    // Two pipes and one read's worth is all that is under way.
    let mut first = vec![0; 10];
    server.read_exact(&mut first).await.unwrap();
    assert!(!writing.is_finished());
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.unwrap();
    assert!([first, rest].concat() == sent);
    drop((writing.await.unwrap(), server));
    task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "local")]
async fn an_end_that_breaks_ends_both() {
    let (mut app, server, task) = joined(16, b"", b"", None);
    drop(server);
    // The end is passed on, and writing to who is gone fails.
    let mut heard = Vec::new();
    app.read_to_end(&mut heard).await.unwrap();
    assert!(heard.is_empty());
    app.write_all(b"anyone?").await.unwrap();
    assert_eq!(task.await.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_half_that_stays_open_in_silence_is_given_up_and_a_whole_one_is_not() {
    let (mut app, server, task) = joined(16, b"", b"", None);
    tokio::time::sleep(HALF_CLOSED * 3).await;
    assert!(!task.is_finished(), "a WebSocket may be silent");
    app.shutdown().await.unwrap();
    assert_eq!(task.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    drop((app, server));
}

/// Keeps what it was told of silence: how many streams, each time that changed.
#[derive(Default)]
struct Told(Mutex<Vec<usize>>);

impl Recorder for Told {
    fn try_record(&self, _: Arc<CallRecord>) {}

    fn try_silent(&self, streams: Vec<SilentStream>) {
        assert!(streams.iter().all(|stream| stream.provider == "openai"));
        self.0.lock().unwrap().push(streams.len());
    }
}

/// The watch over a WebSocket of the Responses API, just agreed to.
fn socket(told: &Arc<Told>, pulses: &Rc<Pulses>) -> SocketWatch {
    let book = Arc::new(PriceBook::builtin().clone());
    let records =
        Rc::new(Records::new(Arc::clone(told) as _, book, Arc::default(), Arc::default(), Arc::default()));
    let service = services::by_host("api.openai.com").unwrap();
    let (clock, none) = (CallClock::start(), HeaderMap::new());
    let start = CallStart {
        id: CallId([7; 16]),
        service,
        recognised: (service.recognise_socket)("/v1/responses").unwrap(),
        mode: Mode::Connect,
        method: &Method::GET,
        path: "/v1/responses",
        query: None,
        headers: &none,
        identity: &records.identity,
        host: "api.openai.com",
        port: 443,
        http_version: "1.1",
        at: clock.started(),
    };
    let watch = Watch::begin(start, clock, Rc::clone(&records), None);
    watch.show(|call| call.response_head(StatusCode::SWITCHING_PROTOCOLS, &none, clock.now()));
    watch.take_socket(None, &none, &none, pulses).unwrap()
}

/// A short message of the server; the app's are masked, here by zeros.
fn message(from: Peer, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    match from {
        Peer::Server => [&[0x81, length], text.as_bytes()].concat(),
        Peer::Client => [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat(),
    }
}

const CREATE: &str = r#"{"type":"response.create","model":"gpt-5-mini","input":"Hi"}"#;
const CREATED: &str = r#"{"type":"response.created","response":{"id":"resp_1"}}"#;
const DELTA: &str = r#"{"type":"response.output_text.delta","delta":"Oh"}"#;
const COMPLETED: &str = r#"{"type":"response.completed","response":{"id":"resp_1"}}"#;

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_response_that_falls_silent_is_told_while_it_is() {
    let (told, pulses) = (Arc::new(Told::default()), Rc::new(Pulses::default()));
    let (mut app, mut server, _task) = joined(4096, b"", b"", Some(socket(&told, &pulses)));
    // Beside paused time real clocks stand still: what has begun has been silent since the test began.
    let (begun, clock) = (tokio::time::Instant::now(), CallClock::start().started());
    let now = move || Timestamp(clock.0 + u64::try_from(begun.elapsed().as_nanos()).unwrap());
    let (watched, recorder) = (Rc::clone(&pulses), Arc::clone(&told));
    tokio::task::spawn_local(async move { watched.watch(&*recorder, now).await });
    let told = || std::mem::take(&mut *told.0.lock().unwrap());
    let minute = || tokio::time::sleep(Duration::from_secs(60));

    app.write_all(&message(Peer::Client, CREATE)).await.unwrap();
    minute().await;
    assert_eq!(told(), [0; 0], "what has not begun is late, not silent");
    server.write_all(&[message(Peer::Server, CREATED), message(Peer::Server, DELTA)].concat()).await.unwrap();
    minute().await;
    assert_eq!(told(), [1]);
    server.write_all(&message(Peer::Server, COMPLETED)).await.unwrap();
    minute().await;
    assert_eq!(told(), [0], "the response is over, the socket stays open");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_app_that_reads_nothing_is_no_silence_of_the_provider() {
    let (told, pulses) = (Arc::new(Told::default()), Rc::new(Pulses::default()));
    let (app, mut server, _task) = joined(64, b"", b"", Some(socket(&told, &pulses)));
    let (begun, clock) = (tokio::time::Instant::now(), CallClock::start().started());
    let now = move || Timestamp(clock.0 + u64::try_from(begun.elapsed().as_nanos()).unwrap());
    let (watched, recorder) = (Rc::clone(&pulses), Arc::clone(&told));
    tokio::task::spawn_local(async move { watched.watch(&*recorder, now).await });
    for text in [CREATED, DELTA] {
        server.write_all(&message(Peer::Server, text)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(*told.0.lock().unwrap(), [0; 0]);
    drop(app);
}
