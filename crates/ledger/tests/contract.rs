//! What holds for a call of every wire format and every provider, naming none: compressed, in whatever coding and however
//! it is cut, its answer makes the same record; cut off or damaged it makes one that claims nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test they serve")]

#[allow(dead_code, reason = "the fixtures' module serves other suites as well")]
#[path = "../../providers/tests/cases/mod.rs"]
mod cases;
mod support;

use std::sync::Arc;

use cases::{Answer, Case, cases};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use outrigger_ledger::{Call, CallId, CallRecord, CallStart, End, Mode, Outcome, Provenance, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::{Operation, Recognised, services};
use proptest::prelude::*;
use support::START;
use support::packings::packings;

fn record<'a>(
    case: &Case,
    answer: &Answer,
    coding: Option<&str>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> CallRecord {
    let mut headers = case.headers(answer);
    if let Some(coding) = coding {
        headers.insert(http::header::CONTENT_ENCODING, HeaderValue::from_str(coding).unwrap());
    }
    let path = case.expected[if answer.streams { "path_stream" } else { "path_plain" }].as_str();
    let service = case.service.unwrap_or(&services::OPERATOR_LISTED);
    let mut call = Call::begin(CallStart {
        id: CallId([0xab; 16]),
        service,
        recognised: Recognised { dialect: case.dialect, operation: Operation::Chat },
        mode: Mode::Connect,
        method: &Method::POST,
        path: path.unwrap_or("/"),
        query: None,
        headers: &HeaderMap::new(),
        host: case.expected["host"].as_str().or(service.hosts.first().copied()).unwrap_or("host.example"),
        port: 443,
        http_version: "1.1",
        identity: &Arc::default(),
        at: Timestamp(START),
    });
    let request = case.request_stream.as_ref().filter(|_| answer.streams).unwrap_or(&case.request_plain);
    call.request_chunk(request);
    call.response_head(StatusCode::OK, &headers, Timestamp(START));
    for piece in pieces {
        call.response_chunk(piece, Timestamp(START));
    }
    let mut record = call.finish(End::Complete, Timestamp(START), PriceBook::builtin());
    // How many bytes it took is what compression changes.
    record.transport.response_bytes = 0;
    record
}

fn answers(cases: &[Case]) -> impl Iterator<Item = (&Case, &Answer)> {
    cases.iter().flat_map(|case| case.answers.iter().map(move |answer| (case, answer)))
}

#[test]
fn every_answer_makes_the_same_record_in_every_coding() {
    for (case, answer) in answers(&cases()) {
        let plain = record(case, answer, None, [&answer.bytes[..]]);
        assert_eq!(
            (plain.outcome, &plain.cause),
            (Outcome::Answered, &None),
            "{}, {}",
            case.name,
            answer.file
        );
        let is_told = !case.expected["usage"].is_null();
        assert_eq!(plain.tokens.provenance == Provenance::Exact, is_told, "{}, {}", case.name, answer.file);
        for packed in packings(&answer.bytes) {
            let bytes = packed.events.concat();
            for size in [1, 13, bytes.len()] {
                let compressed = record(case, answer, Some(packed.coding), bytes.chunks(size));
                assert_eq!(compressed, plain, "{}, {}: {} by {size}", case.name, answer.file, packed.name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    /// Whatever becomes of the bytes on the way, there is a record, and a count is never claimed that was not told whole.
    #[test]
    fn a_compressed_answer_that_is_cut_or_damaged_claims_nothing_false(
        keep in 0.0f64..0.9,
        garbage in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        for (case, answer) in answers(&cases()) {
            for packed in packings(&answer.bytes).into_iter().filter(|packed| packed.coding != "identity") {
                let bytes = packed.events.concat();
                let kept = &bytes[..(bytes.len() as f64 * keep) as usize];
                let damaged = record(case, answer, Some(packed.coding), [kept, &garbage]);
                let told = damaged.tokens.provenance == Provenance::Exact;
                let whole = record(case, answer, None, [&answer.bytes[..]]);
                prop_assert!(
                    !told || damaged.tokens.usage == whole.tokens.usage,
                    "{}, {}: {}", case.name, answer.file, packed.name
                );
            }
        }
    }
}
