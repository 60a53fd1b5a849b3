//! Pods as they are met: of the goldens, and of an API server that says of each whether its patch makes a pod.

use outrigger_injector::{Context, FailurePolicy, Mode, Options, Owner};
use serde_json::{Value, json};

/// A pod, where it is, and what its operator decided.
pub(crate) struct Example {
    pub(crate) pod: Value,
    pub(crate) context: Context,
    pub(crate) options: Options,
}

fn example(pod: Value, mode: Mode) -> Example {
    let options = Options {
        mode,
        image: "registry.example/outrigger@sha256:0123".to_owned(),
        otlp_endpoint: Some("http://otel-collector.observability:4317".to_owned()),
        ..Options::default()
    };
    Example { pod, context: Context::default(), options }
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

pub(crate) fn next_to_nothing() -> Example {
    example(of_deployment(json!({"containers": [app()]})), Mode::Transparent)
}

pub(crate) fn restricted() -> Example {
    example(of_deployment(json!({"containers": [app()]})), Mode::BaseUrl)
}

pub(crate) fn of_cron_job() -> Example {
    let pod = json!({
        "metadata": {
            "annotations": {"outrigger.dev/mode": "proxy", "outrigger.dev/trust-java": "true", "team": "billing"},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "bill-29932117", "uid": "1", "controller": true}],
        },
        "spec": {"restartPolicy": "Never", "automountServiceAccountToken": false, "initContainers": null, "volumes": null,
                 "containers": [{"name": "bill", "image": "bill:1", "env": null, "volumeMounts": null}]},
    });
    example(pod, Mode::BaseUrl)
}

pub(crate) fn environment_from_elsewhere() -> Example {
    let reference = |name: &str, optional: bool| json!({"name": name, "valueFrom": {"configMapKeyRef": {"name": "jvm", "key": "opts", "optional": optional}}});
    let key = json!({"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "openai", "key": "api-key"}}});
    let mut pod = of_deployment(json!({
        "containers": [
            {"name": "required", "image": "a:1", "env": [reference("JAVA_TOOL_OPTIONS", false), key, {"name": "NODE_EXTRA_CA_CERTS", "value": "/etc/corp.pem"}]},
            {"name": "optional", "image": "a:1", "env": [reference("JAVA_TOOL_OPTIONS", true)]},
            {"name": "from", "image": "a:1", "envFrom": [{"secretRef": {"name": "keys"}}]},
        ],
    }));
    pod["metadata"]["annotations"] = json!({"outrigger.dev/trust-java": "true"});
    example(pod, Mode::Transparent)
}

pub(crate) fn guaranteed() -> Example {
    let resources =
        json!({"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}});
    let pod = json!({
        "metadata": {"name": "db-0", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "1"}]},
        "spec": {
            "securityContext": {"fsGroup": 2000, "runAsUser": 1000},
            "initContainers": [
                {"name": "migrate", "image": "a:1", "resources": resources},
                {"name": "tail", "image": "a:1", "restartPolicy": "Always", "resources": resources},
            ],
            "containers": [
                {"name": "db", "image": "a:1", "resources": resources, "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
                {"name": "readonly", "image": "a:1", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                 "volumeMounts": [{"name": "run", "mountPath": "/var/run", "readOnly": true}]},
            ],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "d"}}, {"name": "run", "hostPath": {"path": "/run"}}],
        },
    });
    example(pod, Mode::Transparent)
}

pub(crate) fn a_mesh_before() -> Example {
    let pod = of_deployment(json!({
        "initContainers": [
            {"name": "istio-init", "image": "istio:1"},
            {"name": "istio-proxy", "image": "istio:1", "restartPolicy": "Always", "env": [{"name": "X", "value": "1"}]},
            {"name": "migrate", "image": "a:1"},
        ],
        "containers": [app(), {"name": "linkerd-proxy", "image": "linkerd:1"}, {"name": "daprd", "image": "dapr:1"}],
        "volumes": [{"name": "istio-envoy", "emptyDir": {}}],
    }));
    example(pod, Mode::Transparent)
}

pub(crate) fn everything_decided() -> Example {
    let mut pod = of_deployment(
        json!({"containers": [app()], "resources": {"requests": {"cpu": "1"}}, "aFieldOfTheFuture": {"x": [1]}}),
    );
    pod["metadata"]["annotations"] = json!({
        "outrigger.dev/rules": "shop-rules", "outrigger.dev/passthrough-hosts": "api.mistral.ai", "outrigger.dev/mode": "transparant",
        "outrigger.dev/resourcs": "cpu=1", "outrigger.dev/reason": "of another life", "outrigger.dev/ignore-env-from": "yes",
    });
    let mut example = example(pod, Mode::Transparent);
    let options = &mut example.options;
    options.failure_policy = FailurePolicy::Closed;
    options.otlp_endpoint = Some("https://otlp.example:4318/base".to_owned());
    options.otlp_headers_file = Some("otlp-headers".to_owned());
    options.allowed_providers = Some(vec!["anthropic".to_owned(), "bedrock".to_owned()]);
    options.passthrough_hosts = vec!["api.groq.com".to_owned()];
    options.spool_mib = 64;
    options.environment.insert("OUTRIGGER_METRICS".to_owned(), "[::]:9095".to_owned());
    options.environment.insert("OUTRIGGER_RULES".to_owned(), "/elsewhere".to_owned());
    options.environment.insert(
        "OTEL_RESOURCE_ATTRIBUTES".to_owned(),
        "deployment.environment.name=prod,k8s.replicaset.name=of-theirs".to_owned(),
    );
    options
        .redirect_environment
        .insert("OUTRIGGER_REDIRECT_EXCLUDE_CIDRS".to_owned(), "10.0.0.0/8".to_owned());
    example
}

/// Under quotas: every container has limits, and one answers for what it has on disk.
pub(crate) fn limited() -> Example {
    let resources = |limits: Value| json!({"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": limits});
    let pod = of_deployment(json!({"containers": [
        {"name": "app", "image": "shop:1",
         "resources": resources(json!({"cpu": 1, "memory": "1Gi", "ephemeral-storage": "100Mi"}))},
        {"name": "exporter", "image": "a:1", "resources": resources(json!({"cpu": "200m", "memory": "128Mi"}))},
    ]}));
    example(pod, Mode::Transparent)
}

pub(crate) fn template() -> Example {
    let owner = Some(Owner { kind: "DaemonSet".to_owned(), name: "agent".to_owned() });
    let context = Context { owner, ..Context::default() };
    Example { context, ..example(json!({"spec": {"containers": [app()]}}), Mode::BaseUrl) }
}

/// As Istio's injector leaves a pod: its proxy is a native sidecar, asked by the kubelet through itself.
pub(crate) fn istio() -> Example {
    let mounts = json!([{"name": "istio-envoy", "mountPath": "/etc/istio/proxy"}, {"name": "istio-token", "mountPath": "/var/run/secrets/tokens"}]);
    let mut pod = of_deployment(json!({
        "initContainers": [
            {
                "name": "istio-init", "image": "istio/proxyv2:1.30.0", "args": ["istio-iptables", "-p", "15001", "-u", "1337", "-b", "*"],
                "securityContext": {"runAsUser": 0, "runAsNonRoot": false, "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]}},
            },
            {
                "name": "istio-proxy", "image": "istio/proxyv2:1.30.0", "restartPolicy": "Always",
                "args": ["proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local"],
                "env": [{"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
                "ports": [{"containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"}],
                "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 15021}},
                "startupProbe": {"httpGet": {"path": "/healthz/ready", "port": 15021}, "failureThreshold": 600},
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}},
                "securityContext": {"runAsUser": 1337, "runAsGroup": 1337, "runAsNonRoot": true, "readOnlyRootFilesystem": true},
                "volumeMounts": mounts,
            },
        ],
        "containers": [{"name": "app", "image": "shop:1", "ports": [{"containerPort": 8080}],
                        "readinessProbe": {"httpGet": {"path": "/app-health/app/readyz", "port": 15020}}}],
        "volumes": [
            {"name": "istio-envoy", "emptyDir": {"medium": "Memory"}},
            {"name": "istio-token", "projected": {"sources": [{"serviceAccountToken": {"audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token"}}]}},
        ],
        "securityContext": {"fsGroup": 1337},
    }));
    pod["metadata"]["annotations"] =
        json!({"sidecar.istio.io/status": "{\"initContainers\":[\"istio-init\",\"istio-proxy\"]}"});
    pod["metadata"]["labels"]["security.istio.io/tlsMode"] = "istio".into();
    example(pod, Mode::Transparent)
}

/// As Linkerd's injector leaves a pod: its proxy is the first of the app's containers, and holds the others up until it is ready.
pub(crate) fn linkerd() -> Example {
    let mut pod = of_deployment(json!({
        "initContainers": [{
            "name": "linkerd-init", "image": "cr.l5d.io/linkerd/proxy-init:v2.4.2", "args": ["--proxy-uid", "2102", "--incoming-proxy-port", "4143"],
            "securityContext": {"runAsUser": 65534, "runAsNonRoot": true, "capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
            "volumeMounts": [{"name": "linkerd-proxy-init-xtables-lock", "mountPath": "/run"}],
        }],
        "containers": [
            {
                "name": "linkerd-proxy", "image": "cr.l5d.io/linkerd/proxy:edge",
                "env": [{"name": "LINKERD2_PROXY_LOG", "value": "warn"}],
                "lifecycle": {"postStart": {"exec": {"command": ["/usr/lib/linkerd/linkerd-await", "--timeout=2m"]}}},
                "ports": [{"containerPort": 4143, "name": "linkerd-proxy"}, {"containerPort": 4191, "name": "linkerd-admin"}],
                "securityContext": {"runAsUser": 2102, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true},
                "volumeMounts": [{"name": "linkerd-identity-end-entity", "mountPath": "/var/run/linkerd/identity/end-entity"}],
            },
            app(),
        ],
        "volumes": [
            {"name": "linkerd-proxy-init-xtables-lock", "emptyDir": {}},
            {"name": "linkerd-identity-end-entity", "emptyDir": {"medium": "Memory"}},
        ],
    }));
    pod["metadata"]["annotations"] =
        json!({"linkerd.io/inject": "enabled", "linkerd.io/proxy-version": "edge"});
    example(pod, Mode::Transparent)
}

/// Those that are given a sidecar, by name.
#[allow(dead_code, reason = "suite kubernetes shows them to an API server")]
pub(crate) fn injected() -> Vec<(&'static str, Example)> {
    vec![
        ("next to nothing", next_to_nothing()),
        ("restricted", restricted()),
        ("of a CronJob", of_cron_job()),
        ("environment from elsewhere", environment_from_elsewhere()),
        ("guaranteed", guaranteed()),
        ("limited", limited()),
        ("a mesh before", a_mesh_before()),
        ("Istio", istio()),
        ("Linkerd", linkerd()),
        ("everything decided", everything_decided()),
        ("a template", template()),
    ]
}

/// Those that are given none; what has not the shape of a pod is [`shapeless`].
pub(crate) fn skipped() -> Vec<Example> {
    let of = |spec: Value| json!({"metadata": {"name": "p"}, "spec": spec});
    let with = |metadata: Value| json!({"metadata": metadata, "spec": {"containers": [app()]}});
    let like = |more: Value| {
        let mut app = app();
        app.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app
    };
    let pods = [
        of(json!({"hostNetwork": true, "containers": [app()]})),
        of(json!({"os": {"name": "windows"}, "containers": [app()]})),
        of(json!({"nodeSelector": {"kubernetes.io/os": "windows"}, "containers": [app()]})),
        with(json!({"labels": {"outrigger.dev/inject": "disabled"}})),
        json!({
            "metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}},
            "spec": {"nodeName": "node", "containers": [app()]},
        }),
        with(json!({"namespace": "kube-system"})),
        with(json!({"namespace": "outrigger"})),
        of(json!({"containers": [app(), like(json!({"name": "outrigger"}))]})),
        of(json!({"containers": [app()], "volumes": [{"name": "outrigger-trust", "emptyDir": {}}]})),
        of(json!({"containers": [like(json!({"ports": [{"containerPort": 19003}]}))]})),
        of(json!({"securityContext": {"runAsUser": 19015}, "containers": [app()]})),
        of(json!({"containers": [like(json!({"securityContext": {"runAsUser": 19015}}))]})),
    ];
    pods.into_iter().map(of_operator).collect()
}

/// What is no pod.
pub(crate) fn shapeless() -> Vec<Example> {
    let pods = [
        json!({"spec": {"containers": "app"}}),
        json!({"spec": {"containers": [{"name": "app", "env": [{"value": "x"}]}]}}),
        json!([]),
    ];
    pods.into_iter().map(of_operator).collect()
}

/// One whose container chose a user of its own, which is not the pod's.
pub(crate) fn own_user() -> Example {
    of_operator(json!({
        "spec": {"securityContext": {"runAsUser": 19015},
                 "containers": [{"name": "app", "image": "a:1", "securityContext": {"runAsUser": 1}}]},
    }))
}

fn of_operator(pod: Value) -> Example {
    let mut example = example(pod, Mode::Transparent);
    example.options.own_namespace = Some("outrigger".to_owned());
    example
}
