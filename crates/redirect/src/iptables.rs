//! A plan as `iptables-restore` input, for kernels and images without nftables. One family at a time.
//!
//! The sign of life is kept by `xt_recent`: the sidecar sends it from the pod's own address to itself, and a connection
//! is redirected while its source address was seen in the last seconds.

use std::fmt::Write;

use outrigger_contract::{ports, redirection, uid};

use crate::plan::{Family, OnProxyDown, Plan};

/// The chain of the `nat` table.
pub(crate) const REDIRECT: &str = "OUTRIGGER";
/// The chain of the `mangle` table.
pub(crate) const HEARTBEAT: &str = "OUTRIGGER_ALIVE";

/// How `OUTPUT` leads into a chain: table and the rule's text behind the chain's name.
pub(crate) fn jumps() -> [(&'static str, String); 2] {
    let (sidecar, heartbeat) = (uid::SIDECAR, ports::HEARTBEAT);
    [
        ("nat", format!("OUTPUT -p tcp -j {REDIRECT}")),
        (
            "mangle",
            format!("OUTPUT -o lo -p udp --dport {heartbeat} -m owner --uid-owner {sidecar} -j {HEARTBEAT}"),
        ),
    ]
}

/// Input for `iptables-restore --noflush`. `present` tells which of [`jumps`] stand already.
pub(crate) fn restore(plan: &Plan, family: Family, present: [bool; 2]) -> String {
    let (mark, mask) = redirection::ZTUNNEL_MARK;
    let name = redirection::TABLE;
    let [nat, mangle] = jumps();
    // Naming a chain empties it.
    let mut text = format!("*mangle\n:{HEARTBEAT} - [0:0]\n");
    if plan.on_proxy_down == OnProxyDown::Open {
        line(&mut text, &format!("-A {HEARTBEAT} -m recent --name {name} --set --rsource"));
    }
    if !present[1] {
        line(&mut text, &format!("-A {}", mangle.1));
    }
    line(&mut text, &format!("COMMIT\n*nat\n:{REDIRECT} - [0:0]"));
    for uid in &plan.uids {
        line(&mut text, &format!("-A {REDIRECT} -m owner --uid-owner {uid} -j RETURN"));
    }
    line(&mut text, &format!("-A {REDIRECT} -m mark --mark {mark:#x}/{mask:#x} -j RETURN"));
    line(&mut text, &format!("-A {REDIRECT} -o lo -j RETURN"));
    let excluded: Vec<String> = match family {
        Family::Ipv4 => plan.v4.iter().map(ToString::to_string).collect(),
        Family::Ipv6 => plan.v6.iter().map(ToString::to_string).collect(),
    };
    for network in excluded {
        line(&mut text, &format!("-A {REDIRECT} -d {network} -j RETURN"));
    }
    let alive = match plan.on_proxy_down {
        OnProxyDown::Open => {
            format!(
                "-m recent --name {name} --rcheck --seconds {} --rsource ",
                redirection::ALIVE_FOR.as_secs()
            )
        }
        OnProxyDown::Closed => String::new(),
    };
    for port in &plan.ports {
        line(
            &mut text,
            &format!(
                "-A {REDIRECT} -p tcp --dport {port} {alive}-j REDIRECT --to-ports {}",
                ports::TRANSPARENT
            ),
        );
    }
    if !present[0] {
        // First, before any mesh's: its own traffic is let through above.
        line(&mut text, &format!("-I {}", nat.1.replacen("OUTPUT", "OUTPUT 1", 1)));
    }
    line(&mut text, "COMMIT");
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _written = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Wishes;

    #[test]
    fn a_second_application_adds_no_second_jump() {
        let plan = Plan::new(&Wishes::default(), OnProxyDown::Open).unwrap();
        let fresh = restore(&plan, Family::Ipv4, [false, false]);
        assert!(fresh.contains("-I OUTPUT 1 -p tcp -j OUTRIGGER\n"), "{fresh}");
        let again = restore(&plan, Family::Ipv4, [true, true]);
        assert!(!again.contains("OUTPUT 1") && !again.contains("-A OUTPUT"), "{again}");
    }

    #[test]
    fn each_family_has_its_own_exclusions() {
        let plan = Plan::new(&Wishes::default(), OnProxyDown::Closed).unwrap();
        let v6 = restore(&plan, Family::Ipv6, [false, false]);
        assert!(v6.contains("-d fe80::/10 -j RETURN") && !v6.contains("169.254"), "{v6}");
        assert!(!v6.contains("recent"), "closed needs no sign of life: {v6}");
    }
}
