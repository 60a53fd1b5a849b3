//! A sidecar before a server of the test's own, over real sockets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

pub(crate) mod apps;
pub(crate) mod diff;
pub(crate) mod places;
pub(crate) mod scene;
pub(crate) mod streams;
pub(crate) mod traffic;
pub(crate) mod wire;

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::Channel;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use outrigger_ledger::{CallRecord, Recorder};
use outrigger_providers::services;
use outrigger_sidecar::{Running, Seen, Settings, UpstreamOverride, bind};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) const HOST: &str = "api.openai.com";
/// A host of which nothing is known but what an operator says.
pub(crate) const LISTED: &str = "llm.harbour.example";
/// A host of Amazon Bedrock.
pub(crate) const BEDROCK: &str = "bedrock-runtime.us-east-1.amazonaws.com";
/// Another host of OpenAI's.
pub(crate) const EU: &str = "eu.api.openai.com";
/// A customer's host at Azure.
pub(crate) const AZURE: &str = "team-a.openai.azure.com";
/// An answer with it is not sent: the connection breaks in its place.
pub(crate) const RESET: &str = "x-reset";
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) type Body = Either<Full<Bytes>, Channel<Bytes, std::io::Error>>;

#[derive(Default)]
struct Kept {
    records: Mutex<Vec<Arc<CallRecord>>>,
    came: tokio::sync::Notify,
    /// What a panic says that each record causes.
    fault: Option<&'static str>,
}

impl Recorder for Kept {
    fn try_record(&self, record: Arc<CallRecord>) {
        self.records.lock().unwrap().push(record);
        self.came.notify_one();
        if let Some(said) = self.fault {
            panic!("cannot record {said}");
        }
    }
}

/// A sidecar before a server.
pub(crate) struct Bench {
    running: Running,
    connect: SocketAddr,
    base_url: SocketAddr,
    server: SocketAddr,
    ca_pem: String,
    records: Arc<Kept>,
    _directory: tempfile::TempDir,
}

/// All that the server answers for: these, and one of every provider's.
fn hosts() -> Vec<String> {
    let of_providers = services::ALL.iter().filter_map(|service| service.hosts.first().copied());
    let mut hosts: Vec<&str> = [LISTED, BEDROCK, EU, AZURE].into_iter().chain(of_providers).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts.into_iter().map(str::to_owned).collect()
}

/// TLS for these hosts with both HTTP versions, and the authority behind it, PEM.
pub(crate) fn certified(hosts: impl Into<Vec<String>>) -> (TlsAcceptor, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(hosts).unwrap().signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}

/// A server that answers every request by `answer`; its address and its authority.
pub(crate) async fn server<A, F>(answer: A) -> (SocketAddr, String)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let (acceptor, authority) = certified(hosts());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            tokio::spawn(async move {
                // Either end may leave as it likes.
                let Ok(tls) = acceptor.accept(stream).await else { return };
                let h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
                let service = service_fn(move |request| {
                    let answer = answer(request);
                    async move {
                        let answer = answer.await;
                        let reset = answer.headers().contains_key(RESET);
                        if reset { Err(std::io::Error::other("reset")) } else { Ok(answer) }
                    }
                });
                let _ended = if h2 {
                    http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(tls), service)
                        .await
                } else {
                    http1::Builder::new().serve_connection(TokioIo::new(tls), service).await
                };
            });
        }
    });
    (address, authority)
}

impl Bench {
    /// Before a server that answers so, with these settings as far as they are not the bench's own.
    pub(crate) async fn before<A, F>(settings: Settings, answer: A) -> Bench
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Bench::recorded_by(Kept::default(), settings, answer).await
    }

    /// As `before`, and every record causes a panic that says this.
    pub(crate) async fn faulty<A, F>(said: &'static str, answer: A) -> Bench
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Bench::recorded_by(Kept { fault: Some(said), ..Kept::default() }, Settings::default(), answer).await
    }

    async fn recorded_by<A, F>(records: Kept, settings: Settings, answer: A) -> Bench
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let (address, authority) = server(answer).await;
        Bench::with(records, (address, &authority, &hosts()), settings)
    }

    /// Before whoever is at this address, with a certificate of this authority, for these hosts.
    pub(crate) fn at(provider: (SocketAddr, &str, &[String]), settings: Settings) -> Bench {
        Bench::with(Kept::default(), provider, settings)
    }

    fn with(
        records: Kept,
        (address, authority, hosts): (SocketAddr, &str, &[String]),
        settings: Settings,
    ) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let extra = directory.path().join("authority.pem");
        std::fs::write(&extra, authority).unwrap();
        let records = Arc::new(records);
        let bound = bind(&Settings {
            connect: (Ipv4Addr::LOCALHOST, 0).into(),
            base_url: (Ipv4Addr::LOCALHOST, 0).into(),
            transparent_port: None,
            hosts: [vec![LISTED.to_owned()], settings.hosts].concat(),
            upstreams: hosts
                .iter()
                .map(|host| UpstreamOverride { host: host.clone(), address })
                .chain(settings.upstreams)
                .collect(),
            extra_cas: vec![extra],
            ..settings
        })
        .unwrap();
        let (connect, base_url) = (bound.connect_address(), bound.base_url_address());
        let ca_pem = bound.ca_pem().to_owned();
        let running = bound.serve(Arc::clone(&records) as _).unwrap();
        Bench { running, connect, base_url, server: address, ca_pem, records, _directory: directory }
    }

    /// Where the server listens.
    pub(crate) const fn server(&self) -> SocketAddr {
        self.server
    }

    /// A connection of the app, through CONNECT, as far as the handshake.
    pub(crate) async fn open(&self, host: &str, protocol: &str) -> TlsStream<TcpStream> {
        let mut stream = TcpStream::connect(self.connect).await.unwrap();
        // As every HTTP client does: else a request waits for the acknowledgement of the handshake's end.
        stream.set_nodelay(true).unwrap();
        let ask = format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        head(&mut stream).await;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::try_from(host.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    pub(crate) async fn h1<B>(&self, host: &'static str) -> hyper::client::conn::http1::SendRequest<B>
    where
        B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
    {
        let io = TokioIo::new(self.open(host, "http/1.1").await);
        let (sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    pub(crate) async fn h2<B>(&self) -> hyper::client::conn::http2::SendRequest<B>
    where
        B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
    {
        let io = TokioIo::new(self.open(HOST, "h2").await);
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Where calls are taken by base URL.
    pub(crate) const fn base_url(&self) -> SocketAddr {
        self.base_url
    }

    /// What became of the rules.
    pub(crate) fn rules(&self) -> Option<outrigger_sidecar::status::Rules> {
        self.running.observer().status().rules
    }

    /// Waits until other rules than these are in force.
    pub(crate) async fn rules_but(&self, hash: &str) {
        within(async {
            while self.rules().is_none_or(|rules| rules.hash == hash) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// The sidecar's state, for who serves it.
    pub(crate) fn observer(&self) -> Arc<outrigger_sidecar::status::Observer> {
        self.running.observer()
    }

    /// While this is held, the traffic thread is stuck with the next record.
    pub(crate) fn stuck(&self) -> impl Sized {
        self.records.records.lock().unwrap()
    }

    /// Waits for so many records.
    pub(crate) async fn recorded(&self, count: usize) {
        within(async {
            while self.records.records.lock().unwrap().len() < count {
                self.records.came.notified().await;
            }
        })
        .await;
    }

    /// Ends the sidecar. What it counted, and the records of all calls.
    pub(crate) async fn end(self) -> (Seen, Vec<Arc<CallRecord>>) {
        let drained = tokio::task::spawn_blocking(move || self.running.drain(Duration::ZERO)).await;
        let records = std::mem::take(&mut *self.records.records.lock().unwrap());
        (drained.unwrap(), records)
    }
}

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.unwrap_or_else(|_| panic!("it never came"))
}

/// A head, byte by byte, so that nothing behind it is swallowed.
pub(crate) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}
