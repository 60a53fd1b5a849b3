//! Server-sent events out of bytes cut anywhere. Per frame: an event that lies whole in its frame is not copied;
//! only an unfinished tail is kept, in a buffer that is reused and bounded.

use memchr::memchr2;

/// An event longer than this is skipped, and the skip is counted.
const LONGEST: usize = 1024 * 1024;
/// A tail buffer that one large event made bigger than this is given back.
const KEPT: usize = 16 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The `event:` field, empty where there is none.
    pub name: &'a [u8],
    /// The `data:` lines, joined by line feeds.
    pub data: &'a [u8],
}

/// Splits a stream into events (WHATWG HTML, section 9.2: lines end in LF, CRLF or CR).
#[derive(Debug, Default)]
pub struct SseSplitter {
    tail: Vec<u8>,
    joined: Vec<u8>,
    fields: Fields,
    /// Where the current line begins and how far it has been searched, counted from the event's first byte.
    line: usize,
    searched: usize,
    after_cr: bool,
    started: bool,
    skipping: bool,
    skipped: u32,
}

#[derive(Debug, Default, Clone, Copy)]
struct Fields {
    name: Option<(usize, usize)>,
    data: Option<(usize, usize)>,
    joined: bool,
}

impl SseSplitter {
    /// Takes the next bytes and hands every event that is now whole to `sink`.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl FnMut(SseEvent<'_>)) {
        if self.tail.is_empty() {
            let rest = self.scan(bytes, sink);
            self.tail.extend_from_slice(&bytes[rest..]);
        } else {
            let mut buffer = std::mem::take(&mut self.tail);
            buffer.extend_from_slice(bytes);
            let rest = self.scan(&buffer, sink);
            buffer.drain(..rest);
            if buffer.is_empty() && buffer.capacity() > KEPT {
                buffer = Vec::new();
            }
            self.tail = buffer;
        }
        if self.tail.len() > LONGEST {
            self.skip_rest();
        }
    }

    /// Events that were longer than the bound.
    #[must_use]
    pub const fn skipped(&self) -> u32 {
        self.skipped
    }

    /// Lets go of an event that is too long; its end is still looked for.
    fn skip_rest(&mut self) {
        // An unfinished line must not look like the empty one that ends an event: one byte of it stays.
        let in_line = self.searched > self.line;
        self.tail = if in_line { vec![b':'] } else { Vec::new() };
        self.line = 0;
        self.searched = self.tail.len();
        self.fields = Fields::default();
        if !self.skipping {
            self.skipping = true;
            self.skipped = self.skipped.saturating_add(1);
        }
    }

    /// Scans from where the last scan stopped. Returns where the unfinished event begins.
    fn scan(&mut self, buffer: &[u8], sink: &mut impl FnMut(SseEvent<'_>)) -> usize {
        let mut event = 0;
        let mut line = self.line;
        let mut from = self.searched;
        loop {
            if self.after_cr {
                match buffer.get(from) {
                    None => break,
                    Some(b'\n') => {
                        from += 1;
                        line = from;
                    }
                    Some(_) => {}
                }
                self.after_cr = false;
            }
            let Some(at) = memchr2(b'\n', b'\r', &buffer[from..]) else {
                from = buffer.len();
                break;
            };
            let end = from + at;
            self.after_cr = buffer[end] == b'\r';
            if end == line {
                self.dispatch(&buffer[event..], sink);
                event = end + 1;
            } else {
                self.take_line(&buffer[event..], line - event, end - event);
            }
            line = end + 1;
            from = line;
        }
        // A line feed after the carriage return that ended the event belongs to neither.
        event = event.min(line);
        self.line = line - event;
        self.searched = from.max(line) - event;
        event
    }

    fn take_line(&mut self, event: &[u8], mut start: usize, end: usize) {
        if !std::mem::replace(&mut self.started, true) && event[start..end].starts_with(BOM) {
            start += BOM.len();
        }
        let line = &event[start..end];
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let value = match line.get(colon + 1) {
            Some(b' ') => start + colon + 2,
            Some(_) => start + colon + 1,
            None => end,
        };
        match &line[..colon] {
            b"event" => self.fields.name = Some((value, end)),
            b"data" => match self.fields.data {
                None => self.fields.data = Some((value, end)),
                Some((first, last)) => {
                    if !std::mem::replace(&mut self.fields.joined, true) {
                        self.joined.clear();
                        self.joined.extend_from_slice(&event[first..last]);
                    }
                    self.joined.push(b'\n');
                    self.joined.extend_from_slice(&event[value..end]);
                }
            },
            _ => {}
        }
    }

    fn dispatch(&mut self, event: &[u8], sink: &mut impl FnMut(SseEvent<'_>)) {
        let fields = std::mem::take(&mut self.fields);
        self.started = true;
        if std::mem::replace(&mut self.skipping, false) {
            return;
        }
        let Some((first, last)) = fields.data else { return };
        let data = if fields.joined { &self.joined } else { &event[first..last] };
        sink(SseEvent { name: fields.name.map_or(b"", |(from, to)| &event[from..to]), data });
        if self.joined.capacity() > KEPT {
            self.joined = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut splitter = SseSplitter::default();
        let mut events = Vec::new();
        for piece in pieces {
            splitter.push(piece, &mut |event: SseEvent<'_>| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                events.push((text(event.name), text(event.data)));
            });
        }
        events
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect()
    }

    const STREAM: &str = "\u{feff}: hello\n\nevent: a\r\ndata: one\r\n\r\ndata:two\rdata\rdata: three\r\r\
                          id: 7\nretry: 5\ndata: {\"é\":\"\u{2028}\"}\n\n\n\nevent: empty\n\ndata:  padded \n\n";

    fn expected() -> Vec<(String, String)> {
        pairs(&[("a", "one"), ("", "two\n\nthree"), ("", "{\"é\":\"\u{2028}\"}"), ("", " padded ")])
    }

    #[test]
    fn reads_every_form_of_line_and_field() {
        assert_eq!(split(&[STREAM.as_bytes()]), expected());
    }

    #[test]
    fn a_cut_at_any_two_bytes_changes_nothing() {
        let bytes = STREAM.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(split(&pieces), expected(), "cut at {first} and {second}");
            }
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(split(&single), expected());
    }

    #[test]
    fn an_event_without_its_end_is_none() {
        assert_eq!(split(&[b"data: whole\n\ndata: cut\n"]), pairs(&[("", "whole")]));
    }

    #[test]
    fn an_event_beyond_the_bound_is_skipped_and_the_next_is_read() {
        let mut splitter = SseSplitter::default();
        let mut events = Vec::new();
        let mut sink = |event: SseEvent<'_>| events.push(event.data.to_vec());
        splitter.push(b"data: ", &mut sink);
        for _ in 0..40 {
            splitter.push(&[b'x'; 64 * 1024], &mut sink);
            assert!(splitter.tail.len() <= LONGEST + 64 * 1024);
        }
        splitter.push(b"\n", &mut sink);
        splitter.push(b"\ndata: next\n\n", &mut sink);
        assert_eq!(events, [b"next".to_vec()]);
        assert_eq!(splitter.skipped(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_events(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'd'), any::<u8>()], 0..300),
            cuts in prop::collection::vec(0usize..300, 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            prop_assert_eq!(split(&pieces), split(&[&bytes]));
        }
    }
}
