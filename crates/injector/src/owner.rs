//! Whose pod it is, as far as the pod itself tells: the resource attributes of its telemetry.

use serde_json::Value;

use crate::pod::{self, text};

/// The workload that a template belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Such as `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What is known of a pod beside what stands in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// Its namespace; a pod under admission may not name it yet.
    pub namespace: Option<String>,
    /// The workload whose template it is; of a pod its owner references tell.
    pub owner: Option<Owner>,
}

/// A CronJob names its Jobs by the minute since 1970. Dates written as eight digits, such as 20261126, are below these.
const MINUTES: std::ops::Range<u64> = 26_000_000..80_000_000;

/// `k8s.deployment.name` and the like.
pub(crate) fn attributes(pod: &Value, context: &Context) -> Vec<(&'static str, String)> {
    let owner = context.owner.clone().or_else(|| {
        let references = pod::list(&pod["metadata"], "ownerReferences");
        let controller =
            references.iter().find(|one| one["controller"] == true).or_else(|| references.first())?;
        Some(Owner { kind: text(controller, "kind").to_owned(), name: text(controller, "name").to_owned() })
    });
    let Some(Owner { kind, name }) = owner.filter(|owner| is_name(&owner.name)) else { return Vec::new() };
    match kind.as_str() {
        "Deployment" => vec![("k8s.deployment.name", name)],
        "ReplicaSet" => {
            let hash = text(&pod["metadata"]["labels"], "pod-template-hash");
            let deployment = name.strip_suffix(hash).and_then(|rest| rest.strip_suffix('-'));
            match deployment.filter(|deployment| !hash.is_empty() && !deployment.is_empty()) {
                Some(deployment) => {
                    vec![("k8s.deployment.name", deployment.to_owned()), ("k8s.replicaset.name", name)]
                }
                None => vec![("k8s.replicaset.name", name)],
            }
        }
        "StatefulSet" => vec![("k8s.statefulset.name", name)],
        "DaemonSet" => vec![("k8s.daemonset.name", name)],
        "CronJob" => vec![("k8s.cronjob.name", name)],
        "Job" => {
            let scheduled = name.rsplit_once('-').filter(|(cron, minute)| {
                !cron.is_empty() && minute.parse().is_ok_and(|minute| MINUTES.contains(&minute))
            });
            match scheduled.map(|(cron, _)| cron.to_owned()) {
                Some(cron) => vec![("k8s.cronjob.name", cron), ("k8s.job.name", name)],
                None => vec![("k8s.job.name", name)],
            }
        }
        _ => Vec::new(),
    }
}

/// What can stand in a list of attributes as it is.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_workload_is_read_off_the_pod() {
        let of = |kind: &str, name: &str, hash: Option<&str>| {
            let owner = json!({"kind": kind, "name": name, "controller": true});
            let pod = json!({"metadata": {"ownerReferences": [{"kind": "Other", "name": "x"}, owner],
                                          "labels": {"pod-template-hash": hash}}});
            let attributes = attributes(&pod, &Context::default());
            attributes.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
        };
        let both = "k8s.deployment.name=shop,k8s.replicaset.name=shop-7c9f";
        assert_eq!(of("ReplicaSet", "shop-7c9f", Some("7c9f")), both);
        assert_eq!(of("ReplicaSet", "shop-7c9f", Some("other")), "k8s.replicaset.name=shop-7c9f");
        assert_eq!(of("ReplicaSet", "shop", None), "k8s.replicaset.name=shop");
        assert_eq!(of("StatefulSet", "db", None), "k8s.statefulset.name=db");
        assert_eq!(of("DaemonSet", "log", None), "k8s.daemonset.name=log");
        assert_eq!(of("Job", "bill-29932117", None), "k8s.cronjob.name=bill,k8s.job.name=bill-29932117");
        assert_eq!(of("Job", "bill-20261126", None), "k8s.job.name=bill-20261126");
        assert_eq!(of("Rollout", "shop", None), "");
        assert_eq!(of("Job", "a,b=c", None), "");
    }

    #[test]
    fn a_template_belongs_to_its_workload() {
        let owner = Some(Owner { kind: "Deployment".to_owned(), name: "shop".to_owned() });
        let context = Context { owner, ..Context::default() };
        assert_eq!(attributes(&json!({}), &context), [("k8s.deployment.name", "shop".to_owned())]);
        assert_eq!(attributes(&json!({}), &Context::default()), []);
    }
}
