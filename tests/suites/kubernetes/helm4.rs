//! The chart by Helm 4, which has the API server merge what it brings, and what a tool for GitOps would see of it: no drift.

use outrigger_tests::file;
use serde_json::{Value, json};

use crate::installed::{PROBE, RELEASE, WAITS, ask_helm, load_images};
use crate::shore::{nothing_is_left, shore};

#[test]
fn helm_4_installs_changes_tests_and_removes_it_and_nothing_drifts() {
    let node = &*shore();
    load_images(node, &["outrigger-sidecar", "outrigger-injector"]);
    node.apply(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PROBE}})]);
    let helm = |arguments: &[&str]| {
        let told = ask_helm("helm4", node, &[arguments, &["-n", RELEASE]].concat());
        told.unwrap_or_else(|told| panic!("helm {arguments:?}: {told}\n{}", node.told(RELEASE)))
    };
    let chart = file("../helm/outrigger");
    let chart = chart.to_string_lossy();
    let test = format!("--set=test.namespace={PROBE}");
    let install = ["install", "outrigger", &*chart, "--create-namespace", &*test];
    helm(&[&install[..], &WAITS].concat());
    let webhook = || node.get(&["mutatingwebhookconfiguration", "outrigger"])["webhooks"][0].clone();
    let authority = |webhook: &Value| webhook["clientConfig"]["caBundle"].as_str().map(str::to_owned);
    let before = webhook();
    assert!(authority(&before).is_some_and(|bundle| !bundle.is_empty()), "{before:#}");

    let manifest = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(manifest.path(), helm(&["get", "manifest", "outrigger"])).expect("a temporary file");
    let differs = ["diff", "--server-side", "--force-conflicts", "-f", &*manifest.path().to_string_lossy()];
    let drift = node.command(&differs).output().expect("kubectl can be run");
    let told = String::from_utf8_lossy(&drift.stdout);
    assert!(drift.status.success(), "{told}{}", String::from_utf8_lossy(&drift.stderr));

    let upgrade =
        ["upgrade", "outrigger", &*chart, "--reset-then-reuse-values", "--set=injection.timeoutSeconds=4"];
    helm(&[&upgrade[..], &WAITS].concat());
    let upgraded = webhook();
    assert_eq!(upgraded["timeoutSeconds"], 4, "{upgraded:#}");
    assert_eq!(authority(&upgraded), authority(&before), "what the replicas wrote is theirs");
    helm(&[&["rollback", "outrigger"][..], &WAITS].concat());
    let back = webhook();
    assert_eq!((&back["timeoutSeconds"], authority(&back)), (&before["timeoutSeconds"], authority(&before)));
    helm(&["test", "outrigger", "--timeout=180s"]);

    helm(&[&["uninstall", "outrigger"][..], &WAITS].concat());
    node.kubectl(&["delete", "namespace", PROBE, RELEASE]);
    nothing_is_left(node);
}
