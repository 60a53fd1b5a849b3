//! Verified connections to providers, and HTTP on them. Per connection.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use outrigger_providers::FailureClass;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use super::own_h2::Held;
use super::{Client, RequestBody, Towards, broken};
use crate::flush_noted::FlushNoted;
use crate::tls::accept::Protocol;
use crate::upstream::tls::Offer;
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
pub(super) type Tls = Box<TlsStream<TcpStream>>;
type TlsIo = TokioIo<FlushNoted<Tls, dyn Fn()>>;

impl<B: RequestBody> Client<B> {
    pub(super) async fn open_h1(
        &self,
        target: &Target,
        way: Towards<'_>,
    ) -> Result<(http1::SendRequest<B>, Option<SocketAddr>), DialError> {
        let (tls, peer, _) = stands(way, target, self.open(target, way.original, Offer::H1)).await?;
        let sender = self.start_h1(tls).await.map_err(|error| broken(target, &error))?;
        Ok((sender, peer))
    }

    pub(super) async fn open_h2(
        &self,
        target: &Target,
        original: Option<SocketAddr>,
    ) -> Result<Held<B>, DialError> {
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

    /// A verified connection. Where the app itself was going comes first: private endpoints and pinned routes live there.
    /// An address that does not prove to be the host is left for what the name leads to.
    pub(super) async fn open(
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

    pub(super) async fn start_h1(&self, tls: Tls) -> hyper::Result<http1::SendRequest<B>> {
        let io = TokioIo::new(FlushNoted::new(tls, Rc::clone(&self.flushed)));
        let (sender, connection) = h1_builder().handshake::<TlsIo, B>(io).await?;
        tokio::task::spawn_local(async move {
            // Its error also reaches the exchange that is on it; an idle connection may end as it likes.
            let _ended = connection.await;
        });
        Ok(sender)
    }

    pub(super) async fn start_h2(&self, tls: Tls) -> hyper::Result<http2::SendRequest<B>> {
        let mut builder = http2::Builder::new(LocalExecutor);
        builder
            .timer(TokioTimer::new())
            .max_header_list_size(H2_HEADER_LIST)
            .initial_stream_window_size(H2_STREAM_WINDOW)
            .initial_connection_window_size(H2_CONNECTION_WINDOW)
            .keep_alive_interval(H2_PING)
            .keep_alive_timeout(H2_PING);
        let io = TokioIo::new(FlushNoted::new(tls, Rc::clone(&self.flushed)));
        let (sender, connection) = builder.handshake::<TlsIo, B>(io).await?;
        tokio::task::spawn_local(async move {
            let _ended = connection.await;
        });
        Ok(sender)
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
pub(super) async fn stands<T>(
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

pub(super) fn h1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.preserve_header_case(true).max_buf_size(READ_BUFFER);
    builder
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
