//! AWS event-stream messages out of bytes cut anywhere (`application/vnd.amazon.eventstream`). Per frame: a message that
//! lies whole in its frame is not copied; only an unfinished one is kept, in a buffer that is reused and bounded. Both
//! checksums are held: what does not fit them is not read, and nothing behind it.

/// A message longer than this is skipped, and the skip is counted.
const LONGEST: usize = 1024 * 1024;
/// A tail buffer that one large message made bigger than this is given back.
const KEPT: usize = 16 * 1024;
/// Total length, headers' length, their checksum.
const PRELUDE: usize = 12;
/// The checksum at the end.
const TRAILER: usize = 4;

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct EventStreamMessage<'a> {
    headers: &'a [u8],
    /// What it carries.
    pub payload: &'a [u8],
}

/// Writes a message: `kind` is `event` or `exception`, `name` which one, the payload JSON. What is longer than the format can
/// say is not written.
pub(crate) fn write_message(kind: &str, name: &str, payload: &[u8], out: &mut Vec<u8>) {
    let mut headers = Vec::new();
    let named = [":", kind, "-type"].concat();
    for (header, value) in
        [(named.as_str(), name), (":content-type", "application/json"), (":message-type", kind)]
    {
        let (Ok(length), Ok(size)) = (u8::try_from(header.len()), u16::try_from(value.len())) else { return };
        headers.push(length);
        headers.extend_from_slice(header.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&size.to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(PRELUDE + headers.len() + payload.len() + TRAILER);
    let (Ok(total), Ok(size)) = (total, u32::try_from(headers.len())) else { return };
    let start = out.len();
    out.extend_from_slice(&total.to_be_bytes());
    out.extend_from_slice(&size.to_be_bytes());
    let checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload);
    let checksum = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&checksum.to_be_bytes());
}

/// Splits a stream into messages.
#[derive(Debug, Default)]
pub struct EventStreamSplitter {
    tail: Vec<u8>,
    /// Bytes of a message that is too long, still to come.
    skip: usize,
    skipped: u32,
    broken: Option<&'static str>,
}

impl<'a> EventStreamMessage<'a> {
    /// A header of type string, such as `:event-type`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.headers;
        loop {
            let (length, after) = rest.split_first()?;
            let (found, after) = after.split_at_checked(usize::from(*length))?;
            let (kind, after) = after.split_first()?;
            let sized = |after: &[u8]| Some(2 + usize::from(u16::from_be_bytes(*after.first_chunk::<2>()?)));
            let size = match kind {
                0 | 1 => 0,
                2 => 1,
                3 => 2,
                4 => 4,
                5 | 8 => 8,
                6 | 7 => sized(after)?,
                9 => 16,
                _ => return None,
            };
            let (value, after) = after.split_at_checked(size)?;
            if *kind == 7 && found == name.as_bytes() {
                return std::str::from_utf8(value.get(2..)?).ok();
            }
            rest = after;
        }
    }
}

/// What the first bytes of a message say of its length.
struct Prelude {
    total: usize,
    headers: usize,
}

impl Prelude {
    fn read(bytes: &[u8; PRELUDE]) -> Result<Prelude, &'static str> {
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if crc32fast::hash(&bytes[..8]) != word(8) {
            return Err("a message's head does not fit its checksum");
        }
        let (total, headers) = (word(0) as usize, word(4) as usize);
        match total.checked_sub(PRELUDE + TRAILER) {
            Some(room) if headers <= room => Ok(Prelude { total, headers }),
            _ => Err("a message is shorter than it says"),
        }
    }
}

impl EventStreamSplitter {
    /// Takes the next bytes and hands every message that is now whole to `sink`.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(EventStreamMessage<'_>)) {
        while !bytes.is_empty() && self.broken.is_none() {
            if self.skip > 0 {
                let used = self.skip.min(bytes.len());
                self.skip -= used;
                bytes = &bytes[used..];
            } else if self.tail.is_empty() {
                bytes = self.whole(bytes, sink);
            } else {
                bytes = self.continued(bytes, sink);
            }
        }
    }

    /// Messages that were longer than the bound.
    #[must_use]
    pub const fn skipped(&self) -> u32 {
        self.skipped
    }

    /// Why reading stopped, if it did.
    #[must_use]
    pub const fn broken(&self) -> Option<&'static str> {
        self.broken
    }

    /// Reads from the frame itself. Returns what is left of it.
    fn whole<'b>(&mut self, bytes: &'b [u8], sink: &mut impl FnMut(EventStreamMessage<'_>)) -> &'b [u8] {
        let Some(prelude) = bytes.first_chunk::<PRELUDE>() else {
            self.tail.extend_from_slice(bytes);
            return &[];
        };
        match self.prelude(prelude) {
            None => &bytes[..0],
            Some(prelude) if prelude.total > LONGEST => {
                self.skip_message(prelude.total);
                bytes
            }
            Some(prelude) => match bytes.split_at_checked(prelude.total) {
                Some((message, rest)) => {
                    self.dispatch(message, &prelude, sink);
                    rest
                }
                None => {
                    self.tail.extend_from_slice(bytes);
                    &[]
                }
            },
        }
    }

    /// Fills up the message that earlier frames began. Returns what is left of the frame.
    fn continued<'b>(&mut self, bytes: &'b [u8], sink: &mut impl FnMut(EventStreamMessage<'_>)) -> &'b [u8] {
        let Some(prelude) = self.tail.first_chunk::<PRELUDE>().copied() else {
            let missing = (PRELUDE - self.tail.len()).min(bytes.len());
            self.tail.extend_from_slice(&bytes[..missing]);
            // A prelude that is whole now is looked at before more is kept.
            if let Some(prelude) = self.tail.first_chunk::<PRELUDE>().copied()
                && let Some(prelude) = self.prelude(&prelude)
                && prelude.total > LONGEST
            {
                self.tail.clear();
                self.skip_message(prelude.total - PRELUDE);
            }
            return &bytes[missing..];
        };
        let Some(prelude) = self.prelude(&prelude) else { return &bytes[..0] };
        let missing = prelude.total.saturating_sub(self.tail.len()).min(bytes.len());
        self.tail.extend_from_slice(&bytes[..missing]);
        if self.tail.len() == prelude.total {
            let message = std::mem::take(&mut self.tail);
            self.dispatch(&message, &prelude, sink);
            if message.capacity() <= KEPT {
                self.tail = message;
                self.tail.clear();
            }
        }
        &bytes[missing..]
    }

    fn prelude(&mut self, bytes: &[u8; PRELUDE]) -> Option<Prelude> {
        Prelude::read(bytes).map_err(|reason| self.broken = Some(reason)).ok()
    }

    fn skip_message(&mut self, rest: usize) {
        self.skip = rest;
        self.skipped = self.skipped.saturating_add(1);
    }

    fn dispatch(&mut self, message: &[u8], prelude: &Prelude, sink: &mut impl FnMut(EventStreamMessage<'_>)) {
        let (body, trailer) = message.split_at(prelude.total - TRAILER);
        if crc32fast::hash(body).to_be_bytes() != trailer {
            self.broken = Some("a message does not fit its checksum");
            return;
        }
        let (headers, payload) = body[PRELUDE..].split_at(prelude.headers);
        sink(EventStreamMessage { headers, payload });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut written = Vec::new();
        // Headers of other types stand before those that are read.
        written.extend([3, b'n', b'u', b'm', 4, 0, 0, 0, 7, 2, b'o', b'k', 0, 2, b'i', b'd', 9]);
        written.extend([0; 16]);
        for (name, value) in headers {
            written.push(name.len() as u8);
            written.extend(name.as_bytes());
            written.push(7);
            written.extend((value.len() as u16).to_be_bytes());
            written.extend(value.as_bytes());
        }
        let total = (PRELUDE + written.len() + payload.len() + TRAILER) as u32;
        let mut bytes = total.to_be_bytes().to_vec();
        bytes.extend((written.len() as u32).to_be_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes.extend(&written);
        bytes.extend(payload);
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes
    }

    fn split(pieces: &[&[u8]]) -> (Vec<(String, String)>, EventStreamSplitter) {
        let mut splitter = EventStreamSplitter::default();
        let mut found = Vec::new();
        for piece in pieces {
            splitter.push(piece, &mut |message: EventStreamMessage<'_>| {
                let payload = String::from_utf8_lossy(message.payload).into_owned();
                found.push((message.header(":event-type").unwrap_or("none").to_owned(), payload));
            });
        }
        (found, splitter)
    }

    fn stream() -> Vec<u8> {
        [
            message(&[(":message-type", "event"), (":event-type", "messageStart")], b"{}"),
            message(&[], b""),
            message(&[(":event-type", "metadata")], "{\"é\":1}".as_bytes()),
        ]
        .concat()
    }

    fn expected() -> Vec<(String, String)> {
        [("messageStart", "{}"), ("none", ""), ("metadata", "{\"é\":1}")]
            .map(|(name, payload)| (name.to_owned(), payload.to_owned()))
            .to_vec()
    }

    #[test]
    fn a_cut_at_any_two_bytes_changes_nothing() {
        let bytes = stream();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let (found, splitter) = split(&[&bytes[..first], &bytes[first..second], &bytes[second..]]);
                assert_eq!(found, expected(), "cut at {first} and {second}");
                assert_eq!(splitter.broken(), None);
            }
        }
        assert_eq!(split(&bytes.chunks(1).collect::<Vec<_>>()).0, expected());
    }

    #[test]
    fn a_byte_that_was_changed_ends_the_reading_and_is_told() {
        let bytes = stream();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x20;
            let (found, splitter) = split(&[&damaged]);
            assert!(splitter.broken().is_some(), "byte {at}");
            assert!(expected().starts_with(&found), "byte {at}: {found:?}");
        }
    }

    #[test]
    fn a_message_beyond_the_bound_is_skipped_and_the_next_is_read() {
        let long = message(&[(":event-type", "long")], &vec![b'x'; 3 * LONGEST]);
        for size in [7, 4096, 10 * LONGEST] {
            let bytes = [&long[..], &stream()].concat();
            let mut splitter = EventStreamSplitter::default();
            let mut count = 0;
            for piece in bytes.chunks(size) {
                splitter.push(piece, &mut |_| count += 1);
                assert!(splitter.tail.len() <= LONGEST);
            }
            assert_eq!((count, splitter.skipped(), splitter.broken()), (3, 1, None));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1usize..30) {
            let whole = split(&[&bytes]).1.broken();
            let pieces = split(&bytes.chunks(size).collect::<Vec<_>>()).1.broken();
            prop_assert_eq!(whole, pieces);
        }

        #[test]
        fn headers_of_any_bytes_are_looked_through(headers in prop::collection::vec(any::<u8>(), 0..60)) {
            let message = EventStreamMessage { headers: &headers, payload: b"" };
            let _found = message.header(":event-type");
        }
    }
}
