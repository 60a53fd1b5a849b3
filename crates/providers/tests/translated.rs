//! What a backup answers in one format the app gets in another, for every ordered pair: the meaning stays, streamed and whole,
//! however it is cut, and what was cut is never whole.

use http::StatusCode;
use outrigger_providers::canonical::{Asked, StopReason};
use outrigger_providers::translate::{End, Stream, answer};
use outrigger_providers::{FailureClass, StreamEnd};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::events::content_type;
use crate::learned::{Learned, learned, read};
use crate::said::{self, Ending, Format, Said, any_said, formats};

fn asked() -> Asked {
    let request = json!({"model": "ours", "stream": true, "stream_options": {"include_usage": true}});
    let Value::Object(request) = request else { unreachable!() };
    Asked { model: "ours".into(), call: "call-1".into(), created: 1_760_000_000, request, ..Asked::default() }
}

/// What was said, as any app should learn it.
fn expected(said: &Said) -> Learned {
    let usage = said.usage;
    Learned {
        text: said.text.clone().unwrap_or_default(),
        calls: said.calls.iter().map(|arguments| ("tide".to_owned(), arguments.clone())).collect(),
        stop: match said.ending {
            Ending::Natural if said.calls.is_empty() => StopReason::End,
            Ending::Natural => StopReason::ToolCalls,
            Ending::Length => StopReason::Length,
            Ending::Filtered => StopReason::Filtered,
        },
        usage: (
            Some(usage.fresh + usage.read + usage.written),
            Some(usage.read),
            Some(usage.visible + usage.reasoning),
        ),
    }
}

fn streamed(from: &Format, to: &Format, pieces: &[&[u8]]) -> (Vec<u8>, End) {
    let headers = content_type(from.kind);
    let mut stream = Stream::new(from.dialect, to.dialect, &headers, asked()).unwrap();
    assert_eq!(stream.content_type(), to.kind);
    let mut body = Vec::new();
    for piece in pieces {
        body.extend_from_slice(&stream.push(piece));
    }
    let end = stream.end();
    body.extend_from_slice(&end.bytes);
    (body, end)
}

fn pairs() -> Vec<(Format, Format)> {
    let froms = formats();
    let pair = |from: Format| formats().into_iter().take(5).map(move |to| (from.clone(), to));
    froms.into_iter().flat_map(pair).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_pair_keeps_what_was_said_streamed_however_cut_and_whole(said in any_said(), cut in 1usize..400) {
        for (from, to) in pairs() {
            let name = format!("{} to {}", from.name, to.name);
            let (whole, body) = (from.write)(&said);
            let translated = answer(
                from.dialect, to.dialect, StatusCode::OK, &content_type("application/json"), whole.to_string().as_bytes(), &asked(),
            );
            let translated = translated.map_err(|failed| TestCaseError::fail(format!("{name}: {failed:?}")))?;
            let (found, reading) = read(to.dialect, "application/json", &translated.body);
            prop_assert_eq!((&found.fault, &found.error), (&None, &None), "{}", &name);
            prop_assert_eq!(learned(&found.answer, &reading), expected(&said), "{} whole", &name);
            let left_out: Vec<&str> = said.thought.iter().map(|_| "reasoning").collect();
            prop_assert_eq!(&translated.left_out, &left_out, "{}", &name);

            let (stream, end) = streamed(&from, &to, &body.chunks(cut).collect::<Vec<_>>());
            prop_assert_eq!(&end.outcome, &Ok(()), "{}", &name);
            prop_assert_eq!(&end.left_out, &left_out, "{}", &name);
            let (found, reading) = read(to.dialect, to.kind, &stream);
            prop_assert_eq!((&found.fault, &found.error), (&None, &None), "{}", &name);
            prop_assert_eq!((reading.end, &reading.failure, reading.stumbled), (StreamEnd::Complete, &None, None), "{}", &name);
            prop_assert_eq!(learned(&found.answer, &reading), expected(&said), "{} streamed", &name);
            if let Some(id) = &found.answer.id {
                prop_assert_eq!(found.answer.model.as_deref(), Some("ours"), "{}: {}", &name, id);
            }
        }
    }

    /// Whatever becomes of the bytes on the way: no panic, and what ends well for the app is read as whole by its format.
    #[test]
    fn damage_never_makes_a_whole_answer_of_none(
        said in any_said(), damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in 1usize..400,
    ) {
        for (from, to) in pairs() {
            let mut body = (from.write)(&said).1;
            for (at, byte) in &damage {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            let (stream, end) = streamed(&from, &to, &body.chunks(cut).collect::<Vec<_>>());
            let (found, reading) = read(to.dialect, to.kind, &stream);
            prop_assert_eq!(&found.fault, &None, "{} to {}", from.name, to.name);
            let complete = reading.end == StreamEnd::Complete && reading.failure.is_none();
            prop_assert_eq!(complete, end.outcome.is_ok(), "{} to {}: {:?}", from.name, to.name, end.outcome);
        }
    }

    /// Some servers answer a request for a stream with one document.
    #[test]
    fn a_document_in_the_place_of_a_stream_is_streamed(said in any_said(), cut in 1usize..400) {
        for (mut from, to) in pairs() {
            from.kind = "application/json";
            let body = (from.write)(&said).0.to_string();
            let (stream, end) = streamed(&from, &to, &body.as_bytes().chunks(cut).collect::<Vec<_>>());
            prop_assert_eq!(&end.outcome, &Ok(()));
            let (found, reading) = read(to.dialect, to.kind, &stream);
            prop_assert_eq!(learned(&found.answer, &reading), expected(&said), "{} to {}", from.name, to.name);
            let (_, end) = streamed(&from, &to, &[&body.as_bytes()[..body.len() - 1 - cut % (body.len() - 1)]]);
            prop_assert!(end.outcome.is_err());
        }
    }
}

fn short() -> Said {
    let Value::Object(arguments) = json!({"at": "é"}) else { unreachable!() };
    let usage = said::Usage { fresh: 9, read: 4, written: 2, visible: 7, reasoning: 3 };
    Said {
        thought: None,
        text: Some("At".into()),
        calls: vec![arguments],
        step: 9,
        ending: Ending::Natural,
        usage,
    }
}

/// The app sees an error of its family or nothing that ends, never a whole answer: whatever the cut.
#[test]
fn an_answer_cut_anywhere_never_ends_well_in_any_pair() {
    for (from, to) in pairs() {
        let name = format!("{} to {}", from.name, to.name);
        let body = (from.write)(&short()).1;
        for cut in 0..body.len() {
            let (stream, end) = streamed(&from, &to, &[&body[..cut]]);
            let failed = end.outcome.as_ref().unwrap_err();
            assert_eq!(failed.class, FailureClass::StreamCut, "{name} cut at {cut}");
            let (found, reading) = read(to.dialect, to.kind, &stream);
            assert!(!found.ended && found.error.is_some(), "{name} cut at {cut}: {found:?}");
            assert!(reading.failure.is_some(), "{name} cut at {cut}");
            let stop = found.answer.choices.first().and_then(|choice| choice.stop.as_ref());
            assert_eq!(stop, None, "{name} cut at {cut}");
        }
    }
}

#[test]
fn an_error_of_ours_in_mid_stream_is_the_last_that_the_app_gets() {
    for (from, to) in pairs() {
        let body = (from.write)(&short()).1;
        let mut stream = Stream::new(from.dialect, to.dialect, &content_type(from.kind), asked()).unwrap();
        let mut told = stream.push(&body[..body.len() / 2]).to_vec();
        told.extend_from_slice(&stream.fail(FailureClass::Timeout, "no token for 30 s"));
        assert!(stream.push(&body[body.len() / 2..]).is_empty());
        assert!(stream.fail(FailureClass::Timeout, "again").is_empty());
        let end = stream.end();
        assert_eq!((end.bytes.len(), end.outcome.unwrap_err().class), (0, FailureClass::Timeout));
        let (_, reading) = read(to.dialect, to.kind, &told);
        assert_eq!(
            reading.failure_message.as_deref(),
            Some("outrigger: no token for 30 s"),
            "{} to {}",
            from.name,
            to.name
        );
    }
}
