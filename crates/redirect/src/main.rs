//! `outrigger-redirect`: leads a pod's HTTPS to its sidecar, proves it, and ends. Run once per pod, before the sidecar.

mod backend;
mod capability;
mod iptables;
mod nftables;
mod plan;
mod route;
mod self_test;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use ipnet::IpNet;

use crate::backend::{Applied, Backend, say};
use crate::plan::{Family, OnProxyDown, Plan, Wishes};
use crate::self_test::Finding;

const FAILURE_POLICY: &str = "OUTRIGGER_REDIRECT_FAILURE_POLICY";
const REPORT: &str = "OUTRIGGER_REDIRECT_REPORT";

/// Leads a pod's outgoing HTTPS connections to the sidecar. Applying it again replaces what stood.
#[derive(Parser)]
#[command(name = "outrigger-redirect", version, about)]
struct Arguments {
    /// Remove the redirection instead.
    #[arg(long)]
    undo: bool,
    /// Print what would be done, and do nothing.
    #[arg(long, conflicts_with = "undo")]
    print: bool,
    /// What happens to new connections while the sidecar gives no sign of life.
    #[arg(long, value_enum, default_value = "open", env = "OUTRIGGER_REDIRECT_ON_PROXY_DOWN")]
    on_proxy_down: OnProxyDown,
    /// If the redirection cannot be made: `open` lets the pod start without it, `closed` fails.
    #[arg(long, value_enum, default_value = "open", env = FAILURE_POLICY)]
    failure_policy: OnProxyDown,
    /// Destination port to redirect; 443 when none is given.
    #[arg(long = "port", value_name = "PORT", value_delimiter = ',', env = "OUTRIGGER_REDIRECT_PORTS")]
    ports: Vec<u16>,
    /// Destination port to leave alone.
    #[arg(long, value_name = "PORT", value_delimiter = ',', env = "OUTRIGGER_REDIRECT_EXCLUDE_PORTS")]
    exclude_port: Vec<u16>,
    /// Network to leave alone, such as 10.0.0.0/8 or fd00::/8. Loopback and link-local always are.
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = network, env = "OUTRIGGER_REDIRECT_EXCLUDE_CIDRS")]
    exclude_cidr: Vec<IpNet>,
    /// Numeric user whose connections are left alone. The sidecar and known meshes always are.
    #[arg(long, value_name = "UID", value_delimiter = ',', env = "OUTRIGGER_REDIRECT_EXCLUDE_UIDS")]
    exclude_uid: Vec<u32>,
    /// Refuse UDP to the redirected ports too, so that HTTP/3 falls back to what can be redirected.
    #[arg(long, env = "OUTRIGGER_REDIRECT_BLOCK_QUIC")]
    block_quic: bool,
    /// Use this backend only; without it each is tried in turn.
    #[arg(long, value_enum, env = "OUTRIGGER_REDIRECT_BACKEND")]
    backend: Option<Backend>,
    /// Write what was done as JSON to this file, for `outrigger-sidecar doctor`.
    #[arg(long, value_name = "FILE", env = REPORT)]
    report: Option<PathBuf>,
}

fn network(text: &str) -> Result<IpNet, String> {
    let whole = || text.parse::<IpAddr>().map(IpNet::from).map_err(|_| ());
    text.parse().or_else(|_| whole()).map_err(|()| {
        format!(
            "`{text}` is not a network; write an address with a prefix length, such as 10.0.0.0/8 or fd00::/8"
        )
    })
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(fault) => return misunderstood(&fault),
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            write_report(
                arguments.report.as_deref(),
                &serde_json::json!({ "redirected": false, "reason": fault }),
            );
            // Undoing and printing are a person's wishes; their failing is never hidden.
            if arguments.failure_policy == OnProxyDown::Open && !arguments.undo && !arguments.print {
                say(&format!(
                    "{fault}; nothing is redirected, and the pod starts without it (--failure-policy open)"
                ));
                ExitCode::SUCCESS
            } else {
                say(&fault);
                ExitCode::FAILURE
            }
        }
    }
}

/// A variable that cannot be understood stops no pod either: nothing is redirected. What was typed wrongly is told to who typed it.
fn misunderstood(fault: &clap::Error) -> ExitCode {
    let closed = std::env::var(FAILURE_POLICY).is_ok_and(|policy| policy == "closed");
    if closed || std::env::args_os().len() > 1 {
        // Who asked may have gone.
        let _gone = fault.print();
        return if fault.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
    }
    let words = fault.to_string();
    let words = words.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let fault = format!("a variable OUTRIGGER_REDIRECT_* cannot be used: {words}");
    let report = std::env::var_os(REPORT).map(PathBuf::from);
    write_report(report.as_deref(), &serde_json::json!({ "redirected": false, "reason": fault }));
    say(&format!(
        "{fault}; nothing is redirected, and the pod starts without it ({FAILURE_POLICY} is not closed)"
    ));
    ExitCode::SUCCESS
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let api_server = std::env::var("KUBERNETES_SERVICE_HOST").ok().and_then(|host| host.parse().ok());
    let wishes = Wishes {
        ports: arguments.ports.clone(),
        exclude_ports: arguments.exclude_port.clone(),
        exclude_uids: arguments.exclude_uid.clone(),
        exclude_cidrs: arguments.exclude_cidr.clone(),
        api_server,
        block_quic: arguments.block_quic,
    };
    let plan = Plan::new(&wishes, arguments.on_proxy_down).map_err(|error| error.to_string())?;
    if arguments.print {
        print(&plan, arguments.backend);
        return Ok(());
    }
    capability::hand_on_net_admin()?;
    if arguments.undo {
        Backend::ALL.into_iter().for_each(backend::undo);
        say("the redirection is removed");
        return Ok(());
    }
    let (applied, findings) = redirect(&plan, arguments.backend)?;
    report(arguments.report.as_deref(), &applied, &plan, &findings);
    Ok(())
}

type Findings = [(Family, Finding); 2];

/// Tries one backend after the other until one takes the plan and passes the test.
fn redirect(plan: &Plan, only: Option<Backend>) -> Result<(Applied, Findings), String> {
    let mut refused: Vec<String> = Vec::new();
    for backend in Backend::ALL.into_iter().filter(|backend| only.is_none_or(|only| only == *backend)) {
        match proven(backend, plan) {
            Ok(done) => {
                for reason in &refused {
                    say(reason);
                }
                return Ok(done);
            }
            Err(fault) => refused.push(fault),
        }
    }
    Err(format!("no way to redirect works here: {}", refused.join("; ")))
}

fn proven(backend: Backend, plan: &Plan) -> Result<(Applied, Findings), String> {
    let applied = backend::apply(backend, plan).map_err(|refused| refused.0)?;
    // What another backend left behind from an earlier life would redirect twice, and pass the test in this one's place.
    Backend::ALL.into_iter().filter(|other| *other != backend).for_each(backend::undo);
    let findings = Family::BOTH.map(|family| (family, self_test::run(&applied, plan, family)));
    let failed: Vec<_> = findings
        .iter()
        .filter_map(|(family, finding)| match finding {
            Finding::Failed(reason) => Some(format!("{family}: {reason}")),
            _ => None,
        })
        .collect();
    if failed.is_empty() {
        return Ok((applied, findings));
    }
    backend::undo(backend);
    Err(format!("the self-test of {backend} failed: {}", failed.join("; ")))
}

fn report(file: Option<&Path>, applied: &Applied, plan: &Plan, findings: &Findings) {
    for (family, finding) in findings {
        let text = match finding {
            Finding::Proven => "a redirected connection arrives".to_owned(),
            Finding::Skipped(reason) => format!("not tested, {reason}"),
            Finding::Failed(reason) => reason.clone(),
        };
        say(&format!("{} {family}: {text}", applied.backend));
    }
    let tested = |finding: &Finding| match finding {
        Finding::Proven => serde_json::json!({ "proven": true }),
        Finding::Skipped(reason) | Finding::Failed(reason) => {
            serde_json::json!({ "proven": false, "reason": reason })
        }
    };
    write_report(
        file,
        &serde_json::json!({
            "redirected": true,
            "backend": applied.backend,
            "families": applied.families,
            "on_proxy_down": plan.on_proxy_down,
            "ports": plan.ports,
            "block_quic": plan.block_quic,
            "self_test": { "ipv4": tested(&findings[0].1), "ipv6": tested(&findings[1].1) },
        }),
    );
}

fn write_report(file: Option<&Path>, report: &serde_json::Value) {
    if let Some(file) = file
        && let Err(error) = std::fs::write(file, format!("{report:#}\n"))
    {
        say(&format!(
            "cannot write {}: {error}; the redirection itself is not touched by that",
            file.display()
        ));
    }
}

#[expect(clippy::print_stdout, reason = "what the user asked to see")]
fn print(plan: &Plan, only: Option<Backend>) {
    match only.unwrap_or(Backend::Nft) {
        Backend::Nft => print!("{}", nftables::script(plan)),
        _ => {
            for family in Family::BOTH {
                print!("# {family}\n{}", iptables::restore(plan, family, |_| false));
            }
        }
    }
}
