//! A plan as an nftables script: a table of our own, replaced in one transaction, both families at once.

use std::fmt::{Display, Write};

use outrigger_contract::{ports, redirection, uid};

use crate::plan::{Family, OnProxyDown, Plan};

/// Before iptables' NAT of locally made connections (-100), so that the sidecar's own connections still meet a mesh's.
const PRIORITY: i32 = -110;

/// Families that are alive, and those that were: what is over counts until the kernel clears it away, about once a second, and a sidecar
/// that comes back before that must find room. A farewell, which is said twice, may leave two for each family.
const ROOM: u32 = 64;

/// The script that puts a plan in place, whatever stood there before.
pub(crate) fn script(plan: &Plan) -> String {
    let table = redirection::TABLE;
    let alive = redirection::ALIVE;
    let seconds = redirection::ALIVE_FOR.as_secs();
    let (mark, mask) = redirection::ZTUNNEL_MARK;
    let (sidecar, transparent) = (uid::SIDECAR, ports::TRANSPARENT);
    let (heartbeat, farewell) = (ports::HEARTBEAT, ports::FAREWELL);
    let condition = match plan.on_proxy_down {
        OnProxyDown::Open => format!("meta nfproto @{alive} "),
        OnProxyDown::Closed => String::new(),
    };
    let exceptions = format!(
        "meta skuid {{ {} }} return
    meta mark and {mask:#x} == {mark:#x} return
    oifname \"lo\" return
    ip daddr @excluded4 return
    ip6 daddr @excluded6 return",
        list(&plan.uids)
    );
    let ports = list(&plan.ports);
    let quic = if plan.block_quic {
        format!(
            "  chain quic {{
    type filter hook output priority {PRIORITY}; policy accept;
    {exceptions}
    {condition}udp dport {{ {ports} }} reject
  }}
"
        )
    } else {
        String::new()
    };
    // Deleting needs the table to be there; adding it twice is no error. The shortest time takes the family out as well as `delete`
    // would, which kernels before 5.4 do not know here.
    format!(
        "add table inet {table}
delete table inet {table}
table inet {table} {{
  set {alive} {{ type nf_proto; flags dynamic,timeout; timeout {seconds}s; size {ROOM}; }}
  set excluded4 {{ type ipv4_addr; flags interval; elements = {{ {} }} }}
  set excluded6 {{ type ipv6_addr; flags interval; elements = {{ {} }} }}
  chain heartbeat {{
    type filter hook output priority {PRIORITY}; policy accept;
    oifname \"lo\" meta skuid {sidecar} udp dport {heartbeat} update @{alive} {{ meta nfproto timeout {seconds}s }}
    oifname \"lo\" meta skuid {sidecar} udp dport {farewell} update @{alive} {{ meta nfproto timeout 1ms }}
  }}
  chain outgoing {{
    type nat hook output priority {PRIORITY}; policy accept;
    {exceptions}
    {condition}tcp dport {{ {ports} }} redirect to :{transparent}
  }}
{quic}}}
",
        list(&plan.v4),
        list(&plan.v6),
    )
}

/// Removes everything of ours; no error when nothing is there.
pub(crate) fn undo() -> String {
    let table = redirection::TABLE;
    format!("add table inet {table}\ndelete table inet {table}\n")
}

/// Says of a family that the sidecar lives, or takes it back.
pub(crate) fn arm(family: Family, alive: bool) -> String {
    let verb = if alive { "add" } else { "delete" };
    let family = match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    };
    format!("{verb} element inet {} {} {{ {family} }}\n", redirection::TABLE, redirection::ALIVE)
}

fn list(items: &[impl Display]) -> String {
    let mut text = String::new();
    for (i, item) in items.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        // Writing to a string does not fail.
        let _written = write!(text, "{comma}{item}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Wishes;

    #[test]
    fn the_exceptions_come_before_the_redirect() {
        let wishes = Wishes { ports: vec![8443, 443], exclude_uids: vec![7], ..Wishes::default() };
        let script = script(&Plan::new(&wishes, OnProxyDown::Open).unwrap());
        let place = |part: &str| script.find(part).unwrap_or_else(|| panic!("{part} is not in {script}"));
        let redirect = place("meta nfproto @alive tcp dport { 443, 8443 } redirect to :19001");
        for before in [
            "meta skuid { 19015, 1337, 2102, 7 } return",
            "meta mark and 0xfff == 0x539 return",
            "oifname \"lo\" return",
            "ip daddr @excluded4 return",
            "ip6 daddr @excluded6 return",
        ] {
            assert!(place(before) < redirect, "{before}");
        }
    }

    #[test]
    fn closed_does_not_ask_for_a_sign_of_life() {
        let script = script(&Plan::new(&Wishes::default(), OnProxyDown::Closed).unwrap());
        assert!(script.contains("\n    tcp dport { 443 } redirect"), "{script}");
        assert!(
            !script.contains("udp dport { 443 }"),
            "QUIC is left alone unless that is asked for: {script}"
        );
    }
}
