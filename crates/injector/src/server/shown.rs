//! The certificate that the API server is shown.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::ServeError;

/// What is shown now; nothing until there is one.
pub(crate) struct Shown {
    current: ArcSwapOption<CertifiedKey>,
    /// Whether the API server has been told whom to trust; files are somebody else's business.
    published: AtomicBool,
    provider: Arc<CryptoProvider>,
}

impl Shown {
    /// Nothing yet.
    pub(super) fn nothing(published: bool) -> Shown {
        Shown {
            current: ArcSwapOption::empty(),
            published: AtomicBool::new(published),
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        }
    }

    /// Shows this pair from now on if it serves; the places it came from are for the error, which never has the key's bytes.
    pub(crate) fn show(&self, chain: &[u8], key: &[u8], place: &str, of_key: &str) -> Result<(), String> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| format!("{place} is no chain of certificates in PEM: {error}"))?;
        if chain.is_empty() {
            return Err(format!("{place} holds no certificate; mount a Secret of type kubernetes.io/tls"));
        }
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|_| format!("{of_key} is no private key in PEM"))?;
        let key = self
            .provider
            .key_provider
            .load_private_key(key)
            .map_err(|_| format!("{of_key} is a key that cannot sign"))?;
        let pair = CertifiedKey::new(chain, key);
        pair.keys_match().map_err(|error| format!("{place} and {of_key} do not fit: {error}"))?;
        self.current.store(Some(Arc::new(pair)));
        Ok(())
    }

    /// The API server has been told.
    pub(crate) fn published(&self) {
        self.published.store(true, Ordering::Release);
    }

    /// Whether an API server gets on with us.
    pub(crate) fn is_ready(&self) -> bool {
        self.published.load(Ordering::Acquire) && self.current.load().is_some()
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
}

impl fmt::Debug for Shown {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}
