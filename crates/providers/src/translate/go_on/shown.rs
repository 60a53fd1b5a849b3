//! Follows what the app is shown of a streamed answer in its own format. Per frame of a stream that may be gone on with: it is read,
//! which allocates; the app gets whole events alone, so that nothing is half told when the stream dies.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use outrigger_pricing::TokenUsage;
use serde_json::{Map, Value};

use crate::canonical::{Asked, Begun, Body, Event, Piece, StreamReader};
use crate::framing::{self, Events, SseSplitter};
use crate::media::{Media, is_encoded, media};
use crate::{Dialect, FailureClass, ResponseMeter};

/// An event of which so much came is not held any longer.
const LONGEST: usize = 1024 * 1024;

/// What the app has been shown, as far as it is known.
pub struct Shown {
    dialect: &'static dyn Dialect,
    reader: Box<dyn StreamReader>,
    /// What the provider reported, and how it failed.
    meter: Option<Box<dyn ResponseMeter>>,
    splitter: SseSplitter,
    /// An event that has not come whole, or one that tells an error.
    held: BytesMut,
    /// Where in it the current line begins, and how far it has been searched.
    line: usize,
    searched: usize,
    begun: Begun,
    /// The part that is the text.
    open: Option<usize>,
    told: Told,
    usage: TokenUsage,
}

/// How far the answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// It is one text, as far as it came.
    Text,
    /// It was told whole, or its text was.
    Whole,
    /// The provider says that it failed; the event is held.
    Failed(FailureClass),
    /// It is not followed, for this reason.
    Lost(&'static str),
}

/// Whether what stands beside a text is nothing: members are there that say so.
fn has_nothing(rest: &Map<String, Value>) -> bool {
    let is_nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    rest.values().all(is_nothing)
}

/// Events of one piece of a stream.
#[derive(Default)]
struct Collected {
    whole: Vec<(String, Vec<u8>)>,
}

impl Events for Collected {
    fn event(&mut self, event: framing::Event<'_>) {
        self.begin(event.name);
        self.part(event.data);
    }

    fn begin(&mut self, name: &[u8]) {
        self.whole.push((String::from_utf8_lossy(name).into_owned(), Vec::new()));
    }

    fn part(&mut self, data: &[u8]) {
        if let Some((_, all)) = self.whole.last_mut() {
            all.extend_from_slice(data);
        }
    }

    fn end(&mut self) {}
}

impl Shown {
    /// For an answer with this head, in the app's format.
    ///
    /// # Errors
    /// It cannot be followed, in plain words.
    pub fn new(dialect: &'static dyn Dialect, headers: &HeaderMap) -> Result<Shown, &'static str> {
        let reader = dialect.canonical().ok_or("its format cannot be read")?;
        if media(headers) != Media::EventStream {
            return Err("it is no stream of server-sent events");
        }
        if is_encoded(headers) {
            return Err("it is encoded");
        }
        Ok(Shown {
            dialect,
            reader: reader.stream(),
            meter: Some(dialect.response_meter(StatusCode::OK, headers)),
            splitter: SseSplitter::default(),
            held: BytesMut::new(),
            line: 0,
            searched: 0,
            begun: Begun::default(),
            open: None,
            told: Told::Text,
            usage: TokenUsage::UNKNOWN,
        })
    }

    /// The next bytes: what of them, and of what was held, the app gets.
    pub fn push(&mut self, bytes: Bytes) -> Bytes {
        if self.held.is_empty() && !self.is_followed() {
            return bytes;
        }
        self.held.extend_from_slice(&bytes);
        let mut passed = 0;
        while self.is_followed()
            && let Some(end) = self.event_end()
        {
            self.read(passed, end);
            if !matches!(self.told, Told::Failed(_)) {
                passed = end;
            }
        }
        match self.told {
            Told::Failed(_) => {}
            Told::Lost(_) | Told::Whole => return self.rest(),
            Told::Text if self.held.len() - passed > LONGEST => {
                self.lose("an event of it is too long");
                return self.rest();
            }
            Told::Text => {}
        }
        let out = self.held.split_to(passed).freeze();
        (self.line, self.searched) = (self.line.saturating_sub(passed), self.searched.saturating_sub(passed));
        out
    }

    /// What is held. Nothing is followed any longer.
    pub fn rest(&mut self) -> Bytes {
        if self.is_followed() {
            self.lose("it was let go");
        }
        (self.line, self.searched) = (0, 0);
        self.held.split().freeze()
    }

    /// Gives up following it, for a reason in plain words.
    pub fn lose(&mut self, why: &'static str) {
        self.told = Told::Lost(why);
    }

    /// How the provider says that it failed, where it says so; the event is held.
    #[must_use]
    pub const fn failed(&self) -> Option<FailureClass> {
        match self.told {
            Told::Failed(class) => Some(class),
            _ => None,
        }
    }

    /// Whether it came to its end.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self.told, Told::Whole)
    }

    /// Bytes of its text.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.begun.text.len()
    }

    /// What there is to go on with, now that it died.
    ///
    /// # Errors
    /// It cannot be gone on with, in plain words.
    pub fn begun(&mut self) -> Result<(&Begun, TokenUsage), &'static str> {
        match self.told {
            Told::Lost(why) => Err(why),
            Told::Whole => Err("its text had been told whole"),
            Told::Text | Told::Failed(_) if self.open.is_none() => Err("nothing of its text had been told"),
            Told::Text | Told::Failed(_) if !self.is_resumable() => Err("its text had been told whole"),
            Told::Text | Told::Failed(_) => {
                if let Some(mut meter) = self.meter.take() {
                    self.usage = meter.finish().usage;
                }
                Ok((&self.begun, self.usage))
            }
        }
    }

    /// Whether more of the text can be said where it stands.
    fn is_resumable(&self) -> bool {
        let writer = self.dialect.answers();
        writer.and_then(|writer| writer.resumed(&Asked::default(), &self.begun)).is_some()
    }

    const fn is_followed(&self) -> bool {
        matches!(self.told, Told::Text)
    }

    /// Where the next event ends: behind a blank line.
    fn event_end(&mut self) -> Option<usize> {
        let held = &self.held[..];
        while let Some(byte) = held.get(self.searched) {
            let at = self.searched;
            let next = match (byte, held.get(at + 1)) {
                (b'\n', _) => at + 1,
                // Whether it is the whole of a line's end the next byte tells.
                (b'\r', None) => return None,
                (b'\r', Some(b'\n')) => at + 2,
                (b'\r', Some(_)) => at + 1,
                _ => {
                    self.searched += 1;
                    continue;
                }
            };
            let blank = at == self.line;
            (self.searched, self.line) = (next, next);
            if blank {
                return Some(next);
            }
        }
        None
    }

    /// Reads the event that lies there.
    fn read(&mut self, from: usize, to: usize) {
        let mut collected = Collected::default();
        let bytes = &self.held[from..to];
        self.splitter.push(bytes, &mut collected);
        if let Some(meter) = &mut self.meter {
            meter.chunk(bytes);
        }
        for (name, data) in collected.whole {
            let data = data.trim_ascii();
            if data == b"[DONE]" {
                self.told = Told::Whole;
            } else if !data.is_empty() {
                self.understand(&name, data);
            }
        }
    }

    fn understand(&mut self, name: &str, data: &[u8]) {
        let Ok(value) = serde_json::from_slice::<Value>(data) else {
            return self.lose("a part of it is no JSON");
        };
        let (mut events, length) = (Vec::new(), self.begun.text.len());
        if self.reader.event(name, value.clone(), &mut events).is_err() {
            return self.lose("a part of it could not be read");
        }
        // What stands beside an error, as in Responses all that was said, ends nothing.
        let failed = events.iter().position(|event| matches!(event, Event::Failed(_)));
        events.drain(..failed.unwrap_or(0));
        for event in events {
            self.event(event);
        }
        // An error is no part of what was told.
        if matches!(self.told, Told::Failed(_)) {
            return;
        }
        if self.begun.text.len() > length {
            self.begun.grown.clone_from(&value);
        }
        if self.begun.first.is_null() {
            self.begun.first.clone_from(&value);
        }
        self.begun.last = value;
    }

    fn event(&mut self, event: Event) {
        const MORE: &str = "it is more than one plain text";
        if !self.is_followed() {
            return;
        }
        match event {
            Event::Start { .. } => {}
            Event::Open { choice: 0, part, begun } => match begun.body {
                Body::Text(text)
                    if self.open.is_none() && begun.seal.is_none() && has_nothing(&begun.rest) =>
                {
                    self.open = Some(part);
                    self.begun.text.push_str(&text);
                }
                _ => self.lose(MORE),
            },
            Event::Grow { choice: 0, part, piece: Piece::Text(text) } if self.open == Some(part) => {
                self.begun.text.push_str(&text);
            }
            Event::Close { choice: 0, .. } | Event::Stop { choice: 0, .. } | Event::Done => {
                self.told = Told::Whole;
            }
            Event::Failed(_) => {
                let failure = self.meter.take().and_then(|mut meter| {
                    let reading = meter.finish();
                    self.usage = reading.usage;
                    reading.failure
                });
                self.told = Told::Failed(failure.map_or(FailureClass::Other, |failure| failure.class));
            }
            Event::Open { .. } | Event::Grow { .. } | Event::Close { .. } | Event::Stop { .. } => {
                self.lose(MORE)
            }
        }
    }
}
