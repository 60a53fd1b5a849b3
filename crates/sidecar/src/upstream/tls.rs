//! TLS to providers: always verified against the name, never turned off. Per connection.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use outrigger_contract::trust_files::SYSTEM_BUNDLES;
use outrigger_providers::FailureClass;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::StartError;
use crate::settings::Settings;
use crate::tls::accept::Protocol;
use crate::upstream::DialError;

/// Time for one handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Which protocols to offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// HTTP/1.1 only.
    H1,
    /// HTTP/2, or HTTP/1.1 where the provider has no other.
    H2OrH1,
    /// HTTP/2 only.
    H2,
}

/// Makes verified TLS connections.
pub(crate) struct Connector {
    extra: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    // Made on the first connection: reading some 300 certificates is not part of starting.
    configs: OnceCell<Configs>,
}

struct Configs {
    h1: Arc<ClientConfig>,
    both: Arc<ClientConfig>,
    h2: Arc<ClientConfig>,
}

impl Connector {
    /// Reads the extra authorities; a source without one is an error of the operator's.
    pub(crate) fn new(settings: &Settings, provider: Arc<CryptoProvider>) -> Result<Connector, StartError> {
        let extra = settings.extra_authorities()?.into_iter().flat_map(|one| one.certificates).collect();
        Ok(Connector { extra, provider, configs: OnceCell::new() })
    }

    /// The handshake with the provider, verified by `host`.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
        offer: Offer,
    ) -> Result<(TlsStream<TcpStream>, Protocol), DialError> {
        let fault = |class, text| DialError { class, text };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            fault(FailureClass::Tls, format!("`{host}` is not a name that a certificate can carry"))
        })?;
        let configs = match self.configs.get() {
            Some(configs) => configs,
            None => {
                let made = self.configs()?;
                self.configs.get_or_init(|| made)
            }
        };
        let config = match offer {
            Offer::H1 => &configs.h1,
            Offer::H2OrH1 => &configs.both,
            Offer::H2 => &configs.h2,
        };
        let handshake = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        let tls = tokio::time::timeout(HANDSHAKE, handshake)
            .await
            .map_err(|_| {
                fault(
                    FailureClass::Timeout,
                    format!("{host} did not finish the TLS handshake within {} s", HANDSHAKE.as_secs()),
                )
            })?
            .map_err(|error| fault(FailureClass::Tls, refusal(host, &error)))?;
        let protocol = if tls.get_ref().1.alpn_protocol() == Some(Protocol::H2_NAME) {
            Protocol::H2
        } else {
            Protocol::H1
        };
        Ok((tls, protocol))
    }

    fn configs(&self) -> Result<Configs, DialError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
        roots.add_parsable_certificates(system_store().into_iter().filter(|one| !is_public(one)));
        roots.add_parsable_certificates(self.extra.iter().cloned());
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map_err(|error| DialError { class: FailureClass::Tls, text: error.to_string() })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let with_alpn = |names: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = names.iter().map(|name| name.to_vec()).collect();
            Arc::new(config)
        };
        Ok(Configs {
            h1: with_alpn(&[Protocol::H1_NAME]),
            both: with_alpn(&[Protocol::H2_NAME, Protocol::H1_NAME]),
            h2: with_alpn(&[Protocol::H2_NAME]),
        })
    }
}

fn system_store() -> Vec<CertificateDer<'static>> {
    // Read directly: an inherited `SSL_CERT_FILE` is the app's business.
    SYSTEM_BUNDLES
        .iter()
        .find_map(|path| CertificateDer::pem_file_iter(path).ok())
        .map(|found| found.filter_map(Result::ok).collect())
        .unwrap_or_default()
}

fn is_public(certificate: &CertificateDer<'_>) -> bool {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().any(|known| known.as_ref() == certificate.as_ref())
}

fn refusal(host: &str, error: &std::io::Error) -> String {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(reason)) => format!(
            "the certificate of {host} was refused because {}; nothing of the request was sent. If the host is right, something \
             between here and {host} answers in its place: give its authority as an extra CA, or repair the route",
            in_words(reason)
        ),
        _ => format!("the TLS handshake with {host} failed ({error}); nothing of the request was sent"),
    }
}

fn in_words(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its issuer is not trusted".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet (or the clock here is wrong)".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        CertificateError::Revoked => "it has been revoked".to_owned(),
        other => format!("it is not acceptable ({other})"),
    }
}
