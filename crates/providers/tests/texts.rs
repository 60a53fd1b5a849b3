//! Texts in bodies are counted alike however the body is cut, escaped or framed, and nothing else is counted.

use outrigger_pricing::estimate::{Class, Classifier, TextCount};
use outrigger_providers::{AnswerTexts, TextScan};
use proptest::prelude::*;
use serde_json::json;

const CHAT: AnswerTexts = AnswerTexts { shown: &["content", "arguments"], reasoning: &["reasoning_content"] };

fn scanned<'a>(mut scan: TextScan, pieces: impl IntoIterator<Item = &'a [u8]>) -> (TextCount, bool) {
    pieces.into_iter().for_each(|piece| scan.push(piece));
    (scan.count(), scan.has_reasoned())
}

fn answer(body: &str) -> (TextCount, bool) {
    scanned(TextScan::of_answer(CHAT), [body.as_bytes()])
}

fn request(body: &str) -> TextCount {
    scanned(TextScan::of_request(), [body.as_bytes()]).0
}

/// What these texts are by themselves.
fn texts(texts: &[&str]) -> TextCount {
    let (mut classifier, mut count) = (Classifier::default(), TextCount::default());
    for text in texts {
        classifier.push(text.as_bytes());
        classifier.end();
    }
    classifier.add_to(&mut count);
    count
}

fn stream(parts: &[&str]) -> String {
    let event = |part: &&str| {
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [{"index": 0,
            "delta": {"role": "assistant", "content": part, "reasoning_content": null}, "finish_reason": null}]});
        format!("data: {chunk}\n\n")
    };
    parts.iter().map(event).collect::<String>() + "data: [DONE]\n\n"
}

#[test]
fn of_an_answer_only_its_texts_count() {
    let parts = ["The harbour ", "lay quiet:", " \"12\" ships\n\tand 港 ü.", ""];
    assert_eq!(answer(&stream(&parts)), (texts(&parts), false));
    let plain = r#"{"id": "c", "choices": [{"message": {"role": "assistant", "content": null, "tool_calls":
        [{"id": "call_1", "function": {"name": "f", "arguments" : "{\"content\": \"no: \\\"content\\\":\"}"}}]}}],
        "content": {"content": ["neither"]}, "contents": "nor this"}"#;
    assert_eq!(answer(plain).0, texts(&[r#"{"content": "no: \"content\":"}"#]));
    let none = scanned(TextScan::of_answer(AnswerTexts::NONE), [plain.as_bytes()]);
    assert!(none.0.is_empty());
}

#[test]
fn reasoning_is_noticed_where_it_is_shown() {
    for (member, shown) in [
        (r#""reasoning_content":"Let me"#, true),
        (r#""reasoning_content" : "L""#, true),
        (r#""reasoning_content":"""#, false),
        (r#""reasoning_content":null"#, false),
        (r#""other":"reasoning_content""#, false),
    ] {
        let body = format!("data: {{\"delta\":{{{member}}}}}\n\n");
        assert_eq!(answer(&body).1, shown, "{member}");
    }
}

#[test]
fn of_a_request_its_frame_counts_with_its_texts() {
    let body = json!({"model": "gpt-5", "messages": [{"role": "user", "content": "Hi there"}]});
    let words = ["messages", "content", "Hi there", "role", "user", "model", "gpt-5"];
    let count = request(&body.to_string());
    assert_eq!(count.of(Class::Word), texts(&words).of(Class::Word));
    assert_eq!(count.of(Class::Letter), texts(&words).of(Class::Letter));
}

#[test]
fn pictures_are_no_words() {
    let picture = format!("data:image/png;base64,{}", "iVBORw0KGgo+/AAA".repeat(2_000));
    let body = json!({"messages": [{"content": [{"text": "What is this?"}, {"url": picture}]}]}).to_string();
    let count = request(&body);
    assert_eq!((count.media, count.media_characters), (1, picture.len() as u64));
    let without = request(&body.replace(&picture, ""));
    assert_eq!(count.classes, without.classes);
}

#[test]
fn of_a_long_text_a_sample_stands_for_the_rest() {
    let line = "let total: u64 = items.iter().map(|item| item.price * 12).sum(); // the sum of all ";
    let text: String = (0..4_000).map(|number| format!("{line}{number}\n")).collect();
    let exact = texts(&[&text]);
    let count = request(&json!([text]).to_string());
    for class in [Class::Letter, Class::Digit, Class::Space, Class::Newline, Class::Symbol, Class::Word] {
        let (sampled, whole) = (count.of(class) as f64, exact.of(class) as f64);
        assert!((sampled / whole - 1.0).abs() < 0.07, "{class:?}: {sampled} of {whole}");
    }
}

/// The bytes cut at these places.
fn cut<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for place in places {
        pieces.push(&bytes[from..place]);
        from = place;
    }
    pieces.push(&bytes[from..]);
    pieces
}

#[test]
fn at_every_place_a_stream_can_be_cut() {
    let body = stream(&["ab c", "d \u{e9}\u{6e2f}\n", "\"", "efg"]).replace('\u{6e2f}', "\\u6e2f");
    let body = body.replacen("null", "\"hm\"", 1).into_bytes();
    let whole = scanned(TextScan::of_answer(CHAT), [body.as_slice()]);
    assert!(whole.1 && whole.0.of(Class::Wide) == 1);
    for place in 0..=body.len() {
        assert_eq!(scanned(TextScan::of_answer(CHAT), cut(&body, &[place])), whole, "{place}");
    }
}

/// No JSON, but somebody's bytes: a text that looks like a name, and a name far before its colon.
#[test]
fn no_name_reaches_into_a_text_or_too_far_back() {
    let bodies =
        ["\"content\":\"reasoning_content\":\"x", &format!("\"reasoning_content\"{}:\"x", " ".repeat(35))];
    for body in bodies {
        let whole = answer(body);
        assert!(!whole.1, "{body}");
        for place in 0..=body.len() {
            assert_eq!(scanned(TextScan::of_answer(CHAT), cut(body.as_bytes(), &[place])), whole, "{place}");
        }
    }
}

proptest! {
    /// Escaped or not, cut or not: the same text is the same count.
    #[test]
    fn the_same_text_counts_the_same(
        parts in proptest::collection::vec(".{0,40}", 0..6),
        ascii in any::<bool>(),
        places in proptest::collection::vec(any::<usize>(), 0..10),
    ) {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let mut body = stream(&parts);
        if ascii {
            // As Python writes it.
            body = body.chars().flat_map(|c| if c.is_ascii() { vec![c] } else {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().flat_map(|unit| format!("\\u{unit:04x}").chars().collect::<Vec<_>>()).collect()
            }).collect();
        }
        let pieces = cut(body.as_bytes(), &places);
        let (count, _) = scanned(TextScan::of_answer(CHAT), pieces);
        let expected = texts(&parts);
        for class in [Class::Letter, Class::Digit, Class::Space, Class::Word, Class::Dense, Class::Joint] {
            prop_assert_eq!(count.of(class), expected.of(class), "{:?}", class);
        }
        // Of what is beyond the basic plane a pair of escapes counts twice; control characters have escapes of their own.
        if !ascii {
            prop_assert_eq!(count.of(Class::Wide), expected.of(Class::Wide));
        }
    }

    /// Whatever is not JSON, nothing panics, and cuts do not count.
    #[test]
    fn garbage_is_passed_over(
        bytes in proptest::collection::vec(any::<u8>(), 0..3000),
        seams in proptest::collection::vec((any::<usize>(), 0usize..6), 0..20),
        places in proptest::collection::vec(any::<usize>(), 0..10),
    ) {
        const SEAMS: [&str; 6] = ["\"content\":", "\"", "\\", "\\u12", "\"reasoning_content\": \"", ":"];
        let mut bytes = bytes;
        for (place, seam) in seams {
            let place = place % (bytes.len() + 1);
            bytes.splice(place..place, SEAMS[seam].bytes());
        }
        for scan in [TextScan::of_request as fn() -> TextScan, || TextScan::of_answer(CHAT)] {
            let whole = scanned(scan(), [bytes.as_slice()]);
            prop_assert_eq!(scanned(scan(), cut(&bytes, &places)), whole);
        }
    }

    /// Long strings with breaks and without are judged alike however they are cut.
    #[test]
    fn long_texts_are_judged_at_one_place(
        runs in proptest::collection::vec(0usize..3000, 1..6),
        places in proptest::collection::vec(any::<usize>(), 0..10),
    ) {
        let text: Vec<String> = runs.into_iter().map(|run| "Ab3/".repeat(run / 4)).collect();
        let body = json!([text.join(" ")]).to_string();
        let whole = scanned(TextScan::of_request(), [body.as_bytes()]);
        prop_assert_eq!(scanned(TextScan::of_request(), cut(body.as_bytes(), &places)), whole);
    }
}
