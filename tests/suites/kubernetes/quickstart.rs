//! The quickstart's files, without a cluster; `instruments` runs the whole in one.

use std::process::Command;

use outrigger_simulator::{Config, Script, Simulator};
use outrigger_tests::process::Exec;
use outrigger_tests::{file, setting};
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

fn read(name: &str) -> String {
    std::fs::read_to_string(file(&format!("../deploy/quickstart/{name}"))).expect("a file of the quickstart")
}

fn documents(name: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(&read(name)).expect("YAML")
}

#[test]
fn its_app_is_answered_by_its_script_and_billed() {
    let script: Script = serde_json::from_str(&read("script.json")).expect("a script");
    let simulator = Simulator::start(Config { script, ..Config::default() }).expect("a simulator");
    let app = file("../deploy/quickstart/app.py").to_string_lossy().into_owned();
    let exec = Exec::before(&simulator).variable("OPENAI_API_KEY", "sk-quickstart-is-no-key-0000");
    let running = exec.start(&[&setting("OUTRIGGER_TEST_PYTHON"), &app]);
    // It asks for ever: two models are answered before it is ended.
    let answer = "It turns at a quarter past four.";
    for model in ["gpt-5-mini", "gpt-6.1-terra"] {
        running.program.output_line(|line| line == format!("{model} {answer}"));
    }
    running.program.signal(nix::sys::signal::Signal::SIGTERM);
    let said = running.program.end().errors;
    assert!(said.contains("gpt-5-mini") && said.contains("outrigger  "), "{said}");
}

#[test]
fn everything_in_it_is_named_alike() {
    let kustomization = &documents("kustomization.yaml")[0];
    for resource in kustomization["resources"].as_vec().expect("resources") {
        documents(resource.as_str().expect("a file"));
    }
    let maps = kustomization["configMapGenerator"].as_vec().expect("ConfigMaps");
    for source in maps.iter().flat_map(|map| map["files"].as_vec().expect("files")) {
        read(source.as_str().expect("a file"));
    }
    // The app's namespace asks for sidecars, and that of the backends does not.
    let label = |name: &str| {
        let all = documents(name);
        let namespace =
            all.iter().find(|one| one["kind"].as_str() == Some("Namespace")).expect("a namespace");
        namespace["metadata"]["labels"]["outrigger.dev/inject"].as_str().map(str::to_owned)
    };
    assert_eq!((label("app.yaml").as_deref(), label("backends.yaml")), (Some("enabled"), None));
    for script in ["up", "down"] {
        let checked =
            Command::new("bash").arg("-n").arg(file(&format!("../deploy/quickstart/{script}"))).status();
        assert!(checked.expect("bash").success());
    }
}

#[test]
fn its_values_are_the_charts() {
    let values = file("../deploy/quickstart/values.yaml").to_string_lossy().into_owned();
    let more = [
        "--values",
        &values,
        "--set",
        "hosts[0].name=api.openai.com",
        "--set",
        "hosts[0].upstream=10.96.3.4:443",
    ];
    let text = crate::chart::template("helm3", &more).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(text.contains("OUTRIGGER_UPSTREAMS: api.openai.com=10.96.3.4:443"), "{text}");
}

#[test]
fn kubectl_takes_its_manifests() {
    // Only what needs no cluster: the folder as it is put together.
    let kubectl = format!("{}/kubectl", setting("OUTRIGGER_TEST_KUBERNETES"));
    let output = Command::new(kubectl).args(["kustomize"]).arg(file("../deploy/quickstart")).output();
    let output = output.expect("kubectl can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let objects = YamlLoader::load_from_str(&text).expect("YAML");
    let simulator = objects.iter().find(|one| {
        one["kind"].as_str() == Some("ConfigMap")
            && one["metadata"]["name"].as_str() == Some("outrigger-simulator")
    });
    let script = simulator.expect("the script")["data"]["script.json"].as_str().expect("a text").to_owned();
    assert_eq!(
        serde_json::from_str::<Value>(&script).expect("JSON"),
        serde_json::from_str::<Value>(&read("script.json")).expect("JSON")
    );
    for one in objects.iter().filter(|one| one["kind"].as_str() != Some("Namespace")) {
        let is_cluster_wide = one["kind"].as_str().is_some_and(|kind| kind.starts_with("Cluster"));
        let namespace = one["metadata"]["namespace"].as_str();
        assert_eq!(
            namespace,
            (!is_cluster_wide).then_some("outrigger-quickstart"),
            "{:?}",
            one["metadata"]["name"]
        );
    }
}
