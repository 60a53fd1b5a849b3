//! Into every other wire format: a request is refused with its reasons, or said in words that the other side reads; a stream ends
//! well only if the app's own format reads it so.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use outrigger_pricing::PriceBook;
use outrigger_providers::canonical::{Asked, request_from};
use outrigger_providers::translate::{App, Place, Stream, request};
use outrigger_providers::{Addressed, Dialect, Operation, StreamEnd, dialects, services};

use crate::Target;
use crate::input::{expanded, pieces, with_checksums};

/// A model at each format's first speaker.
const PLACES: [(&str, &str); 6] = [
    ("openai", "gpt-6.1-terra"),
    ("mistral", "mistral-large-4"),
    ("anthropic", "claude-sonnet-4-5"),
    ("vertex", "claude-sonnet-5-5"),
    ("gemini", "gemini-3.5-flash"),
    ("bedrock", "eu.anthropic.claude-sonnet-5-5"),
];

pub(crate) fn targets() -> Vec<Target> {
    let written = dialects::ALL.into_iter().filter(|dialect| dialect.requests().is_some());
    let requests = |dialect: &'static dyn Dialect| {
        Target::new(format!("translation_{}", dialect.name()), Said(dialect).target())
    };
    let streams = |dialect: &'static dyn Dialect| {
        Target::new(format!("translated_stream_{}", dialect.name()), Streamed(dialect).target())
    };
    let read = dialects::ALL.into_iter().filter(|dialect| dialect.canonical().is_some());
    written.map(requests).chain(read.map(streams)).collect()
}

/// A wire format is nothing that a panic could leave half changed.
struct Said(&'static dyn Dialect);

impl std::panic::RefUnwindSafe for Said {}

impl Said {
    fn target(self) -> impl Fn(&[u8]) + std::panic::RefUnwindSafe + 'static {
        move |input| {
            for (id, model) in PLACES {
                self.at(input, id, model);
            }
        }
    }

    fn at(&self, body: &[u8], id: &str, model: &str) {
        let Some(service) = services::ALL.into_iter().find(|service| service.id == id) else { return };
        let Some(place) = Place::at(service, self.0, model) else { return };
        let facts = PriceBook::builtin().facts(id, model, 1_794_830_400);
        let place = Place { facts, region: Some("r"), project: Some("p"), ..place };
        let addressed = Addressed::default();
        let app = App {
            service: &services::OPERATOR_LISTED,
            dialect: self.0,
            operation: Operation::Chat,
            addressed: &addressed,
            path: "/",
            query: None,
        };
        match request(&app, body, &place) {
            Ok(outgoing) => {
                let read = place.dialect.canonical().map(|reader| request_from(reader, &outgoing.body));
                assert!(matches!(read, Some(Ok(_))), "{id} reads what it is asked");
            }
            Err(refused) => assert!((1..=16).contains(&refused.reasons.len())),
        }
    }
}

/// A backup's stream in this format.
struct Streamed(&'static dyn Dialect);

impl std::panic::RefUnwindSafe for Streamed {}

impl Streamed {
    fn target(self) -> impl Fn(&[u8]) + std::panic::RefUnwindSafe + 'static {
        move |input| {
            let bytes = expanded(input);
            for to in dialects::ALL.into_iter().filter(|to| to.answers().is_some()) {
                for kind in ["text/event-stream", "application/json"] {
                    self.told(kind, &bytes, to);
                }
                self.told("application/vnd.amazon.eventstream", &with_checksums(input), to);
            }
        }
    }

    fn told(&self, kind: &'static str, bytes: &[u8], to: &'static dyn Dialect) {
        let asked =
            Asked::of(br#"{"stream_options": {"include_usage": true}}"#, Some("alt=sse"), "call-1", 7);
        let Some(mut stream) = Stream::new(self.0, to, &headers(kind), asked) else { return };
        let mut meter = to.response_meter(StatusCode::OK, &headers(stream.content_type()));
        for piece in pieces(bytes) {
            meter.chunk(&stream.push(piece));
        }
        let end = stream.end();
        meter.chunk(&end.bytes);
        let reading = meter.finish();
        let complete = reading.end == StreamEnd::Complete && reading.failure.is_none();
        assert_eq!(complete, end.outcome.is_ok(), "{kind} to {}: {:?}, {reading:?}", to.name(), end.outcome);
        assert_eq!(reading.stumbled, None, "{} reads all that it is told", to.name());
    }
}

fn headers(kind: &'static str) -> HeaderMap {
    [(CONTENT_TYPE, HeaderValue::from_static(kind))].into_iter().collect()
}
