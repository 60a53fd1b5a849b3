//! Certificates of the run: one authority, one leaf for the provider and for nginx.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::Result;

/// The name under which every peer is asked for.
pub(crate) const HOST: &str = "api.openai.com";
/// The same provider, as a backup.
pub(crate) const BACKUP: &str = "eu.api.openai.com";

/// The run's certificates, on disk for the proxies.
pub(crate) struct Authority {
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(dir: &Path) -> Result<Authority> {
        let mut params = CertificateParams::default();
        // OpenSSL takes a leaf with its issuer's name for self-signed.
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "bench authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new([HOST, BACKUP].map(str::to_owned))?.signed_by(&key, &ca)?;
        let authority = Authority {
            ca: dir.join("ca.pem"),
            certificate: dir.join("leaf.pem"),
            key: dir.join("leaf.key"),
        };
        std::fs::write(&authority.ca, ca.pem())?;
        std::fs::write(&authority.certificate, leaf.pem())?;
        std::fs::write(&authority.key, key.serialize_pem())?;
        Ok(authority)
    }

    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>> {
        let chain = vec![CertificateDer::from_pem_file(&self.certificate)?];
        let key = PrivateKeyDer::from_pem_file(&self.key)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// A client that trusts one file and resumes nothing: every handshake is a full one.
pub(crate) fn client(ca: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca)?)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
