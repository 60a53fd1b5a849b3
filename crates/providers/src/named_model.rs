//! The model that a request names, found without reading the rest. Per request that a rule may decide: one pass over the places of its
//! members, no allocation.

use crate::Dialect;
use crate::members::members;

/// Longer ones are nobody's.
const LONGEST: usize = 256;

/// The model that a request's whole body names, where whoever reads it sees the same: one object, in a format that
/// [names it so](crate::Dialect::names_model), that names it once and without escapes. `None` says nothing.
#[must_use]
pub fn named_model<'a>(dialect: &dyn Dialect, body: &'a [u8]) -> Option<&'a str> {
    if !dialect.names_model() {
        return None;
    }
    let (mut found, mut plain) = (None, true);
    members(body, |member| {
        plain &= !member.key.contains(&b'\\');
        if member.key == b"model" {
            plain &= found.is_none();
            found = Some(member.value.clone());
        }
    })?;
    let value = body.get(found.filter(|_| plain)?)?;
    let name = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let is_plain = name.len() <= LONGEST && !name.iter().any(|byte| *byte < b' ' || *byte == b'\\');
    std::str::from_utf8(name).ok().filter(|_| is_plain)
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
            (r#"{"model":"a","mo\u0064el":"b"}"#, None),
            (r#"{"model":"gpt\u002d5"}"#, None),
            ("{\"model\":\"a\tb\"}", None),
            (r#"{"model":null}"#, None),
            (r#"{"model":{"model":"a"}}"#, None),
            (r#"{"n":1}"#, None),
            (r#"{"model":"a""#, None),
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
                (r#"model|mo\\u0064el|messages|user|x"#, r#""[a-z/.:é\\\t-]{0,6}"|null|7|\{\}|\[\{"model":"m"\}\]|\{"model":"m"\}"#), 0..4)
        ) {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            let body = format!("{{{}}}", members.join(","));
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
