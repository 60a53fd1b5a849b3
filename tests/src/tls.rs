//! TLS without HTTP: a server whose test speaks every byte itself, and a client's first bytes.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::DEADLINE;

/// A connection that a server accepted.
pub type Accepted = StreamOwned<ServerConnection, TcpStream>;

/// A listening server of one name.
pub struct TlsServer {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    ca_pem: String,
}

impl TlsServer {
    /// Listens on loopback with a certificate for `name` from an authority of its own.
    ///
    /// # Panics
    /// If no certificate can be made.
    #[must_use]
    pub fn listen(name: &str) -> TlsServer {
        TlsServer::on(TcpListener::bind("127.0.0.1:0").expect("a free port"), name, &[])
    }

    /// The same on a listener that is bound elsewhere, speaking these protocols.
    ///
    /// # Panics
    /// If no certificate can be made.
    #[must_use]
    pub fn on(listener: TcpListener, name: &str, protocols: &[&[u8]]) -> TlsServer {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&key, &authority).expect("a certificate");
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_protocol_versions(rustls::ALL_VERSIONS)
                .expect("versions")
                .with_no_client_auth()
                .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
                .expect("a matching key");
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        TlsServer { listener, config: Arc::new(config), ca_pem: authority.pem() }
    }

    /// Where it listens.
    ///
    /// # Panics
    /// Never: it is bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound address")
    }

    /// The authority that vouches for it, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The next connection; its handshake happens with the first read.
    ///
    /// # Panics
    /// If the listener broke.
    #[must_use]
    pub fn accept(&self) -> Accepted {
        let (stream, _) = self.listener.accept().expect("a connection");
        // A test whose peer falls silent fails; it does not hang.
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
        let tls = ServerConnection::new(Arc::clone(&self.config)).expect("a valid configuration");
        StreamOwned::new(tls, stream)
    }
}

/// The first bytes that a TLS client sends to `name`.
///
/// # Panics
/// If `name` is none.
#[must_use]
pub fn client_hello(name: &str) -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).expect("a host name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a valid configuration");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("a vector takes everything");
    hello
}
