//! What OpenAI's two WebSocket APIs share: JSON events with a `type`, and responses that open and end. Per message: most
//! are told by their type and stepped over; only those that matter are scanned.

mod turns;

use crate::dialects::peek;
use crate::framing::{JsonScan, Path};
use crate::{Peer, SocketEvent, SocketMeter};

pub(crate) use turns::{Turn, Turns};

/// What one of the two APIs adds.
pub(crate) trait Api: Send {
    /// What to scan an event of this side for; `type` is the first of them.
    fn paths(from: Peer) -> &'static [Path];
    /// Whether an event of this type must be read.
    fn matters(&self, from: Peer, kind: &[u8], turns: &Turns) -> bool;
    /// Reads an event that matters.
    fn event(
        &mut self,
        from: Peer,
        kind: &str,
        scan: &JsonScan,
        turns: &mut Turns,
        sink: &mut dyn FnMut(SocketEvent),
    );
}

/// The meter of a socket.
pub(crate) struct EventMeter<A> {
    api: A,
    turns: Turns,
    client: Side,
    server: Side,
}

/// The message that a side is sending.
struct Side {
    scan: JsonScan,
    reading: Part,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Its first bytes have not been seen.
    Fresh,
    Scanned,
    /// It says nothing that is wanted.
    Skipped,
}

impl<A: Api> EventMeter<A> {
    pub(crate) fn new(api: A) -> EventMeter<A> {
        let side = |from| Side { scan: JsonScan::new(A::paths(from)), reading: Part::Skipped };
        EventMeter { api, turns: Turns::default(), client: side(Peer::Client), server: side(Peer::Server) }
    }

    const fn side(&mut self, from: Peer) -> &mut Side {
        match from {
            Peer::Client => &mut self.client,
            Peer::Server => &mut self.server,
        }
    }
}

impl<A: Api> SocketMeter for EventMeter<A> {
    fn begin(&mut self, from: Peer, text: bool) {
        self.side(from).reading = if text { Part::Fresh } else { Part::Skipped };
    }

    fn part(&mut self, from: Peer, bytes: &[u8]) -> bool {
        if bytes.is_empty() {
            return self.side(from).reading != Part::Skipped;
        }
        if self.side(from).reading == Part::Fresh {
            let told = peek::text_at(bytes, "type").map(|kind| self.api.matters(from, kind, &self.turns));
            let side = self.side(from);
            if told == Some(false) {
                side.reading = Part::Skipped;
            } else {
                side.reading = Part::Scanned;
                side.scan = JsonScan::new(A::paths(from));
            }
        }
        let side = self.side(from);
        if side.reading == Part::Scanned {
            side.scan.push(bytes);
        }
        side.reading == Part::Scanned
    }

    fn end(&mut self, from: Peer, sink: &mut dyn FnMut(SocketEvent)) {
        let side = self.side(from);
        if std::mem::replace(&mut side.reading, Part::Skipped) != Part::Scanned {
            return;
        }
        let scan = std::mem::replace(&mut side.scan, JsonScan::new(A::paths(from)));
        // What is no JSON object means nothing here; its peer will say so.
        let kind: Option<String> = scan.read(A::paths(from)[0]).filter(|_| scan.is_whole());
        if let Some(kind) = kind.filter(|kind| self.api.matters(from, kind.as_bytes(), &self.turns)) {
            self.api.event(from, &kind, &scan, &mut self.turns, sink);
        }
    }

    fn finish(&mut self, sink: &mut dyn FnMut(SocketEvent)) {
        self.turns.end_all(sink);
    }
}
