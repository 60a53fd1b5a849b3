//! A name inside the constraint is accepted by every runtime, one outside it and an address by none, though the issuing key
//! signed all three. Each runtime trusts what was published for it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use outrigger_tests::process::clean;
use outrigger_tests::sidecar::{Volumes, client};
use outrigger_tests::{DEADLINE, file, proxy, setting};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SerialNumber};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{HOST, say};

/// Names that the issuing CA signs here; only the first is listed.
const NAMES: [&str; 3] = [HOST, "www.example.com", "127.0.0.1"];

/// Servers of [`NAMES`] with certificates signed by a sidecar's own issuing key, and the files that were published.
struct Servers {
    volumes: Volumes,
    addresses: Vec<SocketAddr>,
}

impl Servers {
    fn start() -> Servers {
        let volumes = Volumes::new();
        assert!(volumes.sidecar(&[]).end().status.success());
        let stored = std::fs::read_to_string(volumes.ca().join("authority.pem")).expect("a stored authority");
        let issuing =
            CertificateDer::from_pem_slice(stored.as_bytes()).expect("the issuing certificate comes first");
        let mut name = CertificateParams::default();
        name.distinguished_name = rcgen::DistinguishedName::new();
        name.distinguished_name.push(DnType::CommonName, "Outrigger issuing CA");
        let issuer = Issuer::new(name, KeyPair::from_pem(&stored).expect("the issuing key"));
        let addresses = NAMES.iter().map(|name| serve(name, &issuer, &issuing)).collect();
        Servers { volumes, addresses }
    }

    /// What a client that takes `PORT NAME…` says, one line each.
    fn told_by(&self, mut command: Command) -> Vec<String> {
        for (name, address) in NAMES.iter().zip(&self.addresses) {
            command.args([&address.port().to_string(), *name]);
        }
        let said = say(&mut command);
        let lines: Vec<String> = said
            .text
            .lines()
            .filter(|line| line.starts_with("accepted") || line.starts_with("refused"))
            .map(str::to_owned)
            .collect();
        assert_eq!(lines.len(), NAMES.len(), "{}", said.text);
        lines
    }

    fn published(&self, name: &str) -> std::path::PathBuf {
        self.volumes.trust().join(name)
    }
}

fn serve(name: &str, issuer: &Issuer<'_, KeyPair>, issuing: &CertificateDer<'static>) -> SocketAddr {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "leaf of a test");
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.serial_number = Some(SerialNumber::from_slice(&[0x41; 16]));
    params.not_before = (SystemTime::now() - Duration::from_secs(3600)).into();
    params.not_after = (SystemTime::now() + Duration::from_secs(3600)).into();
    let key = KeyPair::generate().expect("a key");
    let leaf = params.signed_by(&key, issuer).expect("a certificate").der().clone();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf, issuing.clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("a matching key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tls = ServerConnection::new(Arc::clone(&config)).expect("a valid configuration");
            // A client that refuses leaves, and that is its word.
            let _left = answer(StreamOwned::new(tls, stream));
        }
    });
    address
}

fn answer(mut stream: StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<()> {
    stream.sock.set_read_timeout(Some(DEADLINE))?;
    proxy::head(&mut stream)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.read(&mut [0]).map(drop)
}

fn judge(runtime: &str, lines: &[String]) {
    assert_eq!(lines[0], "accepted", "{runtime}: {lines:?}");
    for line in &lines[1..] {
        let line = line.to_ascii_lowercase();
        assert!(
            line.starts_with("refused") && ["constraint", "subtree"].iter().any(|word| line.contains(word)),
            "{runtime} does not refuse for the constraint: {lines:?}"
        );
    }
}

fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    clean(&mut command);
    command.args(arguments);
    command
}

#[test]
fn python() {
    let servers = Servers::start();
    let mut command = program(&setting("OUTRIGGER_TEST_PYTHON"), &[]);
    command.arg(file("clients/certificate/check.py")).env("SSL_CERT_FILE", servers.published("bundle.pem"));
    judge("Python", &servers.told_by(command));
}

#[test]
fn node() {
    let servers = Servers::start();
    let node = std::path::Path::new(&setting("OUTRIGGER_TEST_NODE_DIR")).join("node_modules/.bin/node");
    let mut command = program(&super::text(&node), &[]);
    command
        .arg(file("clients/certificate/check.mjs"))
        .env("NODE_EXTRA_CA_CERTS", servers.published("ca.pem"));
    judge("Node", &servers.told_by(command));
}

#[test]
fn go() {
    let servers = Servers::start();
    let mut command = program("go", &["run"]);
    command.arg(file("clients/certificate/check.go")).env("SSL_CERT_DIR", servers.published("hashed"));
    command.env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0");
    judge("Go", &servers.told_by(command));
}

#[test]
fn java() {
    let servers = Servers::start();
    let mut command = program("java", &[]);
    command.arg(format!("-Djavax.net.ssl.trustStore={}", super::text(&servers.published("truststore.jks"))));
    command.arg(file("clients/certificate/Check.java"));
    judge("Java", &servers.told_by(command));
}

#[test]
fn curl() {
    let servers = Servers::start();
    let lines: Vec<String> = NAMES
        .iter()
        .zip(&servers.addresses)
        .map(|(name, address)| {
            let port = address.port();
            let mut command = program("curl", &["--silent", "--show-error", "--noproxy", "*", "--cacert"]);
            command.arg(servers.published("ca.pem")).arg("--resolve").arg(format!("{name}:{port}:127.0.0.1"));
            let said = say(command.arg(format!("https://{name}:{port}/")));
            if said.success { "accepted".to_owned() } else { format!("refused: {}", said.text) }
        })
        .collect();
    judge("curl", &lines);
}

#[test]
fn rustls() {
    let servers = Servers::start();
    let root = servers.volumes.root_pem();
    let lines: Vec<String> = NAMES
        .iter()
        .zip(&servers.addresses)
        .map(|(name, address)| {
            let stream = TcpStream::connect(address).expect("the server listens");
            stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
            let mut tls = StreamOwned::new(client(name, &root), stream);
            while tls.conn.is_handshaking() {
                if let Err(error) = tls.conn.complete_io(&mut tls.sock) {
                    return format!("refused: {error:?}");
                }
            }
            "accepted".to_owned()
        })
        .collect();
    judge("rustls", &lines);
}
