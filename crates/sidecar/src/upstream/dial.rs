//! A TCP connection to one of several addresses: the next one is tried when one fails or is slow. Per connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use outrigger_providers::FailureClass;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::upstream::DialError;
use crate::upstream::proxy::UpstreamProxy;
use crate::upstream::resolve::Resolver;

/// Time for all addresses together.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one address may keep the next one waiting (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);
/// Finds a peer that went away without a word.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Opens TCP connections, through the upstream proxy where one is set.
pub(crate) struct Dialer {
    pub(crate) resolver: Resolver,
    pub(crate) proxy: Option<UpstreamProxy>,
}

impl Dialer {
    /// Connects to `host:port`.
    pub(crate) async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let attempt = async {
            match &self.proxy {
                // A fixed address means this very place; a proxy could not be told so.
                Some(proxy) if self.resolver.fixed(host).is_none() => {
                    let addresses = self.resolver.addresses(&proxy.host, proxy.port).await?;
                    let stream = connect(&addresses).await.map_err(|error| {
                        refused(&format!("the upstream proxy {}:{}", proxy.host, proxy.port), &error)
                    })?;
                    proxy.tunnel(stream, host, port).await
                }
                _ => {
                    let addresses = self.resolver.addresses(host, port).await?;
                    connect(&addresses).await.map_err(|error| refused(&format!("{host}:{port}"), &error))
                }
            }
        };
        tokio::time::timeout(CONNECT, attempt).await.unwrap_or_else(|_| {
            Err(DialError {
                class: FailureClass::Timeout,
                text: format!("{host}:{port} did not accept a connection within {} s", CONNECT.as_secs()),
            })
        })
    }
}

fn refused(place: &str, error: &io::Error) -> DialError {
    DialError { class: FailureClass::Connect, text: format!("{place} could not be reached ({error})") }
}

async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().copied();
    let mut racing: JoinSet<io::Result<TcpStream>> = JoinSet::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
    loop {
        if let Some(address) = waiting.next() {
            racing.spawn(connect_one(address));
        } else if racing.is_empty() {
            return Err(last);
        }
        let more = waiting.len() > 0;
        tokio::select! {
            Some(done) = racing.join_next() => match done {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::other("a connection attempt was given up"),
            },
            () = tokio::time::sleep(STAGGER), if more => {}
        }
    }
}

async fn connect_one(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    configure(&stream);
    Ok(stream)
}

/// Options of every connection, on both sides. Best effort: a connection without them still carries its bytes.
pub(crate) fn configure(stream: &TcpStream) {
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let socket = socket2::SockRef::from(stream);
    if let Err(error) = stream.set_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive)) {
        tracing::debug!(%error, "socket options were refused");
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_refused_address_gives_way_to_the_next() {
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
        let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let stream = connect(&[closed, open.local_addr().unwrap()]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open.local_addr().unwrap());
        assert_eq!(connect(&[closed]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
