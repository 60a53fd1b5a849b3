//! Tells what an answer says from signs of life, in server-sent events cut anywhere. Per frame: its line ends are searched and the
//! first bytes of each line kept; no allocation.

use http::HeaderMap;
use memchr::memchr2;

use crate::media::{Media, is_encoded, media};

/// Bytes that tell what a line is, white space left out.
const START: usize = 24;
/// Events that say nothing, by their name; and by their data, where they have none.
const NAMES: [&[u8]; 3] = [b"ping", b"keepalive", b"keep-alive"];
const DATA: [&[u8]; 2] = [br#"{"type":"ping""#, br#"{"type":"keepalive""#];

/// Watches one stream of server-sent events for frames that hold signs of life alone: comments, pings, blank lines.
#[derive(Debug, Clone, Copy)]
pub struct KeepAlives {
    start: [u8; START],
    held: usize,
    line: Line,
    /// Whether the event's name says that it says nothing.
    is_named: bool,
    after_cr: bool,
}

/// What the line is that the last frame ended in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Not known yet.
    Begun,
    /// It has content.
    Says,
    /// It has none.
    Idle,
}

impl KeepAlives {
    /// For an answer with these headers; `None` where each of its frames has to be taken for content: other framings have no signs of
    /// life, and what is compressed is not looked into.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<KeepAlives> {
        let new =
            KeepAlives { start: [0; START], held: 0, line: Line::Begun, is_named: false, after_cr: false };
        (media(headers) == Media::EventStream && !is_encoded(headers)).then_some(new)
    }

    /// Whether content is in the next bytes. A line of which less has come than tells what it is counts with the bytes that do.
    pub fn says(&mut self, mut bytes: &[u8]) -> bool {
        let mut says = false;
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while !bytes.is_empty() {
            let end = memchr2(b'\n', b'\r', bytes);
            self.begin(&bytes[..end.unwrap_or(bytes.len())]);
            let Some(end) = end else { return says || self.line == Line::Says };
            if self.line == Line::Begun {
                self.line = self.kind();
            }
            says |= self.line == Line::Says;
            (self.line, self.held) = (Line::Begun, 0);
            self.after_cr = bytes[end..] == *b"\r";
            let length = if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
            bytes = &bytes[end + length..];
        }
        says
    }

    /// More of a line.
    fn begin(&mut self, part: &[u8]) {
        if self.line != Line::Begun {
            return;
        }
        if self.held == 0 && !self.is_named && plainly_says(part) {
            self.line = Line::Says;
            return;
        }
        let told = part.iter().filter(|byte| !byte.is_ascii_whitespace());
        for (room, byte) in self.start[self.held..].iter_mut().zip(told) {
            *room = *byte;
            self.held += 1;
        }
        if self.held == START {
            self.line = self.kind();
        }
    }

    /// What the line is, by its start.
    fn kind(&mut self) -> Line {
        let start = &self.start[..self.held];
        if start.is_empty() {
            self.is_named = false;
            return Line::Idle;
        }
        if let Some(name) = start.strip_prefix(b"event:") {
            self.is_named = NAMES.contains(&name);
            return Line::Idle;
        }
        let is_idle = match start.strip_prefix(b"data:") {
            Some(data) => self.is_named || data.is_empty() || DATA.iter().any(|idle| data.starts_with(idle)),
            None => [&b":"[..], b"id:", b"retry:"].iter().any(|other| start.starts_with(other)),
        };
        if is_idle { Line::Idle } else { Line::Says }
    }
}

/// Whether a line, or as much of it as came, is content for certain: most are, and look so.
fn plainly_says(line: &[u8]) -> bool {
    let Some(data) = line.strip_prefix(b"data: ") else { return false };
    // Up to where it is another it has no white space to be left out.
    let is_another = |idle: &&[u8]| {
        let other = data.iter().zip(*idle).find(|(byte, known)| byte != known);
        other.is_some_and(|(byte, _)| !byte.is_ascii_whitespace())
    };
    DATA.iter().all(is_another)
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
    use proptest::prelude::*;

    use super::*;

    fn watch(kind: &str, coding: &str) -> Option<KeepAlives> {
        let headers = [(CONTENT_TYPE, kind), (CONTENT_ENCODING, coding)];
        KeepAlives::of(&headers.map(|(name, value)| (name, value.parse().unwrap())).into_iter().collect())
    }

    fn events() -> KeepAlives {
        watch("text/event-stream; charset=utf-8", "identity").unwrap()
    }

    const IDLE: [&str; 9] = [
        ": OPENROUTER PROCESSING\n\n",
        ":\r\n\r\n",
        "\n",
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        "event: ping\r\ndata: {}\r\n\r\n",
        "data: {\"type\":\"ping\"}\n\n",
        "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":4}\n\n",
        "data:\n\n",
        "id: 7\nretry: 3000\n\n",
    ];
    const SAYS: [&str; 5] = [
        "data: {\"choices\":[{\"delta\":{\"content\":\"ping\"}}]}\n\n",
        "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\"}\r\n\r\n",
        "data: [DONE]\n\n",
        "event: pinged\ndata: 1\n\n",
        "{\"error\": \"a document\"}\n",
    ];

    #[test]
    fn signs_of_life_are_no_content() {
        let mut keep_alives = events();
        for idle in IDLE {
            assert!(!keep_alives.says(idle.as_bytes()), "{idle:?}");
            for says in SAYS {
                assert!(keep_alives.says(says.as_bytes()), "{says:?} after {idle:?}");
                assert!(!keep_alives.says(idle.as_bytes()), "{idle:?} after {says:?}");
            }
        }
    }

    #[test]
    fn a_frame_without_bytes_is_none() {
        let mut keep_alives = events();
        for part in ["event: ping\r", "", "\ndata: {}\r\n\r\n", ""] {
            assert!(!keep_alives.says(part.as_bytes()), "{part:?}");
        }
    }

    #[test]
    fn what_cannot_be_looked_into_is_not_watched() {
        assert!(watch("text/event-stream", "gzip").is_none());
        assert!(watch("application/x-ndjson", "identity").is_none());
        assert!(watch("application/vnd.amazon.eventstream", "identity").is_none());
    }

    proptest! {
        /// Wherever a stream is cut: signs of life never become content, and content is never lost among them.
        #[test]
        fn cuts_change_nothing(
            parts in prop::collection::vec((any::<bool>(), 0usize..IDLE.len()), 1..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            only_idle in any::<bool>(),
        ) {
            let texts = parts.iter().map(|(says, at)| match *says && !only_idle {
                true => SAYS[at % SAYS.len()],
                false => IDLE[*at],
            });
            let stream: String = texts.collect();
            let expected = !only_idle && parts.iter().any(|(says, _)| *says);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let mut keep_alives = events();
            let mut says = false;
            for cut in cuts.windows(2) {
                says |= keep_alives.says(&stream.as_bytes()[cut[0]..cut[1]]);
            }
            prop_assert_eq!(says, expected, "{:?}", stream);
        }
    }
}
