//! A member of an event that stands near its beginning, such as its type: then most events need no scan. Per frame: no
//! allocation.

use memchr::memchr2;

/// Members that may stand before it.
const MEMBERS: usize = 4;

/// The text of this member, if nothing but plain texts stands before it.
pub(crate) fn text_at<'a>(event: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = symbol(event, b'{')?;
    for _ in 0..MEMBERS {
        let (key, after) = text(rest)?;
        let (value, after) = text(symbol(after, b':')?)?;
        if key == name.as_bytes() {
            return Some(value);
        }
        rest = symbol(after, b',')?;
    }
    None
}

fn symbol(bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    bytes.trim_ascii_start().split_first().filter(|(first, _)| **first == wanted).map(|(_, rest)| rest)
}

/// A text without escapes, and what follows it.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = symbol(bytes, b'"')?;
    let end = memchr2(b'"', b'\\', inside).filter(|end| inside[*end] == b'"')?;
    Some((&inside[..end], &inside[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_near_the_beginning_is_found_and_nothing_else_is_taken_for_it() {
        for event in [
            r#"{"type":"response.done","response":{}}"#,
            r#" { "event_id" : "event_1" , "type" : "response.done" "#,
        ] {
            assert_eq!(text_at(event.as_bytes(), "type"), Some(&b"response.done"[..]), "{event}");
        }
        for event in [
            r#"{"response":{"type":"response.done"}}"#,
            r#"{"type":"respon"#,
            r#"{"a":"\"type\":","type":"x"}"#,
            r#"["type","x"]"#,
            r#"{"type":7}"#,
            "",
        ] {
            assert_eq!(text_at(event.as_bytes(), "type"), None, "{event}");
        }
    }
}
