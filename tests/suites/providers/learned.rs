//! Clients that look at the certificate only when the handshake is over, as GnuTLS does: learned by their silence.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use outrigger_ledger::{CallRecord, Recorder};
use outrigger_sidecar::{Running, Settings, UpstreamOverride, bind};
use outrigger_simulator::{Answer, Simulator};
use outrigger_tests::DEADLINE;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{KEY, simulator};

const HOST: &str = "api.openai.com";

struct Unread;

impl Recorder for Unread {
    fn try_record(&self, _: Arc<CallRecord>) {}
}

/// A sidecar before a simulator, and a TLS stack that trusts its authority alone.
struct Setting {
    running: Running,
    connect: SocketAddr,
    stack: Arc<ClientConfig>,
    _simulator: Simulator,
}

impl Setting {
    fn new() -> Setting {
        let simulator = simulator(Answer::default());
        let directory = tempfile::tempdir().expect("a temporary directory");
        let authority = directory.path().join("authority.pem");
        std::fs::write(&authority, simulator.ca_pem()).expect("a temporary file");
        let bound = bind(&Settings {
            transparent_port: None,
            connect: ([127, 0, 0, 1], 0).into(),
            base_url: ([127, 0, 0, 1], 0).into(),
            upstreams: vec![UpstreamOverride { host: HOST.to_owned(), address: simulator.address() }],
            extra_cas: vec![authority],
            ..Settings::default()
        })
        .expect("free ports");
        let mut roots = RootCertStore::empty();
        let ours = CertificateDer::from_pem_slice(bound.ca_pem().as_bytes()).expect("a certificate");
        roots.add(ours).expect("a root");
        let stack = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connect = bound.connect_address();
        let running = bound.serve(Arc::new(Unread)).expect("a thread");
        Setting { running, connect, stack: Arc::new(stack), _simulator: simulator }
    }

    /// A connection whose handshake is over.
    fn connect(&self) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let mut stream = TcpStream::connect(self.connect)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        write!(stream, "CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n")?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let name = ServerName::try_from(HOST).expect("a host name");
        let mut tls = ClientConnection::new(Arc::clone(&self.stack), name).expect("a valid configuration");
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(tls, stream))
    }

    fn call(&self) -> std::io::Result<String> {
        let mut tls = self.connect()?;
        write!(
            tls,
            "GET /v1/models HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        tls.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn wait_for(&self, what: &str, enough: impl Fn(&outrigger_sidecar::Seen) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !enough(&self.running.seen()) {
            assert!(Instant::now() < until, "{what}: {:?}", self.running.seen());
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_client_that_leaves_without_a_word_passes_through_from_then_on() {
    let setting = Setting::new();
    drop(setting.connect().expect("the handshake itself succeeds"));
    setting.wait_for("the refusal is learned", |seen| seen.untrusted == [HOST]);
    // It is shown the provider's own certificate now, whose authority this stack does not know.
    let error = setting.connect().expect_err("not our certificate").to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
    assert_eq!(setting.running.seen().reasons.get("not_trusted"), Some(&1));
}

#[test]
fn a_client_that_has_spoken_may_leave_later_connections_unused() {
    let setting = Setting::new();
    assert!(setting.call().expect("an answer").starts_with("HTTP/1.1 200"));
    drop(setting.connect().expect("the handshake succeeds"));
    assert!(setting.call().expect("an answer").starts_with("HTTP/1.1 200"));
    let Setting { running, _simulator, .. } = setting;
    let seen = running.drain(DEADLINE);
    assert_eq!((seen.passed, seen.requests, seen.untrusted.len()), (0, 2, 0), "{seen:?}");
}
