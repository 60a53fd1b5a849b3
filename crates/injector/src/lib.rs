//! Adds the sidecar to a pod: what is added, and why not where it is not. A pod as it is written goes in, a patch comes out;
//! nothing is asked of the cluster. [`server`] is the admission webhook around it, [`manifests`] does it to files.
//!
//! Pods are handled as the JSON they are, so what a newer Kubernetes knows and this does not stays as it is. A patch adds; it
//! changes a value of the user's only to append to a list of paths or options.

mod annotations;
pub mod certificates;
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
mod resources;
pub mod review;
mod rules_review;
pub mod server;
mod settings;
mod volumes;
mod wishes;

pub use annotations::reference;
pub use inject::{Outcome, Reason, Status, patch};
pub use manifest::{ManifestError, Manifests, Told, manifests};
pub use options::{FailurePolicy, Mode, Options, check_authorities, check_endpoint};
pub use owner::{Context, Owner};
pub use resources::Resources;
pub use settings::{Lasting, Settings};
