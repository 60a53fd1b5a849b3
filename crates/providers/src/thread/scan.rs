//! The walk over a request body, cut anywhere. It stands before the scan for facts and hands on all but the values that it
//! reads itself, so that no byte is walked over twice.

use std::hash::Hasher as _;

use memchr::memchr;
use twox_hash::xxhash3_64::{DEFAULT_SECRET_LENGTH, RawHasher, SecretBuffer};

use super::kept::{Kept, Ring};
use super::members::{CACHE_MARK, Looking, Part, SLOTS};
use super::{Thread, id_hash};

type Hasher = RawHasher<&'static [u8; DEFAULT_SECRET_LENGTH]>;

fn hasher() -> Hasher {
    Hasher::new(SecretBuffer::default())
}

/// What is handed on in the place of a value that is read here.
const IN_ITS_PLACE: &[u8] = b"0";
/// Longest key that means something.
const KEY: usize = 24;
/// Longest value that is looked at: an id.
const VALUE: usize = 128;
/// Deeper than this no more is told of a body.
const DEEPEST: u32 = 64;

/// The scanner.
pub(crate) struct ThreadScan {
    state: State,
    /// Open containers, and which of them are objects.
    depth: u32,
    objects: u64,
    /// Whether a text that begins now is a key.
    key_comes: bool,
    part: Part,
    /// Whether the part's value has begun.
    inside: bool,
    hasher: Hasher,
    /// A comma that has been seen and not yet been hashed: what it leads to may have no part in the hash.
    comma: Comma,
    /// Inside a value that has no part in the hash, so many containers deep.
    left_out: Option<u32>,
    /// The first member of the object at this depth was left out: so is the comma behind it.
    first_left_out: Option<u32>,
    key: Kept<KEY>,
    key_hashed: bool,
    /// The value that is looked at.
    value: Kept<VALUE>,
    looking: Looking,
    /// The role of the message at hand is a system prompt's.
    is_system: bool,
    /// All messages so far are.
    leading: bool,
    slots: [Option<u64>; SLOTS],
    /// The messages before the first that is no system prompt.
    system: Option<u64>,
    messages: u32,
    too_deep: bool,
    histories: Ring,
    ids: Ring,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    Key {
        escaped: bool,
    },
    Text {
        escaped: bool,
    },
    /// A number or a literal.
    Bare,
    Done,
    /// No JSON object: nothing is said of it.
    Lost,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comma {
    None,
    /// It stands here in the bytes at hand.
    At(usize),
    /// It stood in bytes that are gone, or blanks follow it.
    Held,
}

/// The bytes at hand.
struct Read<'a> {
    bytes: &'a [u8],
    /// Up to here they have been hashed or handed on.
    from: usize,
    /// Where the key or the value that is looked at begins, if it began in these bytes.
    begun: Option<usize>,
    rest: &'a mut dyn FnMut(&[u8]),
}

impl ThreadScan {
    pub(crate) fn new() -> ThreadScan {
        ThreadScan {
            state: State::Between,
            depth: 0,
            objects: 0,
            key_comes: false,
            part: Part::None,
            inside: false,
            hasher: hasher(),
            comma: Comma::None,
            left_out: None,
            first_left_out: None,
            key: Kept::EMPTY,
            key_hashed: false,
            value: Kept::EMPTY,
            looking: Looking::No,
            is_system: false,
            leading: true,
            slots: [None; SLOTS],
            system: None,
            messages: 0,
            too_deep: false,
            histories: Ring::EMPTY,
            ids: Ring::EMPTY,
        }
    }

    /// Whether all of it has been seen, or nothing more can be.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Lost)
    }

    /// Takes the next bytes; `rest` gets them without the values that are read here.
    pub(crate) fn push(&mut self, bytes: &[u8], rest: &mut dyn FnMut(&[u8])) {
        let mut read = Read { bytes, from: 0, begun: None, rest };
        let mut at = 0;
        while at < bytes.len() {
            at = match self.state {
                State::Between => self.between(&mut read, at),
                State::Key { escaped } => self.text(&mut read, at, escaped, true),
                State::Text { escaped } => self.text(&mut read, at, escaped, false),
                State::Bare => self.bare(&mut read, at),
                State::Done | State::Lost => break,
            };
        }
        self.end_read(&mut read);
    }

    /// What was found; nothing of a body that was not seen to its end.
    pub(crate) fn thread(&self) -> Thread {
        if self.state != State::Done || self.too_deep {
            return Thread::default();
        }
        let mut histories = self.histories.latest();
        let history = histories.next();
        Thread {
            prompt: self.prompt(),
            history,
            messages: self.messages,
            earlier: histories.collect(),
            ids: self.ids.latest().collect(),
        }
    }

    fn prompt(&self) -> Option<u64> {
        let mut all = hasher();
        let mut any = false;
        for (slot, hash) in self.slots.into_iter().chain([self.system]).enumerate() {
            let Some(hash) = hash else { continue };
            any = true;
            all.write(&[slot as u8]);
            all.write(&hash.to_le_bytes());
        }
        any.then(|| all.finish())
    }

    /// One byte outside of texts. Returns where to go on.
    fn between(&mut self, read: &mut Read<'_>, at: usize) -> usize {
        let byte = read.bytes[at];
        match byte {
            b':' => self.settle_comma(),
            b' ' | b'\t' | b'\r' | b'\n' => self.blank(read, at),
            b',' => {
                self.key_comes = self.in_object();
                if self.is_hashed() {
                    if self.first_left_out == Some(self.depth) {
                        self.first_left_out = None;
                        read.from = at + 1;
                    } else {
                        self.settle_comma();
                        self.comma = Comma::At(at);
                    }
                }
            }
            b'{' | b'[' => {
                if self.depth == 0 && byte == b'[' {
                    self.state = State::Lost;
                    return at;
                }
                self.begin_value(read, at);
                if self.depth < DEEPEST {
                    let bit = 1 << self.depth;
                    self.objects = if byte == b'{' { self.objects | bit } else { self.objects & !bit };
                } else {
                    self.too_deep = true;
                }
                self.depth = self.depth.saturating_add(1);
                self.key_comes = byte == b'{' && self.in_object();
            }
            b'}' | b']' => {
                if self.first_left_out == Some(self.depth) {
                    self.first_left_out = None;
                }
                let Some(depth) = self.depth.checked_sub(1) else {
                    self.state = State::Lost;
                    return at;
                };
                self.depth = depth;
                self.settle_comma();
                self.end_value(read, at + 1);
            }
            b'"' if self.key_comes => {
                (self.key, self.key_hashed) = (Kept::EMPTY, false);
                read.begun = Some(at);
                self.state = State::Key { escaped: false };
            }
            _ if self.depth == 0 => {
                self.state = State::Lost;
                return at;
            }
            b'"' => {
                self.begin_value(read, at);
                self.value.clear();
                read.begun = Some(at + 1);
                self.state = State::Text { escaped: false };
            }
            _ => {
                self.begin_value(read, at);
                self.state = State::Bare;
            }
        }
        at + 1
    }

    const fn in_object(&self) -> bool {
        self.depth > 0 && self.depth <= DEEPEST && self.objects & (1 << (self.depth - 1)) != 0
    }

    const fn is_hashed(&self) -> bool {
        self.inside && self.left_out.is_none()
    }

    /// Hashes or hands on what comes before `end`.
    fn flush(&mut self, read: &mut Read<'_>, end: usize) {
        let bytes = read.bytes.get(read.from..end).unwrap_or_default();
        if !self.inside {
            if !bytes.is_empty() {
                (read.rest)(bytes);
            }
        } else if self.left_out.is_none() {
            self.hasher.write(bytes);
        }
        read.from = end;
    }

    /// Hashes what comes before a comma at hand, and holds the comma.
    fn hold_comma(&mut self, read: &mut Read<'_>) -> bool {
        if let Comma::At(comma) = self.comma {
            self.flush(read, comma);
            self.comma = Comma::Held;
        }
        self.comma == Comma::Held
    }

    /// What a comma led to has a part in the hash, and so has the comma.
    fn settle_comma(&mut self) {
        if self.is_hashed() && self.comma == Comma::Held {
            self.hasher.write(b",");
        }
        if self.left_out.is_none() {
            self.comma = Comma::None;
        }
    }

    /// A blank has no part in the hash.
    fn blank(&mut self, read: &mut Read<'_>, at: usize) {
        if self.is_hashed() {
            if !self.hold_comma(read) {
                self.flush(read, at);
            }
            read.from = at + 1;
        }
    }

    /// A text until its quote. Looks for quotes alone, since texts are full of other escapes.
    fn text(&mut self, read: &mut Read<'_>, at: usize, escaped: bool, is_key: bool) -> usize {
        /// Whether what ends at `end` leaves a backslash open.
        fn is_open(bytes: &[u8], end: usize, escaped: bool) -> bool {
            let run = bytes[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
            (run % 2 == 1) != (run == end && escaped)
        }
        let bytes = &read.bytes[at..];
        let mut from = 0;
        while let Some(quote) = memchr(b'"', &bytes[from..]) {
            let quote = from + quote;
            if is_open(bytes, quote, escaped) {
                from = quote + 1;
                continue;
            }
            let end = at + quote;
            if is_key {
                self.end_key(read, end)
            } else {
                self.end_text(read, end)
            }
            return end + 1;
        }
        let escaped = is_open(bytes, bytes.len(), escaped);
        self.state = if is_key { State::Key { escaped } } else { State::Text { escaped } };
        read.bytes.len()
    }

    fn end_key(&mut self, read: &mut Read<'_>, quote: usize) {
        self.key_comes = false;
        self.state = State::Between;
        let held = self.key.length;
        let begun = read.begun.take();
        self.key.push(&read.bytes[begun.map_or(0, |begun| begun + 1)..quote]);
        let whole = self.key;
        let key = whole.whole().unwrap_or_default();
        if !self.inside {
            if self.depth == 1 {
                self.part = Part::of(key);
            }
            return;
        }
        if self.left_out.is_some() {
            return;
        }
        if key == CACHE_MARK {
            if self.comma == Comma::None {
                self.first_left_out = Some(self.depth);
                if let Some(begun) = begun {
                    self.flush(read, begun);
                }
            } else {
                self.hold_comma(read);
                self.comma = Comma::None;
            }
            self.left_out = Some(self.depth);
            return;
        }
        self.looking = if self.part == Part::Messages { Looking::at(key, self.depth) } else { Looking::No };
        self.settle_comma();
        self.hash_held_key(held);
    }

    /// The part of a key that came before the bytes at hand.
    fn hash_held_key(&mut self, held: usize) {
        if self.key.began_before && !self.key_hashed {
            let bytes = self.key.bytes;
            self.hasher.write(b"\"");
            self.hasher.write(&bytes[..held]);
        }
    }

    fn end_text(&mut self, read: &mut Read<'_>, quote: usize) {
        let begun = read.begun.take();
        if self.looking != Looking::No {
            let last = &read.bytes[begun.unwrap_or(0)..quote];
            self.value.push(last);
            match (std::mem::replace(&mut self.looking, Looking::No), self.value.whole()) {
                (Looking::Id, Some(id)) if !id.is_empty() => self.ids.push(id_hash(id)),
                (Looking::Role, role) => self.is_system = matches!(role, Some(b"system" | b"developer")),
                _ => {}
            }
        }
        self.state = State::Between;
        self.end_value(read, quote + 1);
    }

    fn bare(&mut self, read: &mut Read<'_>, at: usize) -> usize {
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
        let Some(length) = read.bytes[at..].iter().position(ends) else { return read.bytes.len() };
        self.state = State::Between;
        self.end_value(read, at + length);
        at + length
    }

    fn begin_value(&mut self, read: &mut Read<'_>, at: usize) {
        self.key_comes = false;
        if self.depth == 1 && !self.inside && self.part != Part::None {
            self.flush(read, at);
            (read.rest)(IN_ITS_PLACE);
            self.inside = true;
            self.comma = Comma::None;
            self.hasher = hasher();
            if self.part == Part::Messages {
                (self.messages, self.leading, self.system) = (0, true, None);
                (self.histories, self.ids) = (Ring::EMPTY, Ring::EMPTY);
            }
        }
        self.settle_comma();
        if self.depth == 2 {
            self.is_system = false;
        }
    }

    /// A value ends before `end`.
    fn end_value(&mut self, read: &mut Read<'_>, end: usize) {
        self.key_comes = false;
        if !self.inside {
            if self.depth == 0 {
                self.state = State::Done;
            }
            return;
        }
        if self.left_out == Some(self.depth) {
            self.left_out = None;
            read.from = end;
        }
        match (self.depth, self.part) {
            (1, Part::Prompt(slot)) => {
                self.flush(read, end);
                self.slots[slot] = Some(self.hasher.finish());
                (self.part, self.inside) = (Part::None, false);
            }
            (1, _) => {
                self.flush(read, end);
                // A text in the place of a list is one message.
                if self.messages == 0 {
                    self.end_message();
                }
                (self.part, self.inside) = (Part::None, false);
            }
            (2, Part::Messages) if !self.in_object() => {
                self.flush(read, end);
                self.end_message();
            }
            _ => {}
        }
    }

    fn end_message(&mut self) {
        let history = self.hasher.finish();
        self.messages = self.messages.saturating_add(1);
        self.histories.push(history);
        self.leading &= self.is_system;
        if self.leading {
            self.system = Some(history);
        }
    }

    /// The bytes at hand go: what depends on the next ones is kept.
    fn end_read(&mut self, read: &mut Read<'_>) {
        let end = read.bytes.len();
        let in_key = matches!(self.state, State::Key { .. });
        if in_key || self.looking != Looking::No {
            let begun = read.begun.map(|begun| begun + usize::from(in_key));
            let part = &read.bytes[begun.unwrap_or(0).min(end)..];
            if in_key {
                self.keep_key(read, part.len());
            } else if matches!(self.state, State::Text { .. }) {
                self.value.push(part);
            }
        }
        let waits = in_key && !self.key_hashed;
        if !self.is_hashed() || (!waits && !self.hold_comma(read)) {
            self.flush(read, end);
        }
    }

    /// Keeps the last `length` bytes as a key's. It is hashed when it is whole, or too long to mean anything.
    fn keep_key(&mut self, read: &mut Read<'_>, length: usize) {
        let end = read.bytes.len();
        let held = self.key.length;
        let fits = self.key.push(&read.bytes[end - length..]);
        let began_here = read.begun.is_some();
        if self.is_hashed() && !self.key_hashed {
            if !self.hold_comma(read) && began_here {
                self.flush(read, end - length - 1);
            }
            if !fits {
                self.settle_comma();
                if began_here {
                    self.hasher.write(b"\"");
                } else {
                    self.hash_held_key(held);
                }
                self.hasher.write(&read.bytes[end - length..]);
                self.key_hashed = true;
            }
            read.from = end;
        }
        self.key.began_before = true;
    }
}
