//! Pods whose shape asks for care, really run: guaranteed ones, and such whose environment comes from elsewhere.

use outrigger_contract::{annotations, volumes};
use outrigger_tests::DEADLINE;
use serde_json::{Value, json};

use crate::harbour::{HARBOUR, Harbour, app, pod};

/// A namespace with a key in a Secret.
fn namespace(harbour: &Harbour, name: &str) -> String {
    let namespace = harbour.namespace(name, json!({}));
    harbour.node.apply(&[json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": namespace},
        "stringData": {"OPENAI_API_KEY": "sk-harbour-0123456789"},
    })]);
    namespace
}

fn is_recorded(harbour: &Harbour, pod: &str) {
    let seen = harbour.telemetry.wait_for(DEADLINE, |received| {
        received.resources.iter().any(|resource| resource["k8s.pod.name"] == pod)
    });
    assert!(seen.is_some(), "no call of {pod} is recorded");
}

#[test]
fn a_guaranteed_pod_stays_guaranteed() {
    let harbour = &*HARBOUR;
    let ballast = namespace(harbour, "ballast");
    let mut heavy = pod(&ballast, "heavy", &app("gpt-4-turbo", "1", "0"));
    heavy["spec"]["restartPolicy"] = "Never".into();
    let container = &mut heavy["spec"]["containers"][0];
    container["resources"] = json!({"limits": {"cpu": "500m", "memory": "128Mi"}});
    container["env"] = json!([
        {"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "OPENAI_API_KEY"}}},
        {"name": "SSL_CERT_DIR", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['own-trust']"}}},
    ]);
    heavy["metadata"]["annotations"] = json!({"own-trust": "/etc/ssl/certs"});
    let (name, said) = harbour.start(&ballast, &heavy);
    let answer = harbour.next(&said, &ballast, |_| true);
    assert!(answer["text"].is_string(), "{answer}");
    is_recorded(harbour, &name);

    let made = harbour.node.get(&["pod", "-n", &ballast, &name]);
    assert_eq!(made["status"]["qosClass"], "Guaranteed");
    let spec = &made["spec"];
    let lists = [&spec["initContainers"], &spec["containers"]];
    let all: Vec<&Value> = lists.into_iter().filter_map(Value::as_array).flatten().collect();
    assert_eq!(all.len(), 3);
    for one in all {
        assert_eq!(one["resources"]["limits"], one["resources"]["requests"], "{one:#}");
    }
    let environment = made["spec"]["containers"][0]["env"].as_array().expect("variables").clone();
    let appended = environment.iter().find(|one| one["name"] == "SSL_CERT_DIR").expect("the list");
    assert!(appended["value"].as_str().is_some_and(|value| value.contains("$(OUTRIGGER_ORIG_SSL_CERT_DIR)")));
}

#[test]
fn what_env_from_may_bring_in_is_left_alone_unless_its_user_vouches_for_it() {
    let harbour = &*HARBOUR;
    let bilge = namespace(harbour, "bilge");
    let from_elsewhere = |name: &str, count: &str| {
        let mut one = pod(&bilge, name, &app("gpt-3.5-turbo", count, "0.2"));
        let container = &mut one["spec"]["containers"][0];
        container["env"] = json!([]);
        container["envFrom"] = json!([{"secretRef": {"name": "keys"}}]);
        one["spec"]["restartPolicy"] = "Never".into();
        one
    };
    let mut vouched = from_elsewhere("vouched", "1");
    vouched["metadata"]["annotations"] = json!({annotations::IGNORE_ENV_FROM: "true"});
    let (name, said) = harbour.start(&bilge, &vouched);
    let answer = harbour.next(&said, &bilge, |_| true);
    assert!(answer["text"].is_string(), "{answer}");
    is_recorded(harbour, &name);

    // Without that word it trusts as before, here the providers alone: they pass it by once it did not trust us, and answer.
    let mut unvouched = from_elsewhere("unvouched", "0");
    let trust = json!([{"name": "SSL_CERT_FILE", "value": "/etc/providers/providers.pem"}]);
    let container = &mut unvouched["spec"]["containers"][0];
    container["env"] = trust.clone();
    let mounts = container["volumeMounts"].as_array_mut().expect("mounts");
    mounts.push(json!({"name": "providers", "mountPath": "/etc/providers"}));
    let providers = json!({"name": "providers", "secret": {"secretName": volumes::CREDENTIALS}});
    unvouched["spec"]["volumes"].as_array_mut().expect("volumes").push(providers);
    let (name, said) = harbour.start(&bilge, &unvouched);
    harbour.next(&said, &bilge, |said| said["text"].is_string());
    let made = harbour.node.get(&["pod", "-n", &bilge, &name]);
    let reason = made["metadata"]["annotations"][annotations::REASON].as_str().unwrap_or_default();
    assert!(reason.contains("envFrom may bring it in"), "{reason}");
    assert_eq!(made["spec"]["containers"][0]["env"], trust);
}
