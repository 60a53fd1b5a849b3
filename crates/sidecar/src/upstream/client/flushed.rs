//! A connection to a provider that tells when all that was written has left. Per flush: one call.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is done then.
pub(crate) type OnFlush = Rc<dyn Fn()>;

/// Such a connection.
pub(super) struct Flushed<T> {
    io: T,
    act: OnFlush,
}

impl<T> Flushed<T> {
    pub(super) fn new(io: T, act: &OnFlush) -> Flushed<T> {
        Flushed { io, act: Rc::clone(act) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Flushed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Flushed<T> {
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
        (self.act)();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
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
        let act: OnFlush = Rc::new(move || counted.set(counted.get() + 1));
        let (near, mut far) = tokio::io::duplex(4);
        let mut near = Flushed::new(tokio::io::BufWriter::new(near), &act);
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
