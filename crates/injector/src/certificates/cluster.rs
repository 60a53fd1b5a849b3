//! The few requests that the injector's certificates take: one Secret, one Lease, the webhooks' configurations, by name. Typed clients
//! bring the whole API along; these are four verbs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

/// Where a pod finds what it needs to speak to the API server.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// For one request.
const WITHIN: Duration = Duration::from_secs(10);

/// The API server, and who asks it.
#[derive(Debug, Clone)]
pub struct Cluster {
    http: reqwest::Client,
    base: String,
    /// Read again for each request: kubelet replaces it.
    token: Option<PathBuf>,
}

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Somebody else wrote first.
    #[error("{0} was changed meanwhile")]
    Conflict(String),
    /// The API server says no.
    #[error("the API server answered {status} to {verb} {path}: {message}{mend}", mend = mend(*.status))]
    Refused {
        /// Its status.
        status: u16,
        /// What was asked.
        verb: String,
        /// Of what.
        path: String,
        /// Its own words.
        message: String,
    },
    /// What we work for is not there.
    #[error("{0} does not exist; the chart makes it")]
    Missing(String),
    /// It was not reached, or not understood.
    #[error("the API server cannot be asked: {0}")]
    Away(String),
}

fn mend(status: u16) -> &'static str {
    match status {
        401 | 403 => "; give the service account the Role and ClusterRole of the chart",
        _ => "",
    }
}

impl Cluster {
    /// The one that this pod runs in.
    ///
    /// # Errors
    /// What is missing for that.
    pub fn of_this_pod() -> Result<Cluster, String> {
        let outside = "; outside of a cluster name `certificate` and `key`";
        let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set{outside}"));
        let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let path = format!("{ACCOUNT}/ca.crt");
        let read = std::fs::read(&path).map_err(|error| format!("cannot read {path}: {error}{outside}"))?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&read).flatten());
        Cluster::new(&format!("https://{host}:{port}"), roots, Some(format!("{ACCOUNT}/token").into()))
    }

    /// One at this address, which is trusted by these authorities, asked with the token in this file.
    ///
    /// # Errors
    /// The TLS library's.
    pub fn new(base: &str, roots: RootCertStore, token: Option<PathBuf>) -> Result<Cluster, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(WITHIN)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Cluster { http, base: base.to_owned(), token })
    }

    /// An object; `None` where there is none.
    pub(super) async fn get(&self, path: &str) -> Result<Option<Value>, ClusterError> {
        match self.send(Method::GET, path, None).await {
            Err(ClusterError::Refused { status: 404, .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Makes an object; `path` is that of its kind. A conflict where there is one of its name.
    pub(super) async fn create(&self, path: &str, object: &Value) -> Result<Value, ClusterError> {
        self.send(Method::POST, path, Some(("application/json", object))).await
    }

    /// Replaces an object; a conflict where it is no longer as it was read.
    pub(super) async fn replace(&self, path: &str, object: &Value) -> Result<Value, ClusterError> {
        self.send(Method::PUT, path, Some(("application/json", object))).await
    }

    /// Changes an object by a JSON Patch.
    pub(super) async fn patch(&self, path: &str, patch: &Value) -> Result<Value, ClusterError> {
        self.send(Method::PATCH, path, Some(("application/json-patch+json", patch))).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Value, ClusterError> {
        let verb = method.to_string();
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(file) = &self.token {
            let token = std::fs::read_to_string(file)
                .map_err(|error| ClusterError::Away(format!("cannot read {}: {error}", file.display())))?;
            request = request.bearer_auth(token.trim());
        }
        if let Some((kind, value)) = body {
            request = request.header("content-type", kind).body(value.to_string());
        }
        let away = |error: reqwest::Error| ClusterError::Away(with_sources(&error));
        let response = request.send().await.map_err(away)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(away)?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match status {
            status if status.is_success() => Ok(answer),
            StatusCode::CONFLICT => Err(ClusterError::Conflict(path.to_owned())),
            _ => Err(ClusterError::Refused {
                status: status.as_u16(),
                verb,
                path: path.to_owned(),
                message: answer["message"].as_str().unwrap_or("without a word").to_owned(),
            }),
        }
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(one) = source {
        text.push_str(": ");
        text.push_str(&one.to_string());
        source = one.source();
    }
    text
}
