//! Bytes that are none of our business, copied as they are. Per read: no allocation unless the receiver is slower than
//! the sender; an idle connection holds no buffer.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// One read's worth, shared by all connections of the thread: it is never held across an await.
const SCRATCH: usize = 256 * 1024;
/// A peer that closed its half and hears nothing more is given up after this.
const HALF_CLOSED: Duration = Duration::from_secs(300);

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// Copies both ways until both ends have closed. `first` came from the app before the other side was connected.
///
/// # Errors
/// One side broke off, or was silent for [`HALF_CLOSED`] after the other had closed its half.
pub(crate) async fn splice(app: &mut TcpStream, server: &mut TcpStream, first: Vec<u8>) -> io::Result<()> {
    let moved = Cell::new(0);
    let (app_read, app_write) = app.split();
    let (server_read, server_write) = server.split();
    let up = async {
        write_all(&server_write, &first).await?;
        drop(first);
        pump(app_read, server_write, &moved).await
    };
    let down = pump(server_read, app_write, &moved);
    tokio::pin!(up, down);
    // One direction may end long before the other: its end has been passed on, the rest goes on.
    tokio::select! {
        ended = &mut up => {
            ended?;
            unless_silent(down, &moved).await
        }
        ended = &mut down => {
            ended?;
            unless_silent(up, &moved).await
        }
    }
}

async fn unless_silent(
    rest: Pin<&mut impl Future<Output = io::Result<()>>>,
    moved: &Cell<u64>,
) -> io::Result<()> {
    let mut rest = rest;
    loop {
        let before = moved.get();
        match tokio::time::timeout(HALF_CLOSED, rest.as_mut()).await {
            Ok(ended) => return ended,
            Err(_) if moved.get() == before => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => {}
        }
    }
}

async fn pump(from: ReadHalf<'_>, mut to: WriteHalf<'_>, moved: &Cell<u64>) -> io::Result<()> {
    loop {
        from.readable().await?;
        moved.set(moved.get() + 1);
        let step = BUFFER.with_borrow_mut(|buffer| transfer(&from, &to, buffer))?;
        match step {
            Step::Passed => {}
            Step::Left(rest) => write_all(&to, &rest).await?,
            Step::End => return tokio::io::AsyncWriteExt::shutdown(&mut to).await,
        }
    }
}

enum Step {
    /// Everything read has been written, or nothing was there.
    Passed,
    /// The receiver took only a part.
    Left(Vec<u8>),
    End,
}

fn transfer(from: &ReadHalf<'_>, to: &WriteHalf<'_>, buffer: &mut [u8]) -> io::Result<Step> {
    let read = match from.try_read(buffer) {
        Ok(0) => return Ok(Step::End),
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Passed),
        Err(error) => return Err(error),
    };
    let mut rest = &buffer[..read];
    while !rest.is_empty() {
        match to.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Left(rest.to_vec())),
            Err(error) => return Err(error),
        }
    }
    Ok(Step::Passed)
}

async fn write_all(to: &WriteHalf<'_>, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        to.writable().await?;
        match to.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (near.unwrap(), far.unwrap().0)
    }

    /// An app and a server with a splice between them.
    async fn spliced(
        first: &'static [u8],
    ) -> (TcpStream, TcpStream, tokio::task::JoinHandle<io::Result<()>>) {
        let (app, mut app_side) = pair().await;
        let (mut server_side, server) = pair().await;
        let task =
            tokio::task::spawn_local(
                async move { splice(&mut app_side, &mut server_side, first.to_vec()).await },
            );
        (app, server, task)
    }

    #[tokio::test(flavor = "local")]
    async fn each_half_closes_on_its_own() {
        for app_first in [true, false] {
            let (app, server, task) = spliced(b"").await;
            let (mut early, mut late) = if app_first { (app, server) } else { (server, app) };
            early.write_all(b"question").await.unwrap();
            early.shutdown().await.unwrap();
            let mut heard = Vec::new();
            late.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"question");
            late.write_all(b"answer after the end").await.unwrap();
            late.shutdown().await.unwrap();
            heard.clear();
            early.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"answer after the end");
            task.await.unwrap().unwrap();
        }
    }

    #[tokio::test(flavor = "local")]
    async fn what_came_first_stays_first_and_a_slow_reader_loses_nothing() {
        let (mut app, mut server, task) = spliced(b"first ").await;
        let sent: Vec<u8> = (0..8_000_000u32).map(|i| (i % 251) as u8).collect();
        let writing = tokio::spawn({
            let sent = sent.clone();
            async move {
                app.write_all(&sent).await.unwrap();
                app.shutdown().await.unwrap();
                app
            }
        });
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.unwrap();
        assert_eq!(&heard[..6], b"first ");
        assert!(heard[6..] == sent);
        drop((writing.await.unwrap(), server));
        task.await.unwrap().unwrap();
    }
}
