//! A pod that comes to the injector more than once: as it was left, and as another webhook left it.

use std::io::Write as _;
use std::net::TcpListener;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outrigger_tests::DEADLINE;
use outrigger_tests::http::read_request;
use outrigger_tests::tls::{Accepted, TlsServer};
use serde_json::{Value, json};

use super::{admitted, is_injected};
use crate::harbour::{APP, HARBOUR, pod};

/// What only an API server writes.
const WRITTEN: [&str; 3] = ["uid", "creationTimestamp", "managedFields"];

#[test]
fn an_injected_pod_that_is_made_again_stays_as_it_is() {
    let harbour = &*HARBOUR;
    let again = harbour.namespace("again", json!({}));
    let _here = harbour.admission();
    let mut first = admitted(harbour, &pod(&again, "one", &["true"]));
    assert!(is_injected(&first));
    for member in WRITTEN {
        first["metadata"].as_object_mut().expect("metadata").remove(member);
    }
    first.as_object_mut().expect("a pod").remove("status");
    let second = admitted(harbour, &first);
    assert_eq!(second["spec"], first["spec"]);
    assert_eq!(second["metadata"]["annotations"], first["metadata"]["annotations"]);
}

/// Answers one review: the pod gets a container, once.
fn add_a_container(mut stream: Accepted) -> std::io::Result<()> {
    let Some((_, body)) = read_request(&mut stream, &mut Vec::new())? else { return Ok(()) };
    let review: Value = serde_json::from_slice(&body)?;
    let containers = review["request"]["object"]["spec"]["containers"].as_array();
    let is_there = containers.into_iter().flatten().any(|one| one["name"] == "late");
    let patch = json!([{"op": "add", "path": "/spec/containers/-", "value": {"name": "late", "image": APP}}]);
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
    if !is_there {
        response["patchType"] = "JSONPatch".into();
        response["patch"] = STANDARD.encode(patch.to_string()).into();
    }
    let answer =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    let answer = answer.to_string();
    let length = answer.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{answer}"
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}

#[test]
fn a_container_that_another_webhook_brings_behind_us_is_led_too() {
    let harbour = &*HARBOUR;
    let late = harbour.namespace("late", json!({}));
    let machine = harbour.node.machine();
    let listener = TcpListener::bind((machine, 0)).expect("a free port");
    let server = TlsServer::on(listener, &machine.to_string(), &[]);
    let (url, authority) = (format!("https://{}/", server.address()), STANDARD.encode(server.ca_pem()));
    // Who hangs up, or does not trust it yet, asks again.
    thread::spawn(move || {
        loop {
            let _broken = add_a_container(server.accept());
        }
    });
    harbour.node.apply(&[json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        // Behind `outrigger`, in the order of their names.
        "metadata": {"name": "zz-late"},
        "webhooks": [{
            "name": "late.harbour.test", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "reinvocationPolicy": "IfNeeded", "failurePolicy": "Ignore", "timeoutSeconds": 5,
            "clientConfig": {"url": url, "caBundle": authority},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": late}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
        }],
    })]);
    let here = harbour.admission();
    let made = harbour.node.until(&late, "a pod with the late container", DEADLINE, || {
        let made = admitted(harbour, &pod(&late, "one", &["true"]));
        made["spec"]["containers"][1].is_object().then_some(made)
    });
    drop(here);
    harbour.node.kubectl(&["delete", "mutatingwebhookconfiguration", "zz-late"]);
    let ours = made["spec"]["initContainers"].as_array().expect("init containers");
    assert_eq!(ours.len(), 2, "{made:#}");
    for container in made["spec"]["containers"].as_array().expect("containers") {
        let variables = container["env"].as_array().into_iter().flatten();
        let led = variables.filter(|one| one["name"] == "NODE_EXTRA_CA_CERTS").count();
        let mounts = container["volumeMounts"].as_array().into_iter().flatten();
        let trust = mounts.filter(|one| one["name"] == "outrigger-trust").count();
        assert_eq!((led, trust), (1, 1), "{container:#}");
    }
}
