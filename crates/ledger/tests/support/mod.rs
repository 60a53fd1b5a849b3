//! What the suites share: calls as scripts, run from bytes to record.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test they serve")]

pub(crate) mod bodies;
pub(crate) mod packings;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use outrigger_ledger::{Call, CallId, CallRecord, CallStart, End, Mode, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::services;

/// 2026-11-24T12:00:00Z.
pub(crate) const START: u64 = 1_795_521_600_000_000_000;
/// Between any two things that happen.
pub(crate) const STEP: u64 = 1_000_000;
/// A key as OpenAI's look.
pub(crate) const KEY: &str = "sk-proj-0123456789abcdefx7Qa";

/// A call to be played. Each body is cut as its chunks are.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) host: &'static str,
    pub(crate) path: &'static str,
    pub(crate) request_headers: HeaderMap,
    pub(crate) request: Vec<Vec<u8>>,
    /// `None`: no response came.
    pub(crate) status: Option<u16>,
    pub(crate) response_headers: HeaderMap,
    pub(crate) response: Vec<Vec<u8>>,
    /// First byte of its id.
    pub(crate) id: u8,
    /// When it begins.
    pub(crate) start: u64,
}

impl Script {
    pub(crate) fn new(host: &'static str, path: &'static str, request: &str, response: &str) -> Script {
        let media =
            if response.starts_with('{') { "application/json" } else { "text/event-stream; charset=utf-8" };
        Script {
            host,
            path,
            request_headers: HeaderMap::new(),
            request: vec![request.as_bytes().to_vec()],
            status: Some(200),
            response_headers: HeaderMap::new(),
            response: vec![response.as_bytes().to_vec()],
            id: 0xab,
            start: START,
        }
        .request_header("authorization", &format!("Bearer {KEY}"))
        .response_header("content-type", media)
    }

    pub(crate) fn request_header(mut self, name: &str, value: &str) -> Script {
        self.request_headers
            .append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    pub(crate) fn response_header(mut self, name: &str, value: &str) -> Script {
        self.response_headers
            .insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Script {
        self.status = Some(status);
        self
    }

    /// The same call with an id of its own, so many seconds after [`START`].
    pub(crate) fn at(mut self, id: u8, seconds: f64) -> Script {
        self.id = id;
        self.start = START + (seconds * 1e9) as u64;
        self
    }

    pub(crate) fn response(mut self, chunks: Vec<Vec<u8>>) -> Script {
        self.response = chunks;
        self
    }

    /// The whole response body.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.response.concat()
    }

    /// The record, if the passing ends so. Something happens every [`STEP`].
    pub(crate) fn end(&self, end: End) -> CallRecord {
        self.play(end).1
    }

    /// Whether the answer told its end, and the record.
    pub(crate) fn play(&self, end: End) -> (bool, CallRecord) {
        let mut now = self.start;
        let mut tick = || {
            now += STEP;
            Timestamp(now)
        };
        let service = services::by_host(self.host).unwrap();
        let mut call = Call::begin(CallStart {
            id: CallId([self.id; 16]),
            service,
            recognised: (service.recognise)(&Method::POST, self.path),
            mode: Mode::Connect,
            method: &Method::POST,
            path: self.path,
            query: None,
            headers: &self.request_headers,
            host: self.host,
            port: 443,
            http_version: "2",
            identity: &Arc::default(),
            at: Timestamp(self.start),
        });
        for chunk in &self.request {
            call.request_chunk(chunk);
        }
        if let Some(status) = self.status {
            call.connected(Some(([192, 0, 2, 7], 443).into()));
            call.response_head(StatusCode::from_u16(status).unwrap(), &self.response_headers, tick());
            for chunk in &self.response {
                call.response_chunk(chunk, tick());
            }
        }
        let ended = matches!(end, End::Complete) && call.has_ended();
        let record = call.finish(end, tick(), PriceBook::builtin());
        assert!(!ended || record.cause.is_none(), "nobody waits for a record that says more: {record:?}");
        (ended, record)
    }

    /// The record of a call that passes to its end.
    pub(crate) fn run(&self) -> CallRecord {
        self.end(End::Complete)
    }
}

/// The bytes cut into pieces of `size`.
pub(crate) fn cut(bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
    bytes.chunks(size).map(<[u8]>::to_vec).collect()
}
