//! Looking at a pod without knowing all of it: whether it has the shape that is relied on, and what stands in it.

use outrigger_contract::{containers, mounts, volumes};
use serde_json::Value;

/// A list's items; none where there is no list.
pub(crate) fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of[key].as_array().map_or(&[], Vec::as_slice)
}

/// A text; empty where there is none.
pub(crate) fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

/// The two lists of containers that are looked at. Ephemeral ones come when a pod runs.
const LISTS: [&str; 2] = ["initContainers", "containers"];

/// Where a container stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) list: &'static str,
    pub(crate) index: usize,
    pub(crate) container: &'a Value,
}

impl<'a> Place<'a> {
    pub(crate) fn name(&self) -> &'a str {
        text(self.container, "name")
    }

    /// Its JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        format!("/spec/{}/{}", self.list, self.index)
    }

    /// Whether it starts before the app.
    pub(crate) fn is_init(&self) -> bool {
        self.list == LISTS[0]
    }

    /// Whether it stays while the app runs and was started before it.
    pub(crate) fn is_native_sidecar(&self) -> bool {
        self.is_init() && text(self.container, "restartPolicy") == "Always"
    }
}

/// Every container, those that run first first.
pub(crate) fn places(pod: &Value) -> impl Iterator<Item = Place<'_>> {
    LISTS.into_iter().flat_map(|of| {
        let containers = list(&pod["spec"], of).iter().enumerate();
        containers.map(move |(index, container)| Place { list: of, index, container })
    })
}

/// What is ours in a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ours {
    /// Nothing.
    Nothing,
    /// The sidecar, and all that belongs to it.
    Sidecar,
    /// Somebody else uses this name.
    Conflict(&'static str),
}

/// Our containers and volumes, by their names.
pub(crate) fn ours(pod: &Value) -> Ours {
    let named = |name: &str| places(pod).find(|place| place.name() == name);
    let volume = |name: &str| list(&pod["spec"], "volumes").iter().any(|one| text(one, "name") == name);
    let has_ca = |place: &Place<'_>| {
        let is_it = |one: &Value| text(one, "name") == volumes::CA && text(one, "mountPath") == mounts::CA;
        list(place.container, "volumeMounts").iter().any(is_it)
    };
    if named(containers::SIDECAR).is_some_and(|place| place.is_native_sidecar() && has_ca(&place))
        && volume(volumes::CA)
    {
        return Ours::Sidecar;
    }
    let names = [containers::SIDECAR, containers::REDIRECT].into_iter().find(|name| named(name).is_some());
    let all = [
        volumes::CA,
        volumes::TRUST,
        volumes::SPOOL,
        volumes::RULES,
        volumes::CREDENTIALS,
        volumes::NO_TOKEN,
    ];
    match names.or_else(|| all.into_iter().find(|name| volume(name))) {
        Some(name) => Ours::Conflict(name),
        None => Ours::Nothing,
    }
}

/// Containers of infrastructure: they make no LLM calls of their own, and some break where their environment changes. What stands
/// behind a `*` may follow.
const INFRASTRUCTURE: [&str; 22] = [
    "istio-*",
    "enable-core-dump",
    "linkerd-*",
    "kuma-*",
    "consul-*",
    "envoy-sidecar",
    "daprd",
    "vault-agent*",
    "cloud-sql-proxy",
    "cloudsql-proxy",
    "gke-gcsfuse-*",
    "aws-guardduty-agent*",
    "opentelemetry-auto-instrumentation*",
    "otc-container",
    "datadog-lib-*",
    "datadog-init-*",
    "datadog-agent-injected",
    "dynatrace-operator*",
    "install-oneagent",
    "fluent-bit",
    "queue-proxy",
    "pause",
];

/// Containers that belong to a service mesh: ours stand behind them.
const MESH: [&str; 4] = ["istio-*", "enable-core-dump", "linkerd-*", "kuma-*"];

fn is_one_of(name: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *pattern,
    })
}

/// Whether a container is known to be infrastructure, ours included.
pub(crate) fn is_infrastructure(name: &str) -> bool {
    is_one_of(name, &INFRASTRUCTURE) || name == containers::SIDECAR || name == containers::REDIRECT
}

/// Whether a container belongs to a service mesh.
pub(crate) fn is_mesh(name: &str) -> bool {
    is_one_of(name, &MESH)
}

/// Whether the parts that are relied on have their shapes.
///
/// # Errors
/// The first place that has not.
pub(crate) fn check(pod: &Value) -> Result<(), String> {
    let place = |at: &str, of: &Value, wanted: &str| match of {
        Value::Null => Ok(()),
        Value::Object(_) if wanted == "an object" => Ok(()),
        Value::Array(_) if wanted == "a list" => Ok(()),
        Value::String(_) if wanted == "a text" => Ok(()),
        _ => Err(format!("{at} is not {wanted}")),
    };
    if !pod.is_object() || !pod["spec"].is_object() {
        return Err("it has no spec".to_owned());
    }
    place("metadata", &pod["metadata"], "an object")?;
    for key in ["labels", "annotations"] {
        let at = format!("metadata.{key}");
        place(&at, &pod["metadata"][key], "an object")?;
        for (name, value) in pod["metadata"][key].as_object().into_iter().flatten() {
            place(&format!("{at}[{name}]"), value, "a text")?;
        }
    }
    for key in ["initContainers", "containers", "volumes"] {
        place(&format!("spec.{key}"), &pod["spec"][key], "a list")?;
    }
    for key in ["securityContext", "resources", "os"] {
        place(&format!("spec.{key}"), &pod["spec"][key], "an object")?;
    }
    if list(&pod["spec"], "containers").is_empty() {
        return Err("it has no containers".to_owned());
    }
    for container in places(pod) {
        let at = container.pointer();
        if container.name().is_empty() {
            return Err(format!("{at} has no name"));
        }
        for key in ["env", "envFrom", "volumeMounts", "ports"] {
            place(&format!("{at}/{key}"), &container.container[key], "a list")?;
            if list(container.container, key).iter().any(|one| !one.is_object()) {
                return Err(format!("{at}/{key} holds something that is not an object"));
            }
        }
        for key in ["resources", "securityContext"] {
            place(&format!("{at}/{key}"), &container.container[key], "an object")?;
        }
        if list(container.container, "env").iter().any(|one| text(one, "name").is_empty()) {
            return Err(format!("{at}/env holds a variable without a name"));
        }
    }
    if list(&pod["spec"], "volumes").iter().any(|one| text(one, "name").is_empty()) {
        return Err("spec.volumes holds one without a name".to_owned());
    }
    Ok(())
}
