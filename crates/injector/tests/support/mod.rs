//! What every patched pod must be, whatever it was before.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test they serve")]

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub(crate) mod examples;
pub(crate) mod pods;

pub(crate) fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of[key].as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

/// What another reader of patches makes of this one.
pub(crate) fn applied(pod: &Value, operations: &[Value]) -> Value {
    let operations: json_patch::Patch = serde_json::from_value(json!(operations)).unwrap();
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &operations).unwrap();
    patched
}

pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = (bool, &Value)> {
    let spec = &pod["spec"];
    let init = list(spec, "initContainers").iter().map(|one| (true, one));
    init.chain(list(spec, "containers").iter().map(|one| (false, one)))
}

/// What the API server would refuse: the first fault found.
pub(crate) fn fault(pod: &Value) -> Option<String> {
    let spec = &pod["spec"];
    let annotations = pod["metadata"]["annotations"].as_object().into_iter().flatten();
    if annotations.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum::<usize>()
        > 256 * 1024
    {
        return Some("its annotations are too long".to_owned());
    }
    if let Some(twice) = twice(list(spec, "volumes").iter().map(|one| text(one, "name"))) {
        return Some(format!("two volumes are named {twice}"));
    }
    if let Some(twice) = twice(containers(pod).map(|(_, one)| text(one, "name"))) {
        return Some(format!("two containers are named {twice}"));
    }
    let ports = list(spec, "containers").iter().flat_map(|one| list(one, "ports"));
    let ports = ports.map(|port| format!("{} {}", port["containerPort"], text(port, "protocol")));
    if spec["hostNetwork"] == true
        && let Some(twice) = twice(ports)
    {
        return Some(format!("the node's port {twice} is taken twice"));
    }
    for volume in list(spec, "volumes") {
        let sources = volume.as_object().map_or(0, |members| members.len() - 1);
        if sources != 1 || !is_label(text(volume, "name")) {
            return Some(format!("a volume of {sources} sources: {volume}"));
        }
    }
    containers(pod).find_map(|(is_init, container)| {
        of_container(spec, is_init, container).map(|fault| format!("{}: {fault}", text(container, "name")))
    })
}

fn of_container(spec: &Value, is_init: bool, container: &Value) -> Option<String> {
    if !is_label(text(container, "name")) {
        return Some("its name is no label".to_owned());
    }
    if text(container, "image").is_empty() {
        return Some("it has no image".to_owned());
    }
    let mounts = list(container, "volumeMounts");
    let devices = list(container, "volumeDevices").iter().map(|one| text(one, "devicePath"));
    if let Some(twice) = twice(mounts.iter().map(|one| text(one, "mountPath")).chain(devices)) {
        return Some(format!("two mounts at {twice}"));
    }
    let has_volume = |name: &str| list(spec, "volumes").iter().any(|one| text(one, "name") == name);
    if let Some(missing) = mounts.iter().find(|one| !has_volume(text(one, "name"))) {
        return Some(format!("there is no volume for {missing}"));
    }
    for entry in list(container, "env") {
        if text(entry, "name").is_empty()
            || entry["valueFrom"].is_object() && !text(entry, "value").is_empty()
        {
            return Some(format!("a variable {entry}"));
        }
    }
    let restarts = !container["restartPolicy"].is_null();
    if restarts && (!is_init || container["restartPolicy"] != "Always") {
        return Some("a restart policy".to_owned());
    }
    let probed =
        ["startupProbe", "livenessProbe", "readinessProbe"].iter().any(|probe| !container[*probe].is_null());
    if is_init && probed && !restarts {
        return Some("a probe of what ends".to_owned());
    }
    for port in list(container, "ports") {
        let name = text(port, "name");
        if name.len() > 15 || !name.is_empty() && !is_label(name) {
            return Some(format!("a port {port}"));
        }
    }
    None
}

fn twice<T: Ord + Clone>(mut names: impl Iterator<Item = T>) -> Option<T> {
    let mut seen = BTreeSet::new();
    names.find(|name| !seen.insert(name.clone()))
}

fn is_label(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(fine)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// What the Pod Security level `restricted` refuses in one container.
pub(crate) fn is_restricted(container: &Value) -> bool {
    let security = &container["securityContext"];
    security["allowPrivilegeEscalation"] == false
        && security["runAsNonRoot"] == true
        && security["runAsUser"] != 0
        && security["capabilities"] == json!({"drop": ["ALL"]})
        && security["seccompProfile"] == json!({"type": "RuntimeDefault"})
}
