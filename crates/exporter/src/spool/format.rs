//! How the spool looks on disk. A segment is a header and entries; each carries its length and its CRC32C, so that a file
//! which was cut or damaged anywhere gives up every entry that is whole.
//!
//! ```text
//! segment  magic 8 | version u16 | signal u8 | 0 u8 | made at u64 | crc u32
//! entry    mark 4 | body's length u32 | items u32 | calls u32 | written at u64 | schema u16 | signal u8 | 0 u8 | crc u32 | body
//! ```
//! Numbers are little-endian, times milliseconds since the epoch; a CRC covers what stands before it and the body. The body is an
//! encoded `Export…ServiceRequest`.

use memchr::memmem;

use crate::{SCHEMA_VERSION, Signal};

/// Version of this form.
pub(super) const VERSION: u16 = 1;
/// Length of a segment's header.
pub(super) const HEADER: usize = 24;
/// Length of what stands before an entry's body.
pub(super) const HEAD: usize = 32;
/// Longest body.
pub(super) const LONGEST: usize = 16 * 1024 * 1024;

const MAGIC: [u8; 8] = *b"ORSPOOL\n";
/// Begins an entry; 0xF5 stands in no text.
const MARK: [u8; 4] = [0xF5, b'O', b'R', b'E'];

/// What is known of an entry beside its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label {
    /// Spans or records in it.
    pub(crate) items: u32,
    /// Calls whose fate it decides.
    pub(crate) calls: u32,
    /// When it was written, in milliseconds since the epoch.
    pub(crate) at: u64,
}

/// What stands at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A whole entry.
    Entry {
        /// What is known of it.
        label: Label,
        /// The encoded request.
        body: &'a [u8],
        /// Where the next begins.
        end: usize,
    },
    /// Nothing that can be read, up to `end`.
    Broken {
        /// Where the next whole entry begins, or the file ends.
        end: usize,
    },
}

/// What a segment's header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// It is ours.
    Good,
    /// A newer version wrote it.
    Newer(u16),
    /// It cannot be read.
    Broken,
}

/// The header of a segment.
pub(super) fn header(signal: Signal, at: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[10] = signal as u8;
    bytes[12..20].copy_from_slice(&at.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..20]);
    bytes[20..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads the header at the beginning of a segment.
pub(super) fn read_header(bytes: &[u8], signal: Signal) -> Header {
    let Some(bytes) = bytes.get(..HEADER) else { return Header::Broken };
    if bytes[..8] != MAGIC || crc32c::crc32c(&bytes[..20]) != u32_at(bytes, 20) {
        return Header::Broken;
    }
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    match version {
        VERSION if bytes[10] == signal as u8 => Header::Good,
        0..=VERSION => Header::Broken,
        newer => Header::Newer(newer),
    }
}

/// An entry, ready to be written. The body is at most [`LONGEST`] bytes.
pub(super) fn entry(signal: Signal, label: Label, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.extend_from_slice(&MARK);
    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&label.items.to_le_bytes());
    bytes.extend_from_slice(&label.calls.to_le_bytes());
    bytes.extend_from_slice(&label.at.to_le_bytes());
    bytes.extend_from_slice(&u16::try_from(SCHEMA_VERSION).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(&[signal as u8, 0]);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes), body);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// What stands at `at`; nothing at the end. A damaged part ends where the next whole entry begins.
pub(super) fn read(bytes: &[u8], at: usize, signal: Signal) -> Option<Found<'_>> {
    if at >= bytes.len() {
        return None;
    }
    if let Some((label, body)) = entry_at(bytes, at, signal) {
        return Some(Found::Entry { label, body, end: at + HEAD + body.len() });
    }
    let mut from = at + 1;
    while let Some(found) = bytes.get(from..).and_then(|rest| memmem::find(rest, &MARK)) {
        if entry_at(bytes, from + found, signal).is_some() {
            return Some(Found::Broken { end: from + found });
        }
        from += found + 1;
    }
    Some(Found::Broken { end: bytes.len() })
}

fn entry_at(bytes: &[u8], at: usize, signal: Signal) -> Option<(Label, &[u8])> {
    let head = bytes.get(at..at + HEAD)?;
    let length = u32_at(head, 4) as usize;
    if head[..4] != MARK || head[26] != signal as u8 || length > LONGEST {
        return None;
    }
    let body = bytes.get(at + HEAD..at + HEAD + length)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head[..28]), body);
    let label = Label { items: u32_at(head, 8), calls: u32_at(head, 12), at: u64_at(head, 16) };
    (crc == u32_at(head, 28)).then_some((label, body))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}
