//! A TLS client whose every byte a test controls, and servers that only listen.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use outrigger_tests::DEADLINE;
use outrigger_tests::netns::Network;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A connection from the pod; it fails a test rather than hang it.
pub(crate) fn connect(network: &Network, to: IpAddr) -> TcpStream {
    let stream = network.pod.enter(|| TcpStream::connect_timeout(&(to, 443).into(), DEADLINE));
    patient(stream.expect("somebody listens"))
}

pub(crate) fn patient(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).expect("a fresh connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
    stream
}

/// A listener beyond the pod, port 443 of one address.
pub(crate) fn listen(network: &Network, ip: IpAddr) -> TcpListener {
    network.beyond.enter(|| TcpListener::bind(SocketAddr::new(ip, 443))).expect("a free port")
}

/// The next connection of a listener.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    patient(listener.accept().expect("a connection").0)
}

/// What a client offers and trusts.
pub(crate) fn client(provider: CryptoProvider, ca: Option<&Path>, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = ca {
        let found = CertificateDer::pem_file_iter(ca).expect("a PEM file");
        roots.add_parsable_certificates(found.map(|one| one.expect("a certificate")));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// A TLS connection after its handshake.
pub(crate) fn handshake<S: Read + Write>(
    config: &Arc<ClientConfig>,
    name: &str,
    mut stream: S,
) -> io::Result<StreamOwned<ClientConnection, S>> {
    let name = ServerName::try_from(name.to_owned()).expect("a host name");
    let mut tls = ClientConnection::new(Arc::clone(config), name).expect("a valid configuration");
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(tls, stream))
}

/// Whether the certificate is one of Outrigger's.
pub(crate) fn is_read<S: Read + Write>(tls: &StreamOwned<ClientConnection, S>) -> bool {
    let leaf = tls.conn.peer_certificates().and_then(<[_]>::first).expect("a certificate");
    leaf.windows(9).any(|nine| nine == b"Outrigger")
}

/// The status line of a chat call's answer.
pub(crate) fn call<S: Read + Write>(tls: &mut StreamOwned<ClientConnection, S>, host: &str) -> String {
    let body = super::CHAT;
    let length = body.len();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer sk-tide\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    tls.write_all(request.as_bytes()).and_then(|()| tls.flush()).expect("the other end reads");
    let head = outrigger_tests::proxy::head(tls).expect("an answer");
    head.lines().next().unwrap_or_default().to_owned()
}

/// Sends every byte in a write of its own.
pub(crate) struct ByteByByte(pub(crate) TcpStream);

impl Read for ByteByByte {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for ByteByByte {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Sends what begins a connection in TLS records of at most this many bytes.
pub(crate) struct Records {
    pub(crate) stream: TcpStream,
    pub(crate) most: usize,
    pub(crate) begun: bool,
}

impl Read for Records {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Records {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.begun, true) {
            return self.stream.write(bytes);
        }
        let (header, hello) = bytes.split_at(5);
        for piece in hello.chunks(self.most) {
            let length = u16::try_from(piece.len()).expect("a piece of a hello").to_be_bytes();
            self.stream.write_all(&[&header[..3], &length, piece].concat())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
