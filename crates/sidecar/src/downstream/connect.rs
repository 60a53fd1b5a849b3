//! The CONNECT proxy's own small protocol: one request head in, one status line out. Per connection.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use outrigger_providers::FailureClass;

use crate::upstream::DialError;

/// A CONNECT head is a few hundred bytes; credentials for a proxy may make it longer.
const LONGEST: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the app wants to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    /// Name or address, lower case, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Destination {
    /// The address, where the destination is one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.host.parse().ok().map(|ip| SocketAddr::new(ip, self.port))
    }
}

impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Destination {
        Destination { host: address.ip().to_string(), port: address.port() }
    }
}

/// Reads the CONNECT request. `Ok(None)`: the peer was answered with an error, or left without a word.
/// `rest` takes bytes that came behind the head.
pub(crate) async fn read(stream: &mut TcpStream, rest: &mut Vec<u8>) -> io::Result<Option<Destination>> {
    let head = match tokio::time::timeout(PATIENCE, read_head(stream)).await {
        Ok(head) => head?,
        Err(_) => None,
    };
    let Some((mut head, end)) = head else { return Ok(None) };
    rest.extend(head.drain(end..));
    match parse(&head) {
        Ok(destination) => Ok(Some(destination)),
        Err(answer) => {
            respond(stream, answer).await?;
            Ok(None)
        }
    }
}

/// The tunnel stands; whatever follows belongs to it.
pub(crate) async fn established(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await
}

/// The destination could not be reached, or may not be.
pub(crate) async fn unreachable(stream: &mut TcpStream, error: &DialError) -> io::Result<()> {
    let status = match error.class {
        FailureClass::Permission => "403 Forbidden",
        _ => "502 Bad Gateway",
    };
    respond(stream, Answer { status, text: format!("outrigger: {}", error.text) }).await
}

struct Answer {
    status: &'static str,
    text: String,
}

async fn respond(stream: &mut TcpStream, answer: Answer) -> io::Result<()> {
    let Answer { status, text } = answer;
    let length = text.len() + 1;
    let whole = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}\n"
    );
    stream.write_all(whole.as_bytes()).await?;
    stream.shutdown().await
}

async fn read_head(stream: &mut TcpStream) -> io::Result<Option<(Vec<u8>, usize)>> {
    let mut head = Vec::with_capacity(512);
    while head.len() < LONGEST {
        let before = head.len();
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
        let from = before.saturating_sub(3);
        if let Some(at) = head[from..].windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(Some((head, from + at + 4)));
        }
    }
    respond(
        stream,
        Answer {
            status: "431 Request Header Fields Too Large",
            text: "outrigger: the request head is too long".to_owned(),
        },
    )
    .await?;
    Ok(None)
}

fn parse(head: &[u8]) -> Result<Destination, Answer> {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let target = words.next().and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default();
    if method != b"CONNECT" {
        return Err(Answer {
            status: "405 Method Not Allowed",
            text: "outrigger: this is a CONNECT proxy for HTTPS; for plain HTTP unset HTTP_PROXY, for a base URL use the \
                   base-URL listener"
                .to_owned(),
        });
    }
    destination(target).ok_or_else(|| Answer {
        status: "400 Bad Request",
        text: "outrigger: CONNECT needs host:port".to_owned(),
    })
}

fn destination(target: &str) -> Option<Destination> {
    let (host, port) = target.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then(|| Destination { host: host.to_ascii_lowercase(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_in_all_their_forms() {
        let read = |text: &str| destination(text).map(|to| (to.host, to.port));
        assert_eq!(read("API.OpenAI.com.:443"), Some(("api.openai.com".to_owned(), 443)));
        assert_eq!(read("[2001:db8::1]:8443"), Some(("2001:db8::1".to_owned(), 8443)));
        for bad in ["api.openai.com", ":443", "a:0", "a:65536", "a:x", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn other_methods_are_told_what_this_is() {
        let answer = parse(b"GET http://example.com/ HTTP/1.1\r\n\r\n").err().unwrap();
        assert!(answer.status.starts_with("405") && answer.text.contains("CONNECT"));
    }
}
