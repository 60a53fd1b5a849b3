//! The bodies of a call, kept for who asked for content: encoded as they passed, within bounds, and read later by another
//! thread. Per chunk: one copy, and nothing at all where nobody asked.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use outrigger_providers::canonical::{Answer, Framed, Reader, Request, answer_from, request_from};

use crate::call::{AWS_EVENTS, EVENTS, comes_as};
use crate::decode::{Consumer, Decoder};
use crate::guard::guarded;

/// Bytes that are kept of one call at most, both bodies together, as they passed.
pub const OF_ONE_CALL: usize = 256 * 1024;
/// Bytes that are decoded of one body at most.
const DECODED: usize = 4 * OF_ONE_CALL;
const FIRST: usize = 4096;

/// How much memory all captured bodies of a process may take together.
#[derive(Debug)]
pub struct Room {
    limit: usize,
    used: AtomicUsize,
}

impl Room {
    /// So many bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Room {
        Room { limit, used: AtomicUsize::new(0) }
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Why a body is not there, or not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    TooLong,
    NoRoom,
}

/// One body as it passed.
#[derive(Debug, PartialEq, Eq)]
struct Body {
    /// Its content coding alone.
    coding: HeaderMap,
    bytes: Vec<u8>,
    /// Taken of the room.
    taken: usize,
    lack: Option<Lack>,
}

impl Body {
    fn new(headers: &HeaderMap) -> Body {
        let codings = headers.get_all(CONTENT_ENCODING).iter();
        let coding = codings.map(|value| (CONTENT_ENCODING, value.clone())).collect();
        Body { coding, bytes: Vec::new(), taken: 0, lack: None }
    }

    /// Keeps the next bytes, `most` of the whole body at most.
    fn push(&mut self, bytes: &[u8], most: usize, room: &Room) {
        let length = self.bytes.len() + bytes.len();
        if self.lack.is_some() {
            return;
        }
        if length > most {
            self.lack = Some(Lack::TooLong);
            return;
        }
        if length > self.taken {
            let grown = length.max(self.taken * 2).max(FIRST).min(most);
            if !room.take(grown - self.taken) {
                self.lack = Some(Lack::NoRoom);
                return;
            }
            self.taken = grown;
            self.bytes.reserve_exact(grown - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Lets go what was kept, and gives the room back.
    fn clear(&mut self, room: &Room) {
        self.bytes = Vec::new();
        room.give_back(std::mem::take(&mut self.taken));
    }

    /// The body decoded, and whether it is all there.
    fn decoded(&self) -> (Vec<u8>, bool) {
        let mut decoder = Decoder::new(&self.coding, Kept::default());
        decoder.push(&self.bytes);
        let is_whole = decoder.is_whole();
        let kept = decoder.consumer().map(std::mem::take).unwrap_or_default();
        (kept.bytes, is_whole && !kept.cut)
    }
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    cut: bool,
}

impl Consumer for Kept {
    fn take(&mut self, bytes: &[u8]) {
        let left = DECODED.saturating_sub(self.bytes.len());
        self.cut |= bytes.len() > left;
        self.bytes.extend_from_slice(bytes.get(..left).unwrap_or(bytes));
    }
}

/// The bodies of one call. Shows nothing of them when it is printed.
pub struct Captured {
    reader: &'static dyn Reader,
    room: Arc<Room>,
    request: Body,
    response: Option<(Framed, Body)>,
    /// What reads the answer.
    answer_reader: &'static dyn Reader,
}

/// What was read of them.
#[derive(Debug, Default)]
pub struct Conversation {
    /// The request.
    pub request: Option<Request>,
    /// The answer, as far as it came.
    pub answer: Option<Answer>,
    /// What is missing: `request` or `response` and why (`too_long`, `no_room`, `unread`).
    pub lacks: Vec<&'static str>,
}

impl Captured {
    pub(crate) fn new(reader: &'static dyn Reader, headers: &HeaderMap, room: &Arc<Room>) -> Captured {
        Captured {
            reader,
            room: Arc::clone(room),
            request: Body::new(headers),
            response: None,
            answer_reader: reader,
        }
    }

    pub(crate) fn request_chunk(&mut self, bytes: &[u8]) {
        self.request.push(bytes, OF_ONE_CALL, &self.room);
        if self.request.lack.is_some() {
            // A part of a request cannot be read; of an answer what came first can.
            self.request.clear(&self.room);
        }
    }

    /// A response begins; what came of an earlier one is let go.
    pub(crate) fn response_head(&mut self, headers: &HeaderMap, reader: Option<&'static dyn Reader>) {
        self.answer_reader = reader.unwrap_or(self.reader);
        if let Some((_, earlier)) = &mut self.response {
            earlier.clear(&self.room);
        }
        self.response = Some((framed(headers), Body::new(headers)));
    }

    pub(crate) fn response_chunk(&mut self, bytes: &[u8]) {
        let Some((_, body)) = &mut self.response else { return };
        body.push(bytes, OF_ONE_CALL.saturating_sub(self.request.bytes.len()), &self.room);
    }

    /// Reads what was kept. Takes up to some milliseconds: not for a thread that carries traffic.
    #[must_use]
    pub fn read(&self) -> Conversation {
        let mut read = Conversation::default();
        match self.request.lack {
            Some(Lack::TooLong) => read.lacks.push("request too_long"),
            Some(Lack::NoRoom) => read.lacks.push("request no_room"),
            None => {
                let request = || request_from(self.reader, &self.request.decoded().0).ok();
                read.request = guarded(request).flatten();
                if read.request.is_none() {
                    read.lacks.push("request unread");
                }
            }
        }
        let Some((framed, body)) = &self.response else { return read };
        let whole = guarded(|| {
            let (bytes, whole) = body.decoded();
            let read = answer_from(self.answer_reader, *framed, &bytes);
            (read.answer, whole && read.fault.is_none())
        });
        match (body.lack, &whole) {
            (Some(Lack::TooLong), _) => read.lacks.push("response too_long"),
            (Some(Lack::NoRoom), _) => read.lacks.push("response no_room"),
            (None, Some((_, true))) => {}
            (None, _) => read.lacks.push("response unread"),
        }
        read.answer = whole.map(|(answer, _)| answer);
        read
    }
}

fn framed(headers: &HeaderMap) -> Framed {
    if comes_as(headers, EVENTS) {
        Framed::Events
    } else if comes_as(headers, AWS_EVENTS) {
        Framed::AwsMessages
    } else {
        Framed::Whole
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        let response = self.response.as_ref().map_or(0, |(_, body)| body.taken);
        self.room.give_back(self.request.taken + response);
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let response = self.response.as_ref().map(|(_, body)| body.bytes.len());
        f.debug_struct("Captured")
            .field("request_bytes", &self.request.bytes.len())
            .field("response_bytes", &response)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Captured {
    fn eq(&self, other: &Captured) -> bool {
        (&self.request, &self.response) == (&other.request, &other.response)
    }
}
