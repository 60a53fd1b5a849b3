//! The fixtures of every wire format and service: found by folder, so that whoever is registered is held to the contract.
//!
//! `fixtures/DIALECT/` and `fixtures/services/SERVICE/CASE/` each hold `request_plain.json`, `answer_plain.json` and
//! `expected.json`; where the format streams also `request_stream.json` and any number of `answer_stream*` files, whose
//! endings tell their content type. `expected.json` may name the service, host and paths that the facts depend on, headers
//! of the plain answer, and a trailer that follows the terminal element.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

pub(crate) mod newcomers;

use std::path::{Path, PathBuf};

use http::{HeaderMap, Method, StatusCode};
use outrigger_providers::{Addressed, Dialect, Reading, RequestFacts, Service, dialects, services};
use serde_json::Value;

/// An answer as it comes over the wire.
pub(crate) struct Answer {
    pub(crate) file: String,
    pub(crate) kind: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) streams: bool,
}

/// One call, streamed and plain.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) request_stream: Option<Vec<u8>>,
    pub(crate) request_plain: Vec<u8>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) expected: Value,
    pub(crate) service: Option<&'static Service>,
}

/// Every wire format, and one that is new.
pub(crate) fn all_dialects() -> impl Iterator<Item = &'static dyn Dialect> {
    dialects::ALL.into_iter().chain(newcomers::DIALECTS)
}

/// Every case of every registered dialect and service, and of two that are new.
pub(crate) fn cases() -> Vec<Case> {
    // Other crates' suites run over them too.
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../providers/tests/fixtures");
    let mut cases = Vec::from(newcomers::cases(&root));
    for dialect in dialects::ALL {
        cases.push(Case::read(&root.join(dialect.name()), dialect.name().to_owned(), Some(dialect), None));
    }
    for service in services::ALL {
        let folder = root.join("services").join(service.id);
        let Ok(entries) = std::fs::read_dir(&folder) else {
            panic!("{} is missing: a service brings at least one case", folder.display())
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = format!("{}/{}", service.id, path.file_name().unwrap().to_string_lossy());
            cases.push(Case::read(&path, name, None, Some(service)));
        }
    }
    cases
}

fn kind(file: &str) -> &'static str {
    match file.rsplit_once('.').unwrap().1 {
        "sse" => "text/event-stream",
        "json" => "application/json",
        "ndjson" => "application/x-ndjson",
        "eventstream" => "application/vnd.amazon.eventstream",
        other => panic!("{file}: no content type is known for .{other}"),
    }
}

impl Case {
    /// Reads a case of a dialect, or of a service.
    pub(crate) fn read(
        folder: &Path,
        name: String,
        dialect: Option<&'static dyn Dialect>,
        service: Option<&'static Service>,
    ) -> Case {
        let need = |file: &str| {
            let file = folder.join(file);
            std::fs::read(&file).unwrap_or_else(|error| panic!("{} is missing: {error}", file.display()))
        };
        let expected: Value = serde_json::from_slice(&need("expected.json")).unwrap();
        let service = service.or_else(|| {
            let id = expected["service"].as_str()?;
            services::ALL.iter().copied().find(|service| service.id == id)
        });
        let dialect = dialect.unwrap_or_else(|| {
            let path = expected["path_plain"].as_str().unwrap_or_else(|| panic!("{name}: no path_plain"));
            let recognised = (service.unwrap().recognise)(&Method::POST, path);
            assert!(recognised.operation.is_inference(), "{name}: {path} is no inference");
            recognised.dialect
        });
        let mut answers: Vec<Answer> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|file| file.starts_with("answer_"))
            .map(|file| Answer {
                kind: kind(&file),
                bytes: need(&file),
                streams: file.starts_with("answer_stream"),
                file,
            })
            .collect();
        answers.sort_by(|one, other| one.file.cmp(&other.file));
        assert!(answers.iter().any(|answer| !answer.streams), "{name}: no plain answer");
        let request_stream = std::fs::read(folder.join("request_stream.json")).ok();
        assert_eq!(
            request_stream.is_some(),
            answers.iter().any(|answer| answer.streams),
            "{name}: a streamed request and a streamed answer belong together"
        );
        Case {
            name,
            dialect,
            request_plain: need("request_plain.json"),
            request_stream,
            answers,
            expected,
            service,
        }
    }

    /// What the address adds to the facts.
    pub(crate) fn addressed(&self, streams: bool) -> Addressed {
        let path = self.expected[if streams { "path_stream" } else { "path_plain" }].as_str();
        match (self.service, path) {
            (Some(service), Some(path)) => {
                let host = self.expected["host"].as_str().or(service.hosts.first().copied());
                (service.addressed)(host.unwrap_or_default(), path)
            }
            _ => Addressed::default(),
        }
    }

    /// The head of an answer.
    pub(crate) fn headers(&self, answer: &Answer) -> HeaderMap {
        let mut headers = content_type(answer.kind);
        let told = self.expected["headers"].as_object().into_iter().flatten();
        for (name, value) in told.filter(|_| !answer.streams) {
            let name: http::HeaderName = name.parse().unwrap();
            headers.insert(name, value.as_str().unwrap().parse().unwrap());
        }
        headers
    }

    /// What a meter reads, and how often it says that the first content passes.
    pub(crate) fn meter(&self, answer: &Answer, pieces: &[&[u8]]) -> (Reading, usize) {
        let mut meter = self.dialect.response_meter(StatusCode::OK, &self.headers(answer));
        let firsts = pieces.iter().filter(|piece| meter.chunk(piece)).count();
        (meter.finish(), firsts)
    }

    /// The facts of a request, whole.
    pub(crate) fn facts(&self, streams: bool, pieces: &[&[u8]]) -> RequestFacts {
        self.addressed(streams).complete(facts(self.dialect, pieces))
    }
}

pub(crate) fn content_type(kind: &str) -> HeaderMap {
    [(http::header::CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect()
}

pub(crate) fn facts(dialect: &dyn Dialect, pieces: &[&[u8]]) -> RequestFacts {
    let mut reader = dialect.request_reader();
    for piece in pieces {
        reader.chunk(piece);
        // Whoever asks in between changes nothing.
        let _so_far = reader.finish();
    }
    reader.finish()
}
