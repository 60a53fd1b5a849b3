//! A proven round trip: through the CONNECT listener to a listed host, trusted by the published bundle alone, and one
//! harmless request without credentials. Any answer of the provider's proves the way there and back.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::Acceptor;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::doctor::checks;
use crate::doctor::finding::{Check, Finding};
use crate::downstream::learned::Client;
use crate::exchange::answer::ERROR_HEADER;
use crate::tls;

/// Longer than the sidecar itself waits for a provider's connection and handshake together.
const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST_HEAD: usize = 16 * 1024;
const LONGEST_BODY: usize = 64 * 1024;
const HTTPS: u16 = outrigger_contract::redirection::HTTPS;
/// Offered beside HTTP/1.1, so that the sidecar never takes a program's TLS stack for ours, nor ours for one.
const MARK: &[u8] = b"outrigger-doctor";

/// How the way to one host is tried.
#[derive(Debug, Clone)]
pub struct RoundTrip {
    /// The CONNECT listener.
    pub connect: SocketAddr,
    /// The host.
    pub host: String,
    /// What programs are given to trust.
    pub bundle: Vec<CertificateDer<'static>>,
    /// The sidecar's own authority.
    pub ca: CertificateDer<'static>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider answered with this status, after this many milliseconds.
    Answered(u16, u128),
    /// The CONNECT listener is not there.
    NoListener(String),
    /// CONNECT was refused, in these words.
    Denied(String),
    /// The certificate is somebody else's: the connection passed through.
    Unread,
    /// The sidecar's certificate is not accepted by the bundle.
    NotTrusted(String),
    /// The sidecar could not reach the provider: its word for why, and its sentence.
    Upstream(String, String),
    /// It took too long.
    TimedOut,
    /// Anything else.
    Broken(String),
}

impl RoundTrip {
    /// Goes there and back.
    pub async fn run(&self) -> Outcome {
        match tokio::time::timeout(PATIENCE, self.attempt()).await {
            Ok(Ok(outcome) | Err(outcome)) => outcome,
            Err(_) => Outcome::TimedOut,
        }
    }

    async fn attempt(&self) -> Result<Outcome, Outcome> {
        let broken = |error: &dyn std::fmt::Display| Outcome::Broken(error.to_string());
        let began = Instant::now();
        let stream = self.tunnel().await?;
        let (config, shown) = client_config().map_err(|error| broken(&error))?;
        let name = ServerName::try_from(self.host.clone()).map_err(|error| broken(&error))?;
        let stream = TlsConnector::from(config)
            .connect(name.clone(), stream)
            .await
            .map_err(|error| Outcome::Broken(format!("the handshake failed ({error})")))?;
        let chain = std::mem::take(&mut *shown.lock().unwrap_or_else(PoisonError::into_inner));
        if verify(std::slice::from_ref(&self.ca), &chain, &name).is_err() {
            return Err(Outcome::Unread);
        }
        verify(&self.bundle, &chain, &name).map_err(Outcome::NotTrusted)?;

        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        let driver = tokio::spawn(connection);
        let request = Request::get("/")
            .header(http::header::HOST, &self.host)
            .header(http::header::USER_AGENT, concat!("outrigger-doctor/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|error| broken(&error))?;
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = response.status().as_u16();
        let own =
            response.headers().get(ERROR_HEADER).and_then(|class| class.to_str().ok()).map(str::to_owned);
        let outcome = match own {
            None => Outcome::Answered(status, began.elapsed().as_millis()),
            Some(class) => {
                let body = Limited::new(response.into_body(), LONGEST_BODY).collect().await;
                let body = body.map(|body| body.to_bytes()).unwrap_or_default();
                Outcome::Upstream(class, message(&body))
            }
        };
        driver.abort();
        Ok(outcome)
    }

    async fn tunnel(&self) -> Result<TcpStream, Outcome> {
        let mut stream =
            TcpStream::connect(self.connect).await.map_err(|error| Outcome::NoListener(error.to_string()))?;
        let broken = |error: std::io::Error| Outcome::Broken(format!("CONNECT broke off ({error})"));
        let head =
            format!("CONNECT {host}:{HTTPS} HTTP/1.1\r\nHost: {host}:{HTTPS}\r\n\r\n", host = self.host);
        stream.write_all(head.as_bytes()).await.map_err(broken)?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") && answer.len() < LONGEST_HEAD {
            answer.push(stream.read_u8().await.map_err(broken)?);
        }
        if answer.starts_with(b"HTTP/1.1 200") {
            return Ok(stream);
        }
        let mut text = String::new();
        // What cannot be read of the explanation is not missed: the refusal itself is known.
        let _cut = stream.take(LONGEST_HEAD as u64).read_to_string(&mut text).await;
        Err(Outcome::Denied(text.trim().trim_start_matches("outrigger: ").to_owned()))
    }
}

/// The sentence of an error of the sidecar's own, whatever the provider's format around it.
fn message(body: &[u8]) -> String {
    fn find(value: &serde_json::Value) -> Option<&str> {
        match value {
            serde_json::Value::String(text) => text.strip_prefix("outrigger: "),
            serde_json::Value::Array(all) => all.iter().find_map(find),
            serde_json::Value::Object(all) => all.values().find_map(find),
            _ => None,
        }
    }
    let parsed = serde_json::from_slice(body).unwrap_or_default();
    find(&parsed).unwrap_or("it did not say why").to_owned()
}

fn verify(
    roots: &[CertificateDer<'static>],
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
) -> Result<(), String> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), tls::provider())
        .build()
        .map_err(|_| "the bundle holds no certificate".to_owned())?;
    let (leaf, rest) = chain.split_first().ok_or("no certificate was shown")?;
    verifier
        .verify_server_cert(leaf, rest, name, &[], UnixTime::now())
        .map(drop)
        .map_err(|error| error.to_string())
}

type Chain = Arc<Mutex<Vec<CertificateDer<'static>>>>;

fn client_config() -> Result<(Arc<ClientConfig>, Chain), rustls::Error> {
    let shown = Chain::default();
    let provider = tls::provider();
    let keep = Keep { shown: Arc::clone(&shown), provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(keep))
        .with_no_client_auth();
    config.alpn_protocols = vec![tls::accept::Protocol::H1_NAME.to_vec(), MARK.to_vec()];
    Ok((Arc::new(config), shown))
}

/// Keeps the chain to be judged after the handshake and before the first request: a handshake that ended over it would
/// teach the sidecar that a client refuses it, and could not tell one foreign certificate from another.
#[derive(Debug)]
struct Keep {
    shown: Chain,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Keep {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(leaf).chain(rest).map(|one| one.clone().into_owned()).collect();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// How the sidecar's list of clients shows these round trips. None if no handshake can be begun.
pub(super) fn own_fingerprint() -> Option<String> {
    let (config, _) = client_config().ok()?;
    let mut client = ClientConnection::new(config, ServerName::try_from("localhost").ok()?).ok()?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello).ok()?;
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut hello.as_slice()).ok()?;
    let accepted = acceptor.accept().ok()??;
    Some(Client::of(&accepted.client_hello(), String::new()).shown())
}

/// The finding of one host.
#[must_use]
pub fn judge(host: &str, outcome: &Outcome) -> Finding {
    match outcome {
        Outcome::Answered(status, millis) => checks::TRIP_OK.found(format!(
            "{host} answered {status} through the sidecar in {millis} ms; the bundle vouches for it"
        )),
        Outcome::NoListener(why) => {
            checks::TRIP_LISTENER.found(format!("{host}: the CONNECT listener does not answer ({why})"))
        }
        Outcome::Denied(words) => checks::TRIP_DENIED.found(format!("{host}: {words}")),
        Outcome::Unread => checks::TRIP_UNREAD
            .found(format!("{host}: the certificate shown is not Outrigger's, so calls there pass unread")),
        Outcome::NotTrusted(why) => checks::TRIP_TRUST
            .found(format!("{host}: the published bundle does not accept the sidecar's certificate ({why})")),
        Outcome::Upstream(class, text) => upstream(class).found(format!("{host}: {text}")),
        Outcome::TimedOut => {
            checks::TRIP_TIMEOUT.found(format!("{host}: no answer within {} s", PATIENCE.as_secs()))
        }
        Outcome::Broken(why) => checks::TRIP_BROKEN.found(format!("{host}: {why}")),
    }
}

/// The sidecar's word for a failure is the same as in its records.
fn upstream(class: &str) -> &'static Check {
    match class {
        "dns" => &checks::TRIP_DNS,
        "connect" => &checks::TRIP_CONNECT,
        "tls" => &checks::TRIP_TLS,
        "timeout" => &checks::TRIP_TIMEOUT,
        _ => &checks::TRIP_BROKEN,
    }
}

#[cfg(test)]
mod tests {
    use outrigger_providers::FailureClass;

    use super::*;

    #[test]
    fn every_way_to_fail_upstream_has_its_finding() {
        for (class, id) in [
            (FailureClass::Dns, "round-trip-dns"),
            (FailureClass::Connect, "round-trip-connect"),
            (FailureClass::Tls, "round-trip-upstream-tls"),
            (FailureClass::Timeout, "round-trip-timeout"),
            (FailureClass::StreamCut, "round-trip-broken"),
        ] {
            let outcome = Outcome::Upstream(class.as_str().to_owned(), "the reason".to_owned());
            let finding = judge("api.openai.com", &outcome);
            assert_eq!((finding.id, finding.text.as_str()), (id, "api.openai.com: the reason"));
            assert!(finding.mend.is_some());
        }
    }

    #[test]
    fn the_sentence_is_found_in_every_providers_error() {
        let bodies = [
            r#"{"error":{"message":"outrigger: no route","type":"x"}}"#,
            r#"{"type":"error","error":{"type":"y","message":"outrigger: no route"}}"#,
            r#"[{"error":{"message":"outrigger: no route"}}]"#,
        ];
        for body in bodies {
            assert_eq!(message(body.as_bytes()), "no route");
        }
        assert_eq!(message(b"<html>"), "it did not say why");
    }

    #[test]
    fn our_own_handshakes_are_known_by_their_fingerprint() {
        let first = own_fingerprint().unwrap();
        assert_eq!(first.len(), 16);
        assert_eq!(own_fingerprint(), Some(first));
    }
}
