//! The simulator's certificates: one authority, one leaf for all its names; or a wrong one, on purpose.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use crate::{Config, google_tokens, providers};

/// What certificate to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Certificate {
    /// A good one, for the name that is asked for.
    #[default]
    Good,
    /// One whose authority nobody was given.
    ForeignAuthority,
    /// One for another name.
    WrongName,
    /// One that has expired.
    Expired,
}

pub(crate) struct Authority {
    ca_pem: String,
    server: Arc<ServerConfig>,
}

impl Authority {
    pub(crate) fn new(config: &Config) -> Result<Authority, Box<dyn std::error::Error + Send + Sync>> {
        let announced = issuer(config.authority.as_deref().unwrap_or("simulator authority"))?;
        let foreign = issuer("foreign authority")?;
        let signer = if config.certificate == Certificate::ForeignAuthority { &foreign } else { &announced };
        let names: Vec<String> = match config.certificate {
            Certificate::WrongName => vec!["elsewhere.example".to_owned()],
            _ => providers::ALL
                .into_iter()
                .flat_map(|provider| provider.hosts)
                .chain(&["localhost", google_tokens::HOST])
                .map(|name| (*name).to_owned())
                .chain(config.extra_names.iter().chain(&config.gateways).cloned())
                .collect(),
        };
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "simulated provider");
        params.use_authority_key_identifier_extension = true;
        let (from, to) = match config.certificate {
            Certificate::Expired => (-30, -1),
            _ => (-1, 30),
        };
        params.not_before = days(from).into();
        params.not_after = days(to).into();
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, signer)?;
        let mut server =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_protocol_versions(rustls::ALL_VERSIONS)?
                .with_no_client_auth()
                .with_single_cert(
                    vec![leaf.der().clone()],
                    PrivateKeyDer::Pkcs8(key.serialize_der().into()),
                )?;
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Authority { ca_pem: announced.pem(), server: Arc::new(server) })
    }

    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }
}

fn issuer(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = days(-1).into();
    params.not_after = days(365).into();
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn days(from_now: i64) -> SystemTime {
    let span = Duration::from_secs(from_now.unsigned_abs() * 86_400);
    if from_now < 0 { SystemTime::now() - span } else { SystemTime::now() + span }
}
