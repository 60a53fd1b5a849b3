//! Compressed bodies read as plain ones do, however they are cut; what cannot be decoded ends the watching alone.

use std::io::Write;
use std::sync::LazyLock;

use outrigger_ledger::{CallRecord, End, Outcome, Provenance};
use outrigger_pricing::Meter;
use proptest::prelude::*;

use crate::support::bodies::{self, CHAT_PLAIN, CHAT_STREAM, chat, messages, messages_stream};
use crate::support::packings::{Packed, events, gzip, packings};
use crate::support::{Script, cut};

/// The same but for what the cutting and packing change.
fn assert_same(packed: &CallRecord, plain: &CallRecord, name: &str) {
    let mut packed = packed.clone();
    packed.transport.response_bytes = plain.transport.response_bytes;
    packed.times = plain.times;
    packed.attempts.clone_from(&plain.attempts);
    assert_eq!(&packed, plain, "{name}");
}

#[test]
fn a_compressed_answer_reads_as_the_plain_one() {
    for script in bodies::all() {
        let plain = script.run();
        for packed in packings(&script.body()) {
            let encoded = script.clone().response_header("content-encoding", packed.coding);
            let bytes = packed.events.concat();
            for size in [1, 7, bytes.len()] {
                let record = encoded.clone().response(cut(&bytes, size)).run();
                assert_eq!(record.transport.response_bytes, bytes.len() as u64);
                assert_same(&record, &plain, &format!("{} in pieces of {size}", packed.name));
            }
        }
    }
}

#[test]
fn a_compressed_event_is_read_when_it_comes() {
    for script in bodies::streams() {
        let plain =
            script.clone().response(events(&script.body()).into_iter().map(<[u8]>::to_vec).collect()).run();
        assert!(plain.times.first_content.is_some());
        for packed in packings(&script.body()) {
            let encoded = script.clone().response_header("content-encoding", packed.coding);
            let record = encoded.response(packed.events).run();
            assert_eq!(record.times.first_content, plain.times.first_content, "{}", packed.name);
        }
    }
}

#[test]
fn a_compressed_answer_that_breaks_off_counts_what_was_told() {
    let script = messages(&messages_stream());
    for packed in packings(&script.body()) {
        let encoded = script.clone().response_header("content-encoding", packed.coding);
        let record = encoded.response(packed.events[..2].to_vec()).end(End::Cut);
        assert_eq!(record.outcome, Outcome::Failed, "{}", packed.name);
        assert!(!record.tokens.provenance.is_reported());
        assert_eq!(record.tokens.usage.get(Meter::CacheRead), Some(1024), "{}", packed.name);
        assert_eq!(record.tokens.reported().get(Meter::Output), None);
    }
}

#[test]
fn that_a_stream_has_told_its_end_is_known_before_its_record() {
    for script in bodies::streams() {
        for packed in packings(&script.body()) {
            let encoded = script.clone().response_header("content-encoding", packed.coding);
            let whole = encoded.clone().response(packed.events.clone());
            assert!(whole.play(End::Complete).0, "{}", packed.name);
            let mut bytes = packed.events.concat();
            bytes.truncate(bytes.len() / 2);
            assert!(!encoded.response(vec![bytes]).play(End::Complete).0, "{}", packed.name);
        }
    }
}

#[test]
fn what_ends_before_its_coding_does_is_not_exact() {
    for script in [messages(&messages_stream()), chat(CHAT_PLAIN)] {
        for packed in packings(&script.body()).into_iter().filter(|packed| packed.coding != "identity") {
            let encoded = script.clone().response_header("content-encoding", packed.coding);
            let mut bytes = packed.events.concat();
            assert_eq!(
                encoded.clone().response(vec![bytes.clone()]).run().tokens.provenance,
                Provenance::Exact
            );
            bytes.pop();
            let record = encoded.response(vec![bytes]).run();
            assert_eq!(record.tokens.provenance, Provenance::Unknown, "{}", packed.name);
        }
    }
}

#[test]
fn a_compressed_request_tells_its_facts() {
    let script = chat(CHAT_STREAM);
    let plain = script.run();
    let request = script.request.concat();
    for (coding, body) in [("zstd", zstd::bulk::compress(&request, 3).unwrap()), ("gzip", gzip(&request))] {
        for size in [1, body.len()] {
            let mut packed = script.clone().request_header("content-encoding", coding);
            packed.request = cut(&body, size);
            let record = packed.run();
            assert_eq!(record.facts, plain.facts);
            assert_eq!(record.transport.request_bytes, body.len() as u64);
        }
    }
}

/// What a body that cannot be followed comes to.
fn assert_given_up(script: &Script, reason: &str) {
    let record = script.run();
    assert_eq!((record.outcome, record.cause), (Outcome::Unknown, None));
    assert_eq!((record.tokens.provenance, record.tokens.reason), (Provenance::Unknown, Some(reason)));
    assert_eq!(record.transport.response_bytes, script.body().len() as u64);
}

#[test]
fn a_bomb_is_not_followed() {
    // A thousandfold, and all of it inside one JSON string.
    let open = &CHAT_PLAIN[..CHAT_PLAIN.find("Hello").unwrap()];
    let body = [open.as_bytes(), &vec![b' '; 16 << 20]].concat();
    let mut brotli = brotli::CompressorWriter::new(Vec::new(), 4096, 1, 22);
    brotli.write_all(&body).unwrap();
    for (coding, bomb) in [
        ("gzip", gzip(&body)),
        ("br", brotli.into_inner()),
        ("zstd", zstd::bulk::compress(&body, 3).unwrap()),
    ] {
        let script =
            chat(CHAT_PLAIN).response_header("content-encoding", coding).response(cut(&bomb, 16 << 10));
        assert_given_up(&script, "the body expands beyond all measure");
    }
}

#[test]
fn a_coding_that_is_damaged_or_unknown_is_not_followed() {
    for packed in packings(CHAT_PLAIN.as_bytes()).into_iter().filter(|packed| packed.coding != "identity") {
        let mut bytes = packed.events.concat();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0x55);
        let script =
            chat(CHAT_PLAIN).response_header("content-encoding", packed.coding).response(vec![bytes]);
        let record = script.run();
        assert_eq!((record.outcome, record.cause), (Outcome::Unknown, None), "{}", packed.name);
        assert_eq!(record.tokens.provenance, Provenance::Unknown, "{}", packed.name);
    }
    for coding in ["gzip, br", "compress", "é"] {
        let script = chat(CHAT_PLAIN).response_header("content-encoding", coding);
        assert_given_up(&script, "the body has a content coding that is not read");
    }
}

#[test]
fn an_error_in_a_body_that_cannot_be_read_is_still_an_error() {
    let record = chat("{}").status(503).response_header("content-encoding", "compress").run();
    assert_eq!(record.outcome, Outcome::Failed);
    assert_eq!(record.cause.unwrap().error_type, "503");
}

static STREAMS: LazyLock<Vec<Packed>> = LazyLock::new(|| packings(CHAT_STREAM.as_bytes()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes, in whatever coding, the call has a record and the record claims nothing.
    #[test]
    fn hostile_bodies_never_do_more_than_stop_the_watching(
        coding in prop::sample::select(vec!["gzip", "deflate", "br", "zstd", "identity"]),
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8),
        prefix in 0usize..400,
    ) {
        let packed = STREAMS.iter().find(|packed| packed.coding == coding).unwrap();
        let bytes = packed.events.concat();
        let mut body = vec![bytes[..prefix.min(bytes.len() / 2)].to_vec()];
        body.extend(chunks);
        let record = chat(CHAT_STREAM).response_header("content-encoding", coding).response(body).run();
        prop_assert_eq!(record.tokens.provenance, Provenance::Unknown);
        prop_assert_ne!(record.outcome, Outcome::Answered);
    }
}
