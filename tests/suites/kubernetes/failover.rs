//! Rules in a cluster: a ConfigMap is edited while the app runs.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use outrigger_contract::{containers, mounts, volumes};
use outrigger_tests::DEADLINE;
use serde_json::{Value, json};

use crate::crew::now;
use crate::harbour::{HARBOUR, app, deployment};

/// Every call to OpenAI may be moved to Claude.
pub(crate) const RULES: &str = "\
version: 1
mode: act
backups:
  claude: {provider: anthropic, model: claude-sonnet-5-5, credential: {file: anthropic-key}}
rules:
  - name: chat
    match: {provider: openai, operation: chat}
    failover: {to: [claude]}
";
/// What a kubelet may take until a changed ConfigMap is in a pod: its sync period here, and what it keeps of it.
const PROPAGATION: Duration = Duration::from_secs(25);
/// Within so many seconds of the volume's change an app sees no errors any more.
const TAKEN_UP: f64 = 2.0;

/// A ConfigMap with rules, which are `checked` at admission or not.
pub(crate) fn rules(namespace: &str, name: &str, checked: bool, document: &str) -> Value {
    let labels = if checked { json!({"outrigger.dev/rules": "true"}) } else { json!({}) };
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "data": {"rules.yaml": document},
    })
}

#[test]
fn edited_rules_move_the_calls_of_a_running_app_and_bad_ones_change_nothing() {
    let harbour = &*HARBOUR;
    let fleet = harbour.namespace("fleet", json!({}));
    let watching = RULES.replace("mode: act", "mode: observe");
    harbour.node.apply(&[rules(&fleet, volumes::RULES, true, &watching)]);
    let (pod, said) = harbour.start(&fleet, &deployment(&fleet, "pilot", &app("gpt-5", "0", "0.2")));
    let refused = harbour.next(&said, &fleet, |_| true);
    assert_eq!(refused["status"], 500, "{refused}");
    let sidecar = harbour.process(&fleet, &pod, "outrigger-sidecar");
    let volume = PathBuf::from(format!("/proc/{sidecar}/root{}", mounts::RULES));
    let mounted = || std::fs::read_to_string(volume.join("rules.yaml")).expect("the mounted rules");
    assert_eq!(mounted(), watching);

    let begun = Instant::now();
    harbour.node.apply(&[rules(&fleet, volumes::RULES, true, RULES)]);
    let answered = harbour.next(&said, &fleet, |said| said["text"].is_string());
    assert!(begun.elapsed() < PROPAGATION + Duration::from_secs_f64(TAKEN_UP), "{:?}", begun.elapsed());
    assert!(!answered["text"].as_str().unwrap_or_default().is_empty(), "{answered}");
    assert_eq!(mounted(), RULES);
    // The kubelet makes this link anew for each change.
    let link = std::fs::symlink_metadata(volume.join("..data")).expect("the kubelet's link");
    let changed = Duration::new(
        link.mtime().unsigned_abs(),
        u32::try_from(link.mtime_nsec()).expect("less than a second"),
    );
    let after = answered["at"].as_f64().expect("a time") - changed.as_secs_f64();
    assert!((0.0..TAKEN_UP).contains(&after), "the first right answer came {after} s after the change");
    for _ in 0..5 {
        let next = harbour.next(&said, &fleet, |_| true);
        assert!(next["text"].is_string(), "{next}");
    }
    let moved = harbour.telemetry.wait_for(DEADLINE, |received| {
        received.resources.iter().zip(&received.calls).any(|(resource, call)| {
            resource["k8s.pod.name"] == pod.as_str()
                && call.get("outrigger.route.backup") == Some(&"claude".into())
        })
    });
    assert!(moved.is_some(), "no record says where the call went");

    // A bad edit is refused where it is made, with its place and its mend.
    let bad = RULES.replace("failover: {to: [claude]}", "failover: {to: [cloud]}");
    let here = harbour.admission();
    let refused =
        harbour.node.give("apply", &rules(&fleet, volumes::RULES, true, &bad), &[]).expect_err("it is wrong");
    drop(here);
    for part in ["rules.yaml:8:", "cloud", "claude"] {
        assert!(refused.contains(part), "{part} is not in: {refused}");
    }
    // Where nobody looks at it, it changes nothing, and is told.
    harbour.node.kubectl(&["label", "-n", &fleet, "configmap", volumes::RULES, "outrigger.dev/rules-"]);
    harbour.node.apply(&[rules(&fleet, volumes::RULES, false, &bad)]);
    let sidecar = harbour.node.logs(&fleet, &pod, containers::SIDECAR);
    let tells = sidecar.next_output_that(PROPAGATION + DEADLINE, |line| line.contains("cloud"));
    assert!(tells.is_some(), "the sidecar never told of bad rules\n{}", harbour.node.told(&fleet));
    let told = now();
    for _ in 0..3 {
        let still = harbour.next(&said, &fleet, |said| said["at"].as_f64() > Some(told));
        assert!(still["text"].is_string(), "{still}");
    }
}
