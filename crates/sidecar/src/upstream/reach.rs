//! Where an app may be led by CONNECT: not to this pod's own loopback, not to the cloud's metadata, not to the API server.
//! The check is made on the address that is dialled, so that a name cannot change its mind in between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Amazon's metadata over IPv6, which is not link-local.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// What CONNECT may not reach.
pub(crate) struct Reach {
    /// Everything is allowed: the listener serves one user's own programs on one machine.
    local: bool,
    api_server: Option<IpAddr>,
}

impl Reach {
    pub(crate) fn new(local: bool) -> Reach {
        let api_server = std::env::var("KUBERNETES_SERVICE_HOST").ok().and_then(|host| host.parse().ok());
        Reach { local, api_server }
    }

    /// Whether an address is off limits.
    pub(crate) fn denies(&self, address: IpAddr) -> bool {
        if self.local {
            return false;
        }
        let address = plain(address);
        let special = match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.octets()[0] == 0,
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6 == METADATA_V6,
        };
        special
            || address.is_loopback()
            || address.is_unspecified()
            || address.is_multicast()
            || self.api_server.is_some_and(|server| plain(server) == address)
    }
}

/// An IPv4 address however it is wrapped: mapped (RFC 4291), or for a translator on the way (RFC 6052).
fn plain(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
            }
            _ => IpAddr::V6(v6),
        },
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_metadata_and_the_api_server_are_off_limits_in_every_spelling() {
        let reach = Reach { local: false, api_server: "10.96.0.1".parse().ok() };
        for denied in [
            "127.0.0.1",
            "127.8.8.8",
            "::1",
            "::ffff:127.0.0.1",
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b::127.0.0.1",
            "169.254.170.2",
            "fe80::1",
            "fd00:ec2::254",
            "0.0.0.0",
            "::",
            "10.96.0.1",
            "::ffff:10.96.0.1",
            "224.0.0.1",
            "ff02::1",
        ] {
            assert!(reach.denies(denied.parse().unwrap()), "{denied}");
        }
        for allowed in ["203.0.113.10", "10.0.0.7", "2001:db8::10", "fd12::1", "64:ff9b::203.0.113.10"] {
            assert!(!reach.denies(allowed.parse().unwrap()), "{allowed}");
        }
        assert!(!Reach { local: true, api_server: None }.denies(IpAddr::from([127, 0, 0, 1])));
    }
}
