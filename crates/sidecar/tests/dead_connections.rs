//! A pool full of connections whose peer is gone, or fell silent without a word, over real sockets: the next calls open others, and what
//! a provider may have seen is sent again only where a rule says so.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::channel::Channel;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use outrigger_providers::FailureClass;
use outrigger_sidecar::{Settings, UpstreamOverride};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::support::{Bench, Body, HOST, within};

/// Calls at once, and so connections that lie idle afterwards.
const MANY: usize = 8;
const PATH: &str = "/v1/chat/completions";
const ASKED: &str = r#"{"model":"gpt-5-mini","messages":[{"role":"user","content":"Ebb?"}]}"#;
const STREAM: &str = r#"{"model":"gpt-5-mini","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Ebb?"}]}"#;
const TOLD: &str = "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-5-mini\",\"choices\":[{\"index\":0,\
                    \"delta\":{\"content\":\"Ebb.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// How the connections that stand come to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// None yet.
    Alive,
    /// Closed in order while nobody uses them.
    Closed,
    /// Broken while nobody uses them.
    Reset,
    /// They take what they are sent, and break.
    Swallowed,
    /// They take what they are sent, and that is all.
    Silent,
}

/// A way to the server. What becomes of it concerns the connections that stand; new ones are as good as ever.
struct Way {
    address: SocketAddr,
    leads_to: Arc<OnceLock<SocketAddr>>,
    fate: watch::Sender<Fate>,
    /// Connections that met their fate.
    met: Arc<Semaphore>,
}

impl Way {
    async fn new() -> Way {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let leads_to = Arc::new(OnceLock::new());
        let (fate, met) = (watch::Sender::new(Fate::Alive), Arc::new(Semaphore::new(0)));
        let (to, fates, meets) = (Arc::clone(&leads_to), fate.clone(), Arc::clone(&met));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = TcpStream::connect(*to.get().unwrap()).await.unwrap();
                let mut fate = fates.subscribe();
                // Of what befell those before it, it is free.
                fate.mark_unchanged();
                tokio::spawn(pass(stream, server, fate, Arc::clone(&meets)));
            }
        });
        Way { address, leads_to, fate, met }
    }

    /// All connections that stand meet it; those that are to end have ended then.
    async fn befalls(&self, fate: Fate, connections: usize) {
        self.fate.send_replace(fate);
        let all = u32::try_from(connections).unwrap();
        within(self.met.acquire_many(all)).await.unwrap().forget();
    }
}

async fn pass(
    mut app: TcpStream,
    mut server: TcpStream,
    mut fates: watch::Receiver<Fate>,
    met: Arc<Semaphore>,
) {
    let fate = tokio::select! {
        // Either end may leave as it likes.
        _ended = tokio::io::copy_bidirectional(&mut app, &mut server) => return,
        fate = fates.changed() => {
            if fate.is_err() {
                return;
            }
            *fates.borrow()
        }
    };
    if fate == Fate::Reset {
        app.set_zero_linger().unwrap();
    }
    if matches!(fate, Fate::Closed | Fate::Reset) {
        drop(app);
        met.add_permits(1);
        return;
    }
    met.add_permits(1);
    let mut swallowed = [0; 4096];
    while app.read(&mut swallowed).await.is_ok_and(|read| read > 0) {
        if fate == Fate::Swallowed {
            return;
        }
    }
    // It left; so does what lies behind.
    let _closed = server.shutdown().await;
}

/// The server: it holds its answers back until so many requests are there, and counts all of them.
struct Server {
    bench: Bench,
    way: Way,
    gate: Arc<Semaphore>,
    arrived: watch::Sender<usize>,
    _rules: tempfile::TempDir,
}

impl Server {
    async fn under(rules: &str) -> Server {
        let way = Way::new().await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
        std::fs::write(folder.path().join("key"), "sk-of-the-backup").unwrap();
        let settings = Settings {
            upstreams: vec![UpstreamOverride { host: HOST.to_owned(), address: way.address }],
            rules: Some(folder.path().join("rules.yaml")),
            credentials: Some(folder.path().to_owned()),
            ..Settings::default()
        };
        let (gate, arrived) = (Arc::new(Semaphore::new(0)), watch::Sender::new(0));
        let (held, arrives) = (Arc::clone(&gate), arrived.clone());
        let bench = Bench::before(settings, move |request| {
            let (held, arrives) = (Arc::clone(&held), arrives.clone());
            async move { answer(request, &held, &arrives).await }
        })
        .await;
        way.leads_to.set(bench.server()).unwrap();
        assert_eq!(bench.rules().unwrap().state, "current", "{:?}", bench.rules());
        Server { bench, way, gate, arrived, _rules: folder }
    }

    /// Lets so many answers go as soon as as many requests are there.
    async fn lets(&self, count: usize) {
        let mut arrived = self.arrived.subscribe();
        within(arrived.wait_for(|arrived| *arrived >= count)).await.unwrap();
        self.arrived.send_modify(|arrived| *arrived -= count);
        self.gate.add_permits(count);
    }

    /// As many calls at once as there are apps, each answered.
    async fn all(&self, apps: &mut [App], body: &'static str) {
        let mut calls = JoinSet::new();
        for app in &mut *apps {
            calls.spawn(app.call(body));
        }
        self.lets(apps.len()).await;
        for (status, text) in within(calls.join_all()).await {
            assert_eq!(status, StatusCode::OK, "{text}");
            assert!(text.contains("Ebb"), "{text}");
        }
    }

    async fn apps(&self, h2: bool) -> Vec<App> {
        let mut apps = Vec::new();
        for _ in 0..MANY {
            apps.push(if h2 { App::H2(self.bench.h2().await) } else { App::H1(self.bench.h1(HOST).await) });
        }
        apps
    }
}

async fn answer(
    request: Request<Incoming>,
    gate: &Semaphore,
    arrived: &watch::Sender<usize>,
) -> Response<Body> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    arrived.send_modify(|arrived| *arrived += 1);
    gate.acquire().await.unwrap().forget();
    let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
    if asked["stream"] == true {
        let stream = Response::builder().header("content-type", "text/event-stream");
        return stream.body(Either::Left(Full::from(TOLD))).unwrap();
    }
    let told = serde_json::json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Ebb at nine."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
    });
    Response::builder()
        .header("content-type", "application/json")
        .body(Either::Left(Full::from(told.to_string())))
        .unwrap()
}

type Asking = UnsyncBoxBody<Bytes, Infallible>;

/// An app with a connection of its own to the sidecar.
enum App {
    H1(hyper::client::conn::http1::SendRequest<Asking>),
    H2(hyper::client::conn::http2::SendRequest<Asking>),
}

impl App {
    /// A call whose body comes in one piece, or, where it asks for a stream, in parts of unknown length.
    fn call(&mut self, body: &'static str) -> impl Future<Output = (StatusCode, String)> + Send + 'static {
        let asking = if body == STREAM {
            let (mut sender, body) = Channel::new(1);
            tokio::spawn(async move {
                for part in STREAM.as_bytes().chunks(64) {
                    // The sidecar may have answered already.
                    drop(sender.send_data(Bytes::from_static(part)).await);
                }
            });
            body.boxed_unsync()
        } else {
            Full::from(body).boxed_unsync()
        };
        let request = Request::post(format!("https://{HOST}{PATH}"))
            .header("authorization", "Bearer sk-of-the-app")
            .header("content-type", "application/json");
        let sent = match self {
            App::H1(sender) => {
                Either::Left(sender.send_request(request.header("host", HOST).body(asking).unwrap()))
            }
            App::H2(sender) => Either::Right(sender.send_request(request.body(asking).unwrap())),
        };
        async move {
            let response = match sent {
                Either::Left(sent) => within(sent).await.unwrap(),
                Either::Right(sent) => within(sent).await.unwrap(),
            };
            let (head, body) = response.into_parts();
            let body = within(body.collect()).await.unwrap().to_bytes();
            (head.status, String::from_utf8(body.to_vec()).unwrap())
        }
    }
}

const NO_RULES: &str = "version: 1\n";
const AGAIN: &str = "version: 1\nmode: act\nrules:\n  - { name: chat, match: {}, \
                     retry: { budget: 100%, backoff: { initial: 1ms } } }\n";

/// What the kernel has heard of a peer's end the next call knows: nothing of it is sent there, so nothing is lost.
#[tokio::test]
async fn connections_that_ended_while_nobody_used_them_cost_no_call() {
    for rules in [NO_RULES, AGAIN] {
        for h2 in [false, true] {
            for fate in [Fate::Closed, Fate::Reset] {
                let server = Server::under(rules).await;
                let mut apps = server.apps(h2).await;
                for body in [ASKED, STREAM] {
                    server.all(&mut apps, body).await;
                    server.way.befalls(fate, MANY).await;
                    // `lets` is told of every request: one more than the apps made would stay.
                    server.all(&mut apps, body).await;
                    assert_eq!(*server.arrived.borrow(), 0, "{fate:?}");
                    server.way.befalls(fate, MANY).await;
                }
                let records = server.bench.end().await.1;
                assert_eq!(records.len(), 4 * MANY, "{fate:?}, h2: {h2}");
                assert!(records.iter().all(|record| record.attempts.len() == 1), "{fate:?}, h2: {h2}");
            }
        }
    }
}

/// What went out may have been read: without a rule it is not sent again, and its neighbours in the pool are not used any more.
#[tokio::test]
async fn what_may_have_been_processed_is_sent_again_only_by_a_rule() {
    let server = Server::under(NO_RULES).await;
    let mut apps = server.apps(false).await;
    server.all(&mut apps, ASKED).await;
    server.way.befalls(Fate::Swallowed, MANY).await;
    let (status, body) = within(apps[0].call(ASKED)).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{body}");
    assert_eq!(*server.arrived.borrow(), 0, "it went nowhere else");
    server.all(&mut apps, ASKED).await;
    let records = server.bench.end().await.1;
    let failed: Vec<_> = records.iter().filter_map(|record| record.cause.as_ref()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].class, FailureClass::Connect);

    let server = Server::under(AGAIN).await;
    let mut apps = server.apps(false).await;
    server.all(&mut apps, ASKED).await;
    server.way.befalls(Fate::Swallowed, MANY).await;
    let again = tokio::spawn(apps[0].call(ASKED));
    server.lets(1).await;
    assert_eq!(within(again).await.unwrap().0, StatusCode::OK);
    let record = server.bench.end().await.1.pop().unwrap();
    assert_eq!(record.attempts.len(), 2, "tried again, on a connection that is new");
}

/// A pool of connections that swallow everything without a word: one deadline finds it out for all of them.
#[tokio::test]
async fn connections_that_fell_silent_cost_a_deadline_and_no_call() {
    for h2 in [false, true] {
        let patient = AGAIN.replace("match: {}", "match: {}, deadlines: { responseHead: 3s }");
        let server = Server::under(&patient).await;
        let mut apps = server.apps(h2).await;
        server.all(&mut apps, ASKED).await;
        server.way.befalls(Fate::Silent, MANY).await;
        for body in [ASKED, STREAM] {
            let first = tokio::spawn(apps[0].call(body));
            server.lets(1).await;
            let (status, text) = within(first).await.unwrap();
            assert_eq!(status, StatusCode::OK, "h2: {h2}: {text}");
        }
        let records = server.bench.end().await.1;
        let classes: Vec<Vec<_>> = records
            .iter()
            .skip(MANY)
            .map(|record| record.attempts.iter().map(|one| one.class).collect())
            .collect();
        assert_eq!(classes, [vec![Some(FailureClass::Timeout), None], vec![None]], "h2: {h2}");
    }
}
