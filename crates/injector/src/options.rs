//! What an operator decides for every pod.

use serde::Deserialize;

use crate::resources::Resources;

mod check;
mod variables;

pub use check::{check_authorities, check_endpoint};

/// How a container's calls are led to the sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Redirected by an init container that needs NET_ADMIN.
    #[default]
    Transparent,
    /// By the SDKs' base-URL variables; needs nothing, not even trust. Only LLM calls can be touched.
    BaseUrl,
    /// By `HTTPS_PROXY`; needs trust.
    Proxy,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 3] = [Mode::Transparent, Mode::BaseUrl, Mode::Proxy];

    /// As annotations, paths and settings write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Transparent => "transparent",
            Mode::BaseUrl => "base-url",
            Mode::Proxy => "proxy",
        }
    }

    /// The mode of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    /// Whether the sidecar's certificates are seen by the app.
    pub(crate) const fn needs_trust(self) -> bool {
        !matches!(self, Mode::BaseUrl)
    }
}

/// What happens where something is missing that the sidecar needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailurePolicy {
    /// The pod starts and works without it.
    #[default]
    Open,
    /// It does not.
    Closed,
}

/// What an operator decides for every pod. A pod's annotations choose among features; they never choose an image, an
/// endpoint, or a Secret of another namespace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The mode where the pod does not choose. A pod gets `transparent` only where it stands here, since elsewhere its
    /// namespace would refuse it.
    pub mode: Mode,
    /// The image of sidecar and redirection, pinned by its digest.
    pub image: String,
    /// What the sidecar asks for and may take.
    pub resources: Resources,
    /// What happens where something is missing that the sidecar needs.
    pub failure_policy: FailurePolicy,
    /// OTLP endpoint of the telemetry; the standard's own default without it.
    pub otlp_endpoint: Option<String>,
    /// Key of the Secret `outrigger-credentials` of a pod's own namespace that holds the headers which this endpoint wants.
    pub otlp_headers_file: Option<String>,
    /// The providers that rules may name as backups; any without it.
    pub allowed_providers: Option<Vec<String>>,
    /// Authorities that sidecars trust upstream beside the public ones, PEM.
    pub extra_cas: Option<String>,
    /// Hosts that pass through undecrypted in every pod.
    pub passthrough_hosts: Vec<String>,
    /// Most bytes of waiting telemetry on disk, in MiB; the volume is twice as large.
    pub spool_mib: u64,
    /// Further variables of the sidecar (`OUTRIGGER_*`, `OTEL_*`), which win over what is set otherwise.
    pub environment: std::collections::BTreeMap<String, String>,
    /// Further variables of the redirection (`OUTRIGGER_REDIRECT_*`).
    pub redirect_environment: std::collections::BTreeMap<String, String>,
    /// The namespace of the injector itself, whose pods are left alone.
    pub own_namespace: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: Mode::default(),
            image: format!("outrigger-sidecar:{}", outrigger_contract::VERSION),
            resources: Resources::default(),
            failure_policy: FailurePolicy::default(),
            otlp_endpoint: None,
            otlp_headers_file: None,
            allowed_providers: None,
            extra_cas: None,
            passthrough_hosts: Vec::new(),
            spool_mib: 128,
            environment: std::collections::BTreeMap::new(),
            redirect_environment: std::collections::BTreeMap::new(),
            own_namespace: None,
        }
    }
}
