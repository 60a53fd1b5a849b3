//! Where the sidecar's telemetry goes: accepts every OTLP/HTTP export and counts it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Result;
use crate::provider::head_and_length;

/// The sink and its count.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    bytes: Rc<Cell<u64>>,
}

impl Sink {
    /// Bytes of telemetry received.
    pub(crate) fn received(&self) -> u64 {
        self.bytes.get()
    }
}

/// Starts receiving on loopback.
pub(crate) async fn start() -> Result<Sink> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let sink = Sink { address: listener.local_addr()?, bytes: Rc::default() };
    let bytes = Rc::clone(&sink.bytes);
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let bytes = Rc::clone(&bytes);
            tokio::task::spawn_local(async move {
                let _ended = receive(stream, &bytes).await;
            });
        }
    });
    Ok(sink)
}

async fn receive(mut stream: TcpStream, bytes: &Cell<u64>) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        if let Some((head, length)) = head_and_length(&buffer)
            && buffer.len() >= head + length
        {
            bytes.set(bytes.get() + length as u64);
            buffer.drain(..head + length);
            stream
                .write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n",
                )
                .await?;
        } else if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}
