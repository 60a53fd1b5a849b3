//! One signal's way out: holds items, gathers them into requests, sends, repeats, gives up; counts every item once.
//! Runs on the exporter's thread only, so it needs no locks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::counts::Tallies;
use crate::herald::Herald;
use crate::transport::{Reply, Wire};
use crate::{DropCause, Signal};

/// A signal that was refused is offered again this often.
const PROBE: Duration = Duration::from_secs(300);
/// Failed calls hurry the others along at most this often.
const HURRY_PAUSE: Duration = Duration::from_secs(1);

/// What a lane carries.
pub(crate) trait Freight {
    /// How many items of the signal (spans, records, points) it counts for.
    fn weight(&self) -> u64;
    /// Its fate, said once.
    fn settle(self, fate: Fate);
}

/// What became of a piece of freight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The endpoint took it, or a part of it.
    Arrived,
    /// It is lost.
    Lost(DropCause),
}

/// Which freight goes when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// What came last: what is held has waited longer.
    DropNewest,
    /// What came first: what is new tells more.
    DropOldest,
    /// What came first, and nothing is lost by that: the newer holds all that it held.
    Supersede,
}

/// A lane's bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How long the first item of a request waits for company.
    pub(crate) delay: Duration,
    /// Pieces of freight held at most, those on the way included.
    pub(crate) queue: usize,
    /// Pieces of freight in one request at most.
    pub(crate) batch: usize,
    /// What goes when there is no room.
    pub(crate) overflow: Overflow,
}

/// Makes one request of several pieces.
pub(crate) type Pack<F> = Box<dyn Fn(&[F]) -> Bytes>;

/// What a lane is made of.
pub(crate) struct Parts<W, F> {
    /// What it carries.
    pub(crate) signal: Signal,
    /// Where to, for a person to read.
    pub(crate) endpoint: String,
    /// What carries requests.
    pub(crate) wire: W,
    /// How requests are made.
    pub(crate) pack: Pack<F>,
    /// Its bounds.
    pub(crate) bounds: Bounds,
    /// Where items are counted.
    pub(crate) tallies: Arc<Tallies>,
    /// Who tells a person.
    pub(crate) herald: Rc<Herald>,
    /// Turns true when the exporter ends.
    pub(crate) closing: watch::Receiver<bool>,
}

/// One signal's way out.
pub(crate) struct Lane<W: Wire, F: Freight> {
    parts: Parts<W, F>,
    bell: Notify,
    state: RefCell<State<F>>,
}

struct State<F> {
    waiting: VecDeque<F>,
    sending: Vec<F>,
    /// When what waits is sent even if no more comes.
    due: Option<Instant>,
    /// Whether a failed call set `due`.
    hurried: bool,
    /// When the last hurried request went.
    last_hurry: Option<Instant>,
    /// Pieces per request: the bound, or less where the endpoint takes no more.
    batch: usize,
    /// While the signal is refused: when it is offered again.
    refused_until: Option<Instant>,
    /// Whether the refusal was said and still holds.
    refused: bool,
    /// Whether the endpoint ever took anything.
    worked: bool,
}

/// What to do with a request after a reply.
enum Next {
    Done,
    Again(Duration),
    Repack,
}

impl<W: Wire, F: Freight> Lane<W, F> {
    pub(crate) fn new(parts: Parts<W, F>) -> Lane<W, F> {
        let batch = parts.bounds.batch.max(1);
        Lane {
            parts,
            bell: Notify::new(),
            state: RefCell::new(State {
                waiting: VecDeque::new(),
                sending: Vec::new(),
                due: None,
                hurried: false,
                last_hurry: None,
                batch,
                refused_until: None,
                refused: false,
                worked: false,
            }),
        }
    }

    /// Takes one piece that was handed over at `since`; `hurry` asks for it to be sent at once.
    pub(crate) fn push(&self, piece: F, since: Instant, hurry: bool) {
        let now = Instant::now();
        let mut state = self.state.borrow_mut();
        if state.refused_until.is_some_and(|until| now < until) {
            drop(state);
            self.drop_piece(piece, DropCause::Refused);
            return;
        }
        if state.waiting.len() + state.sending.len() >= self.parts.bounds.queue {
            let victim = match self.parts.bounds.overflow {
                Overflow::DropNewest => Some(piece),
                Overflow::DropOldest | Overflow::Supersede => {
                    let oldest = state.waiting.pop_front();
                    state.waiting.push_back(piece);
                    oldest
                }
            };
            drop(state);
            if let Some(victim) = victim {
                let items = victim.weight();
                if self.parts.bounds.overflow == Overflow::Supersede {
                    self.drop_piece(victim, DropCause::Superseded);
                } else {
                    self.drop_piece(victim, DropCause::NoRoom);
                    self.say_lost(
                        items,
                        "no room left in memory",
                        "see why the endpoint takes it too slowly",
                    );
                }
            }
            return;
        }
        state.waiting.push_back(piece);
        let mut due = since + self.parts.bounds.delay;
        if hurry {
            let earliest = state.last_hurry.map_or(now, |last| now.max(last + HURRY_PAUSE));
            if earliest < due {
                due = earliest;
                state.hurried = true;
            }
        }
        let sooner = state.due.is_none_or(|earlier| due < earlier);
        if sooner {
            state.due = Some(due);
        }
        if sooner || state.waiting.len() >= state.batch {
            self.bell.notify_one();
        }
    }

    /// Sends until the exporter ends and nothing is left.
    pub(crate) async fn run(&self) {
        while self.gather().await {
            self.deliver().await;
        }
    }

    /// Drops whatever is left.
    pub(crate) fn abandon(&self) {
        let items = self.drop_all(DropCause::Ended);
        if items > 0 {
            self.say_lost(
                items,
                "not taken before the end",
                "allow more time, or see why the endpoint is slow",
            );
        }
    }

    fn drop_all(&self, cause: DropCause) -> u64 {
        let left: Vec<F> = {
            let mut state = self.state.borrow_mut();
            state.due = None;
            state.hurried = false;
            let mut left = std::mem::take(&mut state.sending);
            left.extend(state.waiting.drain(..));
            left
        };
        self.settle(left, 0, cause)
    }

    /// Waits until a request is due and sets its pieces aside. False when there is nothing left to wait for.
    async fn gather(&self) -> bool {
        let mut closing = self.parts.closing.clone();
        loop {
            let wait = {
                let mut state = self.state.borrow_mut();
                let now = Instant::now();
                let ends = *closing.borrow();
                if state.waiting.is_empty() && ends {
                    return false;
                }
                let due = state.due.is_some_and(|due| due <= now);
                if !state.waiting.is_empty() && (ends || due || state.waiting.len() >= state.batch) {
                    state.set_aside(now);
                    return true;
                }
                state.due
            };
            let timer = async {
                match wait {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = timer => {}
                () = self.bell.notified() => {}
                _ = closing.wait_for(|ends| *ends) => {}
            }
        }
    }

    /// Sends what was set aside until its fate is known.
    async fn deliver(&self) {
        let mut backoff = Backoff::new();
        let mut closing = self.parts.closing.clone();
        let mut body = self.pack();
        loop {
            let reply = self.parts.wire.send(body.clone()).await;
            let ends = *closing.borrow();
            match self.judge(reply, ends, &mut backoff) {
                Next::Done => return,
                Next::Repack => body = self.pack(),
                // At the end a wait would only eat the time that is left; a pause keeps it from being a storm.
                Next::Again(wait) if ends => tokio::time::sleep(wait.min(Duration::from_millis(100))).await,
                Next::Again(wait) => {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        _ = closing.wait_for(|ends| *ends) => {}
                    }
                }
            }
        }
    }

    fn pack(&self) -> Bytes {
        (self.parts.pack)(&self.state.borrow().sending)
    }

    fn judge(&self, reply: Reply, ends: bool, backoff: &mut Backoff) -> Next {
        let endpoint = &self.parts.endpoint;
        match reply {
            Reply::Taken => {
                self.taken();
                self.finish(u64::MAX, DropCause::Partial);
                Next::Done
            }
            Reply::Partly { lost, why } => {
                self.taken();
                let sent: u64 = self.state.borrow().sending.iter().map(Freight::weight).sum();
                self.finish(sent.saturating_sub(lost), DropCause::Partial);
                self.say_lost(lost.min(sent), &why, "the endpoint took the rest; its own log says more");
                Next::Done
            }
            Reply::Later { after, reached, why } => {
                // One failure of an endpoint that worked before is no outage: connections are closed now and then.
                let outage = backoff.waited() || !self.state.borrow().worked;
                if outage {
                    self.parts.herald.down(endpoint, &why);
                }
                if outage && ends && !reached {
                    // Nobody there, and no time left to wait for somebody.
                    let items = self.drop_all(DropCause::Ended);
                    self.say_lost(items, &why, "start a collector there before the program ends");
                    return Next::Done;
                }
                Next::Again(backoff.next(after))
            }
            Reply::Refused { why } => {
                self.parts.herald.up(endpoint);
                self.refuse(&why);
                Next::Done
            }
            Reply::TooLarge { why } => {
                self.parts.herald.up(endpoint);
                if self.state.borrow_mut().halve() {
                    return Next::Repack;
                }
                let items = self.finish(0, DropCause::TooLarge);
                self.say_lost(items, &why, "raise the largest request the endpoint takes");
                Next::Done
            }
            Reply::Rejected { why, mend } => {
                self.parts.herald.up(endpoint);
                let items = self.finish(0, DropCause::Rejected);
                self.say_lost(items, &why, mend);
                Next::Done
            }
        }
    }

    fn taken(&self) {
        self.parts.herald.up(&self.parts.endpoint);
        let was_refused = {
            let mut state = self.state.borrow_mut();
            state.worked = true;
            state.refused_until = None;
            std::mem::take(&mut state.refused)
        };
        if was_refused {
            self.parts.herald.accepted(self.parts.signal, &self.parts.endpoint);
        }
    }

    fn refuse(&self, why: &str) {
        self.drop_all(DropCause::Refused);
        let known = {
            let mut state = self.state.borrow_mut();
            state.refused_until = Some(Instant::now() + PROBE);
            std::mem::replace(&mut state.refused, true)
        };
        if !known {
            self.parts.herald.refused(self.parts.signal, &self.parts.endpoint, why, PROBE);
        }
    }

    /// Settles what was set aside, of which `arrived` items arrived and the rest was lost so. Returns how many items that
    /// were.
    fn finish(&self, arrived: u64, lost: DropCause) -> u64 {
        let sent = std::mem::take(&mut self.state.borrow_mut().sending);
        self.settle(sent, arrived, lost)
    }

    fn settle(&self, pieces: Vec<F>, mut arrived: u64, lost: DropCause) -> u64 {
        let mut items = 0;
        let tally = self.parts.tallies.of(self.parts.signal);
        for piece in pieces {
            let weight = piece.weight();
            let taken = weight.min(arrived);
            arrived -= taken;
            items += weight;
            tally.exported(taken);
            tally.dropped(lost, weight - taken);
            piece.settle(if taken > 0 { Fate::Arrived } else { Fate::Lost(lost) });
        }
        items
    }

    fn drop_piece(&self, piece: F, cause: DropCause) {
        self.parts.tallies.of(self.parts.signal).dropped(cause, piece.weight());
        piece.settle(Fate::Lost(cause));
    }

    fn say_lost(&self, items: u64, why: &str, mend: &str) {
        self.parts.herald.lost(self.parts.signal, &self.parts.endpoint, items, why, mend);
    }
}

/// Whoever drops a lane, a fault of ours included, has lost what it held, and that is counted.
impl<W: Wire, F: Freight> Drop for Lane<W, F> {
    fn drop(&mut self) {
        self.drop_all(DropCause::Ended);
    }
}

impl<F> State<F> {
    /// Sets the next request's pieces aside. What remains stays due when the time had come.
    fn set_aside(&mut self, now: Instant) {
        let count = self.batch.min(self.waiting.len());
        self.sending.extend(self.waiting.drain(..count));
        if std::mem::take(&mut self.hurried) {
            self.last_hurry = Some(now);
        }
        if self.waiting.is_empty() {
            self.due = None;
        }
    }

    /// Puts the second half of the request back. False when there is nothing to halve.
    fn halve(&mut self) -> bool {
        let half = self.sending.len() / 2;
        if half == 0 {
            return false;
        }
        self.batch = half;
        for piece in self.sending.drain(half..).rev() {
            self.waiting.push_front(piece);
        }
        if self.due.is_none() {
            self.due = Some(Instant::now());
        }
        true
    }
}

#[cfg(test)]
mod tests;
