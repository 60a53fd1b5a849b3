//! A lane while its endpoint is away: what comes goes to the spool at once, and out of the spool in order when the endpoint
//! answers. Runs only then; without a spool never.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;

use super::{Content, Fate, Freight, Gathered, Lane, PROBE, pause};
use crate::backoff::Backoff;
use crate::spool::{Batch, Entry, Most, Place, Refusal, Spool, halves};
use crate::transport::{Reply, Wire};
use crate::{DropCause, Signal};

/// An answer that takes longer finds its request in the spool: only so little is lost to a kill -9.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same at the end.
const LAST_PATIENCE: Duration = Duration::from_millis(200);
/// A disk that does not take a request is offered it again this often.
const OFFER: Duration = Duration::from_secs(1);
/// What is sent out of the spool in one request: half of what endpoints commonly take.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// How sending out of the spool begins.
pub(super) enum Start<'a> {
    /// The oldest request is on its way already.
    Sent(Pin<&'a mut dyn Future<Output = Reply>>, Place),
    /// After a wait, not the first perhaps.
    After(Duration, Backoff),
    /// At once.
    Now,
    /// Not any more: the end has come, and nobody is there.
    Never,
}

/// How it ended.
#[derive(PartialEq, Eq)]
enum Replay {
    /// Nothing is left in the spool.
    Drained,
    /// The end has come.
    Over,
}

/// What comes next after a reply.
enum Then {
    /// The next part, or the next batch.
    Next,
    /// The same with fewer requests in one.
    Fewer,
    /// The same, after a wait.
    Wait(Duration),
    /// Nothing more before the end.
    Over,
}

/// A batch out of the spool, in one request or in several.
struct Parts {
    batch: Batch,
    left: VecDeque<(Bytes, u64)>,
    arrived: u64,
    lost: Vec<(DropCause, u64)>,
}

impl Parts {
    fn of(batch: Batch) -> Parts {
        let left = VecDeque::from([(batch.body.clone(), batch.items)]);
        Parts { batch, left, arrived: 0, lost: Vec::new() }
    }

    /// Whether nothing of it has been settled.
    fn untouched(&self) -> bool {
        self.arrived == 0 && self.lost.is_empty()
    }

    /// Makes two of the part that was sent. False where it is one item.
    fn halve(&mut self, signal: Signal) -> bool {
        let Some([first, second]) = self.left.front().and_then(|(body, _)| halves(signal, body)) else {
            return false;
        };
        self.left.pop_front();
        self.left.push_front(second);
        self.left.push_front(first);
        true
    }

    /// Settles the part that was sent. Returns how many items it lost.
    fn settle(&mut self, lost: u64, cause: DropCause) -> u64 {
        let Some((_, items)) = self.left.pop_front() else { return 0 };
        let lost = lost.min(items);
        self.arrived += items - lost;
        if lost > 0 {
            self.lost.push((cause, lost));
        }
        lost
    }
}

impl<W: Wire, F: Freight> Lane<W, F> {
    /// Whether the spool holds anything for this lane.
    pub(super) fn backlog(&self) -> bool {
        self.parts.spool.as_ref().is_some_and(|spool| spool.holds(self.parts.signal))
    }

    /// Waits until the spool is found to hold something.
    pub(super) async fn found(&self) {
        match &self.parts.spool {
            Some(spool) => spool.found(self.parts.signal).await,
            None => std::future::pending().await,
        }
    }

    /// Waits for an answer; with a spool only a little.
    pub(super) async fn patiently(&self, send: Pin<&mut impl Future<Output = Reply>>) -> Option<Reply> {
        if self.parts.spool.is_none() {
            return Some(send.await);
        }
        let patience = if *self.parts.closing.borrow() { LAST_PATIENCE } else { PATIENCE };
        tokio::time::timeout(patience, send).await.ok()
    }

    /// Puts what was set aside into the spool, or as much of it as the disk takes at once, from the front; `divide` says whether it
    /// may. Nothing when all of it stays set aside.
    pub(super) async fn keep_request(&self, divide: bool) -> Option<Place> {
        let spool = self.parts.spool.as_ref()?;
        let whole = self.state.borrow().sending.len();
        loop {
            match spool.append(self.parts.signal, self.entry(spool)).await {
                Ok(place) => {
                    self.kept();
                    return Some(place);
                }
                Err(Refusal::TooLong(bytes)) if divide => {
                    if !self.state.borrow_mut().divide() {
                        let items = self.finish(0, DropCause::TooLarge);
                        let why = format!("the telemetry of one call takes {bytes} bytes");
                        self.say_lost(items, &why, "raise spool_bytes, or capture less content");
                        return None;
                    }
                }
                Err(Refusal::Gone | Refusal::TooLong(_)) => return None,
                Err(Refusal::NoRoom(_)) if divide && self.state.borrow_mut().divide() => {}
                Err(Refusal::NoRoom(why) | Refusal::Faulty(why)) => {
                    self.state.borrow_mut().rejoin(whole);
                    self.parts.herald.unspooled(&why);
                    return None;
                }
            }
        }
    }

    fn entry(&self, spool: &Spool) -> Entry {
        let content = if spool.content() { Content::Whole } else { Content::Left };
        let state = self.state.borrow();
        let (mut items, mut calls) = (0, 0);
        for piece in &state.sending {
            items += piece.weight();
            calls += piece.claim();
        }
        Entry {
            body: (self.parts.pack)(&state.sending, content),
            items: u32::try_from(items).unwrap_or(u32::MAX),
            calls: u32::try_from(calls).unwrap_or(u32::MAX),
        }
    }

    fn kept(&self) {
        let kept = std::mem::take(&mut self.state.borrow_mut().sending);
        let tally = self.parts.tallies.of(self.parts.signal);
        for piece in kept {
            tally.kept(piece.weight());
            piece.settle(Fate::Spooled);
        }
    }

    /// Keeps on disk what comes, and sends what is there, until nothing is left there or the end has come.
    pub(super) async fn weather(&self, start: Start<'_>) {
        let Some(spool) = self.parts.spool.clone() else { return };
        self.state.borrow_mut().away = true;
        let mut keep = pin!(self.keep());
        let mut replay = pin!(self.replay(&spool, start));
        let mut all_kept = false;
        loop {
            tokio::select! {
                biased;
                () = &mut keep, if !all_kept => all_kept = true,
                ended = &mut replay => {
                    if ended == Replay::Over {
                        self.state.borrow_mut().over = true;
                        if !all_kept {
                            keep.await;
                        }
                    }
                    break;
                }
            }
        }
        self.state.borrow_mut().away = false;
    }

    /// Keeps what comes, until the end has come and nothing more does.
    async fn keep(&self) {
        let mut closing = self.parts.closing.clone();
        while let Gathered::Request = self.gather().await {
            if self.keep_request(true).await.is_some() || self.state.borrow().sending.is_empty() {
                continue;
            }
            self.state.borrow_mut().put_back(0);
            if *closing.borrow() {
                return;
            }
            pause(OFFER, &mut closing).await;
        }
    }

    /// Sends what is in the spool, in order.
    async fn replay(&self, spool: &Spool, start: Start<'_>) -> Replay {
        let signal = self.parts.signal;
        let mut closing = self.parts.closing.clone();
        let mut backoff = Backoff::new();
        let items = u64::try_from(self.parts.bounds.batch).unwrap_or(u64::MAX);
        let mut most = Most { items, bytes: MOST_BYTES };
        let mut answered = None;
        match start {
            Start::Never => return Replay::Over,
            Start::Now => {}
            Start::After(wait, waits) => {
                backoff = waits;
                pause(wait, &mut closing).await;
            }
            Start::Sent(send, place) => answered = Some((place, send.await)),
        }
        let mut under_way: Option<Parts> = None;
        loop {
            let mut parts = match under_way.take() {
                Some(parts) => parts,
                None => {
                    let most = if answered.is_some() { Most { items: 1, ..most } } else { most };
                    let Some(batch) = spool.head(signal, most).await else {
                        // What is set aside is just being kept.
                        if self.state.borrow().sending.is_empty() {
                            return Replay::Drained;
                        }
                        continue;
                    };
                    Parts::of(batch)
                }
            };
            let reply = match (answered.take(), parts.left.front()) {
                (Some((place, reply)), _) if place == parts.batch.place => reply,
                (_, Some((body, _))) => self.parts.wire.send(body.clone()).await,
                (_, None) => Reply::Taken,
            };
            let ends = *closing.borrow();
            match self.judge_kept(reply, ends, &mut parts, &mut backoff) {
                Then::Over => {
                    spool.release(signal);
                    return Replay::Over;
                }
                Then::Fewer => most.items = (parts.batch.items / 2).max(1),
                Then::Wait(wait) => {
                    if parts.untouched() {
                        spool.release(signal);
                    } else {
                        under_way = Some(parts);
                    }
                    pause(wait, &mut closing).await;
                }
                Then::Next if parts.left.is_empty() => {
                    backoff = Backoff::new();
                    self.account(&parts);
                    spool.done(signal);
                }
                Then::Next => under_way = Some(parts),
            }
        }
    }

    fn judge_kept(&self, reply: Reply, ends: bool, parts: &mut Parts, backoff: &mut Backoff) -> Then {
        let endpoint = &self.parts.endpoint;
        match reply {
            Reply::Taken => {
                self.taken();
                parts.settle(0, DropCause::Partial);
            }
            Reply::Partly { lost, why } => {
                self.taken();
                let lost = parts.settle(lost, DropCause::Partial);
                self.say_lost(lost, &why, "the endpoint took the rest; its own log says more");
            }
            Reply::Later { after, reached, why } => {
                let outage = backoff.waited() || !self.state.borrow().worked;
                if outage {
                    self.parts.herald.down(endpoint, &why);
                }
                return if outage && ends && !reached { Then::Over } else { Then::Wait(backoff.next(after)) };
            }
            // It may be a proxy that has lost its way for a while: what is on disk is not given up for that.
            Reply::Refused { why } => {
                self.parts.herald.up(endpoint);
                self.refuse_what_comes(&why);
                return if ends { Then::Over } else { Then::Wait(PROBE) };
            }
            Reply::TooLarge { why } => {
                self.parts.herald.up(endpoint);
                if parts.batch.entries > 1 && parts.untouched() && parts.left.len() == 1 {
                    return Then::Fewer;
                }
                if !parts.halve(self.parts.signal) {
                    let lost = parts.settle(u64::MAX, DropCause::TooLarge);
                    self.say_lost(lost, &why, "raise the largest request the endpoint takes");
                }
            }
            Reply::Rejected { why, mend } => {
                self.parts.herald.up(endpoint);
                let lost = parts.settle(u64::MAX, DropCause::Rejected);
                self.say_lost(lost, &why, mend);
            }
        }
        Then::Next
    }

    /// Counts a batch that is settled. Its calls share its fate item by item.
    fn account(&self, parts: &Parts) {
        let (tally, calls) = (self.parts.tallies.of(self.parts.signal), &self.parts.tallies.calls);
        let lost: u64 = parts.lost.iter().map(|(_, items)| items).sum();
        let lost_calls = (lost * parts.batch.calls).checked_div(parts.batch.items).unwrap_or(0);
        tally.left(parts.batch.items);
        calls.left(parts.batch.calls);
        tally.exported(parts.arrived);
        calls.exported(parts.batch.calls - lost_calls);
        for (cause, items) in &parts.lost {
            tally.dropped(*cause, *items);
        }
        if let Some((cause, _)) = parts.lost.last() {
            calls.dropped(*cause, lost_calls);
        }
    }
}
