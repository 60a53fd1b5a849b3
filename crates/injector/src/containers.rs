//! The two containers that are added: the sidecar, which stays, and the redirection before it, which ends.

use std::net::SocketAddr;

use outrigger_contract::{containers, environment, mounts, ports, programs, trust_files, uid, volumes};
use serde_json::{Map, Value, json};

use crate::keys;
use crate::options::{FailurePolicy, Mode, Options};
use crate::owner::{self, Context};
use crate::pod::{self, is_mesh, list};
use crate::quantity::nanos;
use crate::wishes::Wishes;

/// Where the API server's token would be mounted, unless something lies there already.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// A pod whose quality of service is guaranteed wants limits of CPU too; less would hold up its calls.
const GUARANTEED_CPU: &str = "100m";
/// What the redirection takes while it runs.
const REDIRECT_MEMORY: [&str; 2] = ["16Mi", "64Mi"];

/// Whether the token must be hidden: it is mounted in every container, those that are added included.
pub(crate) fn masks_token(pod: &Value) -> bool {
    pod["spec"]["automountServiceAccountToken"] != false
}

/// The sidecar.
pub(crate) fn sidecar(
    pod: &Value,
    mode: Mode,
    wishes: &Wishes,
    options: &Options,
    context: &Context,
) -> Value {
    let mut mounted = vec![json!({"name": volumes::CA, "mountPath": mounts::CA})];
    if mode.needs_trust() {
        mounted.push(json!({"name": volumes::TRUST, "mountPath": mounts::TRUST}));
    }
    mounted.push(json!({"name": volumes::SPOOL, "mountPath": mounts::SPOOL}));
    mounted.push(json!({"name": volumes::RULES, "mountPath": mounts::RULES, "readOnly": true}));
    mounted.push(json!({"name": volumes::CREDENTIALS, "mountPath": mounts::CREDENTIALS, "readOnly": true}));
    mounted.extend(no_token(pod));

    let mut container = json!({
        "name": containers::SIDECAR,
        "image": options.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [programs::SIDECAR],
        "restartPolicy": "Always",
        "env": variables(pod, mode, wishes, options, context),
        "volumeMounts": mounted,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": uid::SIDECAR,
            "runAsGroup": uid::SIDECAR,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    });
    if let Some(port) = probed_port(options) {
        let named = json!({"name": containers::SIDECAR, "containerPort": port, "protocol": "TCP"});
        merge(&mut container, json!({"ports": [named]}));
    }
    let asked = &wishes.resources;
    let resources =
        resources(pod, &asked.cpu, &asked.memory, &asked.memory_limit, asked.cpu_limit.as_deref());
    merge(&mut container, resources);
    // What a kubelet asks over the pod's network goes through a mesh's own proxy, which may not run yet or may want its
    // certificate. A probe that fails there would stop the pod; without one the containers behind start as soon as this runs.
    let asked = probed_port(options).filter(|_| !pod::places(pod).any(|place| is_mesh(place.name())));
    if let Some(port) = asked {
        let ask = |path: &str| json!({"path": path, "port": port});
        merge(
            &mut container,
            json!({
                "startupProbe": {"httpGet": ask("/readyz"), "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 60},
                "livenessProbe": {"httpGet": ask("/healthz"), "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
            }),
        );
    }
    container
}

/// Where a kubelet finds somebody to ask, by what an operator set; `None` where there is nobody.
fn probed_port(options: &Options) -> Option<u16> {
    match options.environment.get("OUTRIGGER_METRICS") {
        Some(address) => {
            address.parse::<SocketAddr>().ok().map(|address| address.port()).filter(|port| *port != 0)
        }
        None => Some(ports::METRICS),
    }
}

/// The redirection. It is nobody, by a file capability of its program: its self-test must not be made as the sidecar's user,
/// whose connections are left alone.
pub(crate) fn redirect(pod: &Value, options: &Options) -> Value {
    let mut variables = vec![variable(
        "OUTRIGGER_REDIRECT_REPORT",
        &format!("{}/{}", mounts::TRUST, trust_files::REDIRECT_REPORT),
    )];
    if options.failure_policy == FailurePolicy::Closed {
        variables.push(variable("OUTRIGGER_REDIRECT_FAILURE_POLICY", "closed"));
        variables.push(variable("OUTRIGGER_REDIRECT_ON_PROXY_DOWN", "closed"));
    }
    let further = &options.redirect_environment;
    variables.retain(|one| !further.contains_key(pod::text(one, "name")));
    variables.extend(further.iter().map(|(name, value)| variable(name, value)));
    let mut mounted = vec![json!({"name": volumes::TRUST, "mountPath": mounts::TRUST})];
    mounted.extend(no_token(pod));

    let mut container = json!({
        "name": containers::REDIRECT,
        "image": options.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [programs::REDIRECT],
        "env": variables,
        "volumeMounts": mounted,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": uid::REDIRECT,
            "runAsGroup": uid::REDIRECT,
            // Else the kernel takes a file's capability only where the runtime left the process the same one before.
            "allowPrivilegeEscalation": true,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    });
    let [memory, limit] = REDIRECT_MEMORY;
    merge(&mut container, resources(pod, &options.resources.cpu, memory, limit, None));
    container
}

/// The sidecar's environment.
fn variables(pod: &Value, mode: Mode, wishes: &Wishes, options: &Options, context: &Context) -> Vec<Value> {
    let of_pod = [
        (environment::POD_NAME, "metadata.name"),
        (environment::POD_NAMESPACE, "metadata.namespace"),
        (environment::POD_UID, "metadata.uid"),
        (environment::POD_IP, "status.podIP"),
        (environment::NODE_NAME, "spec.nodeName"),
    ];
    let mut variables: Vec<Value> = of_pod
        .into_iter()
        .map(|(name, path)| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}))
        .collect();
    let mut set = |name: &str, value: &str| {
        if !options.environment.contains_key(name) {
            variables.push(variable(name, value));
        }
    };
    set("OUTRIGGER_CA_DIR", mounts::CA);
    if mode.needs_trust() {
        set("OUTRIGGER_TRUST_DIR", mounts::TRUST);
    }
    set("OUTRIGGER_RULES", mounts::RULES);
    set("OUTRIGGER_SPOOL_BYTES", &options.spool_mib.saturating_mul(1024 * 1024).to_string());
    if options.failure_policy == FailurePolicy::Closed {
        set("OUTRIGGER_FAILURE_POLICY", "closed");
    }
    if let Some(allowed) = &options.allowed_providers {
        set("OUTRIGGER_ALLOWED_PROVIDERS", &allowed.join(","));
    }
    if let Some(authorities) = &options.extra_cas {
        set("OUTRIGGER_EXTRA_CAS_PEM", authorities);
    }
    if !wishes.passthrough_hosts.is_empty() {
        set("OUTRIGGER_PASSTHROUGH_HOSTS", &wishes.passthrough_hosts.join(","));
    }
    if let Some(names) = keys::names(pod) {
        set(environment::KEY_NAMES, &names);
    }
    if let Some(endpoint) = &options.otlp_endpoint {
        set("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    }
    let attributes: Vec<String> =
        owner::attributes(pod, context).iter().map(|(key, value)| format!("{key}={value}")).collect();
    if !attributes.is_empty() {
        set("OTEL_RESOURCE_ATTRIBUTES", &attributes.join(","));
    }
    variables.extend(options.environment.iter().map(|(name, value)| variable(name, value)));
    variables
}

fn variable(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

fn no_token(pod: &Value) -> Option<Value> {
    masks_token(pod).then(|| json!({"name": volumes::NO_TOKEN, "mountPath": TOKEN, "readOnly": true}))
}

/// What a container asks for and may take. A pod that is guaranteed stays so, and one that has resources as a whole is
/// left to them: the parts may not ask for more.
fn resources(pod: &Value, cpu: &str, memory: &str, memory_limit: &str, cpu_limit: Option<&str>) -> Value {
    if pod["spec"]["resources"].as_object().is_some_and(|whole| !whole.is_empty()) {
        return json!({});
    }
    if is_guaranteed(pod) {
        let cpu =
            [Some(GUARANTEED_CPU), Some(cpu), cpu_limit].into_iter().flatten().max_by_key(|cpu| nanos(cpu));
        let all = json!({"cpu": cpu, "memory": memory_limit});
        return json!({"resources": {"requests": all, "limits": all}});
    }
    let mut limits = json!({"memory": memory_limit});
    if let Some(cpu) = cpu_limit {
        merge(&mut limits, json!({"cpu": cpu}));
    }
    json!({"resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": limits}})
}

/// Whether every container may take exactly what it asks for.
fn is_guaranteed(pod: &Value) -> bool {
    let amount = |of: &Value| match of {
        Value::String(text) => nanos(text),
        Value::Number(number) => nanos(&number.to_string()),
        _ => None,
    };
    pod::places(pod).all(|place| {
        let resources = &place.container["resources"];
        ["cpu", "memory"].into_iter().all(|one| {
            let (limit, request) = (&resources["limits"][one], &resources["requests"][one]);
            amount(limit)
                .is_some_and(|limit| limit > 0 && (request.is_null() || amount(request) == Some(limit)))
        })
    })
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        let more: Map<String, Value> = more;
        into.extend(more);
    }
}

/// Where ours go among the init containers: before the user's, behind a mesh's.
pub(crate) fn position(pod: &Value) -> usize {
    list(&pod["spec"], "initContainers").iter().take_while(|one| is_mesh(pod::text(one, "name"))).count()
}
