//! An app whose calls the ledger makes records of, and the diagnosis that sees them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test they serve")]

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, StatusCode};
use outrigger_diagnosis::{Change, Diagnosis, Kind};
use outrigger_ledger::{Call, CallId, CallRecord, CallStart, End, IdentityRules, Mode, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::{FailureClass, services};

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const BAD_KEY: &str = "sk-proj-0123456789abcdefx7Qa";
pub(crate) const GOOD_KEY: &str = "sk-proj-0123456789abcdefk2Pb";

/// An app's calls to OpenAI, one after the other.
pub(crate) struct App {
    pub(crate) diagnosis: Diagnosis,
    pub(crate) at: u64,
    pub(crate) calls: u64,
    pub(crate) key: &'static str,
    pub(crate) model: &'static str,
    pub(crate) host: &'static str,
    pub(crate) took: u64,
    /// When an error says that waiting helps, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// Everything that was said.
    pub(crate) said: Vec<Change>,
}

pub(crate) enum Answer<'a> {
    Good,
    /// Good, and ended by this word.
    Finished(&'a str),
    Error(u16, &'a str),
    Lost(FailureClass),
    /// A stream whose first content came after so many seconds.
    Stream(u64),
    Cut,
}

impl App {
    pub(crate) fn new() -> App {
        let book = Arc::new(PriceBook::builtin().clone());
        App {
            diagnosis: Diagnosis::new(book),
            at: 1_795_593_600 * SECOND,
            calls: 0,
            key: GOOD_KEY,
            model: "gpt-5-mini",
            host: "api.openai.com",
            took: SECOND / 2,
            retry_after: None,
            said: Vec::new(),
        }
    }

    /// One call, a while after the last one; what it changed.
    pub(crate) fn call(&mut self, answer: &Answer<'_>) -> Vec<Change> {
        self.at += SECOND;
        let record = self.record(answer);
        let changes = self.diagnosis.call(&record);
        self.said.extend(changes.clone());
        changes
    }

    pub(crate) fn record(&mut self, answer: &Answer<'_>) -> CallRecord {
        self.calls += 1;
        let mut headers = HeaderMap::new();
        if !self.key.is_empty() {
            headers.insert(AUTHORIZATION, format!("Bearer {}", self.key).parse().unwrap());
        }
        let mut id = [7; 16];
        id[..8].copy_from_slice(&self.calls.to_be_bytes());
        let service = services::by_host(self.host).unwrap();
        let path = if service.id == "anthropic" { "/v1/messages" } else { "/v1/chat/completions" };
        let started = Timestamp(self.at);
        let mut call = Call::begin(CallStart {
            id: CallId(id),
            service,
            recognised: (service.recognise)(&Method::POST, path),
            mode: Mode::Connect,
            method: &Method::POST,
            path,
            query: None,
            headers: &headers,
            host: self.host,
            port: 443,
            http_version: "2",
            identity: &Arc::new(IdentityRules::default()),
            at: started,
        });
        call.request_chunk(format!(r#"{{"model":"{}","messages":[]}}"#, self.model).as_bytes());
        let ended = Timestamp(self.at + self.took);
        let mut json =
            HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().unwrap())]);
        let stream =
            HeaderMap::from_iter([(http::header::CONTENT_TYPE, "text/event-stream".parse().unwrap())]);
        let good = |word: &str| {
            format!(
                r#"{{"id":"c","model":"{}","choices":[{{"index":0,"message":{{"content":"x"}},"finish_reason":"{word}"}}],"usage":{{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}}}"#,
                self.model
            )
        };
        let end = match answer {
            Answer::Good | Answer::Finished(_) => {
                let word = if let Answer::Finished(word) = answer { word } else { "stop" };
                call.response_head(StatusCode::OK, &json, ended);
                call.response_chunk(good(word).as_bytes(), ended);
                End::Complete
            }
            Answer::Error(status, body) => {
                if let Some(seconds) = self.retry_after {
                    json.insert(http::header::RETRY_AFTER, seconds.into());
                }
                call.response_head(StatusCode::from_u16(*status).unwrap(), &json, ended);
                call.response_chunk(body.as_bytes(), ended);
                End::Complete
            }
            Answer::Lost(class) => {
                End::Failed { class: *class, text: "no way there".to_owned(), status: 502 }
            }
            Answer::Stream(_) | Answer::Cut => {
                let seconds = if let Answer::Stream(seconds) = answer { *seconds } else { 0 };
                call.response_head(StatusCode::OK, &stream, started);
                let content = format!(
                    "data: {{\"id\":\"c\",\"model\":\"{}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"x\"}}}}]}}\n\n",
                    self.model
                );
                call.response_chunk(content.as_bytes(), Timestamp(self.at + seconds * SECOND));
                if matches!(answer, Answer::Cut) {
                    End::Cut
                } else {
                    call.response_chunk(
                        b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
                        ended,
                    );
                    End::Complete
                }
            }
        };
        let mut record = call.finish(end, ended, PriceBook::builtin());
        if let (Answer::Lost(_), Some(cause)) = (answer, record.cause.as_mut()) {
            // What the app was answered is ours; nobody was reached.
            cause.status = None;
        }
        record
    }

    /// The kinds that hold.
    pub(crate) fn holds(&self) -> Vec<Kind> {
        self.diagnosis.active().map(|verdict| verdict.kind).collect()
    }
}

pub(crate) fn error(code: &str) -> String {
    format!(
        r#"{{"error":{{"message":"so it is","type":"invalid_request_error","param":null,"code":"{code}"}}}}"#
    )
}
