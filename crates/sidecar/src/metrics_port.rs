//! The metrics port, on the pod's own address: `GET /metrics` for a scraper, `/healthz` and `/readyz` for a kubelet. Served
//! on the control thread, never on the traffic thread. Whoever can reach the pod can ask, so all of it is bounded.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use outrigger_exporter::{Exposition, Scrape};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::StartError;
use crate::status::Observer;

/// Connections at a time. One more ends the oldest, so that those who are slow on purpose keep no kubelet out.
const CONNECTIONS: usize = 16;
/// For the one request of a connection, its answer included.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that a request's head may have.
const HEAD: usize = 16 * 1024;
/// Where the system cannot accept, trying again at once would only burn its time.
const BACK_OFF: Duration = Duration::from_millis(50);
/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 128;

/// An open metrics port.
pub struct MetricsPort {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsPort {
    /// Opens the port. `[::]` takes IPv4 too, and is `0.0.0.0` on a machine without IPv6.
    ///
    /// # Errors
    /// [`StartError::Listen`]: the address is taken or not ours.
    pub fn open(address: SocketAddr) -> Result<MetricsPort, StartError> {
        let opened = match listen(address) {
            Err(_) if address.ip().is_unspecified() && address.is_ipv6() => {
                listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
            }
            opened => opened,
        };
        opened.map_err(|source| StartError::Listen {
            address,
            purpose: "metrics and probes",
            setting: "metrics",
            source,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped. Without a `scrape` there are the probes alone.
    ///
    /// # Errors
    /// The system's, when the port cannot be served.
    pub async fn serve(self, observer: Arc<Observer>, scrape: Option<Scrape>) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let mut open: VecDeque<AbortHandle> = VecDeque::new();
        let scrape = scrape.map(Arc::new);
        loop {
            let (stream, _) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "a connection to the metrics port could not be accepted");
                    tokio::time::sleep(BACK_OFF).await;
                    continue;
                }
            };
            open.retain(|one| !one.is_finished());
            if open.len() >= CONNECTIONS
                && let Some(oldest) = open.pop_front()
            {
                oldest.abort();
            }
            let (observer, scrape) = (Arc::clone(&observer), scrape.clone());
            let one = tokio::spawn(async move {
                // A peer may leave as it likes.
                let _ended = tokio::time::timeout(PATIENCE, answer_one(stream, observer, scrape)).await;
            });
            open.push_back(one.abort_handle());
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<MetricsPort> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok(MetricsPort { listener, address })
}

async fn answer_one(
    stream: TcpStream,
    observer: Arc<Observer>,
    scrape: Option<Arc<Scrape>>,
) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let (observer, scrape) = (Arc::clone(&observer), scrape.clone());
        async move { Ok::<_, Infallible>(answer(&request, &observer, scrape.as_deref()).await) }
    });
    http1::Builder::new()
        // So that the time for a connection is the time for a request.
        .keep_alive(false)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn answer<B>(
    request: &Request<B>,
    observer: &Observer,
    scrape: Option<&Scrape>,
) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match (request.uri().path(), scrape) {
        ("/metrics", Some(scrape)) => {
            let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
            let form = Exposition::accepted(accept.unwrap_or_default());
            let mut page = Response::new(Full::from(scrape.page(form)));
            page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
            page
        }
        ("/metrics", None) => text(
            StatusCode::NOT_FOUND,
            "no metrics are offered: OTEL_METRICS_EXPORTER does not list prometheus, or OTEL_SDK_DISABLED is true\n",
        ),
        ("/healthz", _) if observer.is_turning().await => text(StatusCode::OK, "alive\n"),
        ("/healthz", _) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "the traffic thread has ended or is stuck; restart the container\n",
        ),
        ("/readyz", _) if observer.is_ready() => text(StatusCode::OK, "ready\n"),
        ("/readyz", _) => text(StatusCode::SERVICE_UNAVAILABLE, "draining: no new connections are taken\n"),
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n"),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
