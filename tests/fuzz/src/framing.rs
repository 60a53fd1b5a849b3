//! Splitters and scanners: whole and cut they find the same, and hold no more than they say.

use outrigger_providers::framing::{
    Deflate, Event, EventStreamMessage, EventStreamSplitter, Events, FrameReader, JsonScan, JsonValues,
    LineSplitter, Messages, Path, SseSplitter,
};

use crate::Target;
use crate::input::{expanded, pieces, with_checksums};

/// What any splitter may hold of an event, twice where lines of it are joined.
const HELD: usize = 2 * 16 * 1024;

pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target::new("sse", |input| {
            let bytes = expanded(input);
            assert_eq!(sse(&[&bytes]), sse(&pieces(&bytes)));
        }),
        Target::new("lines", |input| {
            let bytes = expanded(input);
            assert_eq!(lines(&[&bytes]), lines(&pieces(&bytes)));
        }),
        Target::new("json_values", |input| {
            let bytes = expanded(input);
            assert_eq!(values(&[&bytes]), values(&pieces(&bytes)));
        }),
        Target::new("event_stream", |input| {
            for bytes in [input.to_vec(), with_checksums(input)] {
                assert_eq!(event_stream(&[&bytes]), event_stream(&pieces(&bytes)));
            }
        }),
        Target::new("json_scan", |input| json_scan(&expanded(input))),
        Target::new("websocket", |input| {
            for deflate in [None, Some(true), Some(false)] {
                let deflate = deflate.map(|context_takeover| Deflate { context_takeover, window_bits: 15 });
                for reader in [FrameReader::of_client, FrameReader::of_server] {
                    assert_eq!(frames(reader(deflate), &[input]), frames(reader(deflate), &pieces(input)));
                }
            }
        }),
    ]
}

/// Events as they were handed on, and how many of them in parts.
#[derive(Debug, Default, PartialEq)]
struct Found {
    events: Vec<(Vec<u8>, Vec<u8>)>,
    long: usize,
    open: bool,
}

impl Events for Found {
    fn event(&mut self, event: Event<'_>) {
        assert!(!self.open, "an event inside of another");
        self.events.push((event.name.to_vec(), event.data.to_vec()));
    }

    fn begin(&mut self, name: &[u8]) {
        assert!(!self.open, "an event begins inside of another");
        self.events.push((name.to_vec(), Vec::new()));
        self.open = true;
        self.long += 1;
    }

    fn part(&mut self, data: &[u8]) {
        assert!(self.open, "a part of no event");
        if let Some((_, all)) = self.events.last_mut() {
            all.extend_from_slice(data);
        }
    }

    fn end(&mut self) {
        assert!(self.open, "the end of no event");
        self.open = false;
    }
}

fn sse(pieces: &[&[u8]]) -> Found {
    let (mut splitter, mut found) = (SseSplitter::default(), Found::default());
    for piece in pieces {
        splitter.push(piece, &mut found);
        assert!(splitter.held() <= HELD);
    }
    found
}

fn lines(pieces: &[&[u8]]) -> Found {
    let (mut splitter, mut found) = (LineSplitter::default(), Found::default());
    for piece in pieces {
        splitter.push(piece, &mut found);
        assert!(splitter.held() <= HELD);
    }
    splitter.finish(&mut found);
    found
}

fn values(pieces: &[&[u8]]) -> (Found, bool, bool) {
    let (mut splitter, mut found) = (JsonValues::default(), Found::default());
    for piece in pieces {
        splitter.push(piece, &mut found);
        assert!(splitter.held() <= HELD);
    }
    (found, splitter.is_whole(), splitter.is_malformed())
}

/// The kind of an event, where it has one, and its data.
type Told = (Option<String>, Vec<u8>);

fn event_stream(pieces: &[&[u8]]) -> (Vec<Told>, Option<&'static str>, u32) {
    let (mut splitter, mut found) = (EventStreamSplitter::default(), Vec::new());
    for piece in pieces {
        splitter.push(piece, &mut |message: EventStreamMessage<'_>| {
            found.push((message.header(":event-type").map(str::to_owned), message.payload.to_vec()));
        });
    }
    (found, splitter.broken(), splitter.skipped())
}

const PATHS: &[Path] = &[
    &["id"],
    &["usage"],
    &["error"],
    &["choices", "*", "finish_reason"],
    &["choices", "*", "index"],
    &["response", "output", "*", "type"],
    &["*", "error"],
    &["candidates", "*", "content", "parts", "*", "text"],
];

fn scanned(pieces: &[&[u8]], scan: &mut JsonScan) -> Vec<Vec<(u32, Vec<u8>)>> {
    for piece in pieces {
        scan.push(piece);
        assert!(scan.held() <= PATHS.len() * (16 * 1024 + 1024 * 8));
    }
    let at = |path: &Path| scan.elements(path).map(|(element, raw)| (element, raw.to_vec())).collect();
    PATHS.iter().map(at).collect()
}

fn json_scan(bytes: &[u8]) {
    let (mut whole, mut cut) = (JsonScan::new(PATHS), JsonScan::new(PATHS));
    let found = scanned(&[bytes], &mut whole);
    assert_eq!(found, scanned(&pieces(bytes), &mut cut));
    assert_eq!((whole.is_whole(), whole.is_malformed()), (cut.is_whole(), cut.is_malformed()));
    // One that begins anew is as good as a new one.
    cut.reset();
    assert_eq!(found, scanned(&[bytes], &mut cut));
    // What another reader takes for JSON is whole, and has the same values.
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    if value.is_object() || value.is_array() {
        assert!(whole.is_whole());
        for raw in found.iter().flatten() {
            assert!(serde_json::from_slice::<serde_json::Value>(&raw.1).is_ok(), "{raw:?}");
        }
    }
}

/// What a direction of a WebSocket said.
#[derive(Debug, Default, PartialEq)]
struct Said {
    messages: Vec<(bool, Vec<u8>, bool)>,
    closes: Vec<Option<u16>>,
}

impl Messages for Said {
    fn begin(&mut self, text: bool) {
        self.messages.push((text, Vec::new(), false));
    }

    fn part(&mut self, bytes: &[u8]) -> bool {
        if let Some((_, all, _)) = self.messages.last_mut() {
            all.extend_from_slice(bytes);
        }
        true
    }

    fn end(&mut self) {
        if let Some((_, _, whole)) = self.messages.last_mut() {
            *whole = true;
        }
    }

    fn close(&mut self, code: Option<u16>) {
        self.closes.push(code);
    }
}

fn frames(mut reader: FrameReader, pieces: &[&[u8]]) -> (Said, Option<&'static str>, bool) {
    let mut said = Said::default();
    for piece in pieces {
        reader.push(piece, &mut said);
    }
    // How much of a damaged message came out before the damage was seen depends on how it came.
    if reader.fault().is_some() && said.messages.last().is_some_and(|(_, _, whole)| !whole) {
        said.messages.pop();
    }
    (said, reader.fault(), reader.is_between())
}
