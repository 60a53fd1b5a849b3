//! The responses of one socket that are under way. Per response.

use crate::{Ended, Operation, Reading, RequestFacts, SocketEvent};

/// Responses that may be under way at once; the oldest beyond that is given up.
const OPEN: usize = 64;

/// One response.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) number: u64,
    /// The lane that its events name, where lanes are used.
    pub(crate) lane: Option<String>,
    /// Id of the app's event that asked for it, where it gave one.
    pub(crate) event_id: Option<String>,
    /// Its id, once the provider has begun with it.
    pub(crate) id: Option<String>,
    pub(crate) content: bool,
    pub(crate) facts: RequestFacts,
    pub(crate) reading: Reading,
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    open: Vec<Turn>,
    count: u64,
}

impl Turns {
    /// A response was asked for.
    pub(crate) fn ask(&mut self, facts: RequestFacts, sink: &mut dyn FnMut(SocketEvent)) -> &mut Turn {
        if self.open.len() >= OPEN {
            let mut oldest = self.open.remove(0);
            oldest.reading.stumbled =
                Some("more responses were under way on one WebSocket than are followed");
            end(oldest, sink);
        }
        self.count += 1;
        sink(SocketEvent::Asked(self.count));
        self.open.push(Turn {
            number: self.count,
            lane: None,
            event_id: None,
            id: None,
            content: false,
            facts,
            reading: Reading::default(),
        });
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    /// The provider has begun with a response: the oldest that fits and was asked for, else one of its own accord.
    pub(crate) fn begin(
        &mut self,
        id: Option<&str>,
        fits: impl Fn(&Turn) -> bool,
        facts: impl FnOnce() -> RequestFacts,
        sink: &mut dyn FnMut(SocketEvent),
    ) -> &mut Turn {
        let place = match self.open.iter().position(|turn| turn.id.is_none() && fits(turn)) {
            Some(place) => place,
            None => {
                self.ask(facts(), sink);
                self.open.len() - 1
            }
        };
        let turn = &mut self.open[place];
        turn.id = id.map(str::to_owned);
        sink(SocketEvent::Begun(turn.number));
        turn
    }

    /// The response with this id; else the oldest that fits and has no other.
    pub(crate) fn find(&mut self, id: Option<&str>, fits: impl Fn(&Turn) -> bool) -> Option<&mut Turn> {
        let named = id.and_then(|id| self.open.iter().position(|turn| turn.id.as_deref() == Some(id)));
        let place = named
            .or_else(|| self.open.iter().position(|turn| (id.is_none() || turn.id.is_none()) && fits(turn)));
        place.map(|place| &mut self.open[place])
    }

    /// Whether a response under way still waits for its first content.
    pub(crate) fn await_content(&self) -> bool {
        self.open.iter().any(|turn| !turn.content)
    }

    /// The only response under way.
    pub(crate) fn only(&mut self) -> Option<&mut Turn> {
        match &mut self.open[..] {
            [turn] => Some(turn),
            _ => None,
        }
    }

    /// A response is over.
    pub(crate) fn end(&mut self, number: u64, sink: &mut dyn FnMut(SocketEvent)) {
        if let Some(place) = self.open.iter().position(|turn| turn.number == number) {
            end(self.open.remove(place), sink);
        }
    }

    /// Nothing more is seen of any.
    pub(crate) fn end_all(&mut self, sink: &mut dyn FnMut(SocketEvent)) {
        for turn in self.open.drain(..) {
            end(turn, sink);
        }
    }

    /// Something that was over as soon as it was heard of.
    pub(crate) fn at_once(
        &mut self,
        operation: Operation,
        facts: RequestFacts,
        reading: Reading,
        sink: &mut dyn FnMut(SocketEvent),
    ) {
        self.count += 1;
        sink(SocketEvent::Asked(self.count));
        sink(SocketEvent::Begun(self.count));
        sink(SocketEvent::Ended(Box::new(Ended { number: self.count, operation, facts, reading })));
    }
}

impl Turn {
    /// The first content of its answer, if it is the first.
    pub(crate) fn see_content(&mut self, sink: &mut dyn FnMut(SocketEvent)) {
        if !std::mem::replace(&mut self.content, true) {
            sink(SocketEvent::Content(self.number));
        }
    }
}

fn end(turn: Turn, sink: &mut dyn FnMut(SocketEvent)) {
    let Turn { number, facts, reading, .. } = turn;
    sink(SocketEvent::Ended(Box::new(Ended { number, operation: Operation::Chat, facts, reading })));
}
