//! Gives an app only so long for the preface with which HTTP/2 begins: one that says nothing would hold its place for ever. Per
//! read: a count, and nothing once the preface is there.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::writes::passes_writes;

/// From the first wait for the preface to its last byte.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Its length (RFC 9113, section 3.4).
const LENGTH: usize = 24;

/// The app's side of an HTTP/2 connection.
pub(super) struct Prefaced<T> {
    io: T,
    /// What has not come yet of the preface.
    missing: usize,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<T> Prefaced<T> {
    pub(super) const fn new(io: T) -> Prefaced<T> {
        Prefaced { io, missing: LENGTH, deadline: None }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Prefaced<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if self.missing > 0 {
            if read.is_pending() {
                let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
                ready!(deadline.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.missing = self.missing.saturating_sub(buf.filled().len() - before);
            if self.missing == 0 {
                self.deadline = None;
            }
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Prefaced<T> {
    passes_writes!();

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
}
