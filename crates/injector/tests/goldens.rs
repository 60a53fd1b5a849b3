//! Pods as they are met, and the whole patch of each. A change of a golden is a change of what every pod gets: read it.

use outrigger_injector::{Context, FailurePolicy, Mode, Options, Owner, patch};
use serde_json::{Value, json};

mod support;

fn options(mode: Mode) -> Options {
    Options {
        mode,
        image: "registry.example/outrigger@sha256:0123".to_owned(),
        otlp_endpoint: Some("http://otel-collector.observability:4317".to_owned()),
        ..Options::default()
    }
}

/// What the patch is, after it was seen to hold as a patch: another reader makes the same pod of it, the pod is one that
/// the API server takes, and a second one is empty.
fn golden(pod: &Value, context: &Context, options: &Options) -> Value {
    let outcome = patch(pod, context, options);
    assert_eq!(support::applied(pod, &outcome.patch), outcome.pod);
    assert_eq!(support::fault(&outcome.pod), None);
    assert_eq!(patch(&outcome.pod, context, options).patch, Vec::<Value>::new());
    json!({
        "status": format!("{:?}", outcome.status), "reason": outcome.reason, "warnings": outcome.warnings,
        "sends_to": outcome.sends_to, "patch": outcome.patch,
    })
}

fn of_deployment(spec: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": "shop-7c9f5d-",
            "labels": {"app": "shop", "pod-template-hash": "7c9f5d"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop-7c9f5d", "uid": "8d2f", "controller": true}],
        },
        "spec": spec,
    })
}

fn app() -> Value {
    json!({"name": "app", "image": "shop:1"})
}

#[test]
fn a_pod_of_a_deployment_with_next_to_nothing() {
    let pod = of_deployment(json!({"containers": [app()]}));
    insta::assert_json_snapshot!(golden(&pod, &Context::default(), &options(Mode::Transparent)));
}

#[test]
fn the_same_in_a_restricted_namespace() {
    let pod = of_deployment(json!({"containers": [app()]}));
    let outcome = patch(&pod, &Context::default(), &options(Mode::BaseUrl));
    for (_, container) in support::containers(&outcome.pod).filter(|(is_init, _)| *is_init) {
        assert!(support::is_restricted(container), "{container}");
    }
    insta::assert_json_snapshot!(golden(&pod, &Context::default(), &options(Mode::BaseUrl)));
}

#[test]
fn a_job_of_a_cron_job_that_wants_a_proxy() {
    let pod = json!({
        "metadata": {
            "annotations": {"outrigger.dev/mode": "proxy", "outrigger.dev/trust-java": "true", "team": "billing"},
            "ownerReferences": [{"kind": "Job", "name": "bill-29932117", "controller": true}],
        },
        "spec": {"restartPolicy": "Never", "automountServiceAccountToken": false, "initContainers": null, "volumes": null,
                 "containers": [{"name": "bill", "env": null, "volumeMounts": null}]},
    });
    insta::assert_json_snapshot!(golden(&pod, &Context::default(), &options(Mode::BaseUrl)));
}

#[test]
fn environment_that_comes_from_elsewhere() {
    let reference = |name: &str, optional: bool| json!({"name": name, "valueFrom": {"configMapKeyRef": {"name": "jvm", "key": "opts", "optional": optional}}});
    let key = json!({"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "openai", "key": "api-key"}}});
    let mut pod = of_deployment(json!({
        "containers": [
            {"name": "required", "env": [reference("JAVA_TOOL_OPTIONS", false), key, {"name": "NODE_EXTRA_CA_CERTS", "value": "/etc/corp.pem"}]},
            {"name": "optional", "env": [reference("JAVA_TOOL_OPTIONS", true)]},
            {"name": "from", "envFrom": [{"secretRef": {"name": "keys"}}]},
        ],
    }));
    pod["metadata"]["annotations"] = json!({"outrigger.dev/trust-java": "true"});
    insta::assert_json_snapshot!(golden(&pod, &Context::default(), &options(Mode::Transparent)));
}

#[test]
fn a_guaranteed_stateful_set_with_containers_of_every_kind() {
    let resources =
        json!({"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}});
    let pod = json!({
        "metadata": {"name": "db-0", "ownerReferences": [{"kind": "StatefulSet", "name": "db"}]},
        "spec": {
            "securityContext": {"fsGroup": 2000, "runAsUser": 1000},
            "initContainers": [
                {"name": "migrate", "resources": resources},
                {"name": "tail", "restartPolicy": "Always", "resources": resources},
            ],
            "containers": [
                {"name": "db", "resources": resources, "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
                {"name": "readonly", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                 "volumeMounts": [{"name": "run", "mountPath": "/var/run", "readOnly": true}]},
            ],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "d"}}, {"name": "run", "hostPath": {"path": "/run"}}],
        },
    });
    insta::assert_json_snapshot!(golden(&pod, &Context::default(), &options(Mode::Transparent)));
}

#[test]
fn a_mesh_before_us() {
    let pod = of_deployment(json!({
        "initContainers": [
            {"name": "istio-init"}, {"name": "istio-proxy", "restartPolicy": "Always", "env": [{"name": "X", "value": "1"}]},
            {"name": "migrate"},
        ],
        "containers": [app(), {"name": "linkerd-proxy"}, {"name": "daprd"}],
        "volumes": [{"name": "istio-envoy", "emptyDir": {}}],
    }));
    insta::assert_json_snapshot!(golden(&pod, &Context::default(), &options(Mode::Transparent)));
}

#[test]
fn an_operator_who_decided_everything() {
    let mut options = Options {
        failure_policy: FailurePolicy::Closed,
        otlp_endpoint: Some("https://me:secret@otlp.example".to_owned()),
        allowed_providers: Some(vec!["anthropic".to_owned(), "bedrock".to_owned()]),
        passthrough_hosts: vec!["api.groq.com".to_owned()],
        spool_mib: 64,
        ..options(Mode::Transparent)
    };
    options.environment.insert("OUTRIGGER_METRICS".to_owned(), "[::]:9095".to_owned());
    options.environment.insert("OUTRIGGER_RULES".to_owned(), "/elsewhere".to_owned());
    options
        .redirect_environment
        .insert("OUTRIGGER_REDIRECT_EXCLUDE_CIDRS".to_owned(), "10.0.0.0/8".to_owned());
    let mut pod = of_deployment(
        json!({"containers": [app()], "resources": {"requests": {"cpu": "1"}}, "aFieldOfTheFuture": {"x": [1]}}),
    );
    pod["metadata"]["annotations"] = json!({
        "outrigger.dev/rules": "shop-rules", "outrigger.dev/passthrough-hosts": "api.mistral.ai", "outrigger.dev/mode": "transparant",
        "outrigger.dev/resourcs": "cpu=1", "outrigger.dev/reason": "of another life", "outrigger.dev/ignore-env-from": "yes",
    });
    let golden = golden(&pod, &Context::default(), &options);
    assert!(!golden["sends_to"].as_str().unwrap().contains("secret"));
    insta::assert_json_snapshot!(golden);
}

#[test]
fn a_template_has_its_owner_from_the_workload() {
    let template = json!({"spec": {"containers": [app()]}});
    let owner = Some(Owner { kind: "DaemonSet".to_owned(), name: "agent".to_owned() });
    let golden = golden(&template, &Context { owner, ..Context::default() }, &options(Mode::BaseUrl));
    let environment = golden["patch"].to_string();
    assert!(environment.contains("k8s.daemonset.name=agent"), "{environment}");
    assert_eq!(golden["patch"][0]["path"], "/spec/initContainers");
}

#[test]
fn pods_that_get_none() {
    let of = |spec: Value| json!({"metadata": {"name": "p"}, "spec": spec});
    let with = |metadata: Value| json!({"metadata": metadata, "spec": {"containers": [app()]}});
    let pods = [
        of(json!({"hostNetwork": true, "containers": [app()]})),
        of(json!({"os": {"name": "windows"}, "containers": [app()]})),
        of(json!({"nodeSelector": {"kubernetes.io/os": "windows"}, "containers": [app()]})),
        with(json!({"labels": {"outrigger.dev/inject": "disabled"}})),
        with(json!({"annotations": {"kubernetes.io/config.mirror": "x"}})),
        with(json!({"namespace": "kube-system"})),
        with(json!({"namespace": "outrigger"})),
        of(json!({"containers": [app(), {"name": "outrigger"}]})),
        of(json!({"containers": [app()], "volumes": [{"name": "outrigger-trust", "emptyDir": {}}]})),
        of(json!({"containers": [{"name": "app", "ports": [{"containerPort": 19003}]}]})),
        of(json!({"securityContext": {"runAsUser": 19015}, "containers": [app()]})),
        of(json!({"containers": [{"name": "app", "securityContext": {"runAsUser": 19015}}]})),
        json!({"spec": {"containers": "app"}}),
        json!({"spec": {"containers": [{"name": "app", "env": [{"value": "x"}]}]}}),
        json!([]),
    ];
    let options = Options { own_namespace: Some("outrigger".to_owned()), ..options(Mode::Transparent) };
    let goldens: Vec<Value> = pods.iter().map(|pod| golden_of_none(pod, &options)).collect();
    insta::assert_json_snapshot!(goldens);
    // A container that chose a user of its own is not the pod's.
    let other = json!({"spec": {"securityContext": {"runAsUser": 19015}, "containers": [{"name": "app", "securityContext": {"runAsUser": 1}}]}});
    assert_eq!(patch(&other, &Context::default(), &options).status, outrigger_injector::Status::Injected);
}

fn golden_of_none(pod: &Value, options: &Options) -> Value {
    let outcome = patch(pod, &Context::default(), options);
    assert_eq!(outcome.pod["spec"], pod["spec"], "untouched");
    assert_eq!(patch(&outcome.pod, &Context::default(), options).patch, Vec::<Value>::new());
    json!({"status": format!("{:?}", outcome.status), "reason": outcome.reason, "warnings": outcome.warnings, "patch": outcome.patch})
}
