//! Server-sent events out of bytes cut anywhere. Per frame: an event that lies whole in its frame is not copied; only an
//! unfinished one is kept, in a buffer that is reused and small. An event that is longer passes in parts.

mod long;
#[cfg(test)]
mod tests;

use memchr::memchr2;

use self::long::Long;
use super::events::{Event, Events, HELD};

const BOM: &[u8] = b"\xef\xbb\xbf";

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
    /// The event that passes in parts.
    long: Option<Box<Long>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Fields {
    name: Option<(usize, usize)>,
    data: Option<(usize, usize)>,
    joined: bool,
}

impl SseSplitter {
    /// Takes the next bytes and hands every event that is now whole to `sink`.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut impl Events) {
        while !bytes.is_empty() {
            bytes = if self.long.is_some() {
                self.pass(bytes, sink)
            } else if self.tail.is_empty() {
                let ended = self.scan(bytes, sink);
                self.rest(&bytes[ended..], sink)
            } else {
                self.continued(bytes, sink)
            };
        }
    }

    /// Bytes that are held: at most 16 KiB of an unfinished event, and as many of its lines of data.
    #[must_use]
    pub fn held(&self) -> usize {
        self.tail.len() + self.joined.len()
    }

    /// Keeps an unfinished event, or lets it pass. Returns what is left of the frame.
    fn rest<'b>(&mut self, bytes: &'b [u8], sink: &mut impl Events) -> &'b [u8] {
        if bytes.len() > HELD {
            return self.begin_long(bytes, sink);
        }
        self.tail.extend_from_slice(bytes);
        &[]
    }

    /// Fills up the event that earlier frames began. Returns what is left of the frame.
    fn continued<'b>(&mut self, bytes: &'b [u8], sink: &mut impl Events) -> &'b [u8] {
        let mut buffer = std::mem::take(&mut self.tail);
        let held = buffer.len();
        let now = bytes.len().min(HELD);
        buffer.extend_from_slice(&bytes[..now]);
        let ended = self.scan(&buffer, sink);
        let left = if ended > 0 {
            // The next event is read from the frame itself.
            &bytes[ended - held..]
        } else if buffer.len() > HELD {
            let left = self.begin_long(&buffer, sink).len();
            &bytes[now - left..]
        } else {
            self.tail = buffer;
            return &[];
        };
        buffer.clear();
        self.tail = buffer;
        left
    }

    /// Scans from where the last scan stopped. Returns where the unfinished event begins.
    fn scan(&mut self, buffer: &[u8], sink: &mut impl Events) -> usize {
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
            if end - event > HELD {
                // Too long to be held: from this line on it passes in parts.
                from = line;
                break;
            }
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

    fn dispatch(&mut self, event: &[u8], sink: &mut impl Events) {
        let fields = std::mem::take(&mut self.fields);
        self.started = true;
        let Some((first, last)) = fields.data else { return };
        let data = if fields.joined { &self.joined } else { &event[first..last] };
        sink.event(Event { name: fields.name.map_or(b"", |(from, to)| &event[from..to]), data });
    }
}
