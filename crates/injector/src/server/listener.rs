//! Opens a port. `[::]` takes IPv4 too, whatever the system's default is, and is `0.0.0.0` on a machine without IPv6.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 1024;

/// Opens a port; must be called where a runtime is.
pub(super) fn open(address: SocketAddr) -> io::Result<TcpListener> {
    either(address, listen)
}

/// The first fault is told: it is about the address that was asked for.
fn either<T>(address: SocketAddr, listen: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    listen(address).or_else(|fault| {
        if address.is_ipv6() && address.ip().is_unspecified() {
            let plain = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            return listen(plain).map_err(|_| fault);
        }
        Err(fault)
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn where_there_is_no_ipv6_every_address_is_every_ipv4_address() {
        let without_ipv6 = |address: SocketAddr| match address {
            SocketAddr::V4(_) => Ok(address.to_string()),
            SocketAddr::V6(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 10250));
        assert_eq!(either(all, without_ipv6).unwrap(), "0.0.0.0:10250");
        let one = SocketAddr::from((Ipv6Addr::LOCALHOST, 10250));
        assert_eq!(either(one, without_ipv6).unwrap_err().kind(), io::ErrorKind::Unsupported);
        let taken = |_: SocketAddr| Err::<(), _>(io::ErrorKind::AddrInUse.into());
        assert_eq!(either(all, taken).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn every_address_is_also_every_ipv4_address() {
        let listener = open(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, taken) =
            tokio::join!(tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)), listener.accept());
        assert_eq!(asked.unwrap().local_addr().unwrap().port(), taken.unwrap().1.port());
    }
}
