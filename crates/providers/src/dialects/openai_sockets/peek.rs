//! An event's type, if it stands near the beginning: then most events need no scan. Per message: no allocation.

use memchr::memchr2;

/// Members that may stand before the type.
const MEMBERS: usize = 4;

/// The value of the member `type`, if nothing but short plain texts stands before it.
pub(crate) fn kind(event: &[u8]) -> Option<&[u8]> {
    let mut rest = symbol(event, b'{')?;
    for _ in 0..MEMBERS {
        let (key, after) = text(rest)?;
        let (value, after) = text(symbol(after, b':')?)?;
        if key == b"type" {
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
    fn a_type_near_the_beginning_is_found_and_nothing_else_is_taken_for_one() {
        for event in [
            r#"{"type":"response.done","response":{}}"#,
            r#" { "event_id" : "event_1" , "type" : "response.done" "#,
        ] {
            assert_eq!(kind(event.as_bytes()), Some(&b"response.done"[..]), "{event}");
        }
        for event in [
            r#"{"response":{"type":"response.done"}}"#,
            r#"{"type":"respon"#,
            r#"{"a":"\"type\":","type":"x"}"#,
            r#"["type","x"]"#,
            r#"{"type":7}"#,
            "",
        ] {
            assert_eq!(kind(event.as_bytes()), None, "{event}");
        }
    }
}
