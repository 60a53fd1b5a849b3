//! Adds the sidecar to a pod: what is added, and why not where it is not. Pure: a pod as it is written goes in, a patch comes
//! out. Nothing is asked of the cluster.
//!
//! Pods are handled as the JSON they are, so what a newer Kubernetes knows and this does not stays as it is. A patch adds; it
//! changes a value of the user's only to append to a list of paths or options.

mod annotations;
mod containers;
mod environment;
mod inject;
mod keys;
mod manifest;
mod options;
mod owner;
mod patch;
mod pod;
mod quantity;
mod volumes;
mod wishes;

pub use annotations::reference;
pub use inject::{Outcome, Reason, Status, patch};
pub use manifest::{ManifestError, Manifests, Told, manifests};
pub use options::{FailurePolicy, Mode, Options, Resources};
pub use owner::{Context, Owner};
