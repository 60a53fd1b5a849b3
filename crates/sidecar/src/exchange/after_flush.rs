//! Metering happens after the bytes have left: frames queue here and are shown to their calls when the connection to
//! the app has flushed. Per frame: one push and one pop on a queue that keeps its capacity; no lock (one thread).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use outrigger_ledger::{End, Timestamp};

use crate::exchange::watch::Watch;
use crate::flush_noted::Noted;

/// Queued frames past this many are shown at once: an app that does not read must not make us hold its answer twice.
const QUEUED: usize = 64;
/// The queue is given back when an exchange made it larger than this.
const KEPT: usize = 8;

enum Work {
    Chunk(Rc<Watch>, Bytes, Timestamp),
    Finish(Rc<Watch>, End),
}

/// The frames of one connection that have been handed to it but not yet been shown.
#[derive(Default)]
pub(crate) struct AfterFlush {
    queue: RefCell<VecDeque<Work>>,
    first: Cell<Option<Box<dyn FnOnce()>>>,
}

impl AfterFlush {
    /// Does something when the app's first bytes come.
    pub(crate) fn at_first_bytes(&self, act: impl FnOnce() + 'static) {
        self.first.set(Some(Box::new(act)));
    }

    /// Shows a frame once it has left.
    pub(crate) fn chunk(&self, watch: &Rc<Watch>, bytes: Bytes, at: Timestamp) {
        self.push(Work::Chunk(Rc::clone(watch), bytes, at));
    }

    /// Ends a call once its last frame has left.
    pub(crate) fn finish(&self, watch: Rc<Watch>, end: End) {
        self.push(Work::Finish(watch, end));
    }

    fn push(&self, work: Work) {
        let full = {
            let mut queue = self.queue.borrow_mut();
            queue.push_back(work);
            queue.len() >= QUEUED
        };
        if full {
            self.run();
        }
    }

    /// Shows everything that is queued.
    pub(crate) fn run(&self) {
        loop {
            // The borrow ends before the work runs: finishing a call may end up here again.
            let work = self.queue.borrow_mut().pop_front();
            match work {
                Some(Work::Chunk(watch, bytes, at)) => watch.response_chunk(&bytes, at),
                Some(Work::Finish(watch, end)) => {
                    watch.finish(end);
                }
                None => break,
            }
        }
        let mut queue = self.queue.borrow_mut();
        if queue.capacity() > KEPT * 2 {
            queue.shrink_to(KEPT);
        }
    }
}

impl Noted for AfterFlush {
    fn flushed(&self) {
        self.run();
    }

    fn first_bytes(&self) {
        if let Some(act) = self.first.take() {
            act();
        }
    }
}

impl Drop for AfterFlush {
    fn drop(&mut self) {
        self.run();
    }
}
