//! Suite `telemetry`: real programs under `outrigger exec`, and the real consumers of what it sends.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test may end at the first surprise; the lints spare test functions but not their helpers"
)]

mod alerts;
mod content;
mod control;
mod dashboards;
mod environment;
mod faults;
mod golden;
mod shapes;
mod spool;
mod traces;

use std::net::SocketAddr;

use outrigger_simulator::{Config, Rule, Script, Simulator};
use outrigger_tests::http::free_address;
use outrigger_tests::process::{Ended, Exec};
use outrigger_tests::sidecar::{Sidecar, Volumes};
use outrigger_tests::{file, setting};

/// A key that the simulators of this suite accept.
const KEY: &str = "sk-harbour-0123456789-abcdWXYZ";

fn simulator(rules: Vec<Rule>) -> Simulator {
    Simulator::start(Config { script: Script(rules), ..Config::default() }).expect("a simulator")
}

fn exec(simulator: &Simulator) -> Exec {
    Exec::before(simulator).variable("OPENAI_API_KEY", KEY).variable("ANTHROPIC_API_KEY", KEY)
}

/// Makes these calls by Python's official SDKs.
fn calls(exec: Exec, names: &[&str]) -> Ended {
    let (python, script) =
        (setting("OUTRIGGER_TEST_PYTHON"), file("clients/python/calls.py").display().to_string());
    exec.run(&[vec![python.as_str(), script.as_str()], names.to_vec()].concat())
}

/// A sidecar before the simulator, and where it is scraped.
fn observed(volumes: &Volumes, simulator: &Simulator, variables: &[(&str, &str)]) -> (Sidecar, SocketAddr) {
    let ca = volumes.write("provider.pem", simulator.ca_pem());
    let upstreams: Vec<String> = ["api.openai.com", "api.anthropic.com", "openrouter.ai"]
        .iter()
        .map(|host| format!("{host}={}", simulator.address()))
        .collect();
    let metrics = free_address();
    let sidecar = volumes.sidecar(
        &[
            &[
                ("OUTRIGGER_EXTRA_CAS", ca.display().to_string().as_str()),
                ("OUTRIGGER_UPSTREAMS", &upstreams.join(",")),
                ("OUTRIGGER_METRICS", &metrics.to_string()),
                ("OTEL_SERVICE_NAME", "shop"),
            ],
            variables,
        ]
        .concat(),
    );
    (sidecar, metrics)
}
