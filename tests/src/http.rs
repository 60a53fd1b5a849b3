//! The little HTTP that the harness itself speaks, on loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;

/// `GET` of a path; status and body.
///
/// # Errors
/// The system's, when nobody listens or the peer breaks off.
pub fn get(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    crate::evidence::keep("page", body.as_bytes());
    Ok((status, body.to_owned()))
}

/// An address on loopback that was free a moment ago, and that this process is given once: below those that the system gives
/// to connections, which would take it before a program listens there.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_address() -> SocketAddr {
    const PORTS: std::ops::Range<u32> = 20_000..30_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let many = PORTS.end - PORTS.start;
    // Processes that run side by side begin apart.
    let first = std::process::id().wrapping_mul(97);
    let mut all = (0..many).map(|_| {
        let step = first.wrapping_add(GIVEN.fetch_add(1, Relaxed)) % many;
        let port = u16::try_from(PORTS.start + step).expect("a port");
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    });
    all.find(|address| TcpListener::bind(address).is_ok()).expect("a free port")
}

/// `POST` of JSON; status and body.
///
/// # Errors
/// The system's, when nobody listens or the peer breaks off.
pub fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    json: &Value,
) -> std::io::Result<(u16, String)> {
    let body = json.to_string();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{more}\r\n{body}"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}

/// Reads one request with a body from a connection that stays open; `buffer` keeps what was read too far. `None` at its end.
///
/// # Errors
/// The system's, when the peer breaks off.
pub fn read_request(
    stream: &mut impl Read,
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut piece = [0; 16 * 1024];
    loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = at + 4;
            let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
            let length = text.split("content-length:").nth(1).and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
            if buffer.len() >= head + length {
                let path = text.split(' ').nth(1).unwrap_or("").to_owned();
                return Ok(Some((path, buffer.drain(..head + length).skip(head).collect())));
            }
        }
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            read => buffer.extend_from_slice(&piece[..read]),
        }
    }
}

/// A text as a part of a query.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte.into()),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
