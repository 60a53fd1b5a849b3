//! The provider of the run: answers chat completions of a fixed shape as cheaply as it can.
//!
//! `?events=N&micros=M` streams N events, one every M microseconds; without it the answer is 1 KiB of JSON. `?fails` is answered 500.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::Result;
use crate::prose::prose;
use crate::tls::Authority;

/// The clock that events carry and the client reads; both live in this process.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds on the shared clock.
pub(crate) fn now() -> u64 {
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// An event's length on the wire, padded to it.
const EVENT: usize = 295;
/// A unary answer's length.
const ANSWER: usize = 1024;

/// How long an answer takes that is thought about: some fiftieth of what a quick model takes.
const THINKING: Duration = Duration::from_millis(5);

const FAILURE: &[u8] =
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 60\r\n\r\n\
                         {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":null}}";

/// Starts serving on loopback.
pub(crate) async fn start(authority: &Authority) -> Result<SocketAddr> {
    let acceptor = TlsAcceptor::from(authority.server()?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::task::spawn_local(async move {
                // A peer may end its connection as it likes.
                let _ended = serve(acceptor, stream).await;
            });
        }
    });
    Ok(address)
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut tls = acceptor.accept(stream).await?;
    let answer = unary_answer();
    let mut buffer = Vec::with_capacity(128 * 1024);
    loop {
        let (head, length) = loop {
            if let Some(found) = head_and_length(&buffer) {
                break found;
            }
            if tls.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        while buffer.len() < head + length {
            if tls.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let stream_of = parameters(&buffer[..head]);
        let fails = query(&buffer[..head]) == Some("fails");
        let thinks = query(&buffer[..head]) == Some("thinks");
        buffer.drain(..head + length);
        match stream_of {
            None if fails => tls.write_all(FAILURE).await?,
            None if thinks => {
                let until = Instant::now() + THINKING;
                // A timer's tick would round off what is to be measured; nobody else needs this core meanwhile.
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
                tls.write_all(&answer).await?;
            }
            None => tls.write_all(&answer).await?,
            Some((events, pause)) => send_events(&mut tls, events, pause).await?,
        }
        tls.flush().await?;
    }
}

/// Where the head ends and how long the body is, once the head is whole.
pub(crate) fn head_and_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    Some((end, header(&bytes[..end], "content-length").and_then(|value| value.parse().ok()).unwrap_or(0)))
}

/// A header's value.
pub(crate) fn header<'a>(head: &'a [u8], wanted: &str) -> Option<&'a str> {
    std::str::from_utf8(head).ok()?.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then_some(value.trim())
    })
}

fn query(head: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(head).ok()?.split("\r\n").next()?;
    Some(line.split(' ').nth(1)?.split_once('?')?.1)
}

fn parameters(head: &[u8]) -> Option<(u64, Duration)> {
    let query = query(head)?;
    let value = |name: &str| {
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    Some((value("events")?, Duration::from_micros(value("micros").unwrap_or(0))))
}

fn unary_answer() -> Vec<u8> {
    let start = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5-mini","choices":[{"index":0,"message":{"role":"assistant","content":""#;
    let end = r#"","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150}}"#;
    let body = format!("{start}{}{end}", prose(ANSWER - start.len() - end.len()));
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

async fn send_events(
    tls: &mut tokio_rustls::server::TlsStream<TcpStream>,
    events: u64,
    pause: Duration,
) -> std::io::Result<()> {
    tls.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    .await?;
    let mut next = tokio::time::Instant::now();
    for at in 0..events {
        let chunk = if at + 1 == events { last_event() } else { event() };
        tls.write_all(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await?;
        tls.flush().await?;
        if !pause.is_zero() {
            next += pause;
            tokio::time::sleep_until(next).await;
        }
    }
    tls.write_all(b"0\r\n\r\n").await
}

fn event() -> String {
    let start = format!(
        r#"data: {{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"sent":"{:020}","model":"gpt-5-mini","choices":[{{"index":0,"delta":{{"content":"word"}},"finish_reason":null}}],"usage":null,"obfuscation":""#,
        now()
    );
    let padding = EVENT.saturating_sub(start.len() + 4);
    format!("{start}{}\"}}\n\n", "x".repeat(padding))
}

fn last_event() -> String {
    let usage = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5-mini","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150}}"#;
    format!("{usage}\n\ndata: [DONE]\n\n")
}
