//! What providers answered, recorded, whole and streamed: said in every other format, and from there in the first one again, an app
//! learns the same of it. What is left out stands in a table, and so does what may not be shown as an answer.

use std::collections::BTreeSet;

use http::{HeaderMap, StatusCode};
use outrigger_providers::canonical::{Asked, Body, StopReason};
use outrigger_providers::translate::{Stream, answer};
use outrigger_providers::{Dialect, StreamEnd};

use crate::cases::{Case, cases};
use crate::events::content_type;
use crate::learned::{Learned, learned, read};
use crate::said::{Format, formats};

/// What of the recorded answers has no place in another format, or is not for another provider's app.
const LEFT_OUT: &[(&str, &str)] = &[
    ("anthropic_messages", "reasoning"),
    ("bedrock/converse", "reasoning"),
    ("bedrock_converse", "reasoning"),
    ("openai_chat", "choices"),
];

/// What is no answer in any other format, and why.
const NO_ANSWER: &[(&str, &str)] = &[("deepseek/chat", "the provider says that the answer went wrong")];

fn asked() -> Asked {
    let request = br#"{"model": "ours", "stream": true, "stream_options": {"include_usage": true}}"#;
    Asked::of(request, Some("alt=sse"), "call-1", 1_760_000_000)
}

/// What an app learns of an answer as its provider gave it: the first of several, without what is not for others.
fn first(case: &Case, kind: &str, headers: &HeaderMap, bytes: &[u8]) -> Learned {
    let (mut whole, _) = read(case.dialect, kind, bytes);
    let mut meter = case.dialect.response_meter(StatusCode::OK, headers);
    meter.chunk(bytes);
    whole.answer.choices.truncate(1);
    for choice in &mut whole.answer.choices {
        choice.parts.retain(|part| matches!(part.body, Body::Text(_) | Body::Refusal(_) | Body::ToolCall(_)));
        for (number, part) in choice.parts.iter_mut().enumerate() {
            if let Body::ToolCall(call) = &mut part.body {
                // Gemini has none, and an app of another family gets one.
                call.id.get_or_insert(format!("call {number}"));
            }
        }
    }
    let mut learned = learned(&whole.answer, &meter.finish());
    if learned.stop == StopReason::Unknown {
        // A word that one provider alone has.
        let word = &whole.answer.choices[0].stop.as_ref().unwrap().word;
        learned.stop = match case.dialect.finish_word(word) {
            "stop" => StopReason::End,
            "length" => StopReason::Length,
            _ => StopReason::Unknown,
        };
    }
    learned
}

/// One answer in another format, with what was left out of it; or why it is none.
fn said(
    from: &'static dyn Dialect,
    to: &'static dyn Dialect,
    headers: &HeaderMap,
    streams: bool,
    bytes: &[u8],
) -> Result<(Vec<u8>, Vec<&'static str>), String> {
    if !streams {
        let translated = answer(from, to, StatusCode::OK, headers, bytes, &asked());
        return translated.map(|it| (it.body, it.left_out)).map_err(|failed| failed.message);
    }
    let mut stream = Stream::new(from, to, headers, asked()).unwrap();
    let mut body = Vec::new();
    // As it may come.
    for piece in bytes.chunks(7) {
        body.extend_from_slice(&stream.push(piece));
    }
    let end = stream.end();
    body.extend_from_slice(&end.bytes);
    end.outcome.map(|()| (body, end.left_out)).map_err(|failed| failed.message)
}

/// What an app of this format learns.
fn shown(format: &Format, streams: bool, body: &[u8], name: &str) -> Learned {
    let kind = if streams { format.kind } else { "application/json" };
    let (found, reading) = read(format.dialect, kind, body);
    assert_eq!((&found.fault, &found.error), (&None, &None), "{name}");
    assert_eq!(
        (reading.end, &reading.failure, reading.stumbled),
        (StreamEnd::Complete, &None, None),
        "{name}"
    );
    learned(&found.answer, &reading)
}

#[test]
fn what_was_recorded_is_learned_the_same_in_every_other_format_and_back() {
    let formats = &formats()[..5];
    let (mut left_out, mut no_answer, mut trips) = (BTreeSet::new(), BTreeSet::new(), 0);
    for case in cases() {
        let Some(own) = formats.iter().find(|format| format.name == case.dialect.name()) else { continue };
        for recorded in &case.answers {
            // A list of chunks comes to apps that ask for one; Outrigger asks for events.
            if (recorded.streams && recorded.kind == "application/json")
                || case.expected["finish_reasons"].as_array().is_none_or(Vec::is_empty)
            {
                continue;
            }
            let headers = case.headers(recorded);
            for to in formats.iter().filter(|to| to.name != own.name) {
                let name = format!("{}, {} to {}", case.name, recorded.file, to.name);
                let (body, left) =
                    match said(case.dialect, to.dialect, &headers, recorded.streams, &recorded.bytes) {
                        Ok(said) => said,
                        Err(why) => {
                            no_answer.insert((case.name.clone(), why));
                            continue;
                        }
                    };
                left_out.extend(left.into_iter().map(|what| (case.name.clone(), what)));
                let expected = first(&case, recorded.kind, &headers, &recorded.bytes);
                assert_eq!(shown(to, recorded.streams, &body, &name), expected, "{name}");

                let kind = if recorded.streams { to.kind } else { "application/json" };
                let back = said(to.dialect, own.dialect, &content_type(kind), recorded.streams, &body);
                let (body, left) = back.unwrap_or_else(|why| panic!("{name}, on the way back: {why}"));
                assert_eq!(left, Vec::<&str>::new(), "{name}, on the way back");
                assert_eq!(shown(own, recorded.streams, &body, &name), expected, "{name}, on the way back");
                trips += 1;
            }
        }
    }
    let left_out: Vec<_> = left_out.iter().map(|(name, what)| (name.as_str(), *what)).collect();
    assert_eq!(left_out, LEFT_OUT);
    let no_answer: Vec<_> = no_answer.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
    assert_eq!(no_answer, NO_ANSWER);
    assert!(trips > 100, "{trips} trips");
}
