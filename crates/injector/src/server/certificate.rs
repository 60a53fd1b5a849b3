//! The certificate that the API server is shown: read from files, and again whenever they change. A pair that does not serve
//! leaves the last good one in place.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::ServeError;
use super::counts::Counts;

/// The files, as kubelet mounts a Secret of type `kubernetes.io/tls`.
#[derive(Debug, Clone)]
pub struct Files {
    /// Chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// What is shown now.
pub(super) struct Shown {
    files: Files,
    /// The bytes of what was shown first.
    first: Bytes,
    current: ArcSwap<CertifiedKey>,
    provider: Arc<CryptoProvider>,
}

impl Shown {
    /// Reads the files.
    pub(super) fn open(files: Files) -> Result<Arc<Shown>, ServeError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let first = bytes(&files).map_err(ServeError::Certificate)?;
        let pair = pair(&files, &first, &provider).map_err(ServeError::Certificate)?;
        Ok(Arc::new(Shown { files, first, current: ArcSwap::from(pair), provider }))
    }

    /// The server's side of TLS with it.
    pub(super) fn config(self: &Arc<Self>) -> Result<ServerConfig, ServeError> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|error| ServeError::Certificate(error.to_string()))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Looks at the files again and again. Kubelet swaps a link, and some volumes send no events, so their bytes are compared.
    pub(super) async fn follow(self: Arc<Self>, every: Duration, counts: Arc<Counts>) {
        let mut seen = Ok(self.first.clone());
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            let now = bytes(&self.files);
            if now == seen {
                continue;
            }
            seen = now;
            match seen.clone().and_then(|bytes| pair(&self.files, &bytes, &self.provider)) {
                Ok(pair) => {
                    self.current.store(pair);
                    counts.certificate(true);
                    tracing::info!(certificate = %self.files.certificate.display(), "a new certificate is shown");
                }
                Err(fault) => {
                    counts.certificate(false);
                    tracing::error!("{fault}; the last good certificate is shown on");
                }
            }
        }
    }
}

impl fmt::Debug for Shown {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

type Bytes = (Vec<u8>, Vec<u8>);

fn bytes(files: &Files) -> Result<Bytes, String> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
    Ok((read(&files.certificate)?, read(&files.key)?))
}

/// A pair that fits; never the key's bytes in an error.
fn pair(files: &Files, both: &Bytes, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, String> {
    let place = files.certificate.display();
    let chain = CertificateDer::pem_slice_iter(&both.0).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| format!("{place} is no chain of certificates in PEM: {error}"))?;
    if chain.is_empty() {
        return Err(format!("{place} holds no certificate; mount a Secret of type kubernetes.io/tls"));
    }
    let key = PrivateKeyDer::from_pem_slice(&both.1)
        .map_err(|_| format!("{} is no private key in PEM", files.key.display()))?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|_| format!("{} is a key that cannot sign", files.key.display()))?;
    let pair = CertifiedKey::new(chain, key);
    pair.keys_match().map_err(|error| format!("{place} and {} do not fit: {error}", files.key.display()))?;
    Ok(Arc::new(pair))
}
