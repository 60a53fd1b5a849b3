//! A call in the app's own wire format at another place: its bytes, but for the model. Per call that is moved.

use std::ops::Range;

use bytes::Bytes;

use crate::members::members;
use crate::with_model;

/// The body with another model named at its top, all other bytes as they were. `None` where it is no JSON object or names a model
/// twice.
#[must_use]
pub fn same_dialect(body: &[u8], model: &str) -> Option<Bytes> {
    let (out, within) = with_model(body, model)?;
    edited(body, out, &within)
}

/// The body with a version where it named its model.
pub(super) fn with_version(body: &[u8], version: &str) -> Option<Bytes> {
    // Read as it would be changed: a model that is named twice is told there.
    with_model(body, version)?;
    let mut named = None;
    members(body, |member| {
        if member.key == b"model" {
            named = Some(member.whole.clone());
        }
    })?;
    let member = format!("\"anthropic_version\":\"{version}\"");
    match named {
        Some(out) => edited(body, out, member.as_bytes()),
        None => {
            let (out, within) = with_model(body, "")?;
            let comma = if within.ends_with(b",") { "," } else { "" };
            edited(body, out, format!("{member}{comma}").as_bytes())
        }
    }
}

fn edited(body: &[u8], out: Range<usize>, within: &[u8]) -> Option<Bytes> {
    Some([body.get(..out.start)?, within, body.get(out.end..)?].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_model_is_another() {
        let edited = |body: &str| same_dialect(body.as_bytes(), "b");
        let body = r#"{"n":12345678901234567890, "model" : "x","m":{"model":"y"}}"#;
        assert_eq!(edited(body).unwrap(), body.replace("\"x\"", "\"b\"").into_bytes());
        for body in ["", "[]", r#"{"model":"a","model":"b"}"#, r#"{"model":"a""#] {
            assert_eq!(edited(body), None, "{body}");
        }
    }

    #[test]
    fn a_version_takes_the_place_of_the_model() {
        for (body, expected) in [
            (r#"{"a":1, "model" : "x" ,"b":2}"#, r#"{"a":1, "anthropic_version":"v" ,"b":2}"#),
            (r#"{"a":1}"#, r#"{"anthropic_version":"v","a":1}"#),
            ("{}", r#"{"anthropic_version":"v"}"#),
        ] {
            assert_eq!(with_version(body.as_bytes(), "v").unwrap(), expected.as_bytes(), "{body}");
        }
        assert_eq!(with_version(br#"{"model":"a","model":"b"}"#, "v"), None);
    }
}
