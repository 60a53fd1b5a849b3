//! JSON objects out of bytes cut anywhere: the elements of one array that is streamed, or one object per line. Per frame:
//! an object that lies whole in its frame is not copied; only an unfinished tail is kept, in a buffer that is reused and
//! bounded.

use memchr::{memchr2, memchr3};

/// An object longer than this is skipped, and the skip is counted.
const LONGEST: usize = 1024 * 1024;
/// A tail buffer that one large object made bigger than this is given back.
const KEPT: usize = 16 * 1024;

/// Splits a stream into objects. Between them blanks, commas and the brackets of one array may stand.
#[derive(Debug, Default)]
pub struct JsonValues {
    tail: Vec<u8>,
    state: State,
    /// Whether the objects stand in an array.
    array: bool,
    skipping: bool,
    skipped: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Nothing but blanks so far.
    #[default]
    Start,
    /// Between two objects.
    Between,
    /// Inside an object, so many containers deep.
    Inside { depth: u32, text: Text },
    /// The array has ended.
    Done,
    /// This is no such stream.
    Malformed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Within,
    Escaped,
}

impl JsonValues {
    /// Takes the next bytes and hands every object that is now whole to `sink`.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl FnMut(&[u8])) {
        let mut at = 0;
        while at < bytes.len() {
            if let State::Inside { depth, text } = self.state {
                let (used, next) = inside(&bytes[at..], depth, text);
                let end = at + used;
                match next {
                    Some((depth, text)) => {
                        self.state = State::Inside { depth, text };
                        self.keep(&bytes[at..end]);
                    }
                    None => {
                        self.state = State::Between;
                        self.whole(&bytes[at..end], sink);
                    }
                }
                at = end;
            } else {
                at += self.between(bytes[at]);
            }
        }
    }

    /// Objects that were longer than the bound.
    #[must_use]
    pub const fn skipped(&self) -> u32 {
        self.skipped
    }

    /// Whether everything so far was whole: the array is closed, or no object is open.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        if self.array { self.state == State::Done } else { self.state == State::Between }
    }

    /// Whether this is no stream of objects.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.state == State::Malformed
    }

    /// One byte outside of objects. Returns how many were used: an object's first brace is left to it.
    fn between(&mut self, byte: u8) -> usize {
        match (self.state, byte) {
            (State::Malformed, _) | (_, b' ' | b'\t' | b'\r' | b'\n') => {}
            (State::Start, b'[') => (self.array, self.state) = (true, State::Between),
            (State::Start | State::Between, b'{') => {
                self.state = State::Inside { depth: 0, text: Text::Outside };
                return 0;
            }
            (State::Between, b',') if self.array => {}
            (State::Between, b']') if self.array => self.state = State::Done,
            _ => self.state = State::Malformed,
        }
        1
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.skipping {
            return;
        }
        if self.tail.len() + bytes.len() > LONGEST {
            self.tail = Vec::new();
            self.skipping = true;
            self.skipped = self.skipped.saturating_add(1);
        } else {
            self.tail.extend_from_slice(bytes);
        }
    }

    fn whole(&mut self, last: &[u8], sink: &mut impl FnMut(&[u8])) {
        if std::mem::take(&mut self.skipping) {
            return;
        }
        if self.tail.is_empty() {
            sink(last);
            return;
        }
        self.keep(last);
        if std::mem::take(&mut self.skipping) {
            return;
        }
        sink(&self.tail);
        if self.tail.capacity() > KEPT {
            self.tail = Vec::new();
        } else {
            self.tail.clear();
        }
    }
}

/// Walks through an object's bytes. Returns how many were walked, and where that leads; `None` when it is over.
fn inside(bytes: &[u8], mut depth: u32, mut text: Text) -> (usize, Option<(u32, Text)>) {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        match text {
            Text::Escaped => {
                text = Text::Within;
                at += 1;
            }
            Text::Within => match memchr2(b'"', b'\\', rest) {
                None => return (bytes.len(), Some((depth, text))),
                Some(found) => {
                    text = if rest[found] == b'"' { Text::Outside } else { Text::Escaped };
                    at += found + 1;
                }
            },
            // Brackets need no count of their own: whoever reads the object finds what is wrong with them.
            Text::Outside => match memchr3(b'"', b'{', b'}', rest) {
                None => return (bytes.len(), Some((depth, text))),
                Some(found) => {
                    at += found + 1;
                    match rest[found] {
                        b'"' => text = Text::Within,
                        b'{' => depth = depth.saturating_add(1),
                        _ if depth <= 1 => return (at, None),
                        _ => depth -= 1,
                    }
                }
            },
        }
    }
    (bytes.len(), Some((depth, text)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&[u8]]) -> (Vec<String>, JsonValues) {
        let mut values = JsonValues::default();
        let mut found = Vec::new();
        for piece in pieces {
            values.push(piece, &mut |value: &[u8]| found.push(String::from_utf8_lossy(value).into_owned()));
        }
        (found, values)
    }

    const FIRST: &str = r#"{"a":"}\"{","b":[{"c":{}}]}"#;
    const SECOND: &str = r#"{"d": "\\"}"#;

    #[test]
    fn arrays_and_lines_are_split_however_they_are_cut() {
        for text in [
            format!("[{FIRST}\n,\r\n{SECOND}]\n"),
            format!("{FIRST}\n{SECOND}\n"),
            format!(" {FIRST}{SECOND}"),
        ] {
            let bytes = text.as_bytes();
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let (found, values) = split(&[&bytes[..first], &bytes[first..second], &bytes[second..]]);
                    assert_eq!(found, [FIRST, SECOND], "{text} cut at {first} and {second}");
                    assert!(values.is_whole());
                }
            }
        }
    }

    #[test]
    fn what_is_cut_or_no_stream_of_objects_is_told() {
        for text in ["", "[", "[{}", "[{},", "{\"a\":1"] {
            assert!(!split(&[text.as_bytes()]).1.is_whole(), "{text}");
        }
        for text in ["<html>", "[1]", "{},{}", "[{}]{}", "\"{}\""] {
            assert!(split(&[text.as_bytes()]).1.is_malformed(), "{text}");
        }
    }

    #[test]
    fn an_object_beyond_the_bound_is_skipped_and_the_next_is_read() {
        let mut values = JsonValues::default();
        let mut found = Vec::new();
        let mut sink = |value: &[u8]| found.push(value.to_vec());
        values.push(b"[{\"a\":\"", &mut sink);
        for _ in 0..40 {
            values.push(&[b'x'; 64 * 1024], &mut sink);
            assert!(values.tail.len() <= LONGEST);
        }
        values.push(b"\"},{}]", &mut sink);
        assert_eq!(found, [b"{}".to_vec()]);
        assert_eq!((values.skipped(), values.is_whole()), (1, true));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_objects(
            bytes in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'"'), Just(b'\\'), Just(b','), Just(b'['), Just(b']'), any::<u8>()], 0..200),
            size in 1usize..20,
        ) {
            let (whole, first) = split(&[&bytes]);
            let (pieces, second) = split(&bytes.chunks(size).collect::<Vec<_>>());
            prop_assert_eq!(whole, pieces);
            prop_assert_eq!(first.is_malformed(), second.is_malformed());
        }
    }
}
