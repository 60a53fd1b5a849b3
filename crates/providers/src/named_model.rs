//! The model that a request names, found without reading the rest. Per request that a rule may decide: a search that passes over
//! dozens of bytes at a time, and of most bodies a few members; no allocation.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::Dialect;
use crate::members::{blanks, first_key, member, members, members_from};

/// Longer ones are nobody's.
const LONGEST: usize = 256;
/// How a member begins that names it. Within a text its quotes would be escaped, so it is a key or a value wherever it stands.
static MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"model\""));

/// The model that a request's whole body names, where whoever reads it sees the same: one object, in a format that
/// [names it so](crate::Dialect::names_model), that names it once. `None` says nothing. Whether the body is JSON
/// otherwise is not checked.
#[must_use]
pub fn named_model<'a>(dialect: &dyn Dialect, body: &'a [u8]) -> Option<&'a str> {
    if !dialect.names_model() {
        return None;
    }
    let mut marks = MARK.find_iter(body);
    let first = marks.next()?;
    let by_itself = if marks.next().is_none() { beside(body, first) } else { None };
    let value = body.get(by_itself.or_else(|| among_all(body))?)?;
    let name = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let is_plain = name.len() <= LONGEST && !name.iter().any(|byte| *byte < b' ' || *byte == b'\\');
    std::str::from_utf8(name).ok().filter(|_| is_plain)
}

/// The value of the only member of that name, which begins at `at`, where what stands before or behind it tells that it is one of the
/// outermost object's: it is the first, or behind its object the body is over. The other side is not read.
fn beside(body: &[u8], at: usize) -> Option<Range<usize>> {
    let value = member(body, at, None)?.value;
    let is_outermost = match first_key(body) {
        Some(first) if first == at => ends_in_brace(body),
        _ => members_from(body, at, |_| ()).is_some(),
    };
    is_outermost.then_some(value)
}

fn ends_in_brace(body: &[u8]) -> bool {
    body.iter().rposition(|byte| *byte == b'}').is_some_and(|brace| blanks(body, brace + 1) == body.len())
}

/// The same by reading where every member stands.
fn among_all(body: &[u8]) -> Option<Range<usize>> {
    let (mut found, mut again) = (None, false);
    members(body, |member| {
        if member.key == b"model" {
            again |= found.replace(member.value.clone()).is_some();
        }
    })?;
    found.filter(|_| !again)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialects::{self, openai_chat::OPENAI_CHAT};

    #[test]
    fn a_name_is_found_wherever_it_stands_and_only_where_there_is_no_doubt() {
        for (body, model) in [
            (r#"{"model":"gpt-5.1","n":1}"#, Some("gpt-5.1")),
            (r#" {"messages":[{"model":"x"}],"m":{"model":"y"}, "model" : "gpt-5.1" } "#, Some("gpt-5.1")),
            (r#"{"model":"","n":1}"#, Some("")),
            (r#"{"model":"a","model":"b"}"#, None),
            // No format's reader takes this for the model.
            (r#"{"model":"a","mo\u0064el":"b"}"#, Some("a")),
            (r#"{"model":"gpt\u002d5"}"#, None),
            ("{\"model\":\"a\tb\"}", None),
            (r#"{"model":null}"#, None),
            (r#"{"model":{"model":"a"}}"#, None),
            (r#"{"n":1}"#, None),
            (r#"{"model":"a""#, None),
            (r#"{"messages":["model"],"model":"a"}"#, Some("a")),
            (r#"{"messages":[{"model":"x"}]}"#, None),
            (r#"{"x":{"y":1,"model":"x"}}"#, None),
            (r#"{"x":"model","model":"a","z":{}}"#, Some("a")),
            (r#"{"x":"\"model\":","model":"a"}"#, Some("a")),
            (r#"{"x":"model"}"#, None),
            (r#"{"model":"a","x":[1"#, None),
            (r#"{"x":"\u006b","model":"a"}"#, Some("a")),
            (r#"[{"model":"a"}]"#, None),
            ("", None),
        ] {
            assert_eq!(named_model(&OPENAI_CHAT, body.as_bytes()), model, "{body}");
        }
    }

    fn read(dialect: &dyn Dialect, body: &str) -> Option<String> {
        let mut reader = dialect.request_reader();
        reader.chunk(body.as_bytes());
        reader.finish().model
    }

    proptest! {
        /// Rules decide by it, and records tell what the format's own reader says.
        #[test]
        fn what_is_found_is_what_the_formats_reader_reads(
            members in prop::collection::vec(
                (r#"model|mo\\u0064el|messages|user|x"#, r#""[a-z/.:é\\\t-]{0,6}"|"model"|null|7|\{\}|\[\{"model":"m"\}\]|\{"model":"m"\}"#), 0..4)
        ) {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            let body = format!("{{{}}}", members.join(","));
            prop_assume!(serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok());
            for dialect in dialects::ALL {
                if let Some(found) = named_model(dialect, body.as_bytes()) {
                    prop_assert_eq!(Some(found.to_owned()), read(dialect, &body), "{} {}", dialect.name(), body);
                }
            }
        }
    }

    #[test]
    fn formats_whose_requests_name_a_model_say_so() {
        let body = r#"{"model":"m","messages":[]}"#;
        let doubted = ["openai_media", "bedrock_invoke", "gemini", "gemini_interactions"];
        for dialect in dialects::ALL {
            let reads = read(dialect, body).is_some() && !doubted.contains(&dialect.name());
            assert_eq!(dialect.names_model(), reads, "{}", dialect.name());
        }
    }
}
