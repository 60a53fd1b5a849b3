use proptest::prelude::*;

use super::*;

/// Objects, and how many of them came in parts.
#[derive(Default)]
struct Found {
    objects: Vec<Vec<u8>>,
    long: usize,
    open: bool,
}

impl Events for Found {
    fn event(&mut self, event: Event<'_>) {
        self.objects.push(event.data.to_vec());
    }

    fn begin(&mut self, _name: &[u8]) {
        self.objects.push(Vec::new());
        self.long += 1;
        self.open = true;
    }

    fn part(&mut self, data: &[u8]) {
        self.objects.last_mut().unwrap().extend_from_slice(data);
    }

    fn end(&mut self) {
        self.open = false;
    }
}

fn split(pieces: &[&[u8]]) -> (Vec<String>, JsonValues) {
    let mut values = JsonValues::default();
    let mut found = Found::default();
    for piece in pieces {
        values.push(piece, &mut found);
        assert!(values.held() <= HELD);
    }
    if found.open {
        found.objects.pop();
    }
    (found.objects.iter().map(|object| String::from_utf8_lossy(object).into_owned()).collect(), values)
}

const FIRST: &str = r#"{"a":"}\"{","b":[{"c":{}}]}"#;
const SECOND: &str = r#"{"d": "\\"}"#;

#[test]
fn arrays_and_lines_are_split_however_they_are_cut() {
    for text in
        [format!("[{FIRST}\n,\r\n{SECOND}]\n"), format!("{FIRST}\n{SECOND}\n"), format!(" {FIRST}{SECOND}")]
    {
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
fn an_object_of_any_length_is_read_however_it_is_cut() {
    for length in [HELD - 1, HELD, HELD + 1, 3 * HELD] {
        let object = format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        let text = format!("[{FIRST},{object},{SECOND}]");
        for size in [1, 7, 1000, HELD - 1, HELD, 2 * HELD, text.len()] {
            let mut values = JsonValues::default();
            let mut found = Found::default();
            for piece in text.as_bytes().chunks(size) {
                values.push(piece, &mut found);
                assert!(values.held() <= HELD);
            }
            assert_eq!(found.objects, [FIRST.as_bytes(), object.as_bytes(), SECOND.as_bytes()]);
            assert_eq!(
                (found.long, values.is_whole()),
                (usize::from(length > HELD), true),
                "{length}, {size}"
            );
        }
    }
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
