//! What shall be redirected and what not. Pure: text in, text out.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use outrigger_contract::{redirection, uid};

/// What happens to new connections when the sidecar gives no sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnProxyDown {
    /// They go direct.
    Open,
    /// They are refused.
    Closed,
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    pub(crate) const BOTH: [Family; 2] = [Family::Ipv4, Family::Ipv6];
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
        })
    }
}

/// The whole redirection of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Destination ports that are redirected; sorted, never empty.
    pub(crate) ports: Vec<u16>,
    /// Users whose connections are left alone, the sidecar first.
    pub(crate) uids: Vec<u32>,
    /// IPv4 networks that are left alone; aggregated.
    pub(crate) v4: Vec<Ipv4Net>,
    /// IPv6 networks that are left alone; aggregated.
    pub(crate) v6: Vec<Ipv6Net>,
    pub(crate) on_proxy_down: OnProxyDown,
    /// Whether UDP to these ports is refused, so that HTTP/3 falls back to what can be redirected.
    pub(crate) block_quic: bool,
}

/// What an operator may ask for beyond the defaults.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    pub(crate) ports: Vec<u16>,
    pub(crate) exclude_ports: Vec<u16>,
    pub(crate) exclude_uids: Vec<u32>,
    pub(crate) exclude_cidrs: Vec<IpNet>,
    /// The cluster's API server, which is never an LLM provider.
    pub(crate) api_server: Option<IpAddr>,
    pub(crate) block_quic: bool,
}

/// Why a plan cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("every port is excluded, so nothing would be redirected; take one out of --exclude-port")]
    NoPorts,
    #[error("port {0} is the sidecar's own and cannot be redirected; take it out of --port")]
    OwnPort(u16),
}

/// Loopback, and link-local addresses, where clouds keep their metadata.
const NEVER_V4: [&str; 2] = ["127.0.0.0/8", "169.254.0.0/16"];
const NEVER_V6: [&str; 2] = ["::1/128", "fe80::/10"];

impl Plan {
    /// Adds the defaults to what is wished for.
    pub(crate) fn new(wishes: &Wishes, on_proxy_down: OnProxyDown) -> Result<Plan, PlanError> {
        let mut ports = wishes.ports.clone();
        if ports.is_empty() {
            ports.push(redirection::HTTPS);
        }
        ports.retain(|port| !wishes.exclude_ports.contains(port));
        ports.sort_unstable();
        ports.dedup();
        if ports.is_empty() {
            return Err(PlanError::NoPorts);
        }
        if let Some(own) = ports.iter().find(|port| is_own(**port)) {
            return Err(PlanError::OwnPort(*own));
        }
        let mut uids = vec![uid::SIDECAR, uid::ISTIO, uid::LINKERD];
        for extra in &wishes.exclude_uids {
            if !uids.contains(extra) {
                uids.push(*extra);
            }
        }
        let excluded = || wishes.exclude_cidrs.iter().copied().chain(wishes.api_server.map(IpNet::from));
        let mut v4: Vec<Ipv4Net> = NEVER_V4.iter().filter_map(|text| text.parse().ok()).collect();
        let mut v6: Vec<Ipv6Net> = NEVER_V6.iter().filter_map(|text| text.parse().ok()).collect();
        for net in excluded() {
            match net {
                IpNet::V4(net) => v4.push(net.trunc()),
                IpNet::V6(net) => v6.push(net.trunc()),
            }
        }
        // Sets of intervals refuse what overlaps.
        let (v4, v6) = (Ipv4Net::aggregate(&v4), Ipv6Net::aggregate(&v6));
        Ok(Plan { ports, uids, v4, v6, on_proxy_down, block_quic: wishes.block_quic })
    }

    /// Whether connections to an address are left alone.
    pub(crate) fn excludes(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.v4.iter().any(|net| net.contains(&v4)),
            IpAddr::V6(v6) => self.v6.iter().any(|net| net.contains(&v6)),
        }
    }
}

const fn is_own(port: u16) -> bool {
    use outrigger_contract::ports::{BASE_URL, CONNECT, HEARTBEAT, METRICS, TRANSPARENT};
    matches!(port, TRANSPARENT | CONNECT | BASE_URL | HEARTBEAT | METRICS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(wishes: &Wishes) -> Result<Plan, PlanError> {
        Plan::new(wishes, OnProxyDown::Open)
    }

    #[test]
    fn the_defaults_leave_alone_what_must_never_be_redirected() {
        let plan = plan(&Wishes::default()).unwrap();
        assert_eq!(plan.ports, [443]);
        assert_eq!(plan.uids, [19015, 1337, 2102]);
        for address in ["127.0.0.1", "169.254.169.254", "::1", "fe80::1"] {
            assert!(plan.excludes(address.parse().unwrap()), "{address}");
        }
        // Private networks stay in: private endpoints of providers live there.
        assert!(!plan.excludes("10.1.2.3".parse().unwrap()));
    }

    #[test]
    fn overlapping_networks_become_one() {
        let wishes = Wishes {
            exclude_cidrs: ["10.0.0.0/8", "10.1.2.3/16", "fd00::/8"]
                .map(|text| text.parse().unwrap())
                .to_vec(),
            api_server: Some("10.96.0.1".parse().unwrap()),
            ..Wishes::default()
        };
        let plan = plan(&wishes).unwrap();
        assert_eq!(plan.v4.iter().filter(|net| net.addr().octets()[0] == 10).count(), 1);
        assert_eq!(plan.v6.len(), 3);
    }

    #[test]
    fn impossible_wishes_are_named() {
        let wishes = Wishes { exclude_ports: vec![443], ..Wishes::default() };
        assert_eq!(plan(&wishes), Err(PlanError::NoPorts));
        let wishes = Wishes { ports: vec![443, 19001], ..Wishes::default() };
        assert_eq!(plan(&wishes), Err(PlanError::OwnPort(19001)));
    }
}
