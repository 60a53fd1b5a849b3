//! The client of the run: one connection, one request at a time, nothing but what it takes.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Result;
use crate::prose::prose;
use crate::provider::{head_and_length, header, now};
use crate::tls::HOST;

/// How a peer is reached.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) address: SocketAddr,
    pub(crate) connect: bool,
    pub(crate) tls: Arc<ClientConfig>,
}

/// An open connection.
pub(crate) struct Client {
    tls: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects and finishes the handshake.
    pub(crate) async fn open(route: &Route) -> Result<Client> {
        let mut stream = TcpStream::connect(route.address).await?;
        stream.set_nodelay(true)?;
        if route.connect {
            stream
                .write_all(format!("CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n").as_bytes())
                .await?;
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(stream.read_u8().await?);
            }
            if !answer.starts_with(b"HTTP/1.1 200") {
                return Err(String::from_utf8_lossy(&answer).into());
            }
        }
        let name = ServerName::try_from(HOST)?;
        let tls = TlsConnector::from(Arc::clone(&route.tls)).connect(name, stream).await?;
        Ok(Client { tls, buffer: Vec::with_capacity(32 * 1024) })
    }

    /// Sends a whole request and reads a whole unary answer.
    pub(crate) async fn unary(&mut self, request: &[u8]) -> Result<()> {
        self.tls.write_all(request).await?;
        self.buffer.clear();
        loop {
            if let Some((head, length)) = head_and_length(&self.buffer)
                && self.buffer.len() >= head + length
            {
                return self.expect_ok();
            }
            self.fill().await?;
        }
    }

    /// Sends a request and reads a chunked stream to its end; `seen` gets the delay of every event in nanoseconds.
    pub(crate) async fn stream(&mut self, request: &[u8], mut seen: impl FnMut(u64)) -> Result<()> {
        self.tls.write_all(request).await?;
        self.buffer.clear();
        while head_and_length(&self.buffer).is_none() {
            self.fill().await?;
        }
        self.expect_ok()?;
        let (head, _) = head_and_length(&self.buffer).unwrap_or_default();
        if header(&self.buffer[..head], "transfer-encoding").is_none() {
            return Err("the stream came without chunks".into());
        }
        self.buffer.drain(..head);
        let mut carry = Vec::new();
        loop {
            let arrived = now();
            carry.extend_from_slice(&self.buffer);
            self.buffer.clear();
            let mut from = 0;
            while let Some(at) = find(&carry[from..], b"\"sent\":\"") {
                let digits = from + at + 8;
                let Some(text) = carry.get(digits..digits + 20) else { break };
                // A proxy may begin a new chunk in the middle of the digits; such an event is counted by none.
                if let Some(sent) = std::str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok()) {
                    seen(arrived.saturating_sub(sent));
                }
                from = digits + 20;
            }
            if carry.ends_with(b"\r\n0\r\n\r\n") {
                return Ok(());
            }
            let keep = carry.len().min(64).min(carry.len() - from);
            carry.drain(..carry.len() - keep);
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        if self.tls.read_buf(&mut self.buffer).await? == 0 {
            return Err("the peer closed the connection".into());
        }
        Ok(())
    }

    fn expect_ok(&self) -> Result<()> {
        if self.buffer.starts_with(b"HTTP/1.1 200") {
            return Ok(());
        }
        Err(format!("not a 200: {}", String::from_utf8_lossy(&self.buffer)).into())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// A chat request with a body of `size` bytes.
pub(crate) fn request(query: &str, size: usize, stream: bool) -> Vec<u8> {
    let start = format!(
        r#"{{"model":"gpt-5-mini","stream":{stream},"stream_options":{{"include_usage":true}},"messages":[{{"role":"user","content":""#
    );
    let end = r#""}]}"#;
    let body = format!("{start}{}{end}", prose(size.saturating_sub(start.len() + end.len())));
    format!(
        "POST /v1/chat/completions{query} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer sk-bench-0123456789abcdef\r\n\
         Content-Type: application/json\r\nAccept: application/json\r\nUser-Agent: bench\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
