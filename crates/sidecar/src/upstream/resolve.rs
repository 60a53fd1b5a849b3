//! Names to addresses. Per connection to a provider.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use outrigger_providers::FailureClass;

use crate::settings::UpstreamOverride;
use crate::upstream::DialError;

/// Resolves names: settings first, then the system.
pub(crate) struct Resolver {
    fixed: HashMap<String, SocketAddr>,
}

impl Resolver {
    pub(crate) fn new(overrides: &[UpstreamOverride]) -> Resolver {
        Resolver { fixed: overrides.iter().map(|one| (one.host.clone(), one.address)).collect() }
    }

    /// The address that the settings give for a name.
    pub(crate) fn fixed(&self, host: &str) -> Option<SocketAddr> {
        self.fixed.get(host).copied()
    }

    /// Candidate addresses in the order to try them: families alternate, the system's first choice first.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
        if let Some(address) = self.fixed(host) {
            return Ok(vec![address]);
        }
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        match tokio::net::lookup_host((host, port)).await {
            Ok(found) => {
                let found = interleave(found.collect());
                if found.is_empty() { Err(unresolved(host, "it has no address")) } else { Ok(found) }
            }
            Err(error) => Err(unresolved(host, &error.to_string())),
        }
    }
}

fn unresolved(host: &str, reason: &str) -> DialError {
    DialError {
        class: FailureClass::Dns,
        text: format!(
            "the name {host} could not be resolved ({reason}); check the DNS settings of this machine or pod"
        ),
    }
}

fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|one| one.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut merged = Vec::new();
    loop {
        match (first.next(), second.next()) {
            (None, None) => return merged,
            (one, other) => merged.extend(one.into_iter().chain(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate_from_the_first_choice_on() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(parse);
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(parse);
        assert_eq!(interleave(addresses.to_vec()), expected);
    }
}
