//! A TCP connection to one of several addresses: the next one is tried when one fails or is slow. Per connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use outrigger_providers::FailureClass;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::upstream::DialError;
use crate::upstream::proxy::UpstreamProxy;
use crate::upstream::reach::Reach;
use crate::upstream::resolve::Resolver;

/// Time for all addresses together.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one address may keep the next one waiting (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);
/// Finds a peer that went away without a word.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// For the app's side. The kernel forgets a redirected connection that one end has closed after 60 s, and with it where
/// the other end's close belongs; probes keep it in mind.
const APP_KEEPALIVE: Duration = Duration::from_secs(15);
/// Unanswered probes after which the app is taken for gone: where the kernel has forgotten, it may answer none.
const APP_KEEPALIVE_RETRIES: u32 = 2;
/// How long sent bytes may stay unacknowledged.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// Opens TCP connections, through the upstream proxy where one is set.
pub(crate) struct Dialer {
    pub(crate) resolver: Resolver,
    pub(crate) proxy: Option<UpstreamProxy>,
    pub(crate) reach: Reach,
}

impl Dialer {
    /// Connects to `host:port` for an app that asked for it by CONNECT; some addresses are denied.
    pub(crate) async fn dial_for_app(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        if self.resolver.fixed(host).is_some() {
            return self.dial(host, port).await;
        }
        if self.proxy.is_some() {
            // The proxy resolves names; what it can reach is its own affair.
            self.may_reach(host)?;
            return self.dial(host, port).await;
        }
        let addresses = self.allowed(host, self.resolver.addresses(host, port).await?)?;
        within(CONNECT, host, port, async {
            connect(&addresses).await.map_err(|error| refused(&format!("{host}:{port}"), &error))
        })
        .await
    }

    /// Judges a host that is an address; a name is judged by what it resolves to.
    pub(crate) fn may_reach(&self, host: &str) -> Result<(), DialError> {
        match host.parse() {
            Ok(address) => self.allowed(host, vec![SocketAddr::new(address, 0)]).map(drop),
            Err(_) => Ok(()),
        }
    }

    fn allowed(&self, host: &str, mut addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, DialError> {
        addresses.retain(|address| !self.reach.denies(address.ip()));
        if addresses.is_empty() {
            return Err(DialError {
                class: FailureClass::Permission,
                text: format!(
                    "{host} leads to this pod itself, to the cloud's metadata or to the API server, where CONNECT may not go; add \
                     it to NO_PROXY to reach it directly"
                ),
            });
        }
        Ok(addresses)
    }

    /// Connects to the very address that the app was going to, past any proxy.
    pub(crate) async fn dial_address(&self, address: SocketAddr) -> Result<TcpStream, DialError> {
        self.dial_address_within(address, CONNECT).await
    }

    /// The same, given up after `patience`.
    pub(crate) async fn dial_address_within(
        &self,
        address: SocketAddr,
        patience: Duration,
    ) -> Result<TcpStream, DialError> {
        within(patience, &address.ip().to_string(), address.port(), async {
            connect_one(address).await.map_err(|error| refused(&address.to_string(), &error))
        })
        .await
    }

    /// Whether a name is reached where the app's own connection went: no fixed address and no proxy say otherwise.
    pub(crate) fn follows_the_app(&self, host: &str) -> bool {
        self.proxy.is_none() && self.resolver.fixed(host).is_none()
    }

    /// Connects to `host:port`.
    pub(crate) async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        within(CONNECT, host, port, async {
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
        })
        .await
    }
}

async fn within(
    patience: Duration,
    host: &str,
    port: u16,
    attempt: impl Future<Output = Result<TcpStream, DialError>>,
) -> Result<TcpStream, DialError> {
    tokio::time::timeout(patience, attempt).await.unwrap_or_else(|_| {
        Err(DialError {
            class: FailureClass::Timeout,
            text: format!("{host}:{port} did not accept a connection within {} s", patience.as_secs()),
        })
    })
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

/// Options of a connection to a provider.
fn configure(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    noted(set_options(stream, &keepalive).and_then(|()| {
        // It also ends a peer that takes nothing for so long.
        SockRef::from(stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED))
    }));
}

/// Options of a connection of the app. It may take as long as it likes to read what came: no time-out.
pub(crate) fn configure_app(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(APP_KEEPALIVE)
        .with_interval(APP_KEEPALIVE)
        .with_retries(APP_KEEPALIVE_RETRIES);
    noted(set_options(stream, &keepalive));
}

fn set_options(stream: &TcpStream, keepalive: &TcpKeepalive) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(keepalive)
}

/// Best effort: a connection without them still carries its bytes.
fn noted(set: io::Result<()>) {
    if let Err(error) = set {
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

    #[tokio::test]
    async fn an_app_may_stop_reading_and_is_still_found_gone() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let _app = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        configure_app(&stream);
        let socket = SockRef::from(&stream);
        // The kernel would end even a peer that answers, but has no room.
        assert_eq!(socket.tcp_user_timeout().unwrap(), None);
        let forgotten_after = Duration::from_secs(60);
        assert!(socket.keepalive().unwrap() && socket.tcp_keepalive_time().unwrap() < forgotten_after);
        let probing = socket.tcp_keepalive_interval().unwrap() * socket.tcp_keepalive_retries().unwrap();
        assert!(socket.tcp_keepalive_time().unwrap() + probing < forgotten_after);
    }
}
