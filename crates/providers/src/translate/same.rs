//! A call in the app's own wire format at another place: its bytes, but for the model. Per call that is moved.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
}

/// The body with another model named at its top, all other bytes as they were. `None` where it is no JSON object or names a model
/// twice.
#[must_use]
pub fn same_dialect(body: &[u8], model: &str) -> Option<Bytes> {
    let name = serde_json::to_vec(model).ok()?;
    with_member(body, "model", &name)
}

/// The body with a member in the place of its model: `key` with this JSON.
pub(super) fn with_member(body: &[u8], key: &str, value: &[u8]) -> Option<Bytes> {
    // What is an object begins with a brace; a list of one member reads the same.
    let open = body.iter().position(|byte| !byte.is_ascii_whitespace()).filter(|at| body[*at] == b'{')?;
    let named: Named<'_> = serde_json::from_slice(body).ok()?;
    let member = format!("\"{key}\":");
    let (out, within) = match named.model {
        Some(found) => {
            // It was borrowed from the body.
            let start = (found.get().as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
            let out = start..start + found.get().len();
            if key == "model" {
                (out, value.to_vec())
            } else {
                (whole(body, out)?, [member.as_bytes(), value].concat())
            }
        }
        None => {
            let empty = body[open + 1..].trim_ascii_start().starts_with(b"}");
            let comma: &[u8] = if empty { b"" } else { b"," };
            (open + 1..open + 1, [member.as_bytes(), value, comma].concat())
        }
    };
    Some([body.get(..out.start)?, &within, body.get(out.end..)?].concat().into())
}

/// The member whose value stands there, key included.
fn whole(body: &[u8], value: std::ops::Range<usize>) -> Option<std::ops::Range<usize>> {
    let before = body.get(..value.start)?.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    let key = before.strip_suffix(b"\"")?;
    let start = key.iter().rposition(|byte| *byte == b'"')?;
    Some(start..value.end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn edited(body: &str) -> Option<String> {
        same_dialect(body.as_bytes(), "a\"b").map(|it| String::from_utf8(it.to_vec()).unwrap())
    }

    #[test]
    fn only_the_model_is_another() {
        for (body, expected) in [
            (
                r#"{"n":1.0, "model" : "x","m":{"model":"y"}}"#,
                r#"{"n":1.0, "model" : "a\"b","m":{"model":"y"}}"#,
            ),
            (r#" {"n":12345678901234567890}"#, r#" {"model":"a\"b","n":12345678901234567890}"#),
            ("{ }", r#"{"model":"a\"b" }"#),
        ] {
            assert_eq!(edited(body).as_deref(), Some(expected), "{body}");
        }
        for body in ["", "[]", r#"["x"]"#, r#"{"model":"a","model":"b"}"#, r#"{"model":"a""#] {
            assert_eq!(edited(body), None, "{body}");
        }
    }

    #[test]
    fn a_version_takes_the_place_of_the_model() {
        let body = br#"{"a":1, "model" : "x" ,"b":2}"#;
        let edited = with_member(body, "anthropic_version", b"\"v\"").unwrap();
        assert_eq!(&edited[..], br#"{"a":1, "anthropic_version":"v" ,"b":2}"#);
    }

    proptest! {
        #[test]
        fn a_body_means_the_same_but_for_its_model(text in "[ -~é]{0,20}", model in "[ -~]{1,20}", named: bool) {
            let mut body = json!({"messages": [{"content": text}], "n": 1});
            if named {
                body["model"] = "x".into();
            }
            let edited = same_dialect(body.to_string().as_bytes(), &model).unwrap();
            body["model"] = model.into();
            prop_assert_eq!(serde_json::from_slice::<Value>(&edited).unwrap(), body);
        }
    }
}
