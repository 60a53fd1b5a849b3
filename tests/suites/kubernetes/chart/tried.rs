//! What a release tells to pods, tried by the sidecar before any of them is told.

use std::process::Command;

use outrigger_tests::setting;
use yaml_rust2::Yaml;

use super::{CASES, documents, of_kind, template, word};

/// The container that tries it.
fn trying(deployments: Vec<Yaml>) -> Option<Yaml> {
    let pods = deployments.into_iter().map(|one| one["spec"]["template"]["spec"].clone());
    let mut containers = pods.flat_map(|pod| pod["initContainers"].as_vec().cloned().unwrap_or_default());
    containers.find(|one| word(&one["name"]) == "try-image")
}

/// Runs what it runs, with what it is told: whether it may go on, and what it says.
fn run(container: &Yaml) -> (bool, String) {
    let mut command = Command::new(setting("OUTRIGGER_SIDECAR_BIN"));
    command.env_clear().args(container["command"].as_vec().into_iter().flatten().skip(1).map(word));
    for one in container["env"].as_vec().into_iter().flatten() {
        command.env(word(&one["name"]), word(&one["value"]));
    }
    let output = command.output().expect("the sidecar can be run");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn what_every_sidecar_would_be_told_is_tried_first() {
    for case in CASES.into_iter().filter(|case| *case != "least") {
        let (sound, said) = run(&trying(of_kind(case, "Deployment")).expect("it is tried"));
        assert!(sound && said.contains("nothing is wrong"), "{case}: {said}");
    }
    for (value, named) in [
        ("sidecar.environment.OUTRIGGER_GRACE_SECONDS=ten", "`grace_seconds`"),
        (
            "sidecar.environment.OTEL_EXPORTER_OTLP_PROTOCOL=httpjson,sidecar.otlpEndpoint=http://otel:4318",
            "httpjson",
        ),
    ] {
        let rendered = template("helm3", &["--set", value]).expect("it is rendered");
        let all = documents(&rendered).into_iter().filter(|one| word(&one["kind"]) == "Deployment");
        let (sound, said) = run(&trying(all.collect()).expect("it is tried"));
        assert!(!sound && said.contains(named), "{value}: {said}");
    }
    // The files that are named are the pods'.
    let rendered = template(
        "helm3",
        &["--set", "sidecar.environment.OUTRIGGER_IDENTITY_SALT_FILE=/var/run/outrigger/credentials/salt"],
    );
    let (sound, said) = run(&trying(documents(&rendered.expect("it is rendered"))).expect("it is tried"));
    assert!(sound, "{said}");
}
