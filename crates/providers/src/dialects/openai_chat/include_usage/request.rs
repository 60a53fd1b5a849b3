//! Where `"include_usage":true` goes in a request's body: the smallest edit, so that all other bytes stay the app's. Per
//! request.

use std::ops::Range;

use memchr::memmem;
use serde::de::IgnoredAny;

use crate::members::{blanks, members};

const WHOLE: &[u8] = b",\"stream_options\":{\"include_usage\":true}";
const OPTIONS: &[u8] = b"{\"include_usage\":true}";
const FIRST: &[u8] = b"\"include_usage\":true,";
const ONLY: &[u8] = b"\"include_usage\":true";
const TRUE: &[u8] = b"true";

/// What a body asks for, and how it is made to ask for the usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// No stream is asked for, or its usage is already.
    Needless,
    /// With this edit it asks.
    With(Edit),
    /// What it asks for cannot be told for certain: it is not JSON, or says something twice or otherwise than others do.
    Unclear,
}

/// Bytes to be put in place of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What goes; empty where something is only put in.
    pub out: Range<usize>,
    /// What comes in its place.
    pub within: &'static [u8],
}

/// Reads the body of a request, whole and decoded.
#[must_use]
pub fn ask(body: &[u8]) -> Ask {
    // Most bodies that ask for no stream do not name it: they are not read at all.
    if memmem::find(body, b"\"stream\"").is_none() {
        return Ask::Needless;
    }
    let (mut stream, mut options) = (Once::Absent, Once::Absent);
    let mut plain = true;
    let end = members(body, |member| match member.key {
        b"stream" => stream.found(member.value.clone()),
        b"stream_options" => options.found(member.value.clone()),
        key => plain &= !key.contains(&b'\\'),
    });
    let Some(end) = end.filter(|_| plain) else { return Ask::Unclear };
    match stream {
        Once::There(value) if &body[value.clone()] == TRUE => {}
        Once::Twice => return Ask::Unclear,
        Once::There(_) | Once::Absent => return Ask::Needless,
    }
    let edit = match options {
        Once::Absent => Edit { out: end..end, within: WHOLE },
        Once::There(value) => match in_options(body, value) {
            Ask::With(edit) => edit,
            other => return other,
        },
        Once::Twice => return Ask::Unclear,
    };
    // Looked at last, since it takes longest: the values have only been stepped over.
    if serde_json::from_slice::<IgnoredAny>(body).is_err() { Ask::Unclear } else { Ask::With(edit) }
}

fn in_options(body: &[u8], options: Range<usize>) -> Ask {
    let text = &body[options.clone()];
    if text == b"null" {
        return Ask::With(Edit { out: options, within: OPTIONS });
    }
    let mut include = Once::Absent;
    let (mut plain, mut empty) = (true, true);
    let end = members(text, |member| {
        empty = false;
        match member.key {
            b"include_usage" => include.found(member.value.clone()),
            key => plain &= !key.contains(&b'\\'),
        }
    });
    if end.is_none() || !plain {
        return Ask::Unclear;
    }
    let first = options.start + blanks(text, 0) + 1;
    match include {
        Once::Absent => Ask::With(Edit { out: first..first, within: if empty { ONLY } else { FIRST } }),
        Once::There(value) => match &text[value.clone()] {
            TRUE => Ask::Needless,
            b"false" | b"null" => {
                Ask::With(Edit { out: options.start + value.start..options.start + value.end, within: TRUE })
            }
            _ => Ask::Unclear,
        },
        Once::Twice => Ask::Unclear,
    }
}

/// A member that may stand there once.
enum Once {
    Absent,
    There(Range<usize>),
    Twice,
}

impl Once {
    fn found(&mut self, value: Range<usize>) {
        *self = match self {
            Once::Absent => Once::There(value),
            Once::There(_) | Once::Twice => Once::Twice,
        };
    }
}

/// Whether an error's body refuses what [`ask`] puts in.
#[must_use]
pub fn is_refusal(body: &[u8]) -> bool {
    [&b"stream_options"[..], b"include_usage"].iter().any(|word| memmem::find(body, word).is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn asked(body: &str) -> Option<String> {
        let Ask::With(Edit { out, within }) = ask(body.as_bytes()) else { return None };
        let mut asked = body.to_owned();
        asked.replace_range(out, std::str::from_utf8(within).unwrap());
        Some(asked)
    }

    #[test]
    fn the_smallest_edit_asks_for_the_usage() {
        for (body, expected) in [
            (
                "{\"model\":\"m\", \"stream\" : true\n}",
                "{\"model\":\"m\", \"stream\" : true\n,\"stream_options\":{\"include_usage\":true}}",
            ),
            (
                r#"{"stream":true,"stream_options":null,"n":1.0}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true},"n":1.0}"#,
            ),
            (
                r#"{"stream_options":{ },"stream":true}"#,
                r#"{"stream_options":{"include_usage":true },"stream":true}"#,
            ),
            (
                r#"{"stream_options": {"include_obfuscation":false},"stream":true}"#,
                r#"{"stream_options": {"include_usage":true,"include_obfuscation":false},"stream":true}"#,
            ),
            (
                r#"{"stream_options":{"x":0,"include_usage": false},"stream":true}"#,
                r#"{"stream_options":{"x":0,"include_usage": true},"stream":true}"#,
            ),
            (
                r#"{"stream_options":{"include_usage":null},"stream":true}"#,
                r#"{"stream_options":{"include_usage":true},"stream":true}"#,
            ),
        ] {
            assert_eq!(asked(body).as_deref(), Some(expected), "{body}");
            assert_eq!(ask(expected.as_bytes()), Ask::Needless, "{expected}");
        }
    }

    #[test]
    fn no_stream_and_what_is_asked_for_already_stay() {
        for body in [
            r#"{"model":"m"}"#,
            r#"{"stream":false}"#,
            r#"{"stream":null}"#,
            r#"{"messages":[{"content":"\"stream\":true"}],"x":{"stream":true}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            "",
        ] {
            assert_eq!(ask(body.as_bytes()), Ask::Needless, "{body}");
        }
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_stays() {
        for body in [
            r#"{"stream":true,"stream":true}"#,
            r#"{"stream":true,"stream_options":{},"stream_options":{"include_usage":true}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":false,"include_usage":true}}"#,
            r#"{"stream":true,"stream_options":{"include_usage":"no"}}"#,
            r#"{"stream":true,"stream_options":[1]}"#,
            r#"{"stream":true,"stream_\u006fptions":{}}"#,
            r#"{"stream":true,"stream_options":{"include\u005fusage":true}}"#,
            r#"{"stream":true,"n":01}"#,
            r#"{"stream":true,"n":[1,}}"#,
            r#"{"stream":true"#,
            r#"{"stream":true}{"stream":true}"#,
            "\u{feff}{\"stream\":true}",
            r#"["stream"]"#,
        ] {
            assert_eq!(ask(body.as_bytes()), Ask::Unclear, "{body}");
        }
    }

    #[test]
    fn a_refusal_names_what_it_refuses() {
        for refusal in [
            r#"{"error":{"message":"Unrecognized request argument supplied: stream_options"}}"#,
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}"#,
            "include_usage is not supported",
        ] {
            assert!(is_refusal(refusal.as_bytes()), "{refusal}");
        }
        assert!(!is_refusal(br#"{"error":{"message":"messages is required"}}"#));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\"\\\\{}\\[\\]:, é]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"]{0,6}", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        /// With whatever stands beside it, the body asks for the usage afterwards, and for nothing else.
        #[test]
        fn only_the_usage_is_asked_for_in_addition(
            beside in prop::collection::btree_map("[a-z]{1,6}", value(), 0..5),
            options in prop_oneof![
                Just(None),
                Just(Some(Value::Null)),
                prop::collection::btree_map("[a-z]{1,4}", value(), 0..3).prop_map(|map| Some(json!(map))),
                any::<bool>().prop_map(|include| Some(json!({"include_usage": include, "z": 1}))),
            ],
            pretty: bool,
        ) {
            let mut body = json!(beside);
            body["stream"] = json!(true);
            if let Some(options) = &options {
                body["stream_options"] = options.clone();
            }
            let text = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
            let mut expected = body.clone();
            if expected["stream_options"].is_null() {
                expected["stream_options"] = json!({});
            }
            expected["stream_options"]["include_usage"] = json!(true);
            if body == expected {
                prop_assert_eq!(ask(text.as_bytes()), Ask::Needless);
            } else {
                let asked: Value = serde_json::from_str(&asked(&text).unwrap()).unwrap();
                prop_assert_eq!(asked, expected);
            }
        }

        #[test]
        fn hostile_bodies_are_left_alone_or_stay_json(body in "(\\{|\\}|\\[|\\]|\"|,|:|\\\\|true|null|\"stream\":true|\"stream_options\":|\"a\":){0,12}") {
            if let Some(asked) = asked(&body) {
                prop_assert!(serde_json::from_str::<Value>(&asked).is_ok(), "{}", asked);
            }
        }
    }
}
