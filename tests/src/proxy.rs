//! A CONNECT proxy as companies have them, on loopback: what stood between a program and the internet before us.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A running proxy; its threads end with the process.
pub struct ConnectProxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl ConnectProxy {
    /// One that leads every tunnel to the same address, whatever name is asked for.
    #[must_use]
    pub fn to(address: SocketAddr) -> ConnectProxy {
        ConnectProxy::start(Some(address))
    }

    /// One that wants to know who asks, and is never content.
    #[must_use]
    pub fn refusing() -> ConnectProxy {
        ConnectProxy::start(None)
    }

    fn start(to: Option<SocketAddr>) -> ConnectProxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                // Either end may leave as it likes.
                std::thread::spawn(move || drop(serve(stream, to, &log)));
            }
        });
        ConnectProxy { address, heads }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of all requests so far.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut app: TcpStream, to: Option<SocketAddr>, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let head = head(&mut app)?;
    log.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    let Some(to) = to else {
        return app.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    };
    let server = TcpStream::connect(to)?;
    app.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    std::thread::scope(|scope| {
        scope.spawn(|| copy(&app, &server));
        copy(&server, &app);
    });
    Ok(())
}

/// Until one side ends or breaks; its peer is told.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let _copied = std::io::copy(&mut from, &mut to);
    let _told = to.shutdown(Shutdown::Write);
}

/// The head of an HTTP message, byte by byte, so that nothing behind it is swallowed.
///
/// # Errors
/// The peer's end before the head's.
pub fn head(stream: &mut impl Read) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
