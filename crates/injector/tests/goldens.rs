//! The whole patch of pods as they are met. A change of a golden is a change of what every pod gets: read it.

use outrigger_injector::{Status, patch};
use serde_json::{Value, json};

use crate::support;
use crate::support::examples::{self, Example};

/// What the patch is, after it was seen to hold as a patch: another reader makes the same pod of it, the pod is one that
/// the API server takes, and a second one is empty.
fn golden(Example { pod, context, options }: &Example) -> Value {
    let outcome = patch(pod, context, options);
    assert_eq!(support::applied(pod, &outcome.patch), outcome.pod);
    assert_eq!(support::fault(&outcome.pod), None);
    assert_eq!(patch(&outcome.pod, context, options).patch, Vec::<Value>::new());
    json!({
        "status": format!("{:?}", outcome.status), "reason": outcome.reason, "warnings": outcome.warnings,
        "sends_to": outcome.sends_to, "patch": outcome.patch,
    })
}

#[test]
fn a_pod_of_a_deployment_with_next_to_nothing() {
    insta::assert_json_snapshot!(golden(&examples::next_to_nothing()));
}

#[test]
fn the_same_in_a_restricted_namespace() {
    let example = examples::restricted();
    let outcome = patch(&example.pod, &example.context, &example.options);
    for (_, container) in support::containers(&outcome.pod).filter(|(is_init, _)| *is_init) {
        assert!(support::is_restricted(container), "{container}");
    }
    insta::assert_json_snapshot!(golden(&example));
}

#[test]
fn a_job_of_a_cron_job_that_wants_a_proxy() {
    insta::assert_json_snapshot!(golden(&examples::of_cron_job()));
}

#[test]
fn environment_that_comes_from_elsewhere() {
    insta::assert_json_snapshot!(golden(&examples::environment_from_elsewhere()));
}

#[test]
fn a_guaranteed_stateful_set_with_containers_of_every_kind() {
    insta::assert_json_snapshot!(golden(&examples::guaranteed()));
}

#[test]
fn limits_under_quotas_are_kept_and_ours_count_beside_them() {
    insta::assert_json_snapshot!(golden(&examples::limited()));
}

#[test]
fn a_mesh_before_us() {
    insta::assert_json_snapshot!(golden(&examples::a_mesh_before()));
}

#[test]
fn istio_was_there_before_us() {
    insta::assert_json_snapshot!(golden(&examples::istio()));
}

#[test]
fn linkerd_was_there_before_us() {
    insta::assert_json_snapshot!(golden(&examples::linkerd()));
}

#[test]
fn an_operator_who_decided_everything() {
    insta::assert_json_snapshot!(golden(&examples::everything_decided()));
}

#[test]
fn metrics_for_the_pod_alone_are_asked_for_within_it_and_nobody_else_is_told_of_them() {
    let mut example = examples::next_to_nothing();
    example.options.environment.insert("OUTRIGGER_METRICS".to_owned(), "127.0.0.1:9095".to_owned());
    let pod = patch(&example.pod, &example.context, &example.options).pod;
    let containers = pod["spec"]["initContainers"].as_array().unwrap();
    let sidecar = containers.iter().find(|one| one["name"] == "outrigger").unwrap();
    assert_eq!(sidecar["ports"], Value::Null);
    for (probe, word) in [("startupProbe", "ready"), ("livenessProbe", "alive")] {
        let command = json!(["/usr/local/bin/outrigger-sidecar", "probe", word, "--port=9095"]);
        assert_eq!(sidecar[probe]["exec"]["command"], command);
        assert_eq!(sidecar[probe]["httpGet"], Value::Null);
    }
}

#[test]
fn a_template_has_its_owner_from_the_workload() {
    let golden = golden(&examples::template());
    let environment = golden["patch"].to_string();
    assert!(environment.contains("k8s.daemonset.name=agent"), "{environment}");
    assert_eq!(golden["patch"][0]["path"], "/spec/initContainers");
}

#[test]
fn pods_that_get_none() {
    let all = examples::skipped().into_iter().chain(examples::shapeless());
    let goldens: Vec<Value> = all.map(|example| golden_of_none(&example)).collect();
    insta::assert_json_snapshot!(goldens);
    let other = examples::own_user();
    assert_eq!(patch(&other.pod, &other.context, &other.options).status, Status::Injected);
}

fn golden_of_none(Example { pod, context, options }: &Example) -> Value {
    let outcome = patch(pod, context, options);
    assert_eq!(outcome.pod["spec"], pod["spec"], "untouched");
    assert_eq!(patch(&outcome.pod, context, options).patch, Vec::<Value>::new());
    json!({"status": format!("{:?}", outcome.status), "reason": outcome.reason, "warnings": outcome.warnings, "patch": outcome.patch})
}
