//! The rest of a handshake whose ClientHello has been read. Per connection.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{Accepted, Acceptor};
use tokio::net::TcpStream;
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

use crate::StartError;
use crate::tls::leaf::Leaves;

/// Time for the rest of one handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The protocol spoken on a connection; what the app speaks is what the provider is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    H1,
    H2,
}

impl Protocol {
    pub(crate) const H2_NAME: &'static [u8] = b"h2";
    pub(crate) const H1_NAME: &'static [u8] = b"http/1.1";

    /// The word used in records and spans.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Protocol::H1 => "1.1",
            Protocol::H2 => "2",
        }
    }
}

/// Finishes handshakes, one configuration per protocol so that the choice made before holds.
pub(crate) struct TlsAcceptor {
    h1: Arc<ServerConfig>,
    h2: Arc<ServerConfig>,
}

impl TlsAcceptor {
    pub(crate) fn new(leaves: Arc<Leaves>, provider: Arc<CryptoProvider>) -> Result<TlsAcceptor, StartError> {
        let fault = |error: rustls::Error| StartError::Authority(error.to_string());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map_err(fault)?
            .with_no_client_auth()
            .with_cert_resolver(leaves);
        // A ticket of TLS 1.3 comes behind the handshake, from a sidecar just when the app first writes. Where one thread writes and
        // another reads (Python's `websockets`), OpenSSL loses what is written then: one connection of some 200 fell silent.
        config.send_tls13_tickets = 0;
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(fault)?;
        let with_alpn = |names: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = names.iter().map(|name| name.to_vec()).collect();
            Arc::new(config)
        };
        Ok(TlsAcceptor { h1: with_alpn(&[Protocol::H1_NAME]), h2: with_alpn(&[Protocol::H2_NAME]) })
    }

    /// Whether a whole ClientHello can be answered: its stack shares version, cipher and signature with us. As dear as half a
    /// handshake, so for stacks that are not known yet.
    pub(crate) fn can_answer(&self, mut hello: &[u8], protocol: Protocol) -> bool {
        let mut acceptor = Acceptor::default();
        while !hello.is_empty() && acceptor.read_tls(&mut hello).is_ok() {
            match acceptor.accept() {
                Ok(Some(accepted)) => return accepted.into_connection(self.config(protocol)).is_ok(),
                Ok(None) => {}
                Err(_) => return false,
            }
        }
        false
    }

    fn config(&self, protocol: Protocol) -> Arc<ServerConfig> {
        Arc::clone(match protocol {
            Protocol::H1 => &self.h1,
            Protocol::H2 => &self.h2,
        })
    }

    /// Answers the ClientHello.
    ///
    /// # Errors
    /// The app refused our certificate, or spoke something that is not TLS after all.
    pub(crate) async fn accept(
        &self,
        hello: Accepted,
        stream: TcpStream,
        protocol: Protocol,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let handshake = StartHandshake::from_parts(hello, stream).into_stream(self.config(protocol));
        tokio::time::timeout(HANDSHAKE, handshake)
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }
}
