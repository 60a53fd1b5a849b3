//! JSON objects out of bytes cut anywhere: the elements of one array that is streamed. Per frame: an object that lies whole in its frame is not copied; only an unfinished one is kept, in a buffer that is reused and
//! small. An object that is longer passes in parts.

#[cfg(test)]
mod tests;

use memchr::{memchr2, memchr3};

use super::events::{Event, Events, HELD};

/// Splits a stream into objects. Between them blanks, commas and the brackets of one array may stand.
#[derive(Debug, Default)]
pub struct JsonValues {
    tail: Vec<u8>,
    state: State,
    /// Whether the objects stand in an array.
    array: bool,
    /// Whether the object under way passes in parts.
    long: bool,
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
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl Events) {
        let mut at = 0;
        while at < bytes.len() {
            if let State::Inside { depth, text } = self.state {
                let (used, next) = inside(&bytes[at..], depth, text);
                let end = at + used;
                match next {
                    Some((depth, text)) => {
                        self.state = State::Inside { depth, text };
                        self.keep(&bytes[at..end], sink);
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

    /// Bytes that are held: at most 16 KiB of an unfinished object.
    #[must_use]
    pub fn held(&self) -> usize {
        self.tail.len()
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

    /// Keeps bytes of an unfinished object, or hands them on where it is too long.
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
            return sink.event(Event { name: b"", data: last });
        }
        self.keep(last, sink);
        if std::mem::take(&mut self.long) {
            sink.end();
        } else {
            sink.event(Event { name: b"", data: &self.tail });
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
