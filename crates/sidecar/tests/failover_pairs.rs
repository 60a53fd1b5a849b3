//! Apps of every wire format before backups of every other, over real sockets, the simulator in the place of all hosts: an answer is
//! complete and right in the app's format, streamed and not, and one that was cut never looks complete.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use outrigger_ledger::{CallRecord, Outcome};
use outrigger_sidecar::Settings;
use outrigger_simulator::{Answer, Config, Cut, ErrorKind, Received, Rule, Script, Simulator, Usage};
use serde_json::json;

use crate::support::apps::{App, CHAT, CONVERSE, GEMINI, GEMINI_LIST, Learned, MESSAGES, RESPONSES};
use crate::support::{Bench, within};

const TEXT: &str = "The tide turns at nine.";
const KEY: &str = "key-of-the-backup";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+harbour-987654321";
const AWS_KEY: &str = "AKIAHARBOUR";
const APPS: [App; 6] = [CHAT, RESPONSES, MESSAGES, GEMINI, GEMINI_LIST, CONVERSE];

/// A backup of one format.
#[derive(Clone, Copy)]
struct Backup {
    format: &'static str,
    host: &'static str,
    written: &'static str,
    /// Where an answer in one piece is asked for, and a stream.
    paths: [&'static str; 2],
}

const OF_CHAT: Backup = Backup {
    format: "openai_chat",
    host: "api.openai.com",
    written: "provider: openai, model: gpt-4.1, credential: { file: key }",
    paths: ["/v1/chat/completions"; 2],
};
/// OpenAI's other format is used where the backup says so.
const OF_RESPONSES: Backup = Backup {
    format: "openai_responses",
    written: "provider: openai, model: gpt-4.1, format: openai_responses, credential: { file: key }",
    paths: ["/v1/responses"; 2],
    ..OF_CHAT
};
/// The same at another provider: an app of OpenAI's finds all of OpenAI overloaded.
static OF_XAI: Backup = Backup {
    host: "api.x.ai",
    written: "provider: xai, model: grok-4.3, format: openai_responses, credential: { file: key }",
    ..OF_RESPONSES
};
static OF_MISTRAL: Backup = Backup {
    host: "api.mistral.ai",
    written: "provider: mistral, model: mistral-large-4, credential: { file: key }",
    ..OF_CHAT
};
static BACKUPS: [Backup; 5] = [
    OF_CHAT,
    OF_RESPONSES,
    Backup {
        format: "anthropic_messages",
        host: "api.anthropic.com",
        written: "provider: anthropic, model: claude-sonnet-4-5, credential: { file: key }",
        paths: ["/v1/messages"; 2],
    },
    Backup {
        format: "gemini",
        host: "generativelanguage.googleapis.com",
        written: "provider: gemini, model: gemini-3.5-pro, credential: { file: key }",
        paths: [
            "/v1beta/models/gemini-3.5-pro:generateContent",
            "/v1beta/models/gemini-3.5-pro:streamGenerateContent?alt=sse",
        ],
    },
    Backup {
        format: "bedrock_converse",
        host: "bedrock-runtime.us-east-1.amazonaws.com",
        written: "provider: bedrock, region: us-east-1, model: \"eu.anthropic.claude-sonnet-4-5-v1:0\", credential: { file: aws }",
        paths: [
            "/model/eu.anthropic.claude-sonnet-4-5-v1%3A0/converse",
            "/model/eu.anthropic.claude-sonnet-4-5-v1%3A0/converse-stream",
        ],
    },
];

/// Every app with every backup of another format.
fn pairs() -> impl Iterator<Item = (App, &'static Backup)> {
    APPS.into_iter().flat_map(|app| {
        let others = BACKUPS.iter().filter(move |backup| backup.format != app.format);
        others.map(move |backup| match (app.format, backup.format) {
            ("openai_responses", "openai_chat") => (app, &OF_MISTRAL),
            ("openai_chat", "openai_responses") => (app, &OF_XAI),
            _ => (app, backup),
        })
    })
}

/// A sidecar before the simulator, its rule and its backup.
struct Pair {
    app: App,
    backup: &'static Backup,
    bench: Bench,
    simulator: Simulator,
    _folder: tempfile::TempDir,
}

/// What an app has of a call.
#[derive(Debug)]
struct Had {
    status: StatusCode,
    body: Vec<u8>,
    /// Whether the body broke off.
    broke: bool,
}

impl Pair {
    /// Whatever the app's own provider is asked, it is overloaded.
    fn new(app: App, backup: &'static Backup) -> Pair {
        let config = Config { aws_keys: vec![(AWS_KEY.to_owned(), SECRET.to_owned())], ..Config::default() };
        let simulator = Simulator::start(config).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().join("credentials");
        std::fs::create_dir(&credentials).unwrap();
        std::fs::write(credentials.join("key"), KEY).unwrap();
        let aws = format!("[default]\naws_access_key_id={AWS_KEY}\naws_secret_access_key={SECRET}\n");
        std::fs::write(credentials.join("aws"), aws).unwrap();
        let rules = folder.path().join("rules.yaml");
        let document = format!(
            "version: 1\nmode: act\nbackups:\n  other: {{ {} }}\nrules:\n  - {{ name: moved, match: {{}}, \
             breaker: {{ consecutive: 100, minCalls: 10000 }}, failover: {{ to: [other] }} }}\n",
            backup.written
        );
        std::fs::write(&rules, document).unwrap();
        let settings = Settings { rules: Some(rules), credentials: Some(credentials), ..Settings::default() };
        let hosts: Vec<String> = outrigger_simulator::hosts().map(str::to_owned).collect();
        let bench = Bench::at((simulator.address(), simulator.ca_pem(), &hosts), settings);
        assert_eq!(bench.rules().map(|rules| rules.state).as_deref(), Some("current"), "{:?}", bench.rules());
        Pair { app, backup, bench, simulator, _folder: folder }
    }

    /// The backup answers so from now on.
    fn answers(&self, answer: Answer) {
        let overloaded = Answer { error: Some(ErrorKind::Overloaded), ..Answer::default() };
        let provider = Some(self.app.provider.to_owned());
        let own = Rule { provider, answer: overloaded, ..Rule::default() };
        self.simulator.follow(Script(vec![own, Rule { answer, ..Rule::default() }]));
    }

    async fn call(&self, stream: bool, tool: bool) -> Had {
        let mut sender = self.bench.h1(self.app.host).await;
        let request = self.app.asks(stream, tool).map(Full::<Bytes>::from);
        let (head, mut body) = within(sender.send_request(request)).await.unwrap().into_parts();
        let mut had = Had { status: head.status, body: Vec::new(), broke: false };
        while let Some(frame) = within(body.frame()).await {
            match frame {
                Ok(frame) => had.body.extend_from_slice(frame.data_ref().unwrap()),
                Err(_) => had.broke = true,
            }
        }
        had
    }

    /// What the backup was asked last.
    fn asked(&self) -> Received {
        let received = self.simulator.received();
        received.into_iter().rfind(|one| one.authority == self.backup.host).unwrap()
    }

    fn name(&self) -> String {
        format!("{} ({}) -> {}", self.app.format, self.app.path(true), self.backup.format)
    }

    async fn end(self) -> Vec<Arc<CallRecord>> {
        self.bench.end().await.1
    }
}

fn good() -> Answer {
    let usage = Some(Usage { input: 9, output: 5, ..Usage::default() });
    Answer { text: Some(TEXT.to_owned()), usage, ..Answer::default() }
}

#[tokio::test]
async fn every_app_is_answered_by_every_backup_in_its_own_format() {
    let mut told = 0;
    for (app, backup) in pairs() {
        let pair = Pair::new(app, backup);
        pair.answers(good());
        let mut calls = 0;
        for (stream, tool) in [(false, false), (false, true), (true, false), (true, true)] {
            let name = format!("{}, stream {stream}, tool {tool}", pair.name());
            let had = pair.call(stream, tool).await;
            assert!(had.status == StatusCode::OK && !had.broke, "{name}: {had:?}");
            let learned = app.learns(stream, &had.body);
            let expected = Learned {
                text: if tool { String::new() } else { TEXT.to_owned() },
                calls: if tool { vec![("tide".to_owned(), json!({"place": "Kiel"}))] } else { Vec::new() },
                stop: app.stops[usize::from(tool)].to_owned(),
                usage: (9, 5),
                failed: false,
                ended: true,
            };
            assert_eq!(learned, expected, "{name}: {}", String::from_utf8_lossy(&had.body));
            let asked = pair.asked();
            assert_eq!(asked.path, backup.paths[usize::from(stream)], "{name}");
            let sent = String::from_utf8(asked.body.clone()).unwrap();
            assert!(
                sent.contains("Be brief.") && sent.contains("Ebb?") && sent.contains(":64"),
                "{name}: {sent}"
            );
            let left = format!("{:?}{sent}", asked.headers);
            assert!(!left.contains("of-the-app") && !left.contains("u-1"), "{name}: {left}");
            let signed = (backup.format == "bedrock_converse").then_some(true);
            assert_eq!((asked.signature_holds, left.contains(KEY)), (signed, signed.is_none()), "{name}");
            calls += 1;
        }
        let name = pair.name();
        let records = pair.end().await;
        assert_eq!(records.len(), calls, "{name}");
        for record in &records {
            let routed = record.routed.as_ref().unwrap();
            assert_eq!((record.outcome, routed.serving), (Outcome::Answered, 2), "{name}");
            assert_eq!(routed.requested_provider, app.provider);
            assert!(backup.written.contains(&format!("provider: {},", record.provider)), "{name}");
            assert!(routed.losses.iter().any(|loss| loss.contains(app.loses)), "{name}: {:?}", routed.losses);
            assert_eq!(record.tokens.usage.total_answer(), Some(5), "{name}");
            told += 1;
        }
    }
    // Gemini streams in two ways.
    assert_eq!(told, APPS.len() * (BACKUPS.len() - 1) * 4);
}

#[tokio::test]
async fn a_backups_stream_that_is_cut_never_looks_complete_to_any_app() {
    for (app, backup) in pairs() {
        let pair = Pair::new(app, backup);
        let (mut before, mut within_content, mut whole) = (0, 0, 0);
        let cut = |cut, cut_within| move |at| Answer { cut_after: Some(at), cut, cut_within, ..good() };
        let error = |at| Answer { error_after: Some(at), ..good() };
        let all: Vec<usize> = (0..14).collect();
        let some = vec![0, 3, 4, 5, 7];
        let dying: [(&dyn Fn(usize) -> Answer, _); 4] = [
            (&cut(Cut::Broken, false), &all),
            (&cut(Cut::Clean, false), &all),
            (&cut(Cut::Clean, true), &some),
            (&error, &some),
        ];
        for (number, (dies, at)) in dying.into_iter().enumerate() {
            for at in at {
                pair.answers(dies(*at));
                let name = format!("{}, way {number}, after {at}", pair.name());
                let had = pair.call(true, false).await;
                let shown = String::from_utf8_lossy(&had.body);
                if had.status != StatusCode::OK {
                    // Nothing has been shown: it is the answer of the app's own provider.
                    assert_eq!(had.status.as_u16() / 100, 5, "{name}: {shown}");
                    before += 1;
                    continue;
                }
                let learned = app.learns(true, &had.body);
                if learned.text == TEXT && learned.ended && !learned.failed && !had.broke {
                    whole += 1;
                } else {
                    assert!(learned.failed || had.broke, "{name}: a clean end: {shown}");
                    assert!(!learned.ended && TEXT.starts_with(&learned.text), "{name}: {shown}");
                    within_content += 1;
                }
            }
        }
        assert!(
            before >= 2 && within_content >= 8 && whole >= 2,
            "{}: {before} {within_content} {whole}",
            pair.name()
        );
    }
}
