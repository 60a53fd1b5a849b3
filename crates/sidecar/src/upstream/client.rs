//! Requests to providers over pooled, verified connections. Per request.
//!
//! A request is never sent twice: only one that hyper hands back unsent goes to another connection.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use outrigger_providers::FailureClass;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use crate::tls::accept::Protocol;
use crate::upstream::dial::Dialer;
use crate::upstream::pool::Pool;
use crate::upstream::tls::{Connector, Offer};
use crate::upstream::{DialError, Target};

/// Largest head or chunk read at once; also the largest read of a body.
const READ_BUFFER: usize = 128 * 1024;
const H2_HEADER_LIST: u32 = 128 * 1024;
/// Never equal: one stalled stream would then block its whole connection.
const H2_STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const H2_CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
const H2_PING: Duration = Duration::from_secs(20);
/// How long the address that the app chose may keep those of the resolver waiting: the app cannot choose another, since its
/// own connection stands.
const ORIGINAL: Duration = Duration::from_secs(3);

/// Boxed: it is moved through several futures, each of which would reserve its size.
type Tls = Box<TlsStream<TcpStream>>;
type TlsIo = TokioIo<Tls>;

/// What every request body here must be.
pub(crate) trait RequestBody:
    Body<Data = bytes::Bytes, Error = hyper::Error> + Unpin + 'static
{
}
impl<B: Body<Data = bytes::Bytes, Error = hyper::Error> + Unpin + 'static> RequestBody for B {}

/// Sends requests.
pub(crate) struct Client<B> {
    dialer: Rc<Dialer>,
    connector: Rc<Connector>,
    pool: Pool<B>,
    // What a host chose when it could choose, so that the app is offered no more than that.
    protocols: RefCell<HashMap<Target, Protocol>>,
}

/// How a request gets to its place.
#[derive(Clone, Copy)]
pub(crate) struct Towards<'a> {
    /// Where the app itself was going.
    pub(crate) original: Option<SocketAddr>,
    /// How long a connection may take to stand.
    pub(crate) within: Option<Duration>,
    /// Where it is noted how long one took, if that is longer than before.
    pub(crate) took: Option<&'a Cell<Duration>>,
}

/// A response's head, its body to come, and the connection it came on.
pub(crate) struct Sent<B> {
    pub(crate) response: Response<Incoming>,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) lease: Lease<B>,
}

/// The HTTP/2 connection that a connection of the app has to itself, once it needs one. Requests that come while it is
/// being opened wait for it, and share its failure.
pub(crate) struct OwnH2<B>(RefCell<Option<Opening<B>>>);

type Opening<B> = Rc<OnceCell<Result<Held<B>, DialError>>>;
type Held<B> = (http2::SendRequest<B>, Option<SocketAddr>);

impl<B> Default for OwnH2<B> {
    fn default() -> OwnH2<B> {
        OwnH2(RefCell::default())
    }
}

impl<B> OwnH2<B> {
    /// The connection of the app has ended; the next one may have it.
    pub(crate) fn put_back(&self, client: &Client<B>, target: &Target) {
        if let Some(opening) = self.0.take()
            && let Some(Ok((sender, peer))) = opening.get()
        {
            client.pool.put_h2(target, sender.clone(), *peer);
        }
    }

    fn opening(&self) -> Opening<B> {
        Rc::clone(self.0.borrow_mut().get_or_insert_default())
    }

    /// The next request opens another one, unless somebody has begun to.
    fn forget(&self, opening: &Opening<B>) {
        self.0.borrow_mut().take_if(|current| Rc::ptr_eq(current, opening));
    }
}

/// The right to put a connection back once its exchange is complete. Dropped, the connection closes
/// (HTTP/2 connections are shared and need none).
pub(crate) struct Lease<B> {
    h1: Option<(http1::SendRequest<B>, Target, Option<SocketAddr>)>,
}

impl<B> Lease<B> {
    /// For a connection that is not put back.
    pub(crate) const fn none() -> Lease<B> {
        Lease { h1: None }
    }

    /// The exchange is complete in both directions.
    pub(crate) fn put_back(&mut self, client: &Client<B>) {
        if let Some((sender, target, peer)) = self.h1.take() {
            client.pool.put_h1(&target, sender, peer);
        }
    }
}

impl<B: RequestBody> Client<B> {
    pub(crate) fn new(dialer: Rc<Dialer>, connector: Rc<Connector>) -> Client<B> {
        Client { dialer, connector, pool: Pool::new(), protocols: RefCell::default() }
    }

    /// A plain connection, for what CONNECT leads elsewhere.
    pub(crate) async fn dial_for_app(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        self.dialer.dial_for_app(host, port).await
    }

    /// Whether CONNECT may lead to a host; only an address can be judged before it is resolved.
    pub(crate) fn may_reach(&self, host: &str) -> Result<(), DialError> {
        self.dialer.may_reach(host)
    }

    /// A plain connection to exactly this address, for what was redirected here and passes through.
    pub(crate) async fn dial_address(&self, address: SocketAddr) -> Result<TcpStream, DialError> {
        self.dialer.dial_address(address).await
    }

    /// Closes idle connections that nobody used for a while.
    pub(crate) fn sweep(&self) {
        self.pool.sweep();
    }

    /// A connection to a place fell silent. What lies idle of the same time is likely as dead, so the next request opens another one.
    pub(crate) fn distrust(&self, target: &Target, protocol: Protocol, own: &OwnH2<B>) {
        self.pool.forget(target);
        if protocol == Protocol::H2 {
            own.0.take();
        }
    }

    /// The protocol to speak with an app that offers HTTP/2: what the host itself chooses. The connection made to
    /// find out is kept for the request that follows. A host that cannot be reached is found out by that request.
    pub(crate) async fn protocol(
        &self,
        target: &Target,
        original: Option<SocketAddr>,
        h1_too: bool,
    ) -> Protocol {
        if !h1_too {
            return Protocol::H2;
        }
        if let Some(known) = self.protocols.borrow().get(target) {
            return *known;
        }
        match Box::pin(self.open(target, original, Offer::H2OrH1)).await {
            Ok((tls, peer, protocol)) => {
                match protocol {
                    Protocol::H1 => {
                        if let Ok(sender) = self.start_h1(tls).await {
                            self.pool.put_h1(target, sender, peer);
                        }
                    }
                    Protocol::H2 => {
                        if let Ok(sender) = self.start_h2(tls).await {
                            self.pool.put_h2(target, sender, peer);
                        }
                    }
                }
                self.protocols.borrow_mut().insert(target.clone(), protocol);
                protocol
            }
            Err(_) => Protocol::H1,
        }
    }

    /// Sends one request and waits for the response's head.
    pub(crate) async fn send(
        &self,
        target: &Target,
        way: Towards<'_>,
        protocol: Protocol,
        own: &OwnH2<B>,
        request: Request<B>,
    ) -> Result<Sent<B>, DialError> {
        match protocol {
            Protocol::H1 => self.send_h1(target, way, request).await,
            Protocol::H2 => self.send_h2(target, way, own, request).await,
        }
    }

    async fn send_h1(
        &self,
        target: &Target,
        way: Towards<'_>,
        mut request: Request<B>,
    ) -> Result<Sent<B>, DialError> {
        loop {
            let (mut sender, peer, fresh) = match self.pool.take_h1(target) {
                Some(idle) => (idle.sender, idle.peer, false),
                None => {
                    // Boxed: a request on a kept connection need not carry the state of a handshake.
                    let opening = Box::pin(self.open(target, way.original, Offer::H1));
                    let (tls, peer, _) = stands(way, target, opening).await?;
                    (self.start_h1(tls).await.map_err(|error| broken(target, &error))?, peer, true)
                }
            };
            if sender.ready().await.is_err() && !fresh {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => {
                    if response.status() == StatusCode::SWITCHING_PROTOCOLS
                        || !is_plainly_framed(response.headers())
                    {
                        return Err(ambiguous(target));
                    }
                    let lease = Lease { h1: Some((sender, target.clone(), peer)) };
                    return Ok(Sent { response, peer, lease });
                }
                Err(mut error) => match error.take_message() {
                    // The race of keep-alive: the provider closed before a byte of the request was written.
                    Some(unsent) if !fresh => request = unsent,
                    _ => {
                        // Dead for a while, perhaps, and so are its neighbours.
                        if !fresh && !error.error().is_user() {
                            self.pool.forget(target);
                        }
                        return Err(broken(target, error.error()));
                    }
                },
            }
        }
    }

    async fn send_h2(
        &self,
        target: &Target,
        way: Towards<'_>,
        own: &OwnH2<B>,
        mut request: Request<B>,
    ) -> Result<Sent<B>, DialError> {
        loop {
            let opening = own.opening();
            let mut fresh = false;
            let opened = opening.get_or_init(async || match self.pool.take_h2(target) {
                Some(idle) => Ok((idle.sender, idle.peer)),
                None => {
                    fresh = true;
                    stands(way, target, Box::pin(self.open_h2(target, way.original))).await
                }
            });
            let (mut sender, peer) = match opened.await {
                Ok((sender, peer)) => (sender.clone(), *peer),
                Err(error) => {
                    own.forget(&opening);
                    return Err(error.clone());
                }
            };
            if sender.is_closed() && !fresh {
                own.forget(&opening);
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(Sent { response, peer, lease: Lease::none() }),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !fresh => {
                        request = unsent;
                        own.forget(&opening);
                    }
                    _ => {
                        if !fresh && sender.is_closed() {
                            self.pool.forget(target);
                        }
                        return Err(broken(target, error.error()));
                    }
                },
            }
        }
    }

    async fn open_h2(&self, target: &Target, original: Option<SocketAddr>) -> Result<Held<B>, DialError> {
        let (tls, peer, protocol) = self.open(target, original, Offer::H2).await?;
        if protocol != Protocol::H2 {
            return Err(DialError {
                class: FailureClass::Tls,
                text: format!("{target} does not speak HTTP/2, and the client offered nothing else"),
            });
        }
        let sender = self.start_h2(tls).await.map_err(|error| broken(target, &error))?;
        Ok((sender, peer))
    }

    /// A connection of its own for an upgrade; its raw form comes back once the response's head has been read.
    pub(crate) async fn send_upgrade(
        &self,
        target: &Target,
        original: Option<SocketAddr>,
        request: Request<B>,
    ) -> Result<(Response<Incoming>, Option<SocketAddr>, UpgradedUpstream), DialError> {
        let (tls, peer, _) = Box::pin(self.open(target, original, Offer::H1)).await?;
        let (mut sender, connection) =
            h1_builder().handshake(TokioIo::new(tls)).await.map_err(|error| broken(target, &error))?;
        let (hand_over, raw) = tokio::sync::oneshot::channel();
        tokio::task::spawn_local(async move {
            if let Ok(parts) = connection.without_shutdown().await {
                // The receiver is gone when the response was no 101; the connection then closes here.
                let _closed = hand_over.send((parts.io.into_inner(), parts.read_buf));
            }
        });
        let response = sender.send_request(request).await.map_err(|error| broken(target, &error))?;
        Ok((response, peer, UpgradedUpstream(raw)))
    }

    /// A verified connection. Where the app itself was going comes first: private endpoints and pinned routes live there.
    /// An address that does not prove to be the host is left for what the name leads to.
    async fn open(
        &self,
        target: &Target,
        original: Option<SocketAddr>,
        offer: Offer,
    ) -> Result<(Tls, Option<SocketAddr>, Protocol), DialError> {
        if let Some(address) = original.filter(|_| self.dialer.follows_the_app(&target.host)) {
            let at_address = async {
                let dialled = self.dialer.dial_address_within(address, ORIGINAL);
                self.secure(dialled.await?, target, offer).await
            };
            match at_address.await {
                Ok(open) => return Ok(open),
                Err(error) => tracing::debug!(%address, host = %target.host, "{}", error.text),
            }
        }
        let stream = self.dialer.dial(&target.host, target.port).await?;
        self.secure(stream, target, offer).await
    }

    async fn secure(
        &self,
        stream: TcpStream,
        target: &Target,
        offer: Offer,
    ) -> Result<(Tls, Option<SocketAddr>, Protocol), DialError> {
        let peer = stream.peer_addr().ok();
        let (tls, protocol) = self.connector.connect(stream, &target.host, offer).await?;
        Ok((Box::new(tls), peer, protocol))
    }

    async fn start_h1(&self, tls: Tls) -> hyper::Result<http1::SendRequest<B>> {
        let (sender, connection) = h1_builder().handshake::<TlsIo, B>(TokioIo::new(tls)).await?;
        tokio::task::spawn_local(async move {
            // Its error also reaches the exchange that is on it; an idle connection may end as it likes.
            let _ended = connection.await;
        });
        Ok(sender)
    }

    async fn start_h2(&self, tls: Tls) -> hyper::Result<http2::SendRequest<B>> {
        let mut builder = http2::Builder::new(LocalExecutor);
        builder
            .timer(TokioTimer::new())
            .max_header_list_size(H2_HEADER_LIST)
            .initial_stream_window_size(H2_STREAM_WINDOW)
            .initial_connection_window_size(H2_CONNECTION_WINDOW)
            .keep_alive_interval(H2_PING)
            .keep_alive_timeout(H2_PING);
        let (sender, connection) = builder.handshake::<TlsIo, B>(TokioIo::new(tls)).await?;
        tokio::task::spawn_local(async move {
            let _ended = connection.await;
        });
        Ok(sender)
    }
}

/// The provider's side of an upgraded connection, once its response head is through.
pub(crate) struct UpgradedUpstream(tokio::sync::oneshot::Receiver<(Tls, bytes::Bytes)>);

impl UpgradedUpstream {
    /// The raw connection and what had been read behind the head.
    pub(crate) async fn raw(self) -> Option<(Tls, bytes::Bytes)> {
        self.0.await.ok()
    }
}

/// Notes when it is dropped how long it was held: a connection that is given up was waited for too.
struct Timed<'a> {
    took: &'a Cell<Duration>,
    began: Instant,
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        self.took.set(self.took.get().max(self.began.elapsed()));
    }
}

/// A connection, if it stands in time.
async fn stands<T>(
    way: Towards<'_>,
    target: &Target,
    opening: impl Future<Output = Result<T, DialError>>,
) -> Result<T, DialError> {
    let _timed = way.took.map(|took| Timed { took, began: Instant::now() });
    let Some(within) = way.within else { return opening.await };
    tokio::time::timeout(within, opening).await.unwrap_or_else(|_| {
        let text = format!("no connection to {target} stood within the {within:?} that the rule gives it");
        Err(DialError { class: FailureClass::Timeout, text })
    })
}

fn h1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.preserve_header_case(true).max_buf_size(READ_BUFFER);
    builder
}

/// Whether an answer's end can be seen in one place only. Another coding than chunked would be lost on the way to the app.
fn is_plainly_framed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match codings.next() {
        None => true,
        Some(coding) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && codings.next().is_none()
                && !headers.contains_key(CONTENT_LENGTH)
        }
    }
}

fn ambiguous(target: &Target) -> DialError {
    DialError {
        class: FailureClass::ServerError,
        text: format!("{target} sent an answer whose end cannot be told for certain; it is not passed on"),
    }
}

fn broken(target: &Target, error: &hyper::Error) -> DialError {
    if error.is_user() {
        let text = "the request's body broke off, or its framing is wrong".to_owned();
        return DialError { class: FailureClass::InvalidRequest, text };
    }
    let text = if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        format!("{target} closed the connection before it answered")
    } else {
        format!("the exchange with {target} broke off ({})", innermost(error))
    };
    DialError { class: FailureClass::Connect, text }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Runs hyper's HTTP/2 tasks on the thread of their connection.
#[derive(Clone, Copy)]
pub(crate) struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// The client as the exchanges share it.
pub(crate) type SharedClient<B> = Rc<Client<B>>;
