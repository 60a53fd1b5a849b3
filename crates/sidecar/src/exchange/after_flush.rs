//! Metering happens after the bytes have left: frames queue here and are shown to their calls when the connection to
//! the app has flushed. Per frame: one push and one pop on a queue that keeps its capacity; no lock (one thread).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use outrigger_ledger::{End, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::exchange::watch::Watch;

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

impl Drop for AfterFlush {
    fn drop(&mut self) {
        self.run();
    }
}

/// The connection to the app: tells the queue when everything written has left, and that something came.
pub(crate) struct FlushNoted<T> {
    io: T,
    after: Rc<AfterFlush>,
    heard: bool,
}

impl<T> FlushNoted<T> {
    pub(crate) const fn new(io: T, after: Rc<AfterFlush>) -> FlushNoted<T> {
        FlushNoted { io, after, heard: false }
    }

    /// The connection itself, for a tunnel.
    pub(crate) fn into_inner(self) -> T {
        self.io
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for FlushNoted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if !self.heard && buf.filled().len() > before {
            self.heard = true;
            if let Some(act) = self.after.first.take() {
                act();
            }
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for FlushNoted<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.io).poll_flush(cx));
        self.after.run();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
