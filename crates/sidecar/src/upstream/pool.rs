//! Idle connections to providers, per name and port. Per request: one look-up, no lock (one thread).

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hyper::client::conn::{http1, http2};

use crate::upstream::Target;

/// Below the idle time-outs of the providers' front ends, so that a reused connection is rarely a dead one.
const IDLE: Duration = Duration::from_secs(60);
/// More than this per name are closed instead of kept: each holds some 20 KiB.
const KEPT: usize = 32;

/// An HTTP/1.1 connection without a request on it.
pub(crate) struct IdleH1<B> {
    pub(crate) sender: http1::SendRequest<B>,
    pub(crate) peer: Option<SocketAddr>,
    since: Instant,
}

/// An HTTP/2 connection. One connection of the app has it to itself: streams that it leaves unread fill the window of
/// the whole connection, which must not be another's.
pub(crate) struct IdleH2<B> {
    pub(crate) sender: http2::SendRequest<B>,
    pub(crate) peer: Option<SocketAddr>,
    since: Instant,
}

/// The idle connections.
pub(crate) struct Pool<B> {
    h1: RefCell<HashMap<Target, Vec<IdleH1<B>>>>,
    h2: RefCell<HashMap<Target, Vec<IdleH2<B>>>>,
}

impl<B> Pool<B> {
    pub(crate) fn new() -> Pool<B> {
        Pool { h1: RefCell::default(), h2: RefCell::default() }
    }

    /// The connection used last: it is the likeliest to be alive and lets the others age out.
    pub(crate) fn take_h1(&self, target: &Target) -> Option<IdleH1<B>> {
        let mut all = self.h1.borrow_mut();
        let idle = all.get_mut(target)?;
        while let Some(one) = idle.pop() {
            if !one.sender.is_closed() && one.since.elapsed() < IDLE {
                return Some(one);
            }
        }
        None
    }

    pub(crate) fn put_h1(&self, target: &Target, sender: http1::SendRequest<B>, peer: Option<SocketAddr>) {
        if sender.is_closed() {
            return;
        }
        let idle = IdleH1 { sender, peer, since: Instant::now() };
        let mut all = self.h1.borrow_mut();
        match all.get_mut(target) {
            Some(kept) if kept.len() < KEPT => kept.push(idle),
            Some(_) => {}
            None => {
                all.insert(target.clone(), vec![idle]);
            }
        }
    }

    /// As with HTTP/1.1.
    pub(crate) fn take_h2(&self, target: &Target) -> Option<IdleH2<B>> {
        let mut all = self.h2.borrow_mut();
        let idle = all.get_mut(target)?;
        while let Some(one) = idle.pop() {
            if !one.sender.is_closed() && one.since.elapsed() < IDLE {
                return Some(one);
            }
        }
        None
    }

    pub(crate) fn put_h2(&self, target: &Target, sender: http2::SendRequest<B>, peer: Option<SocketAddr>) {
        if sender.is_closed() {
            return;
        }
        let mut all = self.h2.borrow_mut();
        let kept = all.entry(target.clone()).or_default();
        if kept.len() < KEPT {
            kept.push(IdleH2 { sender, peer, since: Instant::now() });
        }
    }

    /// Closes what lies idle of a place, of which nothing is believed any more.
    pub(crate) fn forget(&self, target: &Target) {
        self.h1.borrow_mut().remove(target);
        self.h2.borrow_mut().remove(target);
    }

    /// Closes what nobody used for a while, and gives the memory back.
    pub(crate) fn sweep(&self) {
        self.h1.borrow_mut().retain(|_, idle| {
            idle.retain(|one| !one.sender.is_closed() && one.since.elapsed() < IDLE);
            idle.shrink_to_fit();
            !idle.is_empty()
        });
        self.h2.borrow_mut().retain(|_, idle| {
            idle.retain(|one| !one.sender.is_closed() && one.since.elapsed() < IDLE);
            !idle.is_empty()
        });
    }
}
