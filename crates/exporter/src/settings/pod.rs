//! The pod that this runs in, as its environment tells: by the variables of the pod contract, else by those that the
//! OpenTelemetry operator sets.

use outrigger_contract::containers::SIDECAR;
use outrigger_contract::environment::{CONTAINER_NAME, NODE_NAME, POD_IP, POD_NAME, POD_NAMESPACE, POD_UID};

use super::values::Variables;

/// What a workload is called, the largest first: a service is named by the first that is known, as the conventions have it.
const WORKLOADS: [&str; 6] = [
    "k8s.deployment.name",
    "k8s.replicaset.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

/// A pod, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pod {
    /// Its name; without one this is no pod, and the rest counts for nothing.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its unique id.
    pub uid: Option<String>,
    /// Its address.
    pub ip: Option<String>,
    /// The node that it runs on.
    pub node: Option<String>,
    /// The container that this is.
    pub container: Option<String>,
}

impl Pod {
    pub(super) fn read(variables: &Variables<'_>) -> Pod {
        let find = |names: &[&str]| variables.first(names.iter().copied()).map(|found| found.value);
        let name = find(&[POD_NAME, "OTEL_RESOURCE_ATTRIBUTES_POD_NAME"]);
        let container = find(&[CONTAINER_NAME]);
        Pod {
            container: container.or_else(|| name.as_ref().map(|_| SIDECAR.to_owned())),
            name,
            namespace: find(&[POD_NAMESPACE]),
            uid: find(&[POD_UID, "OTEL_RESOURCE_ATTRIBUTES_POD_UID"]),
            ip: find(&[POD_IP, "OTEL_POD_IP"]),
            node: find(&[NODE_NAME, "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME"]),
        }
    }

    /// Resource attributes; none outside a pod.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'static str, String)> {
        let known = [
            ("k8s.pod.name", &self.name),
            ("k8s.namespace.name", &self.namespace),
            ("service.namespace", &self.namespace),
            ("k8s.pod.uid", &self.uid),
            ("k8s.pod.ip", &self.ip),
            ("k8s.node.name", &self.node),
            ("k8s.container.name", &self.container),
        ];
        let is_pod = self.name.is_some();
        known.into_iter().filter(move |_| is_pod).filter_map(|(key, value)| Some((key, value.clone()?)))
    }

    /// `namespace.pod.container`, with our own container's name: the app's SDK may tell of the same pod.
    pub(super) fn instance(&self) -> Option<String> {
        let (namespace, name) = (self.namespace.as_deref()?, self.name.as_deref()?);
        Some(format!("{namespace}.{name}.{}", self.container.as_deref()?))
    }

    /// What the service is called where nobody said: by its workload, else by its pod.
    pub(super) fn service_name(&self, resource: &[(String, String)]) -> Option<String> {
        let workload = WORKLOADS.iter().find_map(|key| resource.iter().find(|(given, _)| given == key));
        workload.map(|(_, name)| name.clone()).or_else(|| self.name.clone())
    }
}
