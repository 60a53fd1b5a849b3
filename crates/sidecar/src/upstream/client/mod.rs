//! Requests to providers over pooled, verified connections. Per request.
//!
//! A request is never sent twice: only one that hyper hands back unsent goes to another connection.

mod open;
mod own_h2;
mod upgrade;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use outrigger_providers::FailureClass;
use tokio::net::TcpStream;

use self::open::stands;
use crate::tls::accept::Protocol;
use crate::upstream::dial::Dialer;
use crate::upstream::pool::Pool;
use crate::upstream::tls::{Connector, Offer};
use crate::upstream::{DialError, Target};

pub(crate) use self::open::LocalExecutor;
pub(crate) use self::own_h2::OwnH2;
pub(crate) use self::upgrade::UpgradedUpstream;

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
    flushed: Rc<dyn Fn()>,
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
    /// `flushed` is called when requests have left, and now and then besides.
    pub(crate) fn new(dialer: Rc<Dialer>, connector: Rc<Connector>, flushed: Rc<dyn Fn()>) -> Client<B> {
        Client { dialer, connector, flushed, pool: Pool::new(), protocols: RefCell::default() }
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
            own.give_up();
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
                    let (sender, peer) = Box::pin(self.open_h1(target, way)).await?;
                    (sender, peer, true)
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

/// The client as the exchanges share it.
pub(crate) type SharedClient<B> = Rc<Client<B>>;
