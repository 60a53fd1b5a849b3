//! What it takes to add a provider that speaks a known wire format (a row) and a wire format (an implementation, a line in
//! the registry, a folder of fixtures). Two that do not exist: the contract holds for them as for all others.

use std::path::Path as FilePath;

use http::{HeaderMap, StatusCode};
use outrigger_pricing::{Meter, TokenUsage};
use outrigger_providers::dialects::openai_chat::OPENAI_CHAT;
use outrigger_providers::framing::{JsonScan, Path};
use outrigger_providers::{
    Dialect, Failure, FailureClass, Operation, OwnError, Reading, Recognised, RequestFacts, RequestReader,
    ResponseMeter, Service, StreamEnd,
};

use super::Case;

/// The line that each wire format has in the registry.
pub(crate) static DIALECTS: [&dyn Dialect; 1] = [&Semaphore];
/// The line that each provider has.
pub(crate) static SERVICES: [&Service; 1] = [&HARBOUR];

/// Their cases. The provider's fixtures are those of any other of its format.
pub(crate) fn cases(root: &FilePath) -> [Case; 2] {
    [
        Case::read(&root.join("newcomers/semaphore"), "semaphore".to_owned(), Some(&Semaphore), None),
        Case::read(&root.join("services/cerebras/chat"), "harbour/chat".to_owned(), None, Some(&HARBOUR)),
    ]
}

/// All that a provider of a known format takes.
pub(crate) static HARBOUR: Service = Service {
    id: "harbour",
    otel_name: "harbour",
    hosts: &["api.harbour.example"],
    key_variable: "HARBOUR_API_KEY",
    recognise: |_, path| Recognised {
        dialect: &OPENAI_CHAT,
        operation: if path == "/v1/chat/completions" { Operation::Chat } else { Operation::Other },
    },
    ..Service::ROW
};

/// A format that says `{"m":MODEL,"in":TOKENS,"out":TOKENS}`, and of an error `{"no":WORDS}`.
pub(crate) struct Semaphore;

const FACTS: &[Path] = &[&["m"]];
const ANSWER: &[Path] = &[&["m"], &["in"], &["out"], &["no"]];

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
            failure_message: self.0.read(&["no"]),
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
        serde_json::json!({"no": error.message}).to_string().into_bytes()
    }

    fn finish_word<'a>(&self, word: &'a str) -> &'a str {
        word
    }
}
