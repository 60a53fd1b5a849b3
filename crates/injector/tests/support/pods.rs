//! Valid pods of every kind that a patch meets: what an API server takes before it must take after. The suite `kubernetes` asks a real one.

use outrigger_injector::{FailurePolicy, Mode, Options, Resources};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::fault;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        24 => "[a-z][a-z0-9]{0,5}",
        2 => "[a-z][a-z0-9-]{61}[a-z0-9]",
        3 => select(vec!["istio-proxy", "linkerd-init", "daprd"]).prop_map(str::to_owned),
        1 => select(vec!["outrigger", "outrigger-redirect"]).prop_map(str::to_owned),
    ]
}

fn variable() -> impl Strategy<Value = Value> {
    let names = vec![
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "DENO_CERT",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "OUTRIGGER_ORIG_JAVA_TOOL_OPTIONS",
        "NO_PROXY",
        "no_proxy",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "OPENAI_BASE_URL",
        "ANTHROPIC_BASE_URL",
        "AZURE_OPENAI_API_KEY",
        "OPENAI_API_KEY",
        "NODE_USE_ENV_PROXY",
        "with-a.dot",
        "OTHER",
    ];
    let values = vec![
        json!({"value": ""}),
        json!({}),
        json!({"value": "/some/where"}),
        json!({"value": "-Xmx1g $(OTHER)"}),
        json!({"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
        json!({"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": true}}}),
        json!({"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
        json!({"valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}),
    ];
    (select(names), select(values)).prop_map(|(name, mut value)| {
        value["name"] = json!(name);
        value
    })
}

/// A container; it mounts volume `v`, may have `b` as a device, and what it asks for is no more than 1 CPU and 1Gi.
pub(crate) fn container() -> impl Strategy<Value = Value> {
    let mounts = vec![
        "/data",
        "/var/run",
        "/run",
        "/",
        "/var/run/outrigger/trust",
        "/var/run/outrigger/trust/",
        "/var/run/outrigger/trust/x",
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "/etc",
    ];
    let resources = vec![
        Value::Null,
        json!({}),
        json!({"limits": {"cpu": 1, "memory": "1Gi"}}),
        json!({"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": 0.5, "memory": "1024Mi"}}),
        json!({"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi", "ephemeral-storage": "1Gi"}}),
    ];
    let restricted = json!({
        "runAsUser": 1000, "runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
    });
    let security = prop_oneof![
        5 => Just(Value::Null),
        5 => Just(restricted),
        5 => Just(json!({"privileged": true})),
        1 => Just(json!({"runAsUser": 19015})),
    ];
    let ports = prop_oneof![
        5 => Just(Value::Null),
        5 => Just(json!([{"containerPort": 8080, "name": "outrigger"}])),
        5 => Just(json!([{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53}])),
        1 => Just(json!([{"containerPort": 19004}])),
    ];
    let devices = prop_oneof![
        4 => Just(Value::Null),
        1 => select(vec!["/dev/x", "/var/run/outrigger/trust", "/run/outrigger/trust/x"])
            .prop_map(|path| json!([{"name": "b", "devicePath": path}])),
    ];
    let env = prop::option::of(prop::collection::vec(variable(), 0..5));
    let mounts = prop::option::of(subsequence(mounts, 0..3));
    let what = (select(resources), security, ports, devices);
    (name(), env, mounts, any::<bool>(), what, prop::option::of(any::<bool>()), any::<u8>()).prop_map(
        |(name, env, mounts, read_only, (resources, security, ports, devices), from, future)| {
            let mounts = mounts.map(|paths| {
                let mount = |path| json!({"name": "v", "mountPath": path, "readOnly": read_only});
                paths.into_iter().map(mount).collect::<Vec<_>>()
            });
            let from = from.map(
                |prefix| json!([{"prefix": if prefix { "X_" } else { "" }, "secretRef": {"name": "s"}}]),
            );
            json!({"name": name, "image": "app:1", "env": env, "volumeMounts": mounts, "resources": resources,
                   "envFrom": from, "securityContext": security, "ports": ports,
                   "volumeDevices": devices, "future": {"field": future}})
        },
    )
}

/// A pod that an API server takes.
pub(crate) fn pod() -> impl Strategy<Value = Value> {
    let annotations = vec![
        ("outrigger.dev/mode", "proxy"),
        ("outrigger.dev/mode", "base-url"),
        ("outrigger.dev/mode", "?"),
        ("outrigger.dev/trust-java", "true"),
        ("outrigger.dev/ignore-env-from", "true"),
        ("outrigger.dev/rules", "a.b-c"),
        ("outrigger.dev/passthrough-hosts", "api.openai.com,$(HOME)"),
        ("outrigger.dev/status", "old"),
        ("outrigger.dev/reason", "old"),
        ("team", "x"),
    ];
    let amounts = vec![
        "cpu=1",
        "cpu=1n",
        "cpu=0.0001,cpu-limit=1m",
        "cpu=1e3,cpu-limit=1k",
        "cpu=1E",
        "memory=100m",
        "memory=0.5,memory-limit=1e0",
        "memory-limit=9999999Ei,memory=1Ei",
        "memory=24,memory-limit=128",
        "memory=1e6,memory-limit=16Mi,cpu-limit=50m",
        "memory-limit=+.5Gi",
        "cpu-limit=2,cpu=2.",
    ];
    let sources = vec![
        json!({"emptyDir": {}}),
        json!({"configMap": {"name": "c"}}),
        json!({"hostPath": {"path": "/run"}}),
    ];
    let wholes = vec![
        Value::Null,
        json!({}),
        json!({"limits": {"cpu": "8", "memory": "16Gi"}}),
        json!({"requests": {"cpu": "8", "memory": "16Gi"}, "limits": {"cpu": "8", "memory": "16Gi"}}),
    ];
    let restricted = json!({
        "runAsUser": 1000, "fsGroup": 2000, "supplementalGroups": [5], "seccompProfile": {"type": "RuntimeDefault"},
    });
    let security = prop_oneof![
        5 => Just(Value::Null),
        5 => Just(restricted),
        1 => Just(json!({"runAsNonRoot": true, "runAsUser": 19015})),
    ];
    let flags = vec!["shareProcessNamespace", "automountServiceAccountToken", "future"];
    let volume = prop_oneof![12 => Just("v"), 1 => select(vec!["outrigger-ca", "outrigger-trust"])];
    (
        prop::option::of(prop::collection::vec((container(), any::<bool>()), 0..3)),
        prop::collection::vec(container(), 1..4),
        (
            prop::option::of(subsequence(annotations, 0..5)),
            prop::option::weighted(0.3, select(amounts)),
            prop::option::weighted(0.02, 261_000_usize..262_000),
        ),
        (select(sources), volume),
        subsequence(flags, 0..3),
        (any::<bool>(), select(wholes), security, prop::bool::weighted(0.1)),
    )
        .prop_map(|(init, apps, (annotations, amounts, long), (mut volume, called), flags, rest)| {
            let (has_metadata, whole, security, is_on_host) = rest;
            let mounting = |mut one: Value| {
                for mount in one["volumeMounts"].as_array_mut().into_iter().flatten() {
                    mount["name"] = json!(called);
                }
                one
            };
            volume["name"] = json!(called);
            let init = init.map(|init| {
                let with_policy = |(mut one, stays): (Value, bool)| {
                    if stays {
                        one["restartPolicy"] = json!("Always");
                    }
                    mounting(one)
                };
                init.into_iter().map(with_policy).collect::<Vec<_>>()
            });
            let apps: Vec<Value> = apps.into_iter().map(mounting).collect();
            let block = json!({"name": "b", "persistentVolumeClaim": {"claimName": "b"}});
            let mut spec = json!({"initContainers": init, "containers": apps, "volumes": [volume, block],
                                  "resources": whole, "securityContext": security});
            if is_on_host {
                spec["hostNetwork"] = json!(true);
            }
            for flag in flags {
                spec[flag] = json!(flag != "automountServiceAccountToken");
            }
            let mut annotations: Option<Map<String, Value>> = annotations
                .map(|all| all.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect());
            let further = [
                ("outrigger.dev/resources", amounts.map(str::to_owned)),
                ("long", long.map(|long| "x".repeat(long))),
            ];
            for (name, value) in further {
                if let Some(value) = value {
                    annotations.get_or_insert_default().insert(name.to_owned(), json!(value));
                }
            }
            if has_metadata {
                json!({"metadata": {"annotations": annotations, "future": 1}, "spec": spec})
            } else {
                json!({"spec": spec})
            }
        })
        .prop_filter("a pod that the API server takes", |pod| fault(pod).is_none())
}

/// What an operator may have decided.
pub(crate) fn options() -> impl Strategy<Value = Options> {
    let resources = vec![
        ("10m", "24Mi", "128Mi", None),
        ("16", "16Gi", "16Gi", Some("16")),
        ("0.001", "1Mi", "16Mi", Some("50m")),
        ("300m", "64M", "0.5Gi", None),
    ];
    let resources = select(resources).prop_map(|(cpu, memory, memory_limit, cpu_limit)| Resources {
        cpu: cpu.to_owned(),
        memory: memory.to_owned(),
        memory_limit: memory_limit.to_owned(),
        cpu_limit: cpu_limit.map(str::to_owned),
    });
    let variables = vec![
        ("OTEL_RESOURCE_ATTRIBUTES", "team=a,k8s.deployment.name=b"),
        ("OTEL_RESOURCE_ATTRIBUTES", ""),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.example"),
        ("OUTRIGGER_METRICS", "off"),
        ("OUTRIGGER_METRICS", "[::]:9095"),
        ("OUTRIGGER_METRICS", "127.0.0.1:19005"),
        ("OUTRIGGER_LOG_CALLS", "$(HOME)"),
        ("OUTRIGGER_HOSTS", "llm.example.internal"),
    ];
    let environment = prop::option::of(select(variables)).prop_map(|variable| {
        variable.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    });
    let redirect = prop::bool::ANY.prop_map(|has| {
        has.then(|| ("OUTRIGGER_REDIRECT_BLOCK_QUIC".to_owned(), "true".to_owned())).into_iter().collect()
    });
    let allowed = prop::option::of(subsequence(vec!["anthropic".to_owned(), "bedrock".to_owned()], 0..3));
    // No pod shows it to who would read it.
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let authorities = prop::option::of(prop_oneof![Just(1_usize), Just(1_500)])
        .prop_map(move |count| count.map(|count| pem.repeat(count)));
    let hosts = prop::option::of(Just("api.groq.com".to_owned())).prop_map(Vec::from_iter);
    (
        (select(Mode::ALL.to_vec()), select(vec![FailurePolicy::Open, FailurePolicy::Closed]), resources),
        (environment, redirect, allowed, authorities, hosts, select(vec![1_u64, 128, 65_536])),
    )
        .prop_map(|((mode, failure_policy, resources), more)| {
            let (
                environment,
                redirect_environment,
                allowed_providers,
                extra_cas,
                passthrough_hosts,
                spool_mib,
            ) = more;
            Options {
                mode,
                failure_policy,
                resources,
                environment,
                redirect_environment,
                allowed_providers,
                extra_cas,
                passthrough_hosts,
                spool_mib,
                ..Options::default()
            }
        })
}
