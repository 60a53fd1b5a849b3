//! What every wire format and service must do, whatever it is: run over the registries, naming none. Who lacks fixtures
//! fails here and is told what is missing.

use std::collections::{BTreeMap, HashSet};

use http::StatusCode;
use outrigger_providers::canonical::{Framed, Whole, answer_from, request_from};
use outrigger_providers::{FailureClass, OwnError, Reading, RequestFacts, StreamEnd, Who, services};
use proptest::prelude::*;
use serde_json::Value;

use crate::cases::newcomers::SERVICES;
use crate::cases::{Answer, Case, all_dialects, cases, content_type, facts};

fn check(case: &Case, reading: &Reading, how: &str) {
    let (name, expected) = (&case.name, &case.expected);
    assert_eq!(reading.end, StreamEnd::Complete, "{name}, {how}");
    assert_eq!((reading.stumbled, reading.usage_fault), (None, None), "{name}, {how}");
    assert_eq!(reading.usage_final, !expected["usage"].is_null(), "{name}, {how}");
    assert_eq!(reading.response_id.as_deref(), expected["response_id"].as_str(), "{name}, {how}");
    assert_eq!(reading.model.as_deref(), expected["model"].as_str(), "{name}, {how}");
    assert_eq!(reading.tier_word.as_deref(), expected["tier"].as_str(), "{name}, {how}");
    if let Some(fingerprint) = expected["system_fingerprint"].as_str() {
        assert_eq!(reading.system_fingerprint.as_deref(), Some(fingerprint), "{name}, {how}");
    }
    let words: Vec<&str> = reading.finish_reasons.iter().map(|word| case.dialect.finish_word(word)).collect();
    assert_eq!(Value::from(words), expected["finish_reasons"], "{name}, {how}");
    let cost = reading.reported_cost.map(|cost| cost.to_string());
    assert_eq!(cost.as_deref(), expected["reported_cost"].as_str(), "{name}, {how}");
    if reading.usage_final {
        let usage: BTreeMap<&str, Option<u64>> =
            reading.usage.told().map(|(meter, count)| (meter.as_str(), count)).collect();
        assert_eq!(serde_json::to_value(usage).unwrap(), expected["usage"], "{name}, {how}");
    }
}

/// Every answer of every case.
fn answers(cases: &[Case]) -> impl Iterator<Item = (&Case, &Answer)> {
    cases.iter().flat_map(|case| case.answers.iter().map(move |answer| (case, answer)))
}

#[test]
fn an_answer_reads_the_same_however_it_is_cut_and_whether_or_not_it_streams() {
    for (case, answer) in answers(&cases()) {
        let bytes = &answer.bytes[..];
        for cut in 0..=bytes.len() {
            let (reading, firsts) = case.meter(answer, &[&bytes[..cut], &bytes[cut..]]);
            check(case, &reading, &format!("{} cut at {cut}", answer.file));
            assert_eq!(firsts, usize::from(answer.streams), "{}: the first content passes once", case.name);
        }
        let (reading, firsts) = case.meter(answer, &bytes.chunks(1).collect::<Vec<_>>());
        check(case, &reading, &format!("{} byte by byte", answer.file));
        assert_eq!(firsts, usize::from(answer.streams), "{}", case.name);
    }
}

/// Whoever reads a format into the canonical form reads it with the deviations of all who speak it.
#[test]
fn every_answer_is_read_into_the_canonical_form_streamed_and_whole() {
    let mut read = 0;
    for case in cases() {
        let Some(reader) = case.dialect.canonical() else { continue };
        if let Err(fault) = request_from(reader, &case.request_plain) {
            panic!("{}: {fault}", case.name);
        }
        for answer in &case.answers {
            let framed = match (answer.streams, answer.kind) {
                (false, _) => Framed::Whole,
                (true, "text/event-stream") => Framed::Events,
                (true, "application/vnd.amazon.eventstream") => Framed::AwsMessages,
                // Gemini's list of chunks.
                (true, _) => continue,
            };
            let Whole { answer: found, fault, error, .. } = answer_from(reader, framed, &answer.bytes);
            assert_eq!((fault, error), (None, None), "{}, {}", case.name, answer.file);
            assert_eq!(found.id.as_deref(), case.expected["response_id"].as_str(), "{}", case.name);
            assert!(
                found.choices.iter().all(|choice| choice.stop.is_some()),
                "{}, {}",
                case.name,
                answer.file
            );
            read += 1;
        }
    }
    assert!(read > 20, "only {read} answers were read");
}

#[test]
fn facts_are_the_same_however_a_request_is_cut_and_whether_or_not_it_streams() {
    for case in cases() {
        let name = &case.name;
        let plain = case.facts(false, &[&case.request_plain]);
        assert_eq!(plain.model.as_deref(), case.expected["facts"]["model"].as_str(), "{name}");
        assert_eq!(plain.max_tokens, case.expected["facts"]["max_tokens"].as_u64(), "{name}");
        assert_eq!(
            plain.names.get(Who::User).map(|name| name.text.as_str()),
            case.expected["facts"]["user"].as_str(),
            "{name}"
        );
        assert!(!plain.stream, "{name}: {plain:?}");
        let Some(request) = &case.request_stream else { continue };
        let whole = case.facts(true, &[request]);
        assert!(whole.stream, "{name}: {whole:?}");
        for cut in 0..request.len() {
            let (first, second) = request.split_at(cut);
            assert_eq!(case.facts(true, &[first, second]), whole, "{name}, cut at {cut}");
        }
        assert_eq!(
            // The two are of different conversations.
            RequestFacts {
                stream: true,
                include_usage: whole.include_usage,
                thread: whole.thread.clone(),
                ..plain
            },
            whole,
            "{name}"
        );
    }
}

#[test]
fn an_answer_that_stops_early_is_never_complete() {
    for (case, answer) in answers(&cases()) {
        let mut whole = answer.bytes.trim_ascii_end();
        // What some formats send behind their terminal element and nobody waits for.
        if let Some(trailer) = case.expected["trailer"].as_str().filter(|_| answer.streams) {
            whole = whole.strip_suffix(trailer.as_bytes()).unwrap().trim_ascii_end();
        }
        let whole = whole.len();
        for end in 0..whole {
            let (reading, _) = case.meter(answer, &[&answer.bytes[..end]]);
            let complete = reading.end == StreamEnd::Complete && reading.stumbled.is_none();
            assert!(!complete, "{}, {}: complete after {end} of {whole} bytes", case.name, answer.file);
        }
    }
}

/// 50 MB of padding as a form of answer carries it, and what stands before and behind it.
fn padded(answer: &Answer) -> (Vec<u8>, Vec<u8>) {
    const LENGTH: u32 = 50_000_000;
    let bytes = &answer.bytes;
    match (answer.kind, bytes.first()) {
        ("text/event-stream", _) => (b"data: {\"padding\":\"".to_vec(), [b"\"}\n\n", &bytes[..]].concat()),
        ("application/x-ndjson", _) => (b"{\"padding\":\"".to_vec(), [b"\"}\n", &bytes[..]].concat()),
        ("application/vnd.amazon.eventstream", _) => {
            // Prelude, its checksum, no headers; the checksum at the end cannot be right and is not looked at.
            let mut head = (LENGTH + 16).to_be_bytes().to_vec();
            head.extend(0u32.to_be_bytes());
            head.extend(crc32fast::hash(&head).to_be_bytes());
            (head, [&[0; 4], &bytes[..]].concat())
        }
        (_, Some(b'[')) => (b"[{\"padding\":\"".to_vec(), [b"\"},", &bytes[1..]].concat()),
        _ => (b"{\"padding\":\"".to_vec(), [b"\",", &bytes.trim_ascii_start()[1..]].concat()),
    }
}

/// Bytes that reading one body may take at any moment, whatever the body is.
const BOUND: u64 = 128 * 1024;

#[test]
fn fifty_megabytes_are_read_through_and_none_of_them_is_held() {
    let padding = vec![b'x'; 1_000_000];
    for (case, answer) in answers(&cases()) {
        let (name, (before, behind)) = (&case.name, padded(answer));
        let headers = case.headers(answer);
        let mut reading = Reading::default();
        let memory = allocation_counter::measure(|| {
            let mut meter = case.dialect.response_meter(StatusCode::OK, &headers);
            meter.chunk(&before);
            for _ in 0..50 {
                meter.chunk(&padding);
            }
            meter.chunk(&behind);
            reading = meter.finish();
        });
        assert!(memory.bytes_max < BOUND, "{name}, {}: {memory:?}", answer.file);
        if answer.streams {
            // What was too long is stepped over.
            assert_eq!(reading.usage_final, !case.expected["usage"].is_null(), "{name}: {reading:?}");
        } else {
            check(case, &reading, "50 MB plain");
        }
    }
    for dialect in all_dialects() {
        let mut facts = RequestFacts::default();
        let memory = allocation_counter::measure(|| {
            let mut reader = dialect.request_reader();
            reader.chunk(b"{\"image\":\"");
            for _ in 0..50 {
                reader.chunk(&padding);
            }
            reader.chunk(b"\",\"stream\":true}");
            facts = reader.finish();
        });
        assert!(memory.bytes_max < BOUND, "{}: {memory:?}", dialect.name());
        assert!(facts.model.is_none(), "{}: {facts:?}", dialect.name());
    }
}

#[test]
fn errors_of_ours_read_as_errors_of_the_family() {
    for dialect in all_dialects() {
        for (status, class) in [
            (StatusCode::BAD_GATEWAY, FailureClass::Tls),
            (StatusCode::GATEWAY_TIMEOUT, FailureClass::Timeout),
            (StatusCode::NOT_FOUND, FailureClass::NotFound),
            (StatusCode::BAD_REQUEST, FailureClass::InvalidRequest),
        ] {
            let message = "outrigger: a \"quoted\" reason";
            let body = dialect.error_body(&OwnError { status: status.as_u16(), class, message });
            let headers = content_type("application/json");
            let mut meter = dialect.response_meter(status, &headers);
            meter.chunk(&body);
            let reading = meter.finish();
            let name = dialect.name();
            assert_eq!(reading.failure_message.as_deref(), Some(message), "{name}");
            assert!(dialect.classify(status, &headers, &reading).is_some(), "{name}");
        }
    }
}

#[test]
fn every_service_speaks_a_registered_dialect_on_every_path() {
    for service in services::ALL.into_iter().chain(SERVICES).chain([&services::OPERATOR_LISTED]) {
        for path in ["/", "/v1/unheard-of", "", "no-slash", "/v1/models/", ":", "/model//", "/a/b:c%"] {
            let recognised = (service.recognise)(&http::Method::POST, path);
            assert!(
                all_dialects().any(|dialect| dialect.name() == recognised.dialect.name()),
                "{}",
                service.id
            );
            assert!(!recognised.operation.is_inference(), "{}: {path}", service.id);
            // Whatever the path is, nothing is read from it in panic.
            let _addressed = (service.addressed)("host.example", path);
        }
    }
}

#[test]
fn no_host_belongs_to_two_providers_and_every_host_is_found() {
    let mut seen = HashSet::new();
    for service in services::ALL {
        assert!(!service.id.is_empty() && !service.otel_name.is_empty());
        assert!(seen.insert(service.id), "{} is there twice", service.id);
        for host in service.hosts {
            assert!(seen.insert(host), "{host} is there twice");
            assert_eq!(services::by_host(host).map(|found| found.id), Some(service.id), "{host}");
        }
        for domain in service.domains {
            let below = format!("customer.{domain}");
            assert!(seen.insert(domain), "{domain} is there twice");
            assert_eq!(services::by_host(&below).map(|found| found.id), Some(service.id), "{below}");
            assert!(services::by_host(domain).is_none(), "{domain} itself is no customer's host");
            let others = services::ALL.iter().filter(|other| other.id != service.id);
            for host in others.flat_map(|other| other.hosts) {
                assert!(!services::is_in(host, domain), "{host} stands in {domain}");
            }
        }
    }
}

/// The events of a stream, each with its frame.
fn events(answer: &Answer) -> Vec<&[u8]> {
    let bytes = &answer.bytes[..];
    let ends: Vec<usize> = match answer.kind {
        "text/event-stream" => {
            let blank = |at: &usize| bytes[..*at].ends_with(b"\n\n") || bytes[..*at].ends_with(b"\r\n\r\n");
            (0..=bytes.len()).filter(blank).collect()
        }
        "application/x-ndjson" => (1..=bytes.len()).filter(|at| bytes[at - 1] == b'\n').collect(),
        "application/vnd.amazon.eventstream" => {
            let mut ends = vec![0];
            while let Some(length) = bytes[ends[ends.len() - 1]..].first_chunk::<4>() {
                ends.push(ends[ends.len() - 1] + u32::from_be_bytes(*length) as usize);
            }
            ends.split_off(1)
        }
        // An array's chunks are as they come.
        _ => Vec::new(),
    };
    let mut from = 0;
    ends.into_iter().map(|end| &bytes[std::mem::replace(&mut from, end)..end]).collect()
}

#[test]
fn an_event_like_the_one_before_allocates_nothing() {
    let mut measured = 0;
    for (case, answer) in answers(&cases()) {
        let mut meter = case.dialect.response_meter(StatusCode::OK, &case.headers(answer));
        // In the steady state: the first content has come, and comes again and again.
        let Some(event) = events(answer).into_iter().find(|event| meter.chunk(event)) else { continue };
        meter.chunk(event);
        for pieces in [vec![event], event.chunks(50).collect()] {
            for piece in &pieces {
                meter.chunk(piece);
            }
            let memory = allocation_counter::measure(|| {
                for piece in pieces.iter().cycle().take(100 * pieces.len()) {
                    meter.chunk(piece);
                }
            });
            assert_eq!(memory.count_total, 0, "{}, {}", case.name, answer.file);
        }
        measured += 1;
    }
    assert!(measured > 20, "{measured} streams were measured");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_cuts_change_nothing(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        for (case, answer) in answers(&cases()) {
            let bytes = &answer.bytes;
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            at.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in at {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            check(case, &case.meter(answer, &pieces).0, "random cuts");
        }
    }

    #[test]
    fn damage_never_panics(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30), cut in any::<prop::sample::Index>()) {
        for (case, answer) in answers(&cases()) {
            let mut bytes = answer.bytes.clone();
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            let (first, second) = bytes.split_at(cut.index(bytes.len()));
            case.meter(answer, &[first, second]);
            facts(case.dialect, &[first, second]);
        }
    }
}
