//! Pods of other shapes: several containers of a StatefulSet, and one that is added to debug them.

use outrigger_contract::{mounts, trust_files, volumes};
use outrigger_tests::DEADLINE;
use outrigger_tests::otlp::Received;
use serde_json::{Value, json};

use crate::harbour::{APP, HARBOUR, Harbour, app, pod};

/// The same call twice, over a TLS stack that no app here has, and what came of it. Who brings trust of its own looks like nobody else.
const CALL: &str = r#"
import http.client, json, os, ssl, sys
trust = ssl.create_default_context()
if "PROVIDERS" in os.environ:
    trust.load_verify_locations(cadata=os.environ["PROVIDERS"].replace("|", "\n"))
    trust.set_ciphers("ECDHE+AESGCM")
body = json.dumps({"model": sys.argv[1], "messages": [{"role": "user", "content": "Who is there?"}]})
for _ in range(2):
    connection = http.client.HTTPSConnection("api.openai.com", timeout=20, context=trust)
    try:
        connection.request("POST", "/v1/chat/completions", body, {"Authorization": "Bearer sk-harbour-0123456789"})
        print(json.dumps({"status": connection.getresponse().status}), flush=True)
    except OSError as error:
        print(json.dumps({"error": type(error).__name__}), flush=True)
    connection.close()
"#;

/// How many calls for a model are recorded of a pod.
fn recorded(received: &Received, pod: &str, model: &str) -> usize {
    let mine = received.resources.iter().zip(&received.calls);
    mine.filter(|(of, call)| of["k8s.pod.name"] == pod && call["gen_ai.request.model"] == model).count()
}

/// Adds a container that makes its call twice, and says what came of it.
fn debug(
    harbour: &Harbour,
    namespace: &str,
    pod: &str,
    name: &str,
    model: &str,
    more: &[&str],
) -> Vec<Value> {
    let container = format!("--container={name}");
    let image = format!("--image={APP}");
    let begin = ["debug", "-n", namespace, pod, &container, &image, "--profile=general"];
    harbour.node.kubectl(&[&begin[..], more, &["--", "python3", "-c", CALL, model]].concat());
    let jsonpath = format!(
        "--for=jsonpath={{.status.ephemeralContainerStatuses[?(@.name==\"{name}\")].state.terminated.exitCode}}=0"
    );
    harbour.node.wait(namespace, &[&jsonpath, "pod", pod]);
    let said = harbour.node.kubectl(&["logs", "-n", namespace, pod, "-c", name]);
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn all_containers_of_a_stateful_set_are_watched_and_debug_containers_do_no_harm() {
    let harbour = &*HARBOUR;
    let quay = harbour.namespace("quay", json!({}));
    let (models, unseen, seen) =
        (["gpt-4.1-2025-04-14", "gpt-5-nano"], "gpt-5-mini-2025-08-07", "gpt-5-nano-2025-08-07");
    let mut template = pod(&quay, "crane", &app(models[0], "0", "0.5"));
    let mut second = template["spec"]["containers"][0].clone();
    second["name"] = "second".into();
    second["command"] = json!(app(models[1], "0", "0.5"));
    let first = template["spec"]["containers"][0].take();
    template["spec"]["containers"] = json!([first, second]);
    let object = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "crane", "namespace": quay},
        "spec": {
            "serviceName": "crane", "selector": {"matchLabels": {"app": "crane"}},
            "template": {"metadata": {"labels": {"app": "crane"}}, "spec": template["spec"]},
        },
    });
    let (pod, _said) = harbour.start(&quay, &object);
    assert_eq!(pod, "crane-0");
    let all_are_recorded = |what: &str| {
        let of = |received: &Received| models.map(|model| recorded(received, &pod, model));
        let known = of(&harbour.telemetry.received());
        let more = |received: &Received| of(received).iter().zip(known).all(|(now, known)| *now >= known + 2);
        assert!(harbour.telemetry.wait_for(DEADLINE, more).is_some(), "{what}\n{}", harbour.node.told(&quay));
    };
    all_are_recorded("calls of both containers are not recorded");
    let received = harbour.telemetry.received();
    let of = received.resources.iter().find(|of| of["k8s.pod.name"] == "crane-0").expect("a record");
    assert_eq!(of["k8s.statefulset.name"], "crane");

    // One that knows nothing of the sidecar's authority loses its first connection, and is copied from then on.
    let authority = format!("--env=PROVIDERS={}", harbour.providers.ca_pem().replace('\n', "|"));
    let said = debug(harbour, &quay, &pod, "stranger", unseen, &[&authority]);
    assert_eq!(said, [json!({"error": "SSLCertVerificationError"}), json!({"status": 200})]);
    assert_eq!(recorded(&harbour.telemetry.received(), &pod, unseen), 0);

    // One that is given what the app's containers have is watched as they are.
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("trust.json");
    let trust = json!({
        "env": [{"name": "SSL_CERT_DIR", "value": format!("{}/{}", mounts::TRUST, trust_files::HASHED)}],
        "volumeMounts": [{"name": volumes::TRUST, "mountPath": mounts::TRUST, "readOnly": true}],
    });
    std::fs::write(&path, trust.to_string()).expect("a temporary file");
    let custom = format!("--custom={}", path.display());
    let said = debug(harbour, &quay, &pod, "friend", seen, &[&custom]);
    assert_eq!(said, [json!({"status": 200}), json!({"status": 200})]);
    let both = harbour.telemetry.wait_for(DEADLINE, |received| recorded(received, &pod, seen) == 2);
    assert!(both.is_some(), "its calls are not recorded");

    all_are_recorded("the app's calls are recorded no longer");
    let pod = harbour.node.get(&["pod", "-n", &quay, &pod]);
    let status = &pod["status"];
    let all = ["initContainerStatuses", "containerStatuses"].map(|of| status[of].as_array().expect("a list"));
    for container in all.into_iter().flatten() {
        assert_eq!(
            (&container["restartCount"], &container["ready"]),
            (&json!(0), &json!(true)),
            "{container}"
        );
    }
}
