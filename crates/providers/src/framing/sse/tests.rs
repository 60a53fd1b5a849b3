use proptest::prelude::*;

use super::*;

/// Events with their names, long or not.
#[derive(Default)]
struct Found {
    events: Vec<(Vec<u8>, Vec<u8>)>,
    /// How many of them came in parts, and how many parts they had.
    long: (usize, usize),
    open: bool,
}

impl Events for Found {
    fn event(&mut self, event: Event<'_>) {
        assert!(!self.open);
        self.events.push((event.name.to_vec(), event.data.to_vec()));
    }

    fn begin(&mut self, name: &[u8]) {
        assert!(!std::mem::replace(&mut self.open, true));
        self.events.push((name.to_vec(), Vec::new()));
        self.long.0 += 1;
    }

    fn part(&mut self, data: &[u8]) {
        assert!(self.open);
        self.events.last_mut().unwrap().1.extend_from_slice(data);
        self.long.1 += 1;
    }

    fn end(&mut self) {
        assert!(std::mem::take(&mut self.open));
    }
}

fn found(pieces: &[&[u8]]) -> Found {
    let (mut splitter, mut found) = (SseSplitter::default(), Found::default());
    for piece in pieces {
        splitter.push(piece, &mut found);
        assert!(splitter.held() <= 2 * HELD);
    }
    if found.open {
        found.events.pop();
    }
    found
}

fn split(pieces: &[&[u8]]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    found(pieces).events.iter().map(|(name, data)| (text(name), text(data))).collect()
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

/// An event of this many bytes up to its blank line, with what is around it.
fn long_stream(length: usize, line_end: &str) -> (Vec<u8>, Vec<(String, String)>) {
    let before = format!("event: first{line_end}data: 1{line_end}{line_end}");
    let head = format!("event: image{line_end}data: {{{line_end}id: 7{line_end}data{line_end}data:\"");
    let data = "x".repeat(length - head.len() - line_end.len());
    let after = format!("event: last{line_end}data: 2{line_end}{line_end}");
    let stream = format!("{before}{head}{data}{line_end}{line_end}{after}");
    (stream.into_bytes(), pairs(&[("first", "1"), ("image", &format!("{{\n\n\"{data}")), ("last", "2")]))
}

#[test]
fn an_event_of_any_length_is_read_however_it_is_cut() {
    for line_end in ["\n", "\r\n", "\r"] {
        for length in [HELD, HELD + 1, 2 * HELD] {
            let (stream, expected) = long_stream(length, line_end);
            let whole = found(&[&stream]);
            for size in [1, 7, 1000, HELD, 2 * HELD] {
                let pieces: Vec<_> = stream.chunks(size).collect();
                assert_eq!(split(&pieces), expected, "{length} in pieces of {size}");
                assert_eq!(found(&pieces).long.0, whole.long.0, "{length} in pieces of {size}");
            }
            for cut in (0..stream.len()).filter(|cut| cut % 1997 < 2 || stream.len() - cut < 60 || *cut < 80)
            {
                assert_eq!(split(&[&stream[..cut], &stream[cut..]]), expected, "{length} cut at {cut}");
            }
        }
    }
}

#[test]
fn only_what_is_long_passes_in_parts_and_none_of_it_is_held() {
    let (stream, _) = long_stream(HELD, "\n");
    assert_eq!(found(&[&stream]).long, (0, 0));
    let mut splitter = SseSplitter::default();
    let mut found = Found::default();
    splitter.push(b"data: ", &mut found);
    for _ in 0..40 {
        splitter.push(&[b'x'; 64 * 1024], &mut found);
        assert_eq!(splitter.held(), 0);
    }
    splitter.push(b"\n", &mut found);
    splitter.push(b"\n: a comment that is too long", &mut found);
    splitter.push(&[b'x'; 2 * HELD], &mut found);
    splitter.push(b"\n\ndata: next\n\n", &mut found);
    assert_eq!(found.events.len(), 2);
    assert_eq!((found.events[0].1.len(), &found.events[1].1[..]), (40 * 64 * 1024, &b"next"[..]));
    assert_eq!(found.long.0, 1);
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_the_same_events(
        words in prop::collection::vec(prop_oneof![
            prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'd'), any::<u8>()], 0..60),
            Just(b"data: ".to_vec()), Just(b"\ndata".to_vec()), Just(vec![b'x'; HELD]), Just(vec![b'\r'; 3]),
        ], 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes = words.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(bytes.len() + 1)).collect();
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
