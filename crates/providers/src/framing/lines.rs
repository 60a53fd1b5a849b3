//! One JSON object per line, out of bytes cut anywhere. Per frame: a line that lies whole in its frame is not copied; only
//! an unfinished one is kept, in a buffer that is reused and small. A line that is longer passes in parts.

use memchr::memchr;

use super::events::{Event, Events, HELD};

/// Splits a stream into lines; blank ones are none.
#[derive(Debug, Default)]
pub struct LineSplitter {
    tail: Vec<u8>,
    /// Whether the line under way passes in parts.
    long: bool,
}

impl LineSplitter {
    /// Takes the next bytes and hands every line that is now whole to `sink`.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut impl Events) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            self.whole(line, sink);
            bytes = &rest[1..];
        }
        self.keep(bytes, sink);
    }

    /// The stream is over: the last line may lack its end.
    pub fn finish(&mut self, sink: &mut impl Events) {
        self.whole(b"", sink);
    }

    /// Bytes that are held: at most 16 KiB of an unfinished line.
    #[must_use]
    pub fn held(&self) -> usize {
        self.tail.len()
    }

    fn keep(&mut self, bytes: &[u8], sink: &mut impl Events) {
        if !self.long && self.tail.len() + bytes.len() > HELD {
            self.long = true;
            sink.begin(b"");
            sink.part(&self.tail);
            self.tail.clear();
        }
        if self.long {
            sink.part(bytes);
        } else {
            self.tail.extend_from_slice(bytes);
        }
    }

    fn whole(&mut self, last: &[u8], sink: &mut impl Events) {
        if !self.long && self.tail.is_empty() && last.len() <= HELD {
            return hand_on(last, sink);
        }
        self.keep(last, sink);
        if std::mem::take(&mut self.long) {
            sink.end();
        } else {
            hand_on(&self.tail, sink);
            self.tail.clear();
        }
    }
}

fn hand_on(line: &[u8], sink: &mut impl Events) {
    let data = line.trim_ascii();
    if !data.is_empty() {
        sink.event(Event { name: b"", data });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default, PartialEq, Debug)]
    struct Found {
        lines: Vec<Vec<u8>>,
        long: usize,
    }

    impl Events for Found {
        fn event(&mut self, event: Event<'_>) {
            self.lines.push(event.data.to_vec());
        }

        fn begin(&mut self, _name: &[u8]) {
            self.lines.push(Vec::new());
            self.long += 1;
        }

        fn part(&mut self, data: &[u8]) {
            self.lines.last_mut().unwrap().extend_from_slice(data);
        }

        fn end(&mut self) {}
    }

    fn split<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Found {
        let (mut splitter, mut found) = (LineSplitter::default(), Found::default());
        for piece in pieces {
            splitter.push(piece, &mut found);
            assert!(splitter.held() <= HELD);
        }
        splitter.finish(&mut found);
        found
    }

    #[test]
    fn lines_are_split_and_blank_ones_are_none() {
        let found = split([&b"{\"a\":1}\r\n\n  \n{\"b\":2}\n{\"c\""[..], b":3}"]);
        assert_eq!(found.lines, [&b"{\"a\":1}"[..], b"{\"b\":2}", b"{\"c\":3}"]);
        assert_eq!(found.long, 0);
    }

    proptest! {
        #[test]
        fn a_line_of_any_length_is_the_same_however_it_is_cut(
            lengths in prop::collection::vec(prop_oneof![0usize..100, HELD - 2..HELD + 3, Just(3 * HELD)], 0..5),
            size in 1usize..40_000,
        ) {
            let text = lengths.iter().map(|length| "x".repeat(*length)).collect::<Vec<_>>().join("\n");
            let whole = split([text.as_bytes()]);
            prop_assert_eq!(&split(text.as_bytes().chunks(size)), &whole);
            prop_assert_eq!(whole.long, lengths.iter().filter(|length| **length > HELD).count());
        }
    }
}
