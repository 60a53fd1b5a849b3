//! A sidecar under rules with one backup, before a server of the test's own that stands for both hosts and answers as it is told.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use outrigger_ledger::CallRecord;
use outrigger_sidecar::Settings;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::{Bench, Body, EU, HOST, RESET, within};

/// Anthropic's host.
pub(crate) const CLAUDE: &str = "api.anthropic.com";
pub(crate) const PATH: &str = "/v1/chat/completions";
pub(crate) const PLAIN: &str = r#"{"model": "gpt-5.1", "messages":[{"role":"user","content":"Ebb?"}]}"#;
pub(crate) const APPS_KEY: &str = "sk-proj-of-the-app-0123456789x7Qa";
pub(crate) const BACKUPS_KEY: &str = "sk-proj-of-the-backup-9876543210Zz";
pub(crate) const BACKUP: &str = "version: 1\nmode: act\nbackups:\n  eu: { provider: openai, host: eu.api.openai.com, model: gpt-5-mini, credential: { file: eu } }\n";

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// What reached a host.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// How the hosts answer: what is said in turn, then the last of it for ever; without a word, well.
#[derive(Default)]
pub(crate) struct Script {
    says: HashMap<&'static str, VecDeque<Says>>,
    got: Vec<Got>,
    /// What the app has of a stream.
    has: watch::Sender<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Says {
    Status(u16, &'static [(&'static str, &'static str)], String),
    Reset,
    Nothing,
    Well,
    /// An answer in one piece that breaks off behind this.
    Cut(String),
    /// An answer in one piece of which nothing comes behind this.
    Stalled(String),
    /// A stream in these pieces.
    Stream(Vec<String>, Ending),
    /// The same, compressed by its head.
    Compressed(Vec<String>, Ending),
    /// The same, each piece a frame of zstd.
    Zstd(Vec<String>, Ending),
}

/// How a stream ends.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// In order.
    Clean,
    /// In order, when the app has all of it.
    CleanWhenTold,
    /// It breaks when the app has all of it, or could have none of it.
    Broken,
    /// Never.
    Silent,
    /// In order, with this at last, a good while later.
    Late(String),
    /// In order, with this at last, after so many signs of life.
    Pings(usize, String),
}

pub(crate) type Shared = Arc<Mutex<Script>>;

pub(crate) fn good(model: &Value) -> String {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Ebb at nine."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
    })
    .to_string()
}

pub(crate) async fn answer(script: Shared, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    let host = head.headers.get("host").map(|host| host.to_str().unwrap().to_owned());
    let host = host.or(head.uri.authority().map(ToString::to_string)).unwrap();
    let says = {
        let mut script = script.lock().unwrap();
        let path = head.uri.path().to_owned();
        script.got.push(Got { host: host.clone(), path, headers: head.headers, body: text.clone() });
        let says = script.says.get_mut(host.as_str());
        says.and_then(|says| if says.len() > 1 { says.pop_front() } else { says.front().cloned() })
    };
    let json = || Response::builder().header("content-type", JSON);
    match says.unwrap_or(Says::Well) {
        Says::Well => {
            let asked: Value = serde_json::from_str(&text).unwrap_or_default();
            json().body(Either::Left(Full::from(good(&asked["model"])))).unwrap()
        }
        Says::Status(status, headers, body) => {
            let mut response = json().status(status).body(Either::Left(Full::from(body))).unwrap();
            for (name, value) in headers {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
            response
        }
        Says::Reset => Response::builder().header(RESET, "1").body(Either::Left(Full::default())).unwrap(),
        Says::Nothing => std::future::pending().await,
        Says::Cut(text) => said(&script, JSON, vec![text.into()], Ending::Broken),
        Says::Stalled(text) => said(&script, JSON, vec![text.into()], Ending::Silent),
        Says::Stream(pieces, ending) => said(&script, EVENTS, bytes(pieces), ending),
        Says::Compressed(pieces, ending) => {
            let mut response = said(&script, EVENTS, bytes(pieces), ending);
            response.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
            response
        }
        Says::Zstd(pieces, ending) => {
            let mut response = said(&script, EVENTS, frames(&pieces), ending);
            response.headers_mut().insert("content-encoding", "zstd".parse().unwrap());
            response
        }
    }
}

fn bytes(pieces: Vec<String>) -> Vec<Bytes> {
    pieces.into_iter().map(Bytes::from).collect()
}

/// Each piece compressed for itself, as some servers send events.
pub(crate) fn frames(pieces: &[String]) -> Vec<Bytes> {
    pieces.iter().map(|piece| zstd::bulk::compress(piece.as_bytes(), 3).unwrap().into()).collect()
}

fn said(script: &Shared, kind: &str, pieces: Vec<Bytes>, ending: Ending) -> Response<Body> {
    let has = script.lock().unwrap().has.subscribe();
    let (sender, body) = Channel::new(1);
    tokio::spawn(say(sender, pieces, ending, has));
    Response::builder().header("content-type", kind).body(Either::Right(body)).unwrap()
}

pub(crate) fn error(status: u16, kind: &str, code: &str) -> Says {
    let body = json!({"error": {"message": "no", "type": kind, "param": null, "code": code}});
    Says::Status(status, &[], body.to_string())
}

pub(crate) fn server_error() -> Says {
    error(500, "server_error", "server_error")
}

/// Says a stream. Its reader may leave as it likes.
async fn say(
    mut sender: Sender<Bytes, std::io::Error>,
    pieces: Vec<Bytes>,
    ending: Ending,
    mut has: watch::Receiver<String>,
) {
    let all = String::from_utf8_lossy(&pieces.concat()).into_owned();
    for piece in pieces {
        if sender.send_data(piece).await.is_err() {
            return;
        }
    }
    match ending {
        Ending::Clean => {}
        Ending::CleanWhenTold => drop(has.wait_for(|has| has.ends_with(&all)).await),
        Ending::Broken => {
            if all.contains("\"content\":\"E") {
                drop(has.wait_for(|has| has.ends_with(&all)).await);
            }
            sender.abort(std::io::ErrorKind::ConnectionReset.into());
        }
        Ending::Silent => std::future::pending().await,
        Ending::Pings(times, rest) => {
            let mut interval = tokio::time::interval(Duration::from_millis(20));
            for number in 0..times {
                interval.tick().await;
                let ping = [": ping\n\n", "event: ping\ndata: {}\n\n"][number % 2];
                if sender.send_data(ping.into()).await.is_err() {
                    return;
                }
            }
            drop(sender.send_data(rest.into()).await);
        }
        Ending::Late(rest) => {
            // Deadlines that only report have to pass before the stream goes on.
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(sender.send_data(rest.into()).await);
        }
    }
}

/// A sidecar under rules, its hosts, and what they are to say.
pub(crate) struct Scene {
    pub(crate) bench: Bench,
    script: Shared,
    pub(crate) folder: tempfile::TempDir,
}

fn write_rules(folder: &Path, rules: &str) {
    std::fs::write(folder.join(".next"), rules).unwrap();
    std::fs::rename(folder.join(".next"), folder.join("rules.yaml")).unwrap();
}

impl Scene {
    /// Under rules that have one backup, another host of the same provider.
    pub(crate) async fn new(rules: &str) -> Scene {
        Scene::with(Settings::default(), &format!("{BACKUP}{rules}")).await
    }

    pub(crate) async fn with(settings: Settings, document: &str) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("credentials")).unwrap();
        std::fs::write(folder.path().join("credentials/eu"), format!("{BACKUPS_KEY}\n")).unwrap();
        write_rules(folder.path(), document);
        let settings = Settings {
            rules: Some(folder.path().join("rules.yaml")),
            credentials: Some(folder.path().join("credentials")),
            ..settings
        };
        let script = Shared::default();
        let shared = Arc::clone(&script);
        let bench = Bench::before(settings, move |request| answer(Arc::clone(&shared), request)).await;
        assert_eq!(bench.rules().map(|rules| rules.state).as_deref(), Some("current"), "{:?}", bench.rules());
        Scene { bench, script, folder }
    }

    /// Puts other rules in force.
    pub(crate) async fn rules(&self, document: &str) {
        let before = self.bench.rules().unwrap().hash;
        write_rules(self.folder.path(), document);
        self.bench.rules_but(&before).await;
    }

    pub(crate) fn says(&self, host: &'static str, says: impl IntoIterator<Item = Says>) {
        let mut script = self.script.lock().unwrap();
        script.has.send_replace(String::new());
        script.says.insert(host, says.into_iter().collect());
    }

    /// The app has this much of a stream.
    pub(crate) fn goes_on(&self, text: &str) {
        self.script.lock().unwrap().has.send_replace(text.to_owned());
    }

    /// What the app has of an answer, and whether that ended in order. What is to break waits until the app has all that comes before.
    pub(crate) async fn read(&self, mut body: Incoming) -> (String, bool) {
        let mut text = String::new();
        while let Some(frame) = within(body.frame()).await {
            let Ok(frame) = frame else { return (text, false) };
            text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
            self.goes_on(&text);
        }
        (text, true)
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.script.lock().unwrap().got.clone()
    }

    /// How often each host was asked.
    pub(crate) fn asked(&self) -> (usize, usize) {
        let got = self.got();
        let count = |host| got.iter().filter(|got| got.host == host).count();
        (count(HOST), count(EU))
    }

    pub(crate) async fn call(&self) -> (StatusCode, HeaderMap, String) {
        self.call_with(Request::post(PATH), PLAIN).await
    }

    pub(crate) async fn call_with(
        &self,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> (StatusCode, HeaderMap, String) {
        self.call_at(HOST, request, body).await
    }

    pub(crate) async fn call_at(
        &self,
        host: &'static str,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> (StatusCode, HeaderMap, String) {
        let mut sender = self.bench.h1(host).await;
        let request = request
            .header("host", host)
            .header("authorization", format!("Bearer {APPS_KEY}"))
            .header("openai-organization", "org-of-the-app")
            .header("content-type", "application/json")
            .header("cookie", "session=of-the-app")
            .header("x-tier", "paid")
            .body(Full::<Bytes>::new(body.into()))
            .unwrap();
        let response = within(sender.send_request(request)).await.unwrap();
        let (head, body) = response.into_parts();
        let body = within(body.collect()).await.unwrap().to_bytes();
        (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    pub(crate) async fn end(self) -> Vec<Arc<CallRecord>> {
        self.bench.end().await.1
    }
}
