//! The volumes that are added, and whether the public one can be mounted in a container of the user's.

use outrigger_contract::{mounts, volumes};
use serde_json::{Value, json};

use crate::options::{Mode, Options};
use crate::pod::{list, text};
use crate::wishes::Wishes;

/// The pod's volumes of ours. ConfigMap and Secret are of its own namespace and may be missing.
pub(crate) fn added(mode: Mode, wishes: &Wishes, options: &Options, masks_token: bool) -> Vec<Value> {
    let mut added = vec![json!({"name": volumes::CA, "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}})];
    if mode.needs_trust() {
        added.push(json!({"name": volumes::TRUST, "emptyDir": {"sizeLimit": "32Mi"}}));
    }
    added.push(json!({
        "name": volumes::SPOOL, "emptyDir": {"sizeLimit": format!("{}Mi", options.spool_mib.saturating_mul(2))}
    }));
    added.push(json!({"name": volumes::RULES, "configMap": {"name": wishes.rules, "optional": true}}));
    added.push(json!({
        "name": volumes::CREDENTIALS, "secret": {"secretName": volumes::CREDENTIALS, "optional": true}
    }));
    if masks_token {
        added.push(json!({"name": volumes::NO_TOKEN, "emptyDir": {"sizeLimit": "1Mi"}}));
    }
    added
}

/// How an app's container has the trust files.
pub(crate) fn trust_mount() -> Value {
    json!({"name": volumes::TRUST, "mountPath": mounts::TRUST, "readOnly": true})
}

/// Why the trust files cannot be mounted in a container, if they cannot.
pub(crate) fn obstacle(pod: &Value, container: &Value) -> Option<String> {
    let ours = plain(mounts::TRUST);
    let mut devices = list(container, "volumeDevices").iter().map(|device| text(device, "devicePath"));
    if let Some(path) = devices.find(|path| plain(path) == ours || is_below(&plain(path), &ours)) {
        return Some(format!("it has a device of its own at {path}"));
    }
    list(container, "volumeMounts").iter().find_map(|mount| {
        let path = text(mount, "mountPath");
        let theirs = plain(path);
        if theirs == ours || is_below(&theirs, &ours) {
            return Some(format!("it has a volume of its own at {path}"));
        }
        // A place to mount would have to be made in it.
        (is_below(&ours, &theirs) && !takes_a_folder(pod, mount))
            .then(|| format!("a folder would have to be made in its volume at {path}"))
    })
}

/// Only in an empty folder of the pod's own does a further one change nothing for anybody.
fn takes_a_folder(pod: &Value, mount: &Value) -> bool {
    let name = text(mount, "name");
    let volume = list(&pod["spec"], "volumes").iter().find(|volume| text(volume, "name") == name);
    mount["readOnly"] != true && volume.is_some_and(|volume| volume["emptyDir"].is_object())
}

/// A path as it is compared: in images `/var/run` leads to `/run`.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let parts = match parts.split_first() {
        Some((&"var", rest)) if rest.first() == Some(&"run") => rest,
        _ => &parts,
    };
    format!("/{}", parts.join("/"))
}

/// Whether a path stands below another one.
fn is_below(path: &str, folder: &str) -> bool {
    folder == "/" || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trust_files_are_mounted_where_that_takes_nothing_from_the_app() {
        let pod = json!({"spec": {"volumes": [
            {"name": "scratch", "emptyDir": {}}, {"name": "config", "configMap": {"name": "c"}},
            {"name": "host", "hostPath": {"path": "/var/run"}},
        ]}});
        let mount = |name: &str, path: &str, read_only: bool| {
            let container =
                json!({"volumeMounts": [{"name": name, "mountPath": path, "readOnly": read_only}]});
            obstacle(&pod, &container).is_none()
        };
        for fine in
            ["/data", "/var/running", "/var/run/docker.sock", "/var/run/outrigger-not", "/run/secrets/x"]
        {
            assert!(mount("host", fine, true), "{fine}");
        }
        for inside in ["/var/run", "/run", "/var/run/outrigger/", "/var", "/"] {
            // A whole /var hides the link to /run; there the folder is made in it.
            let same_place = inside != "/var";
            assert!(mount("scratch", inside, false), "{inside}");
            assert_eq!(mount("scratch", inside, true), !same_place, "{inside}");
            assert_eq!(mount("host", inside, false), !same_place, "{inside}");
            assert_eq!(mount("config", inside, false), !same_place, "{inside}");
        }
        for taken in ["/var/run/outrigger/trust", "/run/outrigger/trust/", "/var/run/outrigger/trust/ca.pem"]
        {
            assert!(!mount("scratch", taken, false), "{taken}");
        }
    }
}
