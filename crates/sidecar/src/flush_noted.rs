//! A connection that tells when all that was written has left, and that something came. Per flush: one call.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::writes::passes_writes;

/// Who is told.
pub(crate) trait Noted {
    /// All that was written has left, or never will.
    fn flushed(&self);

    /// The first bytes have come.
    fn first_bytes(&self) {}
}

impl<F: Fn() + ?Sized> Noted for F {
    fn flushed(&self) {
        self();
    }
}

/// Such a connection.
pub(crate) struct FlushNoted<T, N: ?Sized> {
    io: T,
    noted: Rc<N>,
    heard: bool,
}

impl<T, N: ?Sized> FlushNoted<T, N> {
    pub(crate) const fn new(io: T, noted: Rc<N>) -> FlushNoted<T, N> {
        FlushNoted { io, noted, heard: false }
    }

    /// The connection itself, for a tunnel.
    pub(crate) fn into_inner(self) -> T {
        self.io
    }
}

impl<T: AsyncRead + Unpin, N: Noted + ?Sized> AsyncRead for FlushNoted<T, N> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if !self.heard && buf.filled().len() > before {
            self.heard = true;
            self.noted.first_bytes();
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin, N: Noted + ?Sized> AsyncWrite for FlushNoted<T, N> {
    passes_writes!();

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.io).poll_flush(cx));
        self.noted.flushed();
        Poll::Ready(flushed)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn it_is_told_when_all_has_left_and_not_before() {
        let times = Rc::new(Cell::new(0));
        let counted = Rc::clone(&times);
        let act = Rc::new(move || counted.set(counted.get() + 1));
        let (near, mut far) = tokio::io::duplex(4);
        let mut near = FlushNoted::new(tokio::io::BufWriter::new(near), act);
        near.write_all(b"longer than there is room").await.unwrap();
        assert_eq!(times.get(), 0);
        let mut came = vec![0; 25];
        let (flushed, read) = tokio::join!(near.flush(), far.read_exact(&mut came));
        assert_eq!((flushed.is_ok(), read.unwrap(), times.get()), (true, 25, 1));
        drop(far);
        assert!(near.write_all(b"x").await.is_ok() && near.flush().await.is_err());
        assert_eq!(times.get(), 2, "what will never leave is waited for no longer");
    }
}
