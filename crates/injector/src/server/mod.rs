//! The webhook: HTTPS for the API server, plain HTTP for kubelet and Prometheus. Every review is answered with 200.

mod counts;
mod files;
mod listener;
mod shown;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::BodyExt as _;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::certificates::{Keeping, keep};
use crate::options::{Mode, Options};
use crate::review::{self, Answer, Asked};
use files::Followed;

pub use counts::Counts;
pub use files::Files;
pub(crate) use shown::Shown;

/// Bytes of a review: an object of etcd's 1.5 MiB, and the one before it.
const LARGEST: usize = 8 * 1024 * 1024;
/// For the whole body of one; the API server waits for 5 s by our configuration.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// For a TLS handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// For the head of a request; between two a connection may be idle for as long.
const HEAD_WITHIN: Duration = Duration::from_secs(120);
/// Connections at a time, of each port; more wait.
const CONNECTIONS: usize = 256;
/// Where the system cannot accept, trying again at once would only burn its time.
const BACK_OFF: Duration = Duration::from_millis(50);

/// What keeps the injector from starting.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A port.
    #[error("cannot listen on {address} for {purpose}: {source}; choose another address with `{setting}`")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What listens there.
        purpose: &'static str,
        /// The setting that changes it.
        setting: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The certificate cannot be shown.
    #[error("{0}")]
    Certificate(String),
}

/// Where the certificate comes from.
#[derive(Clone)]
pub enum Certificate {
    /// Files that somebody else looks after, and how often to look at them.
    Files(Files, Duration),
    /// We look after it ourselves.
    Kept(Box<Keeping>),
}

/// Where and how to serve.
#[derive(Clone)]
pub struct Service {
    /// Address of the webhook.
    pub listen: SocketAddr,
    /// Address of metrics and probes.
    pub metrics: SocketAddr,
    /// What the API server is shown.
    pub certificate: Certificate,
    /// What every pod gets.
    pub options: Options,
}

/// A webhook that is bound.
pub struct Webhook {
    listener: TcpListener,
    metrics: TcpListener,
    looked_after: LookedAfter,
    shared: Arc<Shared>,
}

enum LookedAfter {
    Files(Followed, Duration),
    Kept(Box<Keeping>),
}

struct Shared {
    options: Options,
    shown: Arc<Shown>,
    counts: Arc<Counts>,
    draining: watch::Sender<bool>,
}

/// Lets go of a webhook.
#[derive(Clone)]
pub struct Drain(Arc<Shared>);

impl Drain {
    /// From now on it says that it is not ready, and another replica looks after the certificate; it answers all the same.
    pub fn begin(&self) {
        self.0.draining.send_replace(true);
    }
}

impl Webhook {
    /// Reads the certificate and opens both ports.
    ///
    /// # Errors
    /// What keeps it from starting, with the mend.
    pub async fn bind(service: Service) -> Result<Webhook, ServeError> {
        let shown = Arc::new(Shown::nothing(matches!(service.certificate, Certificate::Files(..))));
        let looked_after = match service.certificate {
            Certificate::Files(files, every) => {
                let followed = Followed::open(files, &shown).map_err(ServeError::Certificate)?;
                LookedAfter::Files(followed, every)
            }
            Certificate::Kept(keeping) => LookedAfter::Kept(keeping),
        };
        let open = |address: SocketAddr, purpose, setting| {
            let fault = |source| ServeError::Listen { address, purpose, setting, source };
            listener::open(address).map_err(fault)
        };
        Ok(Webhook {
            listener: open(service.listen, "the webhook", "listen")?,
            metrics: open(service.metrics, "metrics and probes", "metrics")?,
            looked_after,
            shared: Arc::new(Shared {
                options: service.options,
                shown,
                counts: Arc::new(Counts::default()),
                draining: watch::Sender::new(false),
            }),
        })
    }

    /// Where the webhook and where metrics and probes are.
    ///
    /// # Errors
    /// The system's.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.listener.local_addr()?, self.metrics.local_addr()?))
    }

    /// How to let go of it.
    #[must_use]
    pub fn drain(&self) -> Drain {
        Drain(Arc::clone(&self.shared))
    }

    /// Serves until it is dropped.
    ///
    /// # Errors
    /// What keeps TLS from being spoken.
    pub async fn serve(self) -> Result<(), ServeError> {
        let (shown, counts) = (Arc::clone(&self.shared.shown), Arc::clone(&self.shared.counts));
        let acceptor = TlsAcceptor::from(Arc::new(shown.config()?));
        let leaving = self.shared.draining.subscribe();
        let look_after = async {
            match self.looked_after {
                LookedAfter::Files(followed, every) => followed.follow(every, shown, counts).await,
                LookedAfter::Kept(keeping) => keep(*keeping, shown, counts, leaving).await,
            }
        };
        let reviews = Router::new()
            .route("/pods/{mode}", post(pods))
            .route("/rules", post(rules))
            .with_state(Arc::clone(&self.shared));
        let told = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(|| async { "alive\n" }))
            .route("/readyz", get(ready))
            .with_state(self.shared);
        tokio::join!(
            look_after,
            accept(self.listener, Some(acceptor), reviews),
            accept(self.metrics, None, told)
        );
        Ok(())
    }
}

/// Serves what comes, for ever.
async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(BACK_OFF).await;
                continue;
            }
        };
        let (tls, router) = (tls.clone(), router.clone());
        tokio::spawn(async move {
            connection(stream, tls, router).await;
            drop(permit);
        });
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    let service = TowerToHyperService::new(router);
    let ended = match tls {
        None => http.serve_connection(TokioIo::new(stream), service).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await {
            Ok(Ok(stream)) => http.serve_connection(TokioIo::new(stream), service).await,
            Ok(Err(error)) => return tracing::debug!(%error, "no handshake with a client"),
            Err(_) => return tracing::debug!("a client began a handshake and did not end it"),
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn pods(State(shared): State<Arc<Shared>>, Path(mode): Path<String>, body: Body) -> Response {
    match Mode::parse(&mode) {
        Some(mode) => reviewed(&shared, Asked::Pods(mode), body).await,
        None => {
            let modes = Mode::ALL.map(|mode| format!("/pods/{}", mode.as_str())).join(", ");
            (StatusCode::NOT_FOUND, format!("there are {modes} and /rules\n")).into_response()
        }
    }
}

async fn rules(State(shared): State<Arc<Shared>>, body: Body) -> Response {
    reviewed(&shared, Asked::Rules, body).await
}

async fn reviewed(shared: &Shared, asked: Asked, body: Body) -> Response {
    let mut bytes = Vec::new();
    let whole = tokio::time::timeout(BODY_WITHIN, collect(body, &mut bytes)).await;
    let began = Instant::now();
    let answer = match whole {
        Ok(Ok(true)) => review::answer(&bytes, asked, &shared.options),
        Ok(Ok(false)) => review::admitted(&bytes, review::Result::TooLarge),
        Ok(Err(_)) | Err(_) => review::admitted(&bytes, review::Result::NoBody),
    };
    shared.counts.answered(asked, answer.result, began.elapsed());
    log(asked, &answer);
    ([(CONTENT_TYPE, "application/json")], answer.body.to_string()).into_response()
}

/// Reads a body; whether it ends within what a review can have.
async fn collect(mut body: Body, into: &mut Vec<u8>) -> Result<bool, axum::Error> {
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            if into.len() + data.len() > LARGEST {
                return Ok(false);
            }
            into.extend_from_slice(data);
        }
    }
    Ok(true)
}

fn log(asked: Asked, answer: &Answer) {
    let (of, result, reason) = (&answer.of, answer.result.as_str(), &answer.reason);
    match asked {
        Asked::Pods(mode) => tracing::info!(pod = of, mode = mode.as_str(), result, reason, "pod"),
        Asked::Rules => tracing::info!(config_map = of, result, reason, "rules"),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.counts.page()).into_response()
}

async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    if *shared.draining.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else if !shared.shown.is_ready() {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "no certificate is shown yet that the API server was told to trust\n",
        )
    } else {
        (StatusCode::OK, "ready\n")
    }
}
