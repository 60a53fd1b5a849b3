//! What it takes to add a provider that speaks a known wire format (a row) and a wire format (an implementation and its
//! fixtures): both pass the checks that the registered ones pass.

#![allow(dead_code, reason = "the fixtures' module serves another suite as well")]

mod cases;

use std::path::PathBuf;

use cases::Case;
use http::{HeaderMap, Method, StatusCode};
use outrigger_pricing::{Meter, TokenUsage};
use outrigger_providers::dialects::openai_chat::OPENAI_CHAT;
use outrigger_providers::framing::{JsonScan, Path};
use outrigger_providers::{
    Dialect, Failure, FailureClass, Operation, OwnError, Reading, Recognised, RequestFacts, RequestReader,
    ResponseMeter, Service, StreamEnd,
};

/// All that a provider of a known format takes.
static HARBOUR: Service = Service {
    id: "harbour",
    otel_name: "harbour",
    hosts: &["api.harbour.example"],
    key_variable: "HARBOUR_API_KEY",
    recognise: |_, path| Recognised {
        dialect: &OPENAI_CHAT,
        operation: if path == "/chat" { Operation::Chat } else { Operation::Other },
    },
    ..Service::ROW
};

/// A format that says `{"m":MODEL,"in":TOKENS,"out":TOKENS}`.
struct Semaphore;

const FACTS: &[Path] = &[&["m"]];
const ANSWER: &[Path] = &[&["m"], &["in"], &["out"]];

struct Reader(JsonScan);

impl RequestReader for Reader {
    fn chunk(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    fn finish(&mut self) -> RequestFacts {
        RequestFacts { model: self.0.read(&["m"]), ..RequestFacts::default() }
    }
}

struct Counter(JsonScan);

impl ResponseMeter for Counter {
    fn chunk(&mut self, bytes: &[u8]) -> bool {
        self.0.push(bytes);
        false
    }

    fn finish(&mut self) -> Reading {
        let count = |name| self.0.read(&[name]).unwrap_or(0);
        Reading {
            model: self.0.read(&["m"]),
            usage: TokenUsage::ZERO.with(Meter::Input, count("in")).with(Meter::Output, count("out")),
            usage_final: self.0.is_whole(),
            end: if self.0.is_whole() { StreamEnd::Complete } else { StreamEnd::Open },
            ..Reading::default()
        }
    }
}

impl Dialect for Semaphore {
    fn name(&self) -> &'static str {
        "semaphore"
    }

    fn request_reader(&self) -> Box<dyn RequestReader> {
        Box::new(Reader(JsonScan::new(FACTS)))
    }

    fn response_meter(&'static self, _: StatusCode, _: &HeaderMap) -> Box<dyn ResponseMeter> {
        Box::new(Counter(JsonScan::new(ANSWER)))
    }

    fn classify(&self, status: StatusCode, _: &HeaderMap, _: &Reading) -> Option<Failure> {
        (!status.is_success()).then_some(Failure { class: FailureClass::Other, code: None })
    }

    fn error_body(&self, error: &OwnError<'_>) -> Vec<u8> {
        error.message.as_bytes().to_vec()
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        word
    }
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn holds(case: &Case) {
    for answer in &case.answers {
        for cut in 0..=answer.bytes.len() {
            let (reading, _) = case.meter(answer, &[&answer.bytes[..cut], &answer.bytes[cut..]]);
            assert_eq!(reading.end, StreamEnd::Complete, "{} cut at {cut}", case.name);
            assert_eq!(reading.usage.get(Meter::Input), case.expected["usage"]["input"].as_u64());
            assert_eq!(reading.usage.get(Meter::Output), case.expected["usage"]["output"].as_u64());
        }
    }
    let facts = case.facts(false, &[&case.request_plain]);
    assert_eq!(facts.model.as_deref(), case.expected["facts"]["model"].as_str(), "{}", case.name);
}

#[test]
fn a_provider_of_a_known_format_takes_one_row() {
    // The fixtures are those of any other service of that format.
    let case = Case::read(
        &folder("services/cerebras/chat"),
        "harbour".to_owned(),
        Some(&OPENAI_CHAT),
        Some(&HARBOUR),
    );
    holds(&case);
    assert_eq!((HARBOUR.recognise)(&Method::POST, "/chat").operation, Operation::Chat);
    assert_eq!(
        (HARBOUR.addressed)("api.harbour.example", "/chat"),
        outrigger_providers::Addressed::default()
    );
    let headers: HeaderMap =
        [(http::header::AUTHORIZATION, "Bearer abc".parse().unwrap())].into_iter().collect();
    assert_eq!(HARBOUR.credential(&headers, None).map(|found| found.secret), Some("abc"));
}

#[test]
fn a_wire_format_takes_its_implementation_and_its_fixtures() {
    holds(&Case::read(&folder("newcomers/semaphore"), "semaphore".to_owned(), Some(&Semaphore), None));
}
