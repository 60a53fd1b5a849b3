//! Puts a plan in place with the programs that the image brings. Which one works is found out by trying it.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use outrigger_contract::redirection;

use crate::iptables::Hook;
use crate::plan::{Family, OnProxyDown, Plan};
use crate::{iptables, nftables, route};

/// Where `xt_recent` keeps the source addresses that gave a sign of life.
const RECENT: &str = "/proc/net/xt_recent";

/// The ways to redirect, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Backend {
    /// A table of our own in nftables, both families in one transaction.
    Nft,
    /// `iptables-nft-restore` and its IPv6 twin.
    IptablesNft,
    /// `iptables-legacy-restore` and its IPv6 twin, where the image has them.
    IptablesLegacy,
}

impl Backend {
    pub(crate) const ALL: [Backend; 3] = [Backend::Nft, Backend::IptablesNft, Backend::IptablesLegacy];

    const fn program(self, family: Family) -> &'static str {
        match (self, family) {
            (Backend::Nft, _) => "nft",
            (Backend::IptablesNft, Family::Ipv4) => "iptables-nft",
            (Backend::IptablesNft, Family::Ipv6) => "ip6tables-nft",
            (Backend::IptablesLegacy, Family::Ipv4) => "iptables-legacy",
            (Backend::IptablesLegacy, Family::Ipv6) => "ip6tables-legacy",
        }
    }
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Backend::Nft => "nft",
            Backend::IptablesNft => "iptables-nft",
            Backend::IptablesLegacy => "iptables-legacy",
        })
    }
}

/// Why a backend did not take a plan. The text names the missing program, capability or feature.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// What stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) backend: Backend,
    pub(crate) families: Vec<Family>,
}

/// Puts the plan in place, whole or not at all.
pub(crate) fn apply(backend: Backend, plan: &Plan) -> Result<Applied, Refused> {
    let families = match backend {
        Backend::Nft => {
            feed(&["nft", "-f", "-"], &nftables::script(plan))?;
            Family::BOTH.to_vec()
        }
        _ => apply_iptables(backend, plan)?,
    };
    Ok(Applied { backend, families })
}

fn apply_iptables(backend: Backend, plan: &Plan) -> Result<Vec<Family>, Refused> {
    let mut families = Vec::new();
    for family in Family::BOTH {
        if family == Family::Ipv6 && !route::has_ipv6() {
            say("this kernel has no IPv6; only IPv4 is redirected");
            continue;
        }
        let program = backend.program(family);
        if !plan.block_quic && may_hold(backend, family, iptables::quic().table) {
            remove(program, &iptables::quic());
        }
        let present = |hook: &Hook| run(&rule(program, "-C", hook)).is_ok();
        let input = iptables::restore(plan, family, present);
        if let Err(refused) = feed(&[&format!("{program}-restore"), "--wait", "--noflush"], &input) {
            // Never one family alone in silence.
            undo(backend);
            return Err(refused);
        }
        families.push(family);
    }
    Ok(families)
}

/// Takes away everything of ours that this backend may have put in place.
pub(crate) fn undo(backend: Backend) {
    if backend == Backend::Nft {
        // Refused where there is no nftables, and then there is nothing to take away.
        let _nothing = feed(&["nft", "-f", "-"], &nftables::undo());
        return;
    }
    for family in Family::BOTH {
        for hook in [iptables::redirect(), iptables::heartbeat(), iptables::quic()] {
            if may_hold(backend, family, hook.table) {
                remove(backend.program(family), &hook);
            }
        }
    }
}

/// Legacy iptables makes a table by looking into it; what the kernel does not list holds nothing of ours.
fn may_hold(backend: Backend, family: Family, table: &str) -> bool {
    let names = match family {
        Family::Ipv4 => "/proc/net/ip_tables_names",
        Family::Ipv6 => "/proc/net/ip6_tables_names",
    };
    backend != Backend::IptablesLegacy
        // Readable by root alone, like the program itself.
        || std::fs::read_to_string(names).is_ok_and(|names| names.lines().any(|name| name == table))
}

/// Takes a chain and what leads there away, if they are there: changing a table makes it where there is none.
fn remove(program: &str, hook: &Hook) {
    if run(&[program, "-w", "-t", hook.table, "-S", hook.chain]).is_err() {
        return;
    }
    while run(&rule(program, "-D", hook)).is_ok() {}
    for verb in ["-F", "-X"] {
        let _absent = run(&[program, "-w", "-t", hook.table, verb, hook.chain]);
    }
}

fn rule<'a>(program: &'a str, verb: &'a str, hook: &'a Hook) -> Vec<&'a str> {
    [program, "-w", "-t", hook.table, verb, "OUTPUT"].into_iter().chain(hook.jump()).collect()
}

/// Gives the sign of life that the sidecar will give later, or takes it back.
pub(crate) fn arm(applied: &Applied, plan: &Plan, family: Family, alive: bool) -> Result<(), Refused> {
    if plan.on_proxy_down == OnProxyDown::Closed {
        return Ok(());
    }
    if applied.backend == Backend::Nft {
        return feed(&["nft", "-f", "-"], &nftables::arm(family, alive));
    }
    let Some(source) = route::source(family) else { return Ok(()) };
    let path = format!("{RECENT}/{}", redirection::TABLE);
    let sign = if alive { '+' } else { '-' };
    std::fs::write(&path, format!("{sign}{source}\n")).map_err(|error| {
        Refused(format!("cannot give a sign of life in {path}: {error}; run as uid 0, or use nftables"))
    })
}

fn run(words: &[&str]) -> Result<(), Refused> {
    feed(words, "")
}

fn feed(words: &[&str], input: &str) -> Result<(), Refused> {
    let program = words[0];
    let start = || -> io::Result<std::process::Output> {
        let mut child = Command::new(program)
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take()
            && let Err(error) = stdin.write_all(input.as_bytes())
            // It ended without reading; its own words say why.
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(error);
        }
        child.wait_with_output()
    };
    let output = start().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refused(format!("the program {program} is not in this image")),
        _ => Refused(format!("{program} could not be run: {error}")),
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Refused(explain(program, &String::from_utf8_lossy(&output.stderr))))
}

/// The program's own words, and before them what is missing, where that can be told.
fn explain(program: &str, errors: &str) -> String {
    let hints = [
        ("Operation not permitted", "the capability NET_ADMIN is missing"),
        ("Permission denied", "the capability NET_ADMIN (for legacy iptables also NET_RAW) is missing"),
        (
            "recent",
            "the kernel has no xt_recent, which `--on-proxy-down open` needs; use nftables, or `closed`",
        ),
        ("Protocol not supported", "the kernel has no nf_tables"),
        ("No such file or directory", "the kernel lacks a feature of nf_tables or its NAT"),
        ("can't initialize", "the kernel lacks the table's module"),
    ];
    let said = errors.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it gave no reason");
    match hints.iter().find(|(sign, _)| errors.contains(sign)) {
        Some((_, hint)) => format!("{program}: {hint} ({said})"),
        None => format!("{program}: {said}"),
    }
}

/// One line for whoever reads the container's log.
#[expect(clippy::print_stderr, reason = "the program's one way to speak")]
pub(crate) fn say(text: &str) {
    eprintln!("outrigger-redirect: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_before_the_programs_own_words() {
        let text = explain("nft", "netlink: Error: cache initialization failed: Operation not permitted\n");
        assert!(text.starts_with("nft: the capability NET_ADMIN is missing (netlink:"), "{text}");
        assert_eq!(explain("nft", ""), "nft: it gave no reason");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let refused = run(&["outrigger-no-such-program"]).unwrap_err();
        assert!(refused.0.contains("outrigger-no-such-program is not in this image"), "{refused}");
    }
}
