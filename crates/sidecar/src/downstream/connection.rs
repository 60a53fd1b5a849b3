//! One connection of the app: what it is, and its life. Per connection.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use outrigger_ledger::Mode;
use outrigger_providers::{Service, services};
use rustls::server::Accepted;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::downstream::client_hello::{self, FirstBytes};
use crate::downstream::connect::{self, Destination};
use crate::downstream::passthrough;
use crate::drain::Token;
use crate::exchange::after_flush::FlushNoted;
use crate::exchange::request::Binding;
use crate::exchange::{self, Connection, Shared};
use crate::panics::PanicCount;
use crate::seen::Counters;
use crate::tls::accept::{Protocol, TlsAcceptor};
use crate::upstream::Target;
use crate::upstream::client::{LocalExecutor, UpgradedUpstream};
use crate::upstream::dial::configure;

/// Only here is TLS terminated; listed names on other ports are somebody's own arrangement.
const HTTPS: u16 = 443;
/// A client that is silent this long may be waiting for the server to speak first.
const CLIENT_SILENCE: Duration = Duration::from_millis(100);

/// Largest head or chunk read at once.
const READ_BUFFER: usize = 128 * 1024;
const H2_HEADER_LIST: u32 = 128 * 1024;
const H2_STREAMS: u32 = 256;
const H2_STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const H2_CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// What all connections of the traffic thread share.
pub(crate) struct Edge {
    pub(crate) shared: Rc<Shared>,
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) counters: Arc<Counters>,
}

/// A connection to the CONNECT proxy, from its first byte to its last.
pub(crate) async fn serve_connect(edge: Rc<Edge>, mut stream: TcpStream, token: Token) {
    let _panics = begin(&edge, &stream);
    let served = async {
        let mut buffer = Vec::new();
        let Some(to) = connect::read(&mut stream, &mut buffer).await? else { return Ok(()) };
        let listed = services::by_host(&to.host).is_some();
        let address = to.host.parse::<std::net::IpAddr>().is_ok();
        if to.port == HTTPS && (listed || address) {
            connect::established(&mut stream).await?;
            // Each phase is boxed, so that a connection that lives long does not carry the handshake's state with it.
            match Box::pin(inspect(&edge, stream, to, buffer)).await? {
                Inspected::Passed => Ok(()),
                Inspected::Terminated(connection, tls) => match connection.protocol {
                    Protocol::H1 => Box::pin(serve_h1(connection, tls, token)).await,
                    Protocol::H2 => Box::pin(serve_h2(connection, tls, token)).await,
                },
            }
        } else {
            match edge.shared.client.dial(&to.host, to.port).await {
                Ok(server) => {
                    connect::established(&mut stream).await?;
                    pass(&edge, stream, server, &to, &buffer).await
                }
                Err(error) => connect::unreachable(&mut stream, &error.text).await,
            }
        }
    };
    note(served.await);
}

/// A connection to the base-URL listener.
pub(crate) async fn serve_base_url(edge: Rc<Edge>, stream: TcpStream, port: u16, token: Token) {
    let _panics = begin(&edge, &stream);
    Counters::count(&edge.counters.intercepted);
    tracing::debug!("a connection to the base-URL listener is read");
    let connection = edge.connection(Binding::BaseUrl { port }, Mode::BaseUrl, Protocol::H1);
    note(Box::pin(serve_h1(connection, stream, token)).await);
}

fn begin(edge: &Edge, stream: &TcpStream) -> PanicCount {
    Counters::count(&edge.counters.connections);
    configure(stream);
    PanicCount(Arc::clone(&edge.counters))
}

fn note(ended: io::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

impl Edge {
    fn connection(&self, binding: Binding, mode: Mode, protocol: Protocol) -> Rc<Connection> {
        Rc::new(Connection {
            shared: Rc::clone(&self.shared),
            binding,
            mode,
            protocol,
            after: Rc::default(),
            tunnel: RefCell::default(),
        })
    }
}

/// What became of a connection that was looked into.
enum Inspected {
    /// It passed through, or ended.
    Passed,
    /// It is ours to serve.
    Terminated(Rc<Connection>, Box<TlsStream<TcpStream>>),
}

/// Decides by the first bytes. `buffer` may hold some already.
async fn inspect(
    edge: &Rc<Edge>,
    mut stream: TcpStream,
    to: Destination,
    mut buffer: Vec<u8>,
) -> io::Result<Inspected> {
    let mut server = None;
    // An address says nothing of what is spoken there; a listed name speaks TLS, where the client begins.
    if buffer.is_empty() && services::by_host(&to.host).is_none() && is_silent(&stream).await? {
        let early = dial(edge, &stream, &to).await?;
        let server_speaks = tokio::select! {
            ready = stream.readable() => { ready?; false }
            ready = early.readable() => { ready?; true }
        };
        if server_speaks {
            return pass(edge, stream, early, &to, &buffer).await.map(|()| Inspected::Passed);
        }
        server = Some(early);
    }
    let hello = match client_hello::read(&mut stream, &mut buffer).await? {
        FirstBytes::Nothing => return Ok(Inspected::Passed),
        FirstBytes::Hello(hello) => listed(&hello, &to).map(|known| (hello, known)),
        FirstBytes::Other => None,
    };
    match hello {
        Some((hello, (service, name, offers))) => {
            // What had been recorded lives on in the handshake.
            drop((server, buffer));
            let target = Target { host: Rc::from(name), port: to.port };
            terminate(edge, stream, *hello, service, target, offers).await
        }
        None => pass_to(edge, stream, server, &to, &buffer).await.map(|()| Inspected::Passed),
    }
}

async fn is_silent(stream: &TcpStream) -> io::Result<bool> {
    match tokio::time::timeout(CLIENT_SILENCE, stream.readable()).await {
        Ok(ready) => ready.map(|()| false),
        Err(_) => Ok(true),
    }
}

/// The protocols that a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offers {
    h1: bool,
    h2: bool,
}

/// Whether a hello is for a listed host that we can serve; any doubt is a no.
fn listed(hello: &Accepted, to: &Destination) -> Option<(&'static Service, String, Offers)> {
    let hello = hello.client_hello();
    let name = hello.server_name()?.trim_end_matches('.').to_ascii_lowercase();
    let service = services::by_host(&name)?;
    let same = name == to.host || to.host.parse::<std::net::IpAddr>().is_ok();
    let offers = match hello.alpn() {
        None => Offers { h1: true, h2: false },
        Some(names) => names.fold(Offers { h1: false, h2: false }, |offers, name| Offers {
            h1: offers.h1 || name == Protocol::H1_NAME,
            h2: offers.h2 || name == Protocol::H2_NAME,
        }),
    };
    (same && (offers.h1 || offers.h2)).then_some((service, name, offers))
}

async fn terminate(
    edge: &Rc<Edge>,
    stream: TcpStream,
    hello: Accepted,
    service: &'static Service,
    target: Target,
    offers: Offers,
) -> io::Result<Inspected> {
    let protocol =
        if offers.h2 { edge.shared.client.protocol(&target, offers.h1).await } else { Protocol::H1 };
    let tls = match edge.acceptor.accept(hello, stream, protocol).await {
        Ok(tls) => tls,
        Err(error) => {
            if distrusts(&error) {
                tracing::warn!(host = %target.host, %error, "a client refused the handshake; it may not trust Outrigger's certificate authority");
                edge.counters.not_trusted(&target.host);
            }
            return Err(error);
        }
    };
    Counters::count(&edge.counters.intercepted);
    tracing::debug!(host = %target.host, protocol = protocol.version(), "a connection is read");
    let connection = edge.connection(Binding::Named { service, target }, Mode::Connect, protocol);
    Ok(Inspected::Terminated(connection, Box::new(tls)))
}

/// Whether a handshake ended as one does where our certificate is not accepted: by an alert, or, as Node and gRPC do it,
/// by an end without a word.
fn distrusts(error: &io::Error) -> bool {
    let alert = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(alert, Some(rustls::Error::AlertReceived(_))) || error.kind() == io::ErrorKind::UnexpectedEof
}

async fn serve_h1<I>(connection: Rc<Connection>, io: I, mut token: Token) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let io = TokioIo::new(FlushNoted::new(io, Rc::clone(&connection.after)));
    let serving = Rc::clone(&connection);
    let mut http = http1::Builder::new()
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_buf_size(READ_BUFFER)
        // Boxed because the connection must stay movable to be taken apart for a tunnel.
        .serve_connection(
            io,
            service_fn(move |request| Box::pin(exchange::serve(Rc::clone(&serving), request))),
        );
    let ended = tokio::select! {
        ended = std::future::poll_fn(|cx| http.poll_without_shutdown(cx)) => ended,
        () = token.draining() => {
            std::pin::Pin::new(&mut http).graceful_shutdown();
            std::future::poll_fn(|cx| http.poll_without_shutdown(cx)).await
        }
    };
    ended.map_err(io::Error::other)?;
    let parts = http.into_parts();
    let mut io = parts.io.into_inner().into_inner();
    let tunnel = connection.tunnel.take();
    match tunnel {
        Some(upstream) => tunnel_through(io, &parts.read_buf, upstream).await,
        None => io.shutdown().await,
    }
}

async fn serve_h2<I>(connection: Rc<Connection>, io: I, mut token: Token) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let io = TokioIo::new(FlushNoted::new(io, Rc::clone(&connection.after)));
    let serving = connection;
    let http = http2::Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_header_list_size(H2_HEADER_LIST)
        .max_concurrent_streams(H2_STREAMS)
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .serve_connection(io, service_fn(move |request| exchange::serve(Rc::clone(&serving), request)));
    tokio::pin!(http);
    let ended = tokio::select! {
        ended = http.as_mut() => ended,
        () = token.draining() => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    ended.map_err(io::Error::other)
}

async fn tunnel_through<I>(mut app: I, early: &[u8], upstream: UpgradedUpstream) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let Some((mut server, answered)) = upstream.raw().await else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    server.write_all(early).await?;
    app.write_all(&answered).await?;
    tokio::io::copy_bidirectional(&mut app, &mut server).await.map(drop)
}

async fn dial(edge: &Edge, app: &TcpStream, to: &Destination) -> io::Result<TcpStream> {
    edge.shared.client.dial(&to.host, to.port).await.map_err(|error| {
        reset(app);
        io::Error::other(error.text)
    })
}

async fn pass_to(
    edge: &Edge,
    app: TcpStream,
    server: Option<TcpStream>,
    to: &Destination,
    first: &[u8],
) -> io::Result<()> {
    let server = match server {
        Some(server) => server,
        None => dial(edge, &app, to).await?,
    };
    pass(edge, app, server, to, first).await
}

async fn pass(
    edge: &Edge,
    mut app: TcpStream,
    mut server: TcpStream,
    to: &Destination,
    first: &[u8],
) -> io::Result<()> {
    edge.counters.passed_through(&to.host);
    tracing::debug!(host = %to.host, port = to.port, "a connection passes through");
    let ended = passthrough::splice(&mut app, &mut server, first).await;
    if ended.is_err() {
        reset(&app);
        reset(&server);
    }
    ended
}

/// What broke off must not look complete: closing now sends a reset.
fn reset(stream: &TcpStream) {
    // Where that is refused the peer sees a plain end, as it would from any closed process.
    let _refused = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
