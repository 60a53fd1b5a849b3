//! Whom we trust and who we are when the endpoint is `https`: the machine's roots, those of the user, his certificate.

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::settings::{NamedFile, Target};

/// A certificate or key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// It cannot be read.
    #[error("{variable}={}: cannot be read ({error}); name a readable PEM file", path.display())]
    Unreadable {
        /// The variable that names it.
        variable: String,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// There is nothing of use in it.
    #[error("{variable}={}: {problem}; name a PEM file that holds one", path.display())]
    Unusable {
        /// The variable that names it.
        variable: String,
        /// The file.
        path: PathBuf,
        /// What is missing.
        problem: &'static str,
    },
    /// The TLS library does not take what it was given.
    #[error("TLS to the OTLP endpoint cannot be set up: {0}")]
    Library(String),
}

/// What the user's files hold.
struct Files {
    authorities: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Files {
    fn read(target: &Target) -> Result<Files, TlsError> {
        let authorities = target.certificate.as_ref().map(read_certificates).transpose()?;
        let identity = match (&target.client_certificate, &target.client_key) {
            (Some(certificate), Some(key)) => Some((read_certificates(certificate)?, read_key(key)?)),
            _ => None,
        };
        Ok(Files { authorities, identity })
    }
}

/// The machine's roots, loaded when first needed and once for all signals.
#[derive(Default)]
pub(crate) struct MachineRoots(OnceCell<RootCertStore>);

impl MachineRoots {
    /// The machine's roots; where it has none (a bare container image), the public ones we bring.
    fn get(&self) -> &RootCertStore {
        self.0.get_or_init(|| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
            }
            roots
        })
    }
}

/// TLS for HTTP.
pub(super) fn for_http(target: &Target, machine: &MachineRoots) -> Result<ClientConfig, TlsError> {
    let files = Files::read(target)?;
    let mut roots = machine.get().clone();
    for certificate in files.authorities.iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem)).flatten()
    {
        roots.add(certificate).map_err(|error| TlsError::Library(error.to_string()))?;
    }
    let config = builder()?.with_root_certificates(roots);
    let Some((certificates, key)) = files.identity else { return Ok(config.with_no_client_auth()) };
    let certificates = CertificateDer::pem_slice_iter(&certificates).flatten().collect();
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| TlsError::Library(error.to_string()))?;
    config.with_client_auth_cert(certificates, key).map_err(|error| TlsError::Library(error.to_string()))
}

/// TLS for an endpoint that is reached without it: the HTTP client wants to be given one.
pub(super) fn none() -> Result<ClientConfig, TlsError> {
    builder().map(|builder| builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Library(error.to_string()))
}

/// TLS for gRPC.
pub(super) fn for_grpc(target: &Target, machine: &MachineRoots) -> Result<ClientTlsConfig, TlsError> {
    let files = Files::read(target)?;
    let mut config = ClientTlsConfig::new().trust_anchors(machine.get().roots.iter().cloned());
    if let Some(pem) = files.authorities {
        config = config.ca_certificate(Certificate::from_pem(pem));
    }
    if let Some((certificates, key)) = files.identity {
        config = config.identity(Identity::from_pem(certificates, key));
    }
    Ok(config)
}

fn read(file: &NamedFile) -> Result<Vec<u8>, TlsError> {
    fs::read(&file.path).map_err(|error| TlsError::Unreadable {
        variable: file.variable.clone(),
        path: file.path.clone(),
        error,
    })
}

fn unusable(file: &NamedFile, problem: &'static str) -> TlsError {
    TlsError::Unusable { variable: file.variable.clone(), path: file.path.clone(), problem }
}

fn read_certificates(file: &NamedFile) -> Result<Vec<u8>, TlsError> {
    let pem = read(file)?;
    let mut certificates = CertificateDer::pem_slice_iter(&pem).peekable();
    if certificates.peek().is_none() || certificates.any(|certificate| certificate.is_err()) {
        return Err(unusable(file, "no readable certificate in it"));
    }
    Ok(pem)
}

fn read_key(file: &NamedFile) -> Result<Vec<u8>, TlsError> {
    let pem = read(file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| unusable(file, "no readable private key in it"))?;
    Ok(pem)
}
