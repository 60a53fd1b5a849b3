//! Each wire format's meter: whole and cut an answer reads the same, in every form that it may have, and one that is well at a glance is
//! well when it is read.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use outrigger_providers::{Dialect, FirstContent, Progress, Reading, dialects, is_plain_answer};
use serde_json::value::RawValue;

use crate::Target;
use crate::input::{expanded, pieces, with_checksums};

pub(crate) fn targets() -> Vec<Target> {
    let target = |dialect: &'static dyn Dialect| {
        Target::new(format!("answer_{}", dialect.name()), Shown(dialect).target())
    };
    dialects::ALL.into_iter().map(target).collect()
}

/// A wire format is nothing that a panic could leave half changed.
struct Shown(&'static dyn Dialect);

impl std::panic::RefUnwindSafe for Shown {}

impl Shown {
    fn target(self) -> impl Fn(&[u8]) + std::panic::RefUnwindSafe + 'static {
        move |input| self.answer(input)
    }

    fn answer(&self, input: &[u8]) {
        let bytes = expanded(input);
        for kind in ["text/event-stream", "application/json", "application/x-ndjson", "text/plain"] {
            self.same(kind, &bytes);
        }
        self.same("application/vnd.amazon.eventstream", &with_checksums(input));
        // Of what is no JSON a glance sees less than a reader.
        if serde_json::from_slice::<&RawValue>(&bytes).is_ok() {
            self.glance(&bytes);
        }
    }

    fn glance(&self, bytes: &[u8]) {
        if is_plain_answer(self.0, bytes) {
            let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().collect();
            let mut first = FirstContent::new(self.0, StatusCode::OK, &json);
            first.push(bytes);
            assert_eq!(first.end(&json).0, Progress::Ended);
        }
    }

    fn same(&self, kind: &'static str, bytes: &[u8]) {
        let headers: HeaderMap = [(CONTENT_TYPE, HeaderValue::from_static(kind))].into_iter().collect();
        for status in [StatusCode::OK, StatusCode::BAD_REQUEST] {
            let (whole, content) = self.read(status, &headers, &[bytes]);
            assert_eq!(
                self.read(status, &headers, &pieces(bytes)),
                (whole.clone(), content),
                "{kind}, {status}"
            );
            assert!(content <= 1, "the first content passes once");
            let _failure = self.0.classify(status, &headers, &whole);
        }
    }

    fn read(&self, status: StatusCode, headers: &HeaderMap, pieces: &[&[u8]]) -> (Reading, usize) {
        let mut meter = self.0.response_meter(status, headers);
        let content = pieces.iter().filter(|piece| meter.chunk(piece)).count();
        (meter.finish(), content)
    }
}
