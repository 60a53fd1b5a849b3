//! Connections that were redirected here. Per connection: where it was going, and that it is no loop.
//! Once a second: the sign of life on which the redirection depends, given by the very loop that accepts. At the end: its farewell.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use outrigger_contract::{ports, redirection};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::MissedTickBehavior;

use crate::drain::{Token, WeakToken};
use crate::seen::Counters;

/// When the system cannot accept (no descriptors left), trying again at once would only burn its time.
const BACK_OFF: Duration = Duration::from_millis(50);

/// How long after the farewell a connection may still come that the last sign of life has led here.
const LATECOMERS: Duration = Duration::from_millis(50);

/// The loopback addresses, one listener each: an address that accepts both families would also accept from outside.
pub(crate) const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Where a redirected connection was going. None for one that was made to the listener itself, or is gone already:
/// forwarding that would be a loop.
pub(crate) fn original(stream: &TcpStream, listener: SocketAddr) -> Option<SocketAddr> {
    let socket = SockRef::from(stream);
    let address = if listener.is_ipv4() { socket.original_dst_v4() } else { socket.original_dst_v6() };
    address.ok()?.as_socket().filter(|to| !is_own(to, listener))
}

fn is_own(to: &SocketAddr, listener: SocketAddr) -> bool {
    let ip = to.ip().to_canonical();
    ip.is_loopback() || ip.is_unspecified() || to.port() == listener.port()
}

/// A listener for redirected connections of one family.
pub(crate) struct Transparent {
    listener: TcpListener,
    address: SocketAddr,
    heart: Heart,
    counters: Arc<Counters>,
}

impl Transparent {
    /// Gives the first sign of life: from here on connections are redirected.
    pub(crate) fn begin(listener: std::net::TcpListener, counters: Arc<Counters>) -> io::Result<Transparent> {
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let begun = Transparent { listener, address, heart: Heart::new(address.ip()), counters };
        begun.beat();
        Ok(begun)
    }

    fn beat(&self) {
        if self.heart.say(ports::HEARTBEAT) {
            self.counters.sign_of_life(self.address.ip());
        }
    }

    /// Accepts until the process ends: where the redirection does not ask for signs of life, connections are led here all along.
    pub(crate) async fn accept<F>(self, token: Token, serve: impl Fn(TcpStream, SocketAddr, Token) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let weak: WeakToken = token.weak();
        let mut held = Some(token.clone());
        let mut left = false;
        let life = self.live(token);
        tokio::pin!(life);
        loop {
            tokio::select! {
                biased;
                () = &mut life, if !left => left = true,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let Some(token) = weak.upgrade() else { return };
                        match original(&stream, self.address) {
                            Some(to) => {
                                self.counters.redirected(self.address.ip());
                                tokio::task::spawn_local(serve(stream, to, token));
                            }
                            None => tracing::debug!("a connection to the transparent listener itself is closed"),
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a redirected connection could not be accepted");
                        tokio::time::sleep(BACK_OFF).await;
                    }
                },
                // Nobody waits to be accepted any more.
                () = std::future::ready(()), if left && held.is_some() => held = None,
            }
        }
    }

    /// Gives signs of life until the drain begins, then takes them back, and waits for those who were led here by the last one.
    async fn live(&self, mut token: Token) {
        let mut beat = tokio::time::interval(redirection::HEARTBEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => self.beat(),
                () = token.draining() => break,
            }
        }
        self.heart.say(ports::FAREWELL);
        tokio::time::sleep(LATECOMERS).await;
    }
}

/// Says that the sidecar lives, or leaves, in the two ways that the redirection can hear it.
struct Heart {
    loopback: Option<UdpSocket>,
    family: IpAddr,
}

impl Heart {
    fn new(family: IpAddr) -> Heart {
        let loopback = socket(family)
            .inspect_err(|error| tracing::error!(%error, "no sign of life can be given; redirected connections will go direct"))
            .ok();
        Heart { loopback, family }
    }

    /// Says what `port` stands for. False when nothing could be sent on loopback.
    fn say(&self, port: u16) -> bool {
        let sent =
            self.loopback.as_ref().map(|socket| socket.send_to(&[], SocketAddr::new(self.family, port)));
        if let Some(Err(error)) = &sent {
            tracing::debug!(%error, port, "a sign to the redirection was not sent");
        }
        // iptables knows the living by the source address of their connections.
        let own = outgoing_address(self.family);
        if let Some(own) = own
            && let Err(error) = socket(own).and_then(|from| from.send_to(&[], SocketAddr::new(own, port)))
        {
            tracing::debug!(%error, port, "a sign to the redirection was not sent");
        }
        matches!(sent, Some(Ok(_)))
    }
}

fn socket(address: IpAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((address, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The address from which connections leave; none where the family has no route. Sends nothing.
fn outgoing_address(family: IpAddr) -> Option<IpAddr> {
    // Addresses that nobody has (RFC 5737, RFC 3849).
    let (any, nowhere): (IpAddr, IpAddr) = if family.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into())
    } else {
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1).into())
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((nowhere, redirection::HTTPS)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_addresses_are_never_a_destination() {
        let listener: SocketAddr = "127.0.0.1:19001".parse().unwrap();
        for own in [
            "127.0.0.1:19001",
            "127.9.9.9:443",
            "[::1]:443",
            "[::ffff:127.0.0.1]:443",
            "10.99.0.2:19001",
            "0.0.0.0:443",
        ] {
            assert!(is_own(&own.parse().unwrap(), listener), "{own}");
        }
        for other in ["203.0.113.10:443", "[2001:db8::10]:443", "10.0.0.7:443"] {
            assert!(!is_own(&other.parse().unwrap(), listener), "{other}");
        }
    }
}
