//! The two containers that are added: the sidecar, which stays, and the redirection before it, which ends.

use std::net::{Ipv6Addr, SocketAddr};

use outrigger_contract::{containers, environment, mounts, ports, programs, trust_files, uid, volumes};
use serde_json::{Map, Value, json};

use crate::keys;
use crate::options::{FailurePolicy, Mode, Options};
use crate::owner::{self, Context};
use crate::pod::{self, is_mesh, list};
use crate::resources::{self, Resources};
use crate::wishes::Wishes;

/// Where the API server's token would be mounted, unless something lies there already.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What the redirection takes while it runs.
const REDIRECT_MEMORY: [&str; 2] = ["16Mi", "64Mi"];
/// Logs, the trust files and a report: what is on disk beside the spool, in MiB.
const DISK_MIB: u64 = 64;
/// A list, of which each side has a part.
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

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
    let probed = probed(options);
    if let Some(address) = probed.filter(|address| !address.ip().is_loopback()) {
        let named = json!({"name": containers::SIDECAR, "containerPort": address.port(), "protocol": "TCP"});
        merge(&mut container, json!({"ports": [named]}));
    }
    let disk = options.spool_mib.saturating_mul(2).saturating_add(DISK_MIB);
    merge(&mut container, resources::given(pod, &wishes.resources, disk));
    if let Some(address) = probed {
        let in_mesh = || pod::places(pod).any(|place| is_mesh(place.name()));
        merge(&mut container, probes(address.port(), address.ip().is_loopback() || in_mesh()));
    }
    container
}

/// What a kubelet asks. Over the pod's network that goes through a mesh's own proxy, which may not run yet or may want its certificate, or
/// finds nobody where metrics are for the pod alone: there the sidecar's own program asks, `within` the pod.
fn probes(port: u16, within: bool) -> Value {
    let probe = |path: &str, word: &str, mut probe: Value| {
        if within {
            probe["exec"] = json!({"command": [programs::SIDECAR, "probe", word, format!("--port={port}")]});
        } else {
            probe["httpGet"] = json!({"path": path, "port": port});
        }
        probe
    };
    let at_once = if within { 5 } else { 1 };
    let starts = json!({"periodSeconds": 1, "timeoutSeconds": at_once, "failureThreshold": 60});
    let lives = json!({"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6});
    json!({"startupProbe": probe("/readyz", "ready", starts), "livenessProbe": probe("/healthz", "alive", lives)})
}

/// Where a kubelet finds somebody to ask, by what an operator set; `None` where there is nobody.
fn probed(options: &Options) -> Option<SocketAddr> {
    match options.environment.get("OUTRIGGER_METRICS") {
        Some(address) => address.parse::<SocketAddr>().ok().filter(|address| address.port() != 0),
        None => Some((Ipv6Addr::UNSPECIFIED, ports::METRICS).into()),
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
    // None of these names is among them: settings are refused that say otherwise.
    variables.extend(options.redirect_environment.iter().map(|(name, value)| variable(name, value)));
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
    let [memory, memory_limit] = REDIRECT_MEMORY.map(str::to_owned);
    let asked = Resources { cpu: options.resources.cpu.clone(), memory, memory_limit, cpu_limit: None };
    merge(&mut container, resources::given(pod, &asked, DISK_MIB));
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
    if let Some(key) = &options.otlp_headers_file {
        set("OUTRIGGER_OTLP_HEADERS_FILE", &format!("{}/{key}", mounts::CREDENTIALS));
    }
    let attributes = attributes(pod, options, context);
    if !attributes.is_empty() {
        variables.push(variable(ATTRIBUTES, &attributes));
    }
    let further = options.environment.iter().filter(|(name, _)| *name != ATTRIBUTES);
    variables.extend(further.map(|(name, value)| variable(name, value)));
    variables
}

/// Whose pod it is, and what the operator says of all of them, which wins.
fn attributes(pod: &Value, options: &Options, context: &Context) -> String {
    let theirs = options.environment.get(ATTRIBUTES).map(|text| text.trim()).filter(|text| !text.is_empty());
    let is_theirs = |key: &str| {
        let mut pairs = theirs.into_iter().flat_map(|text| text.split(','));
        pairs.any(|pair| pair.split('=').next().is_some_and(|name| name.trim() == key))
    };
    let ours = owner::attributes(pod, context).into_iter().filter(|(key, _)| !is_theirs(key));
    let all = ours.map(|(key, value)| format!("{key}={value}")).chain(theirs.map(str::to_owned));
    all.collect::<Vec<String>>().join(",")
}

fn variable(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

fn no_token(pod: &Value) -> Option<Value> {
    masks_token(pod).then(|| json!({"name": volumes::NO_TOKEN, "mountPath": TOKEN, "readOnly": true}))
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
