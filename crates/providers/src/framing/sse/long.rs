//! An event that is too long to be held, handed on as it passes. Per frame: no allocation, no copy.

use memchr::memchr2;

use super::{BOM, SseSplitter};
use crate::framing::events::Events;

/// Where in an event the next byte stands.
#[derive(Debug)]
pub(super) struct Long {
    name: Vec<u8>,
    line: Line,
    /// Whether it has any data so far.
    begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// So many bytes of it are those of a field of data.
    Field(usize),
    /// A blank may stand here.
    Colon,
    Data,
    Other,
}

const FIELD: &[u8] = b"data:";
/// A line of data without a value may do without the colon.
const BARE: Line = Line::Field(FIELD.len() - 1);
/// Longest name that is kept.
const NAME: usize = 256;

impl SseSplitter {
    /// An unfinished event has become too long. Returns what is left behind its end, if that is there already.
    pub(super) fn begin_long<'b>(&mut self, event: &'b [u8], sink: &mut impl Events) -> &'b [u8] {
        let fields = std::mem::take(&mut self.fields);
        let name = fields.name.map_or(&b""[..], |(from, to)| &event[from..to.min(from + NAME)]);
        let mut long = Box::new(Long { name: name.to_vec(), line: Line::Field(0), begun: false });
        if let Some((first, last)) = fields.data {
            long.line_of_data(sink);
            sink.part(if fields.joined { &self.joined } else { &event[first..last] });
            self.joined = Vec::new();
        }
        self.long = Some(long);
        let line = std::mem::take(&mut self.line);
        self.searched = 0;
        let rest = &event[line..];
        let first = !std::mem::replace(&mut self.started, true);
        self.pass(rest.strip_prefix(BOM).filter(|_| first).unwrap_or(rest), sink)
    }

    /// Hands on bytes of a long event. Returns what is left behind its end.
    pub(super) fn pass<'b>(&mut self, mut bytes: &'b [u8], sink: &mut impl Events) -> &'b [u8] {
        let Some(long) = &mut self.long else { return bytes };
        while let Some(first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = memchr2(b'\n', b'\r', bytes);
            long.part(&bytes[..end.unwrap_or(bytes.len())], sink);
            let Some(end) = end else { return &[] };
            self.after_cr = bytes[end] == b'\r';
            let blank = end == 0 && long.line == Line::Field(0);
            bytes = &bytes[end + 1..];
            if blank {
                if long.begun {
                    sink.end();
                }
                self.long = None;
                return bytes;
            }
            long.end_line(sink);
        }
        bytes
    }
}

impl Long {
    /// Bytes of one line.
    fn part(&mut self, mut bytes: &[u8], sink: &mut impl Events) {
        while let Some(first) = bytes.first() {
            match self.line {
                Line::Field(at) => {
                    let fits = FIELD.get(at) == Some(first);
                    self.line = match at + 1 {
                        _ if !fits => Line::Other,
                        next if next == FIELD.len() => {
                            self.line_of_data(sink);
                            Line::Colon
                        }
                        next => Line::Field(next),
                    };
                    bytes = &bytes[1..];
                }
                Line::Colon => {
                    self.line = Line::Data;
                    bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
                }
                Line::Data => return sink.part(bytes),
                Line::Other => return,
            }
        }
    }

    fn end_line(&mut self, sink: &mut impl Events) {
        if self.line == BARE {
            self.line_of_data(sink);
        }
        self.line = Line::Field(0);
    }

    /// Lines of data are joined by line feeds.
    fn line_of_data(&mut self, sink: &mut impl Events) {
        if std::mem::replace(&mut self.begun, true) {
            sink.part(b"\n");
        } else {
            sink.begin(&self.name);
        }
    }
}
