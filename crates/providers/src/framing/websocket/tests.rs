use std::io::Write as _;

use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

use super::*;

/// What a sink was told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Message { text: bool, bytes: Vec<u8> },
    Close(Option<u16>),
}

#[derive(Default)]
struct Kept {
    told: Vec<Told>,
    open: Option<(bool, Vec<u8>)>,
    /// Of every message only so much is wanted.
    limit: Option<usize>,
}

impl Messages for Kept {
    fn begin(&mut self, text: bool) {
        assert!(self.open.is_none(), "messages do not overlap");
        self.open = Some((text, Vec::new()));
    }

    fn part(&mut self, bytes: &[u8]) -> bool {
        let (_, kept) = self.open.as_mut().expect("a message is open");
        assert!(self.limit.is_none_or(|limit| kept.len() < limit), "no more was wanted");
        kept.extend_from_slice(bytes);
        self.limit.is_none_or(|limit| kept.len() < limit)
    }

    fn end(&mut self) {
        let (text, bytes) = self.open.take().expect("a message is open");
        self.told.push(Told::Message { text, bytes });
    }

    fn close(&mut self, code: Option<u16>) {
        self.told.push(Told::Close(code));
    }
}

/// One frame; masked where a mask is given.
fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(bit | length as u8),
        length @ 126..=0xffff => {
            bytes.push(bit | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(bit | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    match mask {
        None => bytes.extend(payload),
        Some(mask) => {
            bytes.extend(mask);
            bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
    }
    bytes
}

/// A message in frames of at most `size` bytes, with a ping in the midst of it.
fn message(text: bool, compressed: bool, payload: &[u8], size: usize, mask: Option<[u8; 4]>) -> Vec<u8> {
    let kind = if text { 1 } else { 2 };
    let mut pieces: Vec<&[u8]> = payload.chunks(size.max(1)).collect();
    if pieces.is_empty() {
        pieces.push(&[]);
    }
    let last = pieces.len() - 1;
    let mut bytes = Vec::new();
    for (at, piece) in pieces.into_iter().enumerate() {
        let mut first = if at == 0 { kind } else { 0 };
        if at == last {
            first |= 0x80;
        }
        if compressed && at == 0 {
            first |= 0x40;
        }
        if at > 0 {
            bytes.extend(frame(0x89, b"ebb", mask));
        }
        bytes.extend(frame(first, piece, mask));
    }
    bytes
}

/// A sender's compressor (RFC 7692, 7.2.1).
struct Deflater {
    deflate: Deflate,
    compress: Compress,
}

impl Deflater {
    fn new(deflate: Deflate) -> Deflater {
        let compress = Compress::new_with_window_bits(Compression::best(), false, deflate.window_bits);
        Deflater { deflate, compress }
    }

    fn message(&mut self, bytes: &[u8]) -> Vec<u8> {
        if !self.deflate.context_takeover {
            self.compress.reset();
        }
        let mut out = Vec::with_capacity(bytes.len() * 2 + 1024);
        self.compress.compress_vec(bytes, &mut out, FlushCompress::Sync).unwrap();
        if out.is_empty() {
            // zlib does not flush twice; nothing is written so (7.2.3.6).
            return vec![0];
        }
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
        out.truncate(out.len() - 4);
        out
    }
}

fn read(mut reader: FrameReader, pieces: &[&[u8]]) -> (Vec<Told>, Option<&'static str>) {
    let mut kept = Kept::default();
    for piece in pieces {
        reader.push(piece, &mut kept);
    }
    (kept.told, reader.fault())
}

fn reader(masked: bool, deflate: Option<Deflate>) -> FrameReader {
    if masked { FrameReader::of_client(deflate) } else { FrameReader::of_server(deflate) }
}

const WHOLE: Deflate = Deflate { context_takeover: true, window_bits: 15 };

/// A conversation with every form of frame, and what it says.
fn conversation(masked: bool, deflate: Option<Deflate>) -> (Vec<u8>, Vec<Told>) {
    let mask = masked.then_some([0x37, 0xfa, 0x21, 0x3d]);
    let mut deflater = deflate.map(Deflater::new);
    let event = "{\"type\":\"response.output_text.delta\",\"delta\":\"Ebb — flood\"}".repeat(3);
    let long = "tide ".repeat(14_000);
    let mut bytes = Vec::new();
    let mut told = Vec::new();
    for (text, payload, size) in [
        (true, event.as_bytes(), usize::MAX),
        (true, event.as_bytes(), 40),
        (false, &b""[..], 1),
        (true, long.as_bytes(), 70_000),
        (true, b"short", 2),
    ] {
        let wire = deflater.as_mut().map(|deflater| deflater.message(payload));
        bytes.extend(message(text, wire.is_some(), wire.as_deref().unwrap_or(payload), size, mask));
        told.push(Told::Message { text, bytes: payload.to_vec() });
    }
    // Either side may send a message as it is, whatever was agreed on.
    bytes.extend(message(true, false, b"plain", 9, mask));
    told.push(Told::Message { text: true, bytes: b"plain".to_vec() });
    bytes.extend(frame(0x8a, b"", mask));
    bytes.extend(frame(0x88, &[&1001u16.to_be_bytes()[..], b"gone"].concat(), mask));
    told.push(Told::Close(Some(1001)));
    (bytes, told)
}

fn forms() -> impl Iterator<Item = (bool, Option<Deflate>)> {
    let small = Deflate { context_takeover: false, window_bits: 9 };
    [false, true]
        .into_iter()
        .flat_map(move |masked| [None, Some(WHOLE), Some(small)].map(|deflate| (masked, deflate)))
}

#[test]
fn every_form_of_frame_is_read_however_it_is_cut() {
    for (masked, deflate) in forms() {
        let (bytes, told) = conversation(masked, deflate);
        for size in [1, 2, 3, 7, 100, 5_000, bytes.len()] {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(read(reader(masked, deflate), &pieces), (told.clone(), None), "{deflate:?} by {size}");
        }
    }
}

#[test]
fn what_is_not_wanted_is_stepped_over_and_the_next_message_is_read() {
    for (masked, deflate) in forms() {
        let (bytes, _) = conversation(masked, deflate);
        for size in [1, 100, bytes.len()] {
            let mut reader = reader(masked, deflate);
            let mut kept = Kept { limit: Some(5), ..Kept::default() };
            for piece in bytes.chunks(size) {
                reader.push(piece, &mut kept);
            }
            assert_eq!(reader.fault(), None);
            let Told::Message { bytes: last, .. } = &kept.told[5] else { panic!("{:?}", kept.told) };
            assert!(last.starts_with(b"plain"), "{last:?}");
        }
    }
}

#[test]
fn what_breaks_the_rules_ends_the_reading() {
    let mask = Some([1, 2, 3, 4]);
    for (what, bytes) in [
        ("a reserved bit", frame(0xa1, b"", None)),
        ("a mask from the server", frame(0x81, b"x", mask)),
        ("a long ping", frame(0x89, &[0; 126], None)),
        ("a ping in pieces", frame(0x09, b"", None)),
        ("an unknown control frame", frame(0x8b, b"", None)),
        ("an unknown frame", frame(0x83, b"", None)),
        ("a continuation of nothing", frame(0x80, b"", None)),
        ("a message within a message", [frame(0x01, b"a", None), frame(0x81, b"b", None)].concat()),
        ("compression nobody agreed on", frame(0xc1, b"x", None)),
        ("a length of 63 bits and more", vec![0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        let (told, fault) = read(FrameReader::of_server(None), &[&bytes, &frame(0x81, b"after", None)]);
        assert!(fault.is_some() && told.is_empty(), "{what}: {told:?}");
    }
    let (_, fault) = read(FrameReader::of_client(None), &[&frame(0x81, b"x", None)]);
    assert!(fault.is_some(), "no mask from the client");
    let (_, fault) = read(FrameReader::of_server(Some(WHOLE)), &[&frame(0xc1, b"\xff\xff\xff", None)]);
    assert!(fault.is_some(), "no deflate stream");
}

#[test]
fn a_bomb_is_given_up_and_a_long_text_is_not() {
    let pack = |bytes: &[u8]| frame(0xc1, &Deflater::new(WHOLE).message(bytes), None);
    let (told, fault) = read(FrameReader::of_server(Some(WHOLE)), &[&pack(&vec![b'x'; 32 * 1024 * 1024])]);
    assert!(told.is_empty());
    assert_eq!(fault, Some("a WebSocket message expands beyond all measure"));
    let mut text = Vec::new();
    for number in 0..800_000 {
        write!(text, "{number} ").unwrap();
    }
    let (told, fault) = read(FrameReader::of_server(Some(WHOLE)), &[&pack(&text)]);
    assert_eq!(fault, None);
    assert_eq!(told, [Told::Message { text: true, bytes: text }]);
}

#[test]
fn a_stream_that_ends_with_its_message_is_followed_by_another() {
    // RFC 7692, 7.2.3.4: `Hello` with the final bit, then a byte of nothing.
    let hello = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let bytes = [frame(0xc1, &hello, None), frame(0xc1, &hello, None)].concat();
    let hello = Told::Message { text: true, bytes: b"Hello".to_vec() };
    assert_eq!(read(FrameReader::of_server(Some(WHOLE)), &[&bytes]), (vec![hello.clone(), hello], None));
}

#[test]
fn it_knows_when_it_stands_between_messages() {
    let mut reader = FrameReader::of_server(None);
    let mut kept = Kept::default();
    assert!(reader.is_between());
    for (byte, between) in frame(0x81, b"ab", None).iter().zip([false, false, false, true]) {
        reader.push(&[*byte], &mut kept);
        assert_eq!(reader.is_between(), between);
    }
    reader.push(&frame(0x01, b"part", None), &mut kept);
    assert!(!reader.is_between());
}

proptest! {
    #[test]
    fn random_cuts_change_nothing(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30), form in 0usize..6) {
        let (masked, deflate) = forms().nth(form).unwrap();
        let (bytes, told) = conversation(masked, deflate);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        prop_assert_eq!(read(reader(masked, deflate), &pieces), (told, None));
    }

    #[test]
    fn damage_never_panics_and_pieces_see_what_the_whole_sees(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20), form in 0usize..6, size in 1usize..50,
    ) {
        let (masked, deflate) = forms().nth(form).unwrap();
        let (mut bytes, _) = conversation(masked, deflate);
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let whole = read(reader(masked, deflate), &[&bytes]);
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        prop_assert_eq!(read(reader(masked, deflate), &pieces), whole);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop_oneof![
        Just(0x81u8), Just(0xc1), Just(0x01), Just(0x80), Just(0x00), Just(0x88), Just(0xfe), Just(0xff), Just(0x85), any::<u8>()], 0..200)
    ) {
        for (masked, deflate) in forms() {
            read(reader(masked, deflate), &[&bytes]);
        }
    }
}
