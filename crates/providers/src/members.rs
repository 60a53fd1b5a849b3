//! The places of an object's members in its JSON text. Per request and per event: no allocation. What the values hold is
//! stepped over, not checked.

use std::ops::Range;

use memchr::memchr2;

/// One member of an object.
pub(crate) struct Member<'a> {
    /// What stands between the quotes, escapes as they are.
    pub(crate) key: &'a [u8],
    /// From the key's first quote to the value's last byte.
    pub(crate) whole: Range<usize>,
    /// The value.
    pub(crate) value: Range<usize>,
    /// The comma before it; the first member has none.
    pub(crate) comma: Option<usize>,
}

/// Shows every member of the object that `json` is, in order. Where its closing brace stands; `None` where `json` is not
/// one whole object.
pub(crate) fn members(json: &[u8], each: impl FnMut(&Member<'_>)) -> Option<usize> {
    let first = first_key(json)?;
    if json.get(first) == Some(&b'}') {
        return (blanks(json, first + 1) == json.len()).then_some(first);
    }
    members_from(json, first, each)
}

/// Where the first member of the object that `json` begins stands, or its closing brace.
pub(crate) fn first_key(json: &[u8]) -> Option<usize> {
    let open = blanks(json, 0);
    (json.get(open) == Some(&b'{')).then(|| blanks(json, open + 1))
}

/// The same as [`members`] from a member on, whose key begins at `at`.
pub(crate) fn members_from(json: &[u8], mut at: usize, mut each: impl FnMut(&Member<'_>)) -> Option<usize> {
    let mut comma = None;
    loop {
        let member = member(json, at, comma)?;
        each(&member);
        at = blanks(json, member.whole.end);
        match json.get(at)? {
            b',' => {
                comma = Some(at);
                at = blanks(json, at + 1);
            }
            b'}' => return (blanks(json, at + 1) == json.len()).then_some(at),
            _ => return None,
        }
    }
}

/// The member whose key begins at `at`.
pub(crate) fn member(json: &[u8], at: usize, comma: Option<usize>) -> Option<Member<'_>> {
    let key_end = text_end(json, at)?;
    let colon = blanks(json, key_end);
    if json.get(colon) != Some(&b':') {
        return None;
    }
    let start = blanks(json, colon + 1);
    let end = value_end(json, start)?;
    Some(Member { key: &json[at + 1..key_end - 1], whole: at..end, value: start..end, comma })
}

/// The first byte from `at` on that is no blank.
pub(crate) fn blanks(json: &[u8], at: usize) -> usize {
    let rest = json.get(at..).unwrap_or_default();
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    at + rest.iter().position(|byte| !blank(byte)).unwrap_or(rest.len())
}

/// Behind the text that begins at `at`.
fn text_end(json: &[u8], at: usize) -> Option<usize> {
    if json.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        let mark = at + memchr2(b'"', b'\\', json.get(at..)?)?;
        if json[mark] == b'"' {
            return Some(mark + 1);
        }
        at = mark + 2;
    }
}

/// Behind the value that begins at `at`.
fn value_end(json: &[u8], at: usize) -> Option<usize> {
    match json.get(at)? {
        b'"' => text_end(json, at),
        b'{' | b'[' => {
            let mut depth = 1usize;
            let mut at = at + 1;
            while depth > 0 {
                let rest = json.get(at..)?;
                at += rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'))?;
                match json[at] {
                    b'"' => at = text_end(json, at)?,
                    b'{' | b'[' => (depth, at) = (depth + 1, at + 1),
                    _ => (depth, at) = (depth - 1, at + 1),
                }
            }
            Some(at)
        }
        b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
            let ends =
                |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':' | b'"' | b' ' | b'\t' | b'\r' | b'\n');
            Some(json[at..].iter().position(ends).map_or(json.len(), |length| at + length))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(json: &str) -> Option<Vec<(String, String)>> {
        let bytes = json.as_bytes();
        let mut found = Vec::new();
        members(bytes, |member| {
            let text = |range: &[u8]| String::from_utf8_lossy(range).into_owned();
            found.push((text(member.key), text(&bytes[member.value.clone()])));
        })?;
        Some(found)
    }

    #[test]
    fn members_are_found_whatever_stands_in_them() {
        let json = r#" {"a" : "x\"},{" , "b":[1,{"c":"]"}],"d":-1.5e3,"e":null,"f":{} } "#;
        let pairs =
            [("a", r#""x\"},{""#), ("b", r#"[1,{"c":"]"}]"#), ("d", "-1.5e3"), ("e", "null"), ("f", "{}")];
        let expected = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(listed(json), Some(expected.to_vec()));
        assert_eq!(listed("{}"), Some(Vec::new()));
        for wrong in
            ["", "[]", "{", r#"{"a""#, r#"{"a":1"#, r#"{"a":1,}"#, r#"{"a":1}x"#, r#"{a:1}"#, r#"{"a":"\""#]
        {
            assert_eq!(listed(wrong), None, "{wrong}");
        }
    }

    proptest! {
        /// What serde_json takes for an object has the members that it says.
        #[test]
        fn another_reader_finds_the_same(keys in prop::collection::btree_map("[a-c\"\\\\{]{0,3}", "[ \"\\\\{}\\[\\]:,é]{0,8}", 0..5)) {
            let json = serde_json::to_string(&keys).unwrap();
            let found = listed(&json).unwrap();
            let again: std::collections::BTreeMap<String, String> = found
                .iter()
                .map(|(key, value)| {
                    (serde_json::from_str(&format!("\"{key}\"")).unwrap(), serde_json::from_str(value).unwrap())
                })
                .collect();
            prop_assert_eq!(again, keys);
        }

        #[test]
        fn hostile_text_is_no_object_or_has_its_places_within(json in "[{}\\[\\]\":,\\\\a1n ]{0,40}") {
            let length = json.len();
            members(json.as_bytes(), |member| assert!(member.whole.end <= length && member.value.start <= member.value.end));
        }
    }
}
