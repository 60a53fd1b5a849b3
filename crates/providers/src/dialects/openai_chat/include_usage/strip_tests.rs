//! What is taken out, for every way of cutting a stream; and that nothing else is.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn stripped<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut strip = UsageStrip::default();
    let mut passed = Vec::new();
    for piece in pieces {
        passed.extend_from_slice(&strip.push(Bytes::copy_from_slice(piece)));
    }
    passed.extend_from_slice(&strip.finish());
    assert!(strip.is_empty());
    String::from_utf8(passed).unwrap()
}

const CHUNK: &str = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"\"usage\":null"}}],"usage":null}"#;
const USAGE: &str = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;

#[test]
fn the_chunk_that_only_tells_the_usage_and_every_null_go() {
    let with = format!("data: {CHUNK}\n\n: alive\n\ndata: {USAGE}\n\ndata: [DONE]\n\n");
    let without = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\\"usage\\\":null\"}}]}\n\n: alive\n\ndata: [DONE]\n\n";
    assert_eq!(stripped([with.as_bytes()]), without);
}

#[test]
fn a_member_goes_with_the_comma_that_came_with_it() {
    for (with, without) in [
        (r#"{"usage":null,"choices":[1]}"#, r#"{"choices":[1]}"#),
        (r#"{"choices": [1], "usage": null, "x": 1}"#, r#"{"choices": [1], "x": 1}"#),
        (r#"{"usage": null, "x": 1}"#, r#"{"x": 1}"#),
        (r#"{"choices":[1] , "usage" : null }"#, r#"{"choices":[1]  }"#),
        (r#"{"usage":null}"#, "{}"),
        // Azure's first chunk has no choices either.
        (
            r#"{"choices":[],"prompt_filter_results":[],"usage":null}"#,
            r#"{"choices":[],"prompt_filter_results":[]}"#,
        ),
        (r#"{"choices":[1],"usage":null}      "#, r#"{"choices":[1]}      "#),
    ] {
        assert_eq!(stripped([format!("data: {with}\n\n").as_bytes()]), format!("data: {without}\n\n"));
    }
}

#[test]
fn what_the_provider_would_have_sent_without_the_question_stays() {
    for stays in [
        // A usage beside content is told unasked.
        r#"{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}"#,
        r#"{"choices":[{"delta":{"usage":null}}],"x_groq":{"usage":null}}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":1},"error":{"message":"x"}}"#,
        r#"{"choices":[],"prompt_filter_results":[]}"#,
        r#"{"choices":[],"usage":null,"usage":{}}"#,
        r#"{"choices":[],"usage":{}"#,
        r#"[{"choices":[],"usage":{}}]"#,
        "[DONE]",
        "",
    ] {
        let event = format!("data: {stays}\n\n");
        assert_eq!(stripped([event.as_bytes()]), event);
    }
    let lines =
        format!("data: {{\"choices\":[],\ndata: \"usage\":{{}}}}\n\nevent: x\n\nmetadata: {CHUNK}\n\n");
    assert_eq!(stripped([lines.as_bytes()]), lines);
}

#[test]
fn a_sign_of_life_within_the_event_stays() {
    let with = format!(": alive\r\ndata: {USAGE}\r\n\r\ndata: x\r\n\r\n");
    assert_eq!(stripped([with.as_bytes()]), ": alive\r\n\r\ndata: x\r\n\r\n");
    let named = format!("event: chunk\nid: 7\ndata: {USAGE}\nretry: 1\n\ndata: x\n\n");
    assert_eq!(stripped([named.as_bytes()]), "data: x\n\n");
}

#[test]
fn a_stream_that_ends_within_an_event_is_told_as_far_as_it_came() {
    assert_eq!(stripped([format!("data: x\n\ndata: {USAGE}").as_bytes()]), "data: x\n\n");
    let cut = &format!("data: x\n\ndata: {USAGE}")[..40];
    assert_eq!(stripped([cut.as_bytes()]), cut);
    assert_eq!(stripped([r#"data: {"a":1,"usage":null}"#.as_bytes()]), r#"data: {"a":1}"#);
}

#[test]
fn frames_with_nothing_to_take_out_pass_as_they_are() {
    let mut strip = UsageStrip::default();
    let frame = Bytes::from_static(b"data: {\"choices\":[{}]}\n\n: x\n\n");
    let passed = strip.push(frame.clone());
    assert_eq!((passed.as_ptr(), passed.len()), (frame.as_ptr(), frame.len()), "not a copy");
    // And those that are changed come out of one buffer, once the frames before have left.
    let changed = Bytes::from(format!("data: {CHUNK}\n\n"));
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..100 {
        places.insert(strip.push(changed.clone()).as_ptr());
    }
    assert!(places.len() <= 2, "{} buffers", places.len());
}

#[test]
fn an_event_that_is_too_long_passes_as_it_is_and_the_next_one_does_not() {
    let long = format!("data: {{\"a\":\"{}\",\"usage\":null}}\r\r", "x".repeat(LONGEST));
    let next = format!("data: {{\"a\":1,\"usage\":null}}\r\rdata: {USAGE}\r\r");
    let text = [long.as_str(), &next].concat();
    let expected = format!("{long}data: {{\"a\":1}}\r\r");
    for piece in [text.len(), 1 << 20, 65_536, 4096 + 1] {
        assert!(stripped(text.as_bytes().chunks(piece)) == expected, "in pieces of {piece}");
    }
    let mut strip = UsageStrip::default();
    for piece in text.as_bytes().chunks(65_536) {
        let _passed = strip.push(Bytes::copy_from_slice(piece));
        assert!(strip.held.len() <= LONGEST);
    }
}

/// A stream twice: as a provider sends it with the question, and without.
fn streams() -> impl Strategy<Value = (String, String)> {
    let text = "[a-z\"\\\\{}\\[\\]:,é \\n]{0,12}|\"usage\":null";
    let event = (0usize..8, text, 0usize..4, any::<bool>(), any::<bool>());
    (prop::collection::vec(event, 0..8), 0usize..3, any::<bool>()).prop_map(|(events, ending, spaced)| {
        let line = ["\n", "\r\n", "\r"][ending];
        let [comma, colon] = if spaced { [", ", ": "] } else { [",", ":"] };
        let (mut with, mut without) = (String::new(), String::new());
        for (kind, text, place, named, comment) in events {
            let (one, other) = match kind {
                0 => (format!(": alive{line}{line}"), None),
                1 => (format!("data: [DONE]{line}{line}"), None),
                2 => {
                    let usage = format!("{{\"choices\"{colon}[]{comma}\"usage\"{colon}{{\"a\"{colon}1}}}}");
                    (format!("data: {usage}{line}{line}"), Some(String::new()))
                }
                _ => {
                    let comment = if comment { format!(": c{line}") } else { String::new() };
                    let name = if named { format!("event: chunk{line}") } else { String::new() };
                    let event = |members: &[String]| {
                        format!("{comment}{name}data:{{{}}}{line}{line}", members.join(comma))
                    };
                    let mut members = vec![
                        format!("\"id\"{colon}\"c\""),
                        format!("\"choices\"{colon}[{{\"delta\"{colon}{}}}]", json!(text)),
                        format!("\"x\"{colon}{{\"usage\"{colon}null}}"),
                    ];
                    let other = event(&members);
                    members.insert(place, format!("\"usage\"{colon}null"));
                    (event(&members), Some(other))
                }
            };
            without.push_str(other.as_ref().unwrap_or(&one));
            with.push_str(&one);
        }
        (with, without)
    })
}

/// Pieces of events in no order.
const HOSTILE: &str = concat!(
    r#"(data|:| |\r|\n|\r\n|\{|\}|\[|\]|,|"|"usage"|"choices":\[\]|null|\\|x"#,
    r#"|\n\ndata: \{"usage":null\}){0,30}"#,
);

proptest! {
    /// The app gets the bytes that it would have got without the question, however the stream is cut.
    #[test]
    fn the_stream_is_as_without_the_question((with, without) in streams(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let bytes = with.as_bytes();
        prop_assert_eq!(&stripped([bytes]), &without);
        prop_assert_eq!(&stripped(bytes.chunks(1)), &without);
        for at in 0..bytes.len() {
            prop_assert_eq!(&stripped([&bytes[..at], &bytes[at..]]), &without);
        }
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        prop_assert_eq!(&stripped(places.windows(2).map(|pair| &bytes[pair[0]..pair[1]])), &without);
    }

    /// Of anything else nothing is lost that is no usage, and no cut makes a difference.
    #[test]
    fn hostile_streams_lose_nothing_but_a_usage(text in HOSTILE) {
        let bytes = text.as_bytes();
        let whole = stripped([bytes]);
        prop_assert_eq!(&stripped(bytes.chunks(1)), &whole);
        prop_assert_eq!(&stripped(bytes.chunks(7)), &whole);
        if !text.contains("\"usage\"") {
            prop_assert_eq!(&whole, &text);
        }
        // What is left is what came, with pieces missing.
        let mut came = text.chars();
        prop_assert!(whole.chars().all(|left| came.any(|one| one == left)));
    }
}
