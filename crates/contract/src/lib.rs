//! What the parts of a pod agree on: one constant each, nothing else.
//! Whatever stands here is read by at least two programs; a value used by one lives with that one.

/// The product's version, as every part reports it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// TCP ports. All but [`ports::METRICS`] listen on loopback only.
pub mod ports {
    /// HTTP `CONNECT` proxy.
    pub const CONNECT: u16 = 19002;
    /// Plain-HTTP base-URL listener, one path prefix per provider.
    pub const BASE_URL: u16 = 19003;
    /// Metrics and probes, on the pod's own address.
    pub const METRICS: u16 = 19005;
}

/// Request headers by which an application names who and what a call is for.
/// They are read, recorded and removed before the request leaves.
pub mod headers {
    /// The step of a workflow, such as `plan` or `answer`.
    pub const STEP: &str = "x-outrigger-step";
    /// The end user.
    pub const USER: &str = "x-outrigger-user";
    /// The conversation or session.
    pub const SESSION: &str = "x-outrigger-session";
    /// Every header of our own starts with this.
    pub const PREFIX: &str = "x-outrigger-";
}

/// File names inside the public trust directory.
pub mod trust_files {
    /// Our root certificate alone, for variables that add to a trust store.
    pub const CA: &str = "ca.pem";
    /// Public roots, configured extra CAs and our root, for variables that replace a trust store.
    pub const BUNDLE: &str = "bundle.pem";
}

/// Names under which telemetry is exported.
pub mod telemetry {
    /// Namespace of every attribute and metric of our own.
    pub const NAMESPACE: &str = "outrigger";
    /// Event name of the one log record per call.
    pub const CALL_EVENT: &str = "outrigger.call";
}

/// Prefix of the sidecar's own environment variables.
pub const ENV_PREFIX: &str = "OUTRIGGER";
