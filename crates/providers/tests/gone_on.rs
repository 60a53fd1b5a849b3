//! A streamed answer of plain text that dies anywhere, and goes on at another place: the app sees one whole answer of its own format, or
//! nothing is promised; never a clean end without the whole text.

use bytes::Bytes;
use http::StatusCode;
use outrigger_pricing::TokenUsage;
use outrigger_providers::canonical::{Answer, Asked, Body, Framed, StopReason, answer_from};
use outrigger_providers::translate::{Shown, Stream};
use outrigger_providers::{FailureClass, Reading, StreamEnd};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::events::content_type;
use crate::said::{Ending, Format, Said, Usage, formats};

fn asked() -> Asked {
    let request = json!({"model": "ours", "stream": true, "stream_options": {"include_usage": true}});
    let Value::Object(request) = request else { unreachable!() };
    Asked { model: "ours".into(), call: "call-1".into(), created: 1_760_000_000, request, ..Asked::default() }
}

fn plain(text: &str, step: usize) -> Said {
    let usage = Usage { fresh: 9, read: 4, written: 2, visible: 7, reasoning: 0 };
    Said {
        thought: None,
        text: Some(text.to_owned()),
        calls: Vec::new(),
        step,
        ending: Ending::Natural,
        usage,
    }
}

/// Formats of apps: those that stream server-sent events.
fn apps() -> Vec<Format> {
    formats().into_iter().filter(|format| format.kind == "text/event-stream").take(4).collect()
}

/// Shows the app an answer in pieces: what it has, and what is known of it.
fn shown(app: &Format, body: &[u8], step: usize) -> (Vec<u8>, Shown) {
    let mut shown = Shown::new(app.dialect, &content_type(app.kind)).ok().unwrap();
    let mut has = Vec::new();
    for piece in body.chunks(step) {
        has.extend_from_slice(&shown.push(Bytes::copy_from_slice(piece)));
    }
    (has, shown)
}

/// What the app reads of all it has: the answer, whether it came to its end, and the usage.
fn read(app: &Format, has: &[u8]) -> (Answer, bool, Reading) {
    let mut meter = app.dialect.response_meter(StatusCode::OK, &content_type(app.kind));
    meter.chunk(has);
    let (found, reading) =
        (answer_from(app.dialect.canonical().unwrap(), Framed::Events, has), meter.finish());
    assert_eq!(
        (&found.fault, reading.stumbled),
        (&None, None),
        "{}: {}",
        app.name,
        String::from_utf8_lossy(has)
    );
    let ended = reading.end == StreamEnd::Complete && reading.failure.is_none();
    (found.answer, ended, reading)
}

fn text(answer: &Answer) -> String {
    let [choice] = &answer.choices[..] else { return String::new() };
    let texts = choice.parts.iter().map(|part| match &part.body {
        Body::Text(text) => text.as_str(),
        other => unreachable!("{other:?}"),
    });
    texts.collect()
}

/// Lets another place go on: all that the app has in the end, and whether the rest was whole.
fn gone_on(
    app: &Format,
    has: &[u8],
    shown: &mut Shown,
    from: &Format,
    second: &[u8],
    step: usize,
) -> Option<(Vec<u8>, bool, usize)> {
    let stream = Stream::new(from.dialect, app.dialect, &content_type(from.kind), asked()).unwrap();
    let (begun, before) = shown.begun().ok()?;
    let mut stream = stream.resume(begun, before)?;
    let mut has = has.to_vec();
    for piece in second.chunks(step) {
        has.extend_from_slice(&stream.push(piece));
    }
    let overlap = stream.overlap();
    let end = stream.end();
    has.extend_from_slice(&end.bytes);
    Some((has, end.outcome.is_ok(), overlap))
}

/// The first so many bytes of an answer, cut behind the event where this much of its text has been told.
fn told<'a>(app: &Format, body: &'a [u8], enough: impl Fn(&str) -> bool) -> &'a [u8] {
    let ends =
        body.windows(2).enumerate().filter(|(_, pair)| *pair == b"\n\n").map(|(at, _)| &body[..at + 2]);
    let mut found =
        ends.filter(|part| enough(&text(&read(app, part).0)) && shown(app, part, 99).1.begun().is_ok());
    found.next().unwrap()
}

const TEXT: &str = "At nine é\nthe \"ebb\" ends.";

/// At every byte, for every pair: what was begun is gone on with to the whole text, and where it cannot be, that is said.
#[test]
fn an_answer_cut_anywhere_goes_on_to_its_end_in_every_pair() {
    for app in apps() {
        let (_, body) = (app.write)(&plain(TEXT, 5));
        let (mut went_on, mut had) = (0, usize::MAX);
        for cut in 0..body.len() {
            let (has, mut shown) = shown(&app, &body[..cut], 7);
            let (first, ended, _) = read(&app, &has);
            let so_far = text(&first);
            assert!(TEXT.starts_with(&so_far) && (!ended || shown.is_whole()), "{} cut at {cut}", app.name);
            assert!(
                has.is_empty() || shown.is_whole() || has.ends_with(b"\n\n"),
                "{} cut at {cut}: whole events alone",
                app.name
            );
            // What is held back in the middle of an event changes nothing.
            if std::mem::replace(&mut had, has.len()) == has.len() {
                continue;
            }
            for from in formats().into_iter().take(5) {
                let (_, second) = (from.write)(&plain(&TEXT[so_far.len()..], 3));
                let name = format!("{} by {} cut at {cut}", app.name, from.name);
                let Some((all, whole, _)) = gone_on(&app, &has, &mut shown, &from, &second, 11) else {
                    // Before its text, or behind it.
                    assert!(so_far.is_empty() || so_far == TEXT, "{name}: {so_far}");
                    continue;
                };
                went_on += 1;
                let (answer, ended, reading) = read(&app, &all);
                assert!(whole && ended, "{name}");
                assert_eq!(text(&answer), TEXT, "{name}");
                assert_eq!(
                    (&answer.id, &answer.model),
                    (&first.id, &first.model),
                    "{name}: it is one answer"
                );
                assert_eq!(answer.choices[0].parts.len(), 1, "{name}");
                assert_eq!(answer.choices[0].stop.as_ref().unwrap().reason, StopReason::End, "{name}");
                let usage = &reading.usage;
                assert!(
                    usage.total_answer() >= Some(7) && usage.total_prompt() >= Some(15),
                    "{name}: {usage:?}"
                );
            }
        }
        assert!(went_on >= 20, "{}: {went_on}", app.name);
    }
}

/// A rest that dies too is told as that: at every byte.
#[test]
fn a_rest_that_is_cut_as_well_never_ends_well() {
    for app in apps() {
        let (_, body) = (app.write)(&plain(TEXT, 5));
        let (has, mut first) = shown(&app, told(&app, &body, |text| text.len() > 9), 9);
        let so_far = text(&read(&app, &has).0);
        assert!(!so_far.is_empty() && so_far != TEXT, "{}: {so_far}", app.name);
        for from in formats().into_iter().take(5) {
            let (_, second) = (from.write)(&plain(&TEXT[so_far.len()..], 3));
            for cut in 0..second.len() {
                let name = format!("{} by {} cut at {cut}", app.name, from.name);
                let (all, whole, _) = gone_on(&app, &has, &mut first, &from, &second[..cut], 13).unwrap();
                let (answer, ended, reading) = read(&app, &all);
                assert!(!whole && !ended, "{name}");
                let failure = reading.failure.unwrap();
                assert_ne!(failure.class, FailureClass::Other, "{name}");
                assert!(TEXT.starts_with(&text(&answer)), "{name}");
            }
        }
    }
}

#[test]
fn an_error_in_a_stream_is_held_back_and_named() {
    for app in apps() {
        let (_, body) = (app.write)(&plain(TEXT, 5));
        let begun = told(&app, &body, |text| text.len() > 9);
        let error =
            outrigger_providers::translate::broken_off(app.dialect, FailureClass::Overloaded, "too busy")
                .unwrap();
        let all = [begun, &error[..]].concat();
        for step in [1, 17, 4000] {
            let (has, mut shown) = shown(&app, &all, step);
            assert_eq!(has, begun, "{}", app.name);
            assert!(shown.failed().is_some(), "{}", app.name);
            let so_far = text(&read(&app, &has).0);
            for from in formats().into_iter().take(5) {
                let (_, second) = (from.write)(&plain(&TEXT[so_far.len()..], 3));
                let (all, whole, _) = gone_on(&app, &has, &mut shown, &from, &second, 11).unwrap();
                let (answer, ended, _) = read(&app, &all);
                assert!(whole && ended && text(&answer) == TEXT, "{} by {}", app.name, from.name);
            }
            assert_eq!(shown.rest(), error, "{}: it is the app's after all", app.name);
        }
    }
}

/// A response that failed tells again what was said.
#[test]
fn an_error_beside_all_that_was_said_is_an_error() {
    let responses = &apps()[2];
    let (_, body) = (responses.write)(&plain(TEXT, 5));
    let begun = told(responses, &body, |text| text.len() > 9);
    let so_far = text(&read(responses, begun).0);
    let content = json!([{"type": "output_text", "text": so_far, "annotations": []}]);
    let item = json!({"type": "message", "id": "msg", "role": "assistant", "status": "incomplete", "content": content});
    let error = json!({"code": "server_error", "message": "no"});
    let failed = json!({"type": "response.failed", "response": {"id": "r", "model": "m", "status": "failed", "output": [item], "error": error}});
    let all = [begun, format!("event: response.failed\ndata: {failed}\n\n").as_bytes()].concat();
    let (has, mut shown) = shown(responses, &all, 30);
    assert_eq!(has, begun);
    assert_eq!((shown.failed(), shown.begun().is_ok()), (Some(FailureClass::ServerError), true));
}

#[test]
fn what_is_more_than_one_text_is_not_gone_on_with_and_passes_as_it_comes() {
    let Value::Object(arguments) = json!({"at": "é"}) else { unreachable!() };
    let calling = Said { calls: vec![arguments], ..plain(TEXT, 5) };
    let thinking = Said { thought: Some("Hm.".into()), ..plain(TEXT, 5) };
    for app in apps() {
        for said in [&calling, &thinking] {
            let (_, body) = (app.write)(said);
            let (has, mut shown) = shown(&app, &body, 10);
            assert_eq!(has, body, "{}", app.name);
            assert!(shown.begun().is_err(), "{}", app.name);
        }
    }
    let cited = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"a\",\"citations\":[]}}\n\n";
    let more = cited.replace("[]", "[{\"type\":\"char_location\"}]");
    for (start, is_plain) in [(cited, true), (&*more, false)] {
        assert_eq!(shown(&apps()[1], start.as_bytes(), 50).1.begun().is_ok(), is_plain, "{start}");
    }
    let chat = &apps()[0];
    for odd in [
        "data: {\"id\":\n\n",
        "data: []\n\n",
        "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\n",
    ] {
        let (has, mut shown) = shown(chat, odd.repeat(2).as_bytes(), 4);
        assert_eq!(has, odd.repeat(2).as_bytes(), "{odd}");
        assert!(shown.begun().is_err(), "{odd}");
    }
    for (kind, coding) in [("application/json", "identity"), ("text/event-stream", "gzip")] {
        let mut headers = content_type(kind);
        headers.insert("content-encoding", coding.parse().unwrap());
        assert!(Shown::new(chat.dialect, &headers).is_err());
    }
}

#[test]
fn what_the_second_says_again_is_left_out_and_what_both_took_is_summed() {
    let [chat, messages, ..] = &apps()[..] else { unreachable!() };
    let text_so_far = "The ebb at the quay begins when the moon has passed its height, and";
    let again = "the moon has passed its height, and it ends at nine.";
    for app in [chat, messages] {
        let (_, body) = (app.write)(&plain(text_so_far, 6));
        let (has, mut shown) = shown(app, told(app, &body, |text| text == text_so_far), 50);
        let reported = shown.begun().unwrap().1;
        let (_, second) = (messages.write)(&plain(again, 2));
        let (all, whole, overlap) = gone_on(app, &has, &mut shown, messages, &second, 40).unwrap();
        let (answer, ended, reading) = read(app, &all);
        assert!(whole && ended);
        assert_eq!(text(&answer), format!("{text_so_far} it ends at nine."));
        assert_eq!(overlap, "the moon has passed its height, and".len());
        let first = if reported == TokenUsage::UNKNOWN { Some(0) } else { reported.total_prompt() };
        assert_eq!(reading.usage.total_prompt(), first.map(|first| first + 15), "{}", app.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bytes of any kind: nothing but what came is passed, in order, and what was held comes in the end.
    #[test]
    fn hostile_bytes_pass_as_they_came(pieces in proptest::collection::vec("(data: |event: error|\\{\"|[\r\n]{1,3}|\\}|[a-zé\"]{0,5}){0,6}", 0..8), which in 0usize..4) {
        let app = &apps()[which];
        let mut shown = Shown::new(app.dialect, &content_type(app.kind)).ok().unwrap();
        let mut has = Vec::new();
        for piece in &pieces {
            has.extend_from_slice(&shown.push(Bytes::copy_from_slice(piece.as_bytes())));
            prop_assert!(pieces.concat().as_bytes().starts_with(&has));
        }
        has.extend_from_slice(&shown.rest());
        prop_assert_eq!(has, pieces.concat().into_bytes());
    }
}
