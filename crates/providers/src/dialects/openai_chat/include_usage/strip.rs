//! Takes out of a stream what `include_usage` put into it: the chunk that carries nothing but the usage, and the member
//! `"usage":null` of every other chunk. Per frame: a frame of whole events with nothing to take out passes as it came; one
//! that is changed is copied into a buffer that is used again as soon as the frames before it have left.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2;

use crate::dialects::marks;
use crate::members::{blanks, members};

/// An event longer than this passes as it is.
const LONGEST: usize = 1024 * 1024;
/// A buffer that one large event made bigger than this is given back.
const KEPT: usize = 16 * 1024;
/// No line begins here: that of an event which is let through began in an earlier frame.
const EARLIER: usize = usize::MAX;

/// One stream. It never fails: what it does not understand passes as it came.
#[derive(Debug, Default)]
pub struct UsageStrip {
    /// The unfinished event at the end of what came so far.
    held: BytesMut,
    /// What is left of a frame that is changed.
    out: BytesMut,
    /// Where the current line begins and how far it has been searched, counted from the event's first byte.
    line: usize,
    searched: usize,
    fields: Fields,
    after_cr: bool,
    /// The event before this one was taken out: the line feed of its last carriage return goes too.
    taken: bool,
    /// The event is too long and passes to its end.
    passing: bool,
}

/// What an event has been found to hold so far.
#[derive(Debug, Default, Clone)]
struct Fields {
    /// Its `data:` line, and what follows the colon.
    data: Option<(usize, Range<usize>)>,
    more_data: bool,
    comment: bool,
}

/// What is to be done with an event.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Keep,
    /// It carries nothing but the usage.
    Drop,
    /// These bytes go.
    Cut(Range<usize>),
}

/// A frame as far as it has been read.
struct Passage<'a> {
    buffer: &'a [u8],
    /// Up to here its bytes are in `out`, or taken out.
    settled: usize,
    changed: bool,
    out: &'a mut BytesMut,
}

impl Passage<'_> {
    fn take_out(&mut self, range: Range<usize>) {
        self.out.extend_from_slice(&self.buffer[self.settled..range.start]);
        self.settled = range.end;
        self.changed = true;
    }
}

impl UsageStrip {
    /// Takes the next bytes. What may go on now; nothing where an event has only begun.
    pub fn push(&mut self, frame: Bytes) -> Bytes {
        let mut out = std::mem::take(&mut self.out);
        let passed = if self.held.is_empty() {
            let (rest, changed) = self.scan(&frame, &mut out);
            self.held.extend_from_slice(&frame[rest..]);
            if changed { out.split().freeze() } else { frame.slice(..rest) }
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(&frame);
            let (rest, changed) = self.scan(&held, &mut out);
            if !changed {
                out.extend_from_slice(&held[..rest]);
            }
            held.advance(rest);
            if !held.is_empty() || held.capacity() <= KEPT {
                self.held = held;
            }
            out.split().freeze()
        };
        if out.capacity() <= KEPT {
            self.out = out;
        }
        passed
    }

    /// Nothing more comes. What is left of an event that was not ended.
    pub fn finish(&mut self) -> Bytes {
        let held = std::mem::take(&mut self.held);
        if self.searched > self.line {
            self.take_line(&held, self.line, held.len());
        }
        let fields = std::mem::take(&mut self.fields);
        match judge(&held, &fields) {
            Judgement::Keep => held.freeze(),
            Judgement::Drop => Bytes::new(),
            Judgement::Cut(range) => [&held[..range.start], &held[range.end..]].concat().into(),
        }
    }

    /// Whether nothing is held back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Reads on from where the last reading stopped. Where that begins which is to be held back, and whether anything was
    /// taken out; then everything before it is in `out`.
    fn scan(&mut self, buffer: &[u8], out: &mut BytesMut) -> (usize, bool) {
        let mut passage = Passage { buffer, settled: 0, changed: false, out };
        let mut event = 0;
        let mut line = self.line;
        let mut from = self.searched;
        loop {
            if self.after_cr {
                match buffer.get(from) {
                    None => break,
                    Some(b'\n') => {
                        // Between two events it ends the one before.
                        if from == event && !self.passing {
                            if self.taken {
                                passage.take_out(from..from + 1);
                            }
                            event += 1;
                        }
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
                self.end_event(&mut passage, event, end + 1);
                event = end + 1;
            } else if !self.passing {
                self.take_line(&buffer[event..], line - event, end - event);
            }
            line = end + 1;
            from = line;
        }
        if self.passing || buffer.len() - event > LONGEST {
            // It passes to its end, which is still looked for.
            self.passing = true;
            self.fields = Fields::default();
            event = buffer.len();
            self.line = if line == event { 0 } else { EARLIER };
            self.searched = 0;
        } else {
            self.line = line - event;
            self.searched = from - event;
        }
        if passage.changed {
            passage.out.extend_from_slice(&buffer[passage.settled..event]);
        }
        (event, passage.changed)
    }

    fn take_line(&mut self, event: &[u8], start: usize, end: usize) {
        let line = &event[start..end];
        match line.strip_prefix(b"data") {
            Some([] | [b':', ..]) if self.fields.data.is_some() => self.fields.more_data = true,
            Some([b':', b' ', ..]) => self.fields.data = Some((start, start + 6..end)),
            Some([b':', ..]) => self.fields.data = Some((start, start + 5..end)),
            Some(_) | None => self.fields.comment |= line.first() == Some(&b':'),
        }
    }

    fn end_event(&mut self, passage: &mut Passage<'_>, start: usize, end: usize) {
        let fields = std::mem::take(&mut self.fields);
        self.taken = false;
        if std::mem::replace(&mut self.passing, false) {
            return;
        }
        match judge(&passage.buffer[start..end], &fields) {
            Judgement::Keep => {}
            Judgement::Cut(range) => passage.take_out(start + range.start..start + range.end),
            Judgement::Drop => {
                self.taken = true;
                passage.take_out(start..end);
            }
        }
    }
}

/// What is to be done with an event. A comment in it is the provider's own sign of life and stays.
fn judge(event: &[u8], fields: &Fields) -> Judgement {
    let Some((line, data)) = fields.data.clone().filter(|_| !fields.more_data && event.len() <= LONGEST)
    else {
        return Judgement::Keep;
    };
    match judge_chunk(&event[data.clone()]) {
        Judgement::Cut(range) => Judgement::Cut(data.start + range.start..data.start + range.end),
        Judgement::Drop if fields.comment => {
            let next = match event.get(data.end..) {
                Some([b'\r', b'\n', ..]) => data.end + 2,
                Some([_, ..]) => data.end + 1,
                _ => data.end,
            };
            Judgement::Cut(line..next)
        }
        other => other,
    }
}

/// What is to be done with a chunk, which is JSON.
fn judge_chunk(data: &[u8]) -> Judgement {
    if !marks::USAGE.stands_in(data) {
        return Judgement::Keep;
    }
    let (mut usage, mut said) = (None, 0u32);
    let (mut no_choices, mut error) = (false, false);
    let end = members(data, |member| {
        let text = &data[member.value.clone()];
        match member.key {
            b"usage" => {
                usage = Some((member.whole.clone(), member.comma, text.first().copied()));
                said += 1;
            }
            b"choices" => no_choices = is_empty_list(text),
            b"error" => error = text != b"null",
            _ => {}
        }
    });
    // Said twice, nobody knows which of them is meant.
    let Some((whole, comma, first)) = usage.filter(|_| end.is_some() && said == 1) else {
        return Judgement::Keep;
    };
    match first {
        Some(b'{') if no_choices && !error => Judgement::Drop,
        Some(b'n') => Judgement::Cut(match comma {
            Some(comma) => comma..whole.end,
            // The first member takes the comma behind it along.
            None => match blanks(data, whole.end) {
                next if data.get(next) == Some(&b',') => whole.start..blanks(data, next + 1),
                _ => whole,
            },
        }),
        _ => Judgement::Keep,
    }
}

fn is_empty_list(text: &[u8]) -> bool {
    text.first() == Some(&b'[') && text.get(blanks(text, 1)) == Some(&b']')
}

#[cfg(test)]
#[path = "strip_tests.rs"]
mod tests;
