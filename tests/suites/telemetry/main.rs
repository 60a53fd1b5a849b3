//! Suite `telemetry`: real programs under `outrigger exec`, and the real consumers of what it sends.

#![expect(
    clippy::expect_used,
    reason = "a test may end at the first surprise; the lints spare test functions but not their helpers"
)]

mod alerts;
mod traces;

use outrigger_simulator::{Config, Rule, Script, Simulator};
use outrigger_tests::collector::Collector;
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

/// A sidecar before the simulator, whose telemetry goes to a Collector twice a second.
fn observed(volumes: &Volumes, simulator: &Simulator, collector: &Collector) -> Sidecar {
    let ca = volumes.write("provider.pem", simulator.ca_pem());
    let upstreams: Vec<String> = ["api.openai.com", "api.anthropic.com"]
        .iter()
        .map(|host| format!("{host}={}", simulator.address()))
        .collect();
    volumes.sidecar(&[
        ("OUTRIGGER_EXTRA_CAS", &ca.display().to_string()),
        ("OUTRIGGER_UPSTREAMS", &upstreams.join(",")),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.http)),
        ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
        ("OTEL_SERVICE_NAME", "shop"),
    ])
}
