//! What holds for a call of every wire format and every provider, naming none: compressed, in whatever coding and however
//! it is cut, its answer makes the same record; cut off or damaged it makes one that claims nothing.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use outrigger_ledger::{Call, CallId, CallRecord, CallStart, End, Mode, Outcome, Provenance, Timestamp};
use outrigger_pricing::PriceBook;
use outrigger_providers::{Operation, Recognised, services};
use proptest::prelude::*;

use crate::cases::{Answer, Case, cases};
use crate::support::START;
use crate::support::packings::packings;

fn record<'a>(
    case: &Case,
    answer: &Answer,
    coding: Option<&str>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> CallRecord {
    ended(case, answer, coding, pieces, End::Complete)
}

fn ended<'a>(
    case: &Case,
    answer: &Answer,
    coding: Option<&str>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    end: End,
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
    let mut record = call.finish(end, Timestamp(START), PriceBook::builtin());
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

/// What of an answer must not be missing.
fn needed<'a>(case: &Case, answer: &'a Answer) -> &'a [u8] {
    let whole = answer.bytes.trim_ascii_end();
    // What some formats send behind their terminal element and nobody waits for.
    match case.expected["trailer"].as_str().filter(|_| answer.streams) {
        Some(trailer) => whole.strip_suffix(trailer.as_bytes()).unwrap().trim_ascii_end(),
        None => whole,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    /// The app hung up, the provider ended in order without the format's end, the connection broke: three things with three
    /// names in every format, wherever they happen, and none of them makes up a finish reason.
    #[test]
    fn however_an_answer_stops_early_it_has_its_own_name_and_no_reason_that_was_not_sent(keep in 0.0f64..1.0) {
        for (case, answer) in answers(&cases()) {
            let whole = record(case, answer, None, [&answer.bytes[..]]);
            let bytes = needed(case, answer);
            let kept = &bytes[..(bytes.len() as f64 * keep) as usize];
            let place = format!("{}, {} after {} of {}", case.name, answer.file, kept.len(), bytes.len());
            let mut names = Vec::new();
            for end in [End::Cancelled, End::Complete, End::Cut] {
                let told = ended(case, answer, None, [kept], end);
                for reason in &told.finish_reasons {
                    prop_assert!(reason == "error" || whole.finish_reasons.contains(reason), "{place}: {reason}");
                }
                names.push((told.outcome, told.cause.map(|cause| cause.error_type)));
            }
            let [hung_up, ended, broke] = &names[..] else { unreachable!() };
            prop_assert_eq!(hung_up, &(Outcome::Cancelled, None), "{}", place);
            prop_assert_eq!(broke, &(Outcome::Failed, Some("stream_interrupted".to_owned())), "{}", place);
            // What cannot be told from an answer that is only not understood is nobody's error.
            let incomplete = (Outcome::Failed, Some("stream_incomplete".to_owned()));
            prop_assert!(ended == &incomplete || ended == &(Outcome::Unknown, None), "{place}: {ended:?}");
            if answer.streams && answer.kind == "text/event-stream" {
                prop_assert_eq!(ended, &incomplete, "{}", place);
            }
        }
    }

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
