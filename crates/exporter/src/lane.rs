//! One signal's way out: holds items, gathers them into requests, sends, repeats, spools, gives up; counts every item once.
//! Runs on the exporter's thread only, so it needs no locks.

mod away;
mod freight;
mod state;

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::control::Request;
use crate::counts::Tallies;
use crate::herald::Herald;
use crate::spool::Spool;
use crate::transport::{Reply, Wire};
use crate::{DropCause, Signal};
use away::Start;
pub(crate) use freight::{Bounds, Content, Fate, Freight, Overflow, Pack};
use state::State;

/// A signal that was refused is offered again this often.
const PROBE: Duration = Duration::from_secs(300);
/// Failed calls hurry the others along at most this often.
const HURRY_PAUSE: Duration = Duration::from_secs(1);

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
    /// Where requests go while the endpoint is away; without it they stay in memory.
    pub(crate) spool: Option<Rc<Spool>>,
    /// Turns true when the exporter ends.
    pub(crate) closing: watch::Receiver<bool>,
}

/// One signal's way out.
pub(crate) struct Lane<W: Wire, F: Freight> {
    parts: Parts<W, F>,
    bell: Notify,
    state: RefCell<State<F>>,
}

/// What to do with a request after a reply.
enum Next {
    Done,
    Again(Duration),
    Repack,
    /// Nobody there, and no time left to wait for somebody.
    GiveUp(String),
}

/// Why gathering ended.
enum Gathered {
    /// A request's pieces are set aside.
    Request,
    /// The spool holds what an earlier run left.
    Backlog,
    /// Nothing is left to wait for.
    End,
}

impl<W: Wire, F: Freight> Lane<W, F> {
    pub(crate) fn new(parts: Parts<W, F>) -> Lane<W, F> {
        let batch = parts.bounds.batch.max(1);
        Lane { parts, bell: Notify::new(), state: RefCell::new(State::new(batch)) }
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
        if sooner || state.away || state.waiting.len() >= state.batch {
            self.bell.notify_one();
        }
    }

    /// Sends until the exporter ends and nothing is left.
    pub(crate) async fn run(&self) {
        loop {
            match self.gather().await {
                Gathered::Request => self.deliver().await,
                Gathered::Backlog => self.weather(Start::Now).await,
                Gathered::End => return,
            }
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

    /// Waits until a request is due and sets its pieces aside.
    async fn gather(&self) -> Gathered {
        let mut closing = self.parts.closing.clone();
        loop {
            let wait = {
                let mut state = self.state.borrow_mut();
                let now = Instant::now();
                let ends = *closing.borrow();
                if !state.away && !state.over && self.backlog() {
                    return Gathered::Backlog;
                }
                if state.waiting.is_empty() && ends {
                    return Gathered::End;
                }
                let due = state.away || state.due.is_some_and(|due| due <= now);
                if !state.waiting.is_empty() && (ends || due || state.waiting.len() >= state.batch) {
                    state.set_aside(now);
                    return Gathered::Request;
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
                () = self.found() => {}
                _ = closing.wait_for(|ends| *ends) => {}
            }
        }
    }

    /// Sends what was set aside until its fate is known, or the spool has it.
    async fn deliver(&self) {
        let mut backoff = Backoff::new();
        let mut closing = self.parts.closing.clone();
        let mut body = self.pack(Content::Whole);
        let mut told = self.told();
        loop {
            let reply = {
                let mut send = pin!(self.parts.wire.send(body.clone()));
                match self.patiently(send.as_mut()).await {
                    Some(reply) => reply,
                    None => match self.keep_request(false).await {
                        Some(place) => {
                            told.spooled();
                            drop(told);
                            return self.weather(Start::Sent(send, place)).await;
                        }
                        None => send.await,
                    },
                }
            };
            told.answered(&reply);
            let ends = *closing.borrow();
            match self.judge(reply, ends, &mut backoff) {
                Next::Done => return,
                Next::Repack => body = self.pack(Content::Whole),
                Next::Again(wait) => {
                    if self.keep_request(true).await.is_some() {
                        told.spooled();
                        drop(told);
                        return self.weather(Start::After(wait, backoff)).await;
                    }
                    if self.state.borrow().sending.is_empty() {
                        return;
                    }
                    pause(wait, &mut closing).await;
                    body = self.pack(Content::Whole);
                }
                Next::GiveUp(why) => {
                    if self.keep_request(true).await.is_some() {
                        told.spooled();
                        drop(told);
                        return self.weather(Start::Never).await;
                    }
                    let items = self.drop_all(DropCause::Ended);
                    self.say_lost(items, &why, "start a collector there before the program ends");
                    return;
                }
            }
        }
    }

    /// The span of what was set aside.
    fn told(&self) -> Request {
        let sending = &self.state.borrow().sending;
        let items = sending.iter().map(Freight::weight).sum();
        Request::new(self.parts.signal, items, sending.iter().any(Freight::traced))
    }

    fn pack(&self, content: Content) -> Bytes {
        (self.parts.pack)(&self.state.borrow().sending, content)
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
                    return Next::GiveUp(why);
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
        self.refuse_what_comes(why);
    }

    /// Takes nothing for a while: it would be refused.
    fn refuse_what_comes(&self, why: &str) {
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

    pub(crate) fn say_lost(&self, items: u64, why: &str, mend: &str) {
        self.parts.herald.lost(self.parts.signal, &self.parts.endpoint, items, why, mend);
    }
}

/// Whoever drops a lane, a fault of ours included, has lost what it held, and that is counted.
impl<W: Wire, F: Freight> Drop for Lane<W, F> {
    fn drop(&mut self) {
        self.drop_all(DropCause::Ended);
    }
}

/// Waits before a request is repeated. At the end that would only eat the time that is left; a pause keeps it from being a
/// storm.
async fn pause(wait: Duration, closing: &mut watch::Receiver<bool>) {
    if *closing.borrow() {
        return tokio::time::sleep(wait.min(Duration::from_millis(100))).await;
    }
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        _ = closing.wait_for(|ends| *ends) => {}
    }
}

#[cfg(test)]
mod tests;
