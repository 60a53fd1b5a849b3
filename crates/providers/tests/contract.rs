//! What every wire format must do, whatever it is: run over the registry, naming none. A format brings its fixtures in
//! `tests/fixtures/<its name>/`; one that lacks them fails here and is told what is missing.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::{HeaderMap, StatusCode};
use outrigger_providers::{
    Dialect, FailureClass, OwnError, Reading, RequestFacts, StreamEnd, dialects, services,
};
use proptest::prelude::*;
use serde_json::Value;

struct Fixtures {
    dialect: &'static dyn Dialect,
    request_stream: Vec<u8>,
    request_plain: Vec<u8>,
    answer_stream: Vec<u8>,
    answer_plain: Vec<u8>,
    expected: Value,
}

fn fixtures() -> Vec<Fixtures> {
    dialects::ALL
        .into_iter()
        .map(|dialect| {
            let folder =
                PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dialect.name());
            let read = |name: &str| {
                let file = folder.join(name);
                std::fs::read(&file).unwrap_or_else(|error| panic!("{} is missing: {error}", file.display()))
            };
            Fixtures {
                dialect,
                request_stream: read("request_stream.json"),
                request_plain: read("request_plain.json"),
                answer_stream: read("answer_stream.sse"),
                answer_plain: read("answer_plain.json"),
                expected: serde_json::from_slice(&read("expected.json")).unwrap(),
            }
        })
        .collect()
}

fn content_type(kind: &str) -> HeaderMap {
    [(http::header::CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect()
}

const SSE: &str = "text/event-stream";
const JSON: &str = "application/json";

fn meter(dialect: &dyn Dialect, kind: &str, pieces: &[&[u8]]) -> (Reading, usize) {
    let mut meter = dialect.response_meter(StatusCode::OK, &content_type(kind));
    let firsts = pieces.iter().filter(|piece| meter.chunk(piece)).count();
    (meter.finish(), firsts)
}

fn facts(dialect: &dyn Dialect, pieces: &[&[u8]]) -> RequestFacts {
    let mut reader = dialect.request_reader();
    for piece in pieces {
        reader.chunk(piece);
    }
    reader.finish()
}

fn check(fixtures: &Fixtures, reading: &Reading, how: &str) {
    let (name, expected) = (fixtures.dialect.name(), &fixtures.expected);
    assert_eq!(reading.end, StreamEnd::Complete, "{name}, {how}");
    assert_eq!(
        (reading.stumbled, reading.usage_fault, reading.usage_final),
        (None, None, true),
        "{name}, {how}"
    );
    assert_eq!(reading.response_id.as_deref(), expected["response_id"].as_str(), "{name}, {how}");
    assert_eq!(reading.model.as_deref(), expected["model"].as_str(), "{name}, {how}");
    assert_eq!(reading.tier_word.as_deref(), expected["tier"].as_str(), "{name}, {how}");
    let words: Vec<&str> =
        reading.finish_reasons.iter().map(|word| fixtures.dialect.finish_word(word)).collect();
    assert_eq!(Value::from(words), expected["finish_reasons"], "{name}, {how}");
    let usage: BTreeMap<&str, Option<u64>> =
        reading.usage.told().map(|(meter, count)| (meter.as_str(), count)).collect();
    assert_eq!(serde_json::to_value(usage).unwrap(), expected["usage"], "{name}, {how}");
}

#[test]
fn a_streamed_answer_reads_the_same_however_it_is_cut() {
    for fixtures in fixtures() {
        let bytes = &fixtures.answer_stream[..];
        for cut in 0..=bytes.len() {
            let (reading, firsts) = meter(fixtures.dialect, SSE, &[&bytes[..cut], &bytes[cut..]]);
            check(&fixtures, &reading, &format!("cut at {cut}"));
            assert_eq!(firsts, 1, "{}: the first content passes once", fixtures.dialect.name());
        }
        let (reading, firsts) = meter(fixtures.dialect, SSE, &bytes.chunks(1).collect::<Vec<_>>());
        check(&fixtures, &reading, "byte by byte");
        assert_eq!(firsts, 1);
    }
}

#[test]
fn a_plain_answer_reads_the_same_however_it_is_cut_and_as_the_streamed_one() {
    for fixtures in fixtures() {
        let bytes = &fixtures.answer_plain[..];
        for cut in 0..=bytes.len() {
            check(
                &fixtures,
                &meter(fixtures.dialect, JSON, &[&bytes[..cut], &bytes[cut..]]).0,
                &format!("cut at {cut}"),
            );
        }
        check(
            &fixtures,
            &meter(fixtures.dialect, JSON, &bytes.chunks(1).collect::<Vec<_>>()).0,
            "byte by byte",
        );
    }
}

#[test]
fn facts_are_the_same_however_a_request_is_cut_and_whether_or_not_it_streams() {
    for fixtures in fixtures() {
        let (dialect, name) = (fixtures.dialect, fixtures.dialect.name());
        let whole = facts(dialect, &[&fixtures.request_stream]);
        assert_eq!(whole.model.as_deref(), fixtures.expected["facts"]["model"].as_str(), "{name}");
        assert_eq!(whole.max_tokens, fixtures.expected["facts"]["max_tokens"].as_u64(), "{name}");
        assert!(whole.stream && whole.user.is_some(), "{name}: {whole:?}");
        for cut in 0..fixtures.request_stream.len() {
            let (first, second) = fixtures.request_stream.split_at(cut);
            assert_eq!(facts(dialect, &[first, second]), whole, "{name}, cut at {cut}");
        }
        let plain = facts(dialect, &[&fixtures.request_plain]);
        assert!(!plain.stream, "{name}");
        assert_eq!(
            RequestFacts { stream: true, include_usage: whole.include_usage, ..plain },
            whole,
            "{name}"
        );
    }
}

#[test]
fn an_answer_that_stops_early_is_never_complete_and_never_final() {
    for fixtures in fixtures() {
        let name = fixtures.dialect.name();
        for (kind, bytes) in [(SSE, &fixtures.answer_stream), (JSON, &fixtures.answer_plain)] {
            let whole = bytes.trim_ascii_end().len();
            for end in 0..whole {
                let (reading, _) = meter(fixtures.dialect, kind, &[&bytes[..end]]);
                let complete = reading.end == StreamEnd::Complete && reading.stumbled.is_none();
                assert!(!complete, "{name}, {kind}: complete after {end} of {whole} bytes");
            }
        }
    }
}

#[test]
fn fifty_megabytes_are_read_through() {
    for fixtures in fixtures() {
        let name = fixtures.dialect.name();
        // One string of 50 MB in front of what matters.
        let text = String::from_utf8(fixtures.answer_plain.clone()).unwrap();
        let mut meter = fixtures.dialect.response_meter(StatusCode::OK, &content_type(JSON));
        meter.chunk(b"{\"padding\":\"");
        for _ in 0..50 {
            meter.chunk(&[b'x'; 1_000_000]);
        }
        meter.chunk(b"\",");
        meter.chunk(text.trim_start().strip_prefix('{').unwrap().as_bytes());
        check(&fixtures, &meter.finish(), "50 MB plain");
        // An event of 50 MB in the middle of a stream is stepped over, and said.
        let mut meter = fixtures.dialect.response_meter(StatusCode::OK, &content_type(SSE));
        meter.chunk(b"data: {\"padding\":\"");
        for _ in 0..50 {
            meter.chunk(&[b'x'; 1_000_000]);
        }
        meter.chunk(b"\"}\n\n");
        meter.chunk(&fixtures.answer_stream);
        let reading = meter.finish();
        assert!(reading.usage_final, "{name}: {reading:?}");
        let mut reader = fixtures.dialect.request_reader();
        reader.chunk(b"{\"image\":\"");
        for _ in 0..50 {
            reader.chunk(&[b'A'; 1_000_000]);
        }
        reader.chunk(b"\",\"model\":\"last\"}");
        assert_eq!(reader.finish().model.as_deref(), Some("last"), "{name}");
    }
}

#[test]
fn errors_of_ours_are_json_of_the_family_and_carry_the_message() {
    for dialect in dialects::ALL {
        for class in
            [FailureClass::Tls, FailureClass::Timeout, FailureClass::NotFound, FailureClass::InvalidRequest]
        {
            let message = "outrigger: a \"quoted\" reason";
            let body: Value =
                serde_json::from_slice(&dialect.error_body(&OwnError { status: 502, class, message }))
                    .unwrap();
            assert_eq!(body["error"]["message"], message, "{}", dialect.name());
            assert!(body["error"]["type"].is_string(), "{}", dialect.name());
        }
    }
}

#[test]
fn every_service_speaks_a_registered_dialect_on_every_path() {
    for service in services::ALL {
        for path in ["/", "/v1/unheard-of", "", "no-slash"] {
            let recognised = (service.recognise)(&http::Method::POST, path);
            assert!(
                dialects::ALL.iter().any(|dialect| dialect.name() == recognised.dialect.name()),
                "{}",
                service.id
            );
            assert!(!recognised.operation.is_inference(), "{}: {path}", service.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_cuts_change_nothing(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        for fixtures in fixtures() {
            let bytes = &fixtures.answer_stream;
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            at.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in at {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            check(&fixtures, &meter(fixtures.dialect, SSE, &pieces).0, "random cuts");
        }
    }

    #[test]
    fn damage_never_panics(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30), cut in any::<prop::sample::Index>()) {
        for fixtures in fixtures() {
            for (kind, whole) in [(SSE, &fixtures.answer_stream), (JSON, &fixtures.answer_plain)] {
                let mut bytes = whole.clone();
                for (at, byte) in &damage {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                let (first, second) = bytes.split_at(cut.index(bytes.len()));
                meter(fixtures.dialect, kind, &[first, second]);
                facts(fixtures.dialect, &[first, second]);
            }
        }
    }
}
