//! A plan as `iptables-restore` input, for kernels and images without nftables. One family at a time.
//!
//! The sign of life is kept by `xt_recent`: the sidecar sends it from the pod's own address to itself, and a connection
//! is redirected while its source address was seen in the last seconds.

use std::fmt::Write;

use outrigger_contract::{ports, redirection, uid};

use crate::plan::{Family, OnProxyDown, Plan};

/// A chain of ours and how `OUTPUT` leads into it.
pub(crate) struct Hook {
    pub(crate) table: &'static str,
    pub(crate) chain: &'static str,
    /// What a packet must be to be led there, in the words of a rule.
    condition: String,
}

impl Hook {
    /// The rule in `OUTPUT`, behind the verb and the chain's name.
    pub(crate) fn jump(&self) -> Vec<&str> {
        self.condition.split(' ').chain(["-j", self.chain]).collect()
    }

    fn jump_text(&self) -> String {
        format!("{} -j {}", self.condition, self.chain)
    }
}

/// What redirects.
pub(crate) fn redirect() -> Hook {
    Hook { table: "nat", chain: "OUTRIGGER", condition: "-p tcp".to_owned() }
}

/// What hears the sign of life, and the farewell.
pub(crate) fn heartbeat() -> Hook {
    let condition = format!("-o lo -p udp -m owner --uid-owner {}", uid::SIDECAR);
    Hook { table: "mangle", chain: "OUTRIGGER_ALIVE", condition }
}

/// What refuses QUIC.
pub(crate) fn quic() -> Hook {
    Hook { table: "filter", chain: "OUTRIGGER_QUIC", condition: "-p udp".to_owned() }
}

/// Input for `iptables-restore --noflush`. `present` tells which chains of ours `OUTPUT` leads into already.
pub(crate) fn restore(plan: &Plan, family: Family, present: impl Fn(&Hook) -> bool) -> String {
    let name = redirection::TABLE;
    let hook = heartbeat();
    // Naming a chain empties it.
    let mut text = format!("*{}\n:{} - [0:0]\n", hook.table, hook.chain);
    if plan.on_proxy_down == OnProxyDown::Open {
        for (port, verb) in [(ports::HEARTBEAT, "--set"), (ports::FAREWELL, "--remove")] {
            let heard = format!("-p udp --dport {port} -m recent --name {name} {verb} --rsource");
            line(&mut text, &format!("-A {} {heard}", hook.chain));
        }
    }
    if !present(&hook) {
        line(&mut text, &format!("-A OUTPUT {}", hook.jump_text()));
    }
    line(&mut text, "COMMIT");

    let to = format!("REDIRECT --to-ports {}", ports::TRANSPARENT);
    chain(&mut text, plan, family, &redirect(), &present, "tcp", &to);
    if plan.block_quic {
        chain(&mut text, plan, family, &quic(), &present, "udp", "REJECT");
    }
    text
}

/// A whole table: what is left alone, then the ports of `protocol`, for which `target` is done.
fn chain(
    text: &mut String,
    plan: &Plan,
    family: Family,
    hook: &Hook,
    present: impl Fn(&Hook) -> bool,
    protocol: &str,
    target: &str,
) {
    let (mark, mask) = redirection::ZTUNNEL_MARK;
    let (name, chain) = (redirection::TABLE, hook.chain);
    line(text, &format!("*{}\n:{chain} - [0:0]", hook.table));
    for uid in &plan.uids {
        line(text, &format!("-A {chain} -m owner --uid-owner {uid} -j RETURN"));
    }
    line(text, &format!("-A {chain} -m mark --mark {mark:#x}/{mask:#x} -j RETURN"));
    line(text, &format!("-A {chain} -o lo -j RETURN"));
    let excluded: Vec<String> = match family {
        Family::Ipv4 => plan.v4.iter().map(ToString::to_string).collect(),
        Family::Ipv6 => plan.v6.iter().map(ToString::to_string).collect(),
    };
    for network in excluded {
        line(text, &format!("-A {chain} -d {network} -j RETURN"));
    }
    let alive = match plan.on_proxy_down {
        OnProxyDown::Open => {
            let seconds = redirection::ALIVE_FOR.as_secs();
            format!("-m recent --name {name} --rcheck --seconds {seconds} --rsource ")
        }
        OnProxyDown::Closed => String::new(),
    };
    for port in &plan.ports {
        line(text, &format!("-A {chain} -p {protocol} --dport {port} {alive}-j {target}"));
    }
    if !present(hook) {
        // First, before any mesh's: its own traffic is let through above.
        line(text, &format!("-I OUTPUT 1 {}", hook.jump_text()));
    }
    line(text, "COMMIT");
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
        let plan = Plan::new(&Wishes { block_quic: true, ..Wishes::default() }, OnProxyDown::Open).unwrap();
        let fresh = restore(&plan, Family::Ipv4, |_| false);
        assert!(fresh.contains("-I OUTPUT 1 -p tcp -j OUTRIGGER\n"), "{fresh}");
        assert!(fresh.contains("-I OUTPUT 1 -p udp -j OUTRIGGER_QUIC\n"), "{fresh}");
        let again = restore(&plan, Family::Ipv4, |_| true);
        assert!(!again.contains("OUTPUT"), "{again}");
    }

    #[test]
    fn each_family_has_its_own_exclusions() {
        let plan = Plan::new(&Wishes::default(), OnProxyDown::Closed).unwrap();
        let v6 = restore(&plan, Family::Ipv6, |_| false);
        assert!(v6.contains("-d fe80::/10 -j RETURN") && !v6.contains("169.254"), "{v6}");
        assert!(!v6.contains("recent"), "closed needs no sign of life: {v6}");
        assert!(!v6.contains("REJECT"), "QUIC is left alone unless that is asked for: {v6}");
    }
}
