//! One connection of the app: what it is, and its life. Per connection.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use outrigger_ledger::Mode;
use rustls::server::Accepted;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::downstream::classify::{Classifier, HTTPS, Interception, Reason, Seat, Verdict};
use crate::downstream::client_hello::{self, FirstBytes};
use crate::downstream::connect::{self, Destination};
use crate::downstream::http::{serve_h1, serve_h2};
use crate::downstream::learned::{Client, Refusal};
use crate::downstream::passthrough;
use crate::drain::Token;
use crate::exchange::request::Binding;
use crate::exchange::{Connection, Shared};
use crate::panics::PanicCount;
use crate::seen::Counters;
use crate::tls::accept::{Protocol, TlsAcceptor};
use crate::upstream::Target;
use crate::upstream::client::OwnH2;
use crate::upstream::dial::configure_app;

/// A client that is silent this long may be waiting for the server to speak first.
const CLIENT_SILENCE: Duration = Duration::from_millis(100);

/// A client that is gone so soon, without a word, looked at our certificate when the handshake was over, as GnuTLS does.
const LOOKED_AND_LEFT: Duration = Duration::from_secs(3);

/// What all connections of the traffic thread share.
pub(crate) struct Edge {
    pub(crate) shared: Rc<Shared>,
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) classifier: Classifier,
    pub(crate) counters: Arc<Counters>,
}

/// How a connection came here, and where it was going.
struct Arrival {
    mode: Mode,
    to: Destination,
}

/// A redirected connection, from its first byte to its last.
pub(crate) async fn serve_transparent(edge: Rc<Edge>, stream: TcpStream, to: SocketAddr, token: Token) {
    let _panics = begin(&edge, &stream);
    let arrival = Arrival { mode: Mode::Transparent, to: Destination::from(to) };
    note(inspect_and_serve(&edge, stream, arrival, Vec::new(), token).await);
}

/// A connection to the CONNECT proxy, from its first byte to its last.
pub(crate) async fn serve_connect(edge: Rc<Edge>, mut stream: TcpStream, token: Token) {
    let _panics = begin(&edge, &stream);
    let served = async {
        let mut buffer = Vec::new();
        let Some(to) = connect::read(&mut stream, &mut buffer).await? else { return Ok(()) };
        let client = &edge.shared.client;
        if to.port == HTTPS && (edge.classifier.service(&to.host).is_some() || to.address().is_some()) {
            if let Err(error) = client.may_reach(&to.host) {
                return connect::unreachable(&mut stream, &error).await;
            }
            connect::established(&mut stream).await?;
            let arrival = Arrival { mode: Mode::Connect, to };
            return inspect_and_serve(&edge, stream, arrival, buffer, token).await;
        }
        match client.dial_for_app(&to.host, to.port).await {
            Ok(server) => {
                connect::established(&mut stream).await?;
                let reason = if to.port == HTTPS { Reason::NotListed } else { Reason::OtherPort };
                pass(&edge, Passthrough { app: stream, server, first: buffer, reason }, &to).await
            }
            Err(error) => connect::unreachable(&mut stream, &error).await,
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
    configure_app(stream);
    PanicCount(Arc::clone(&edge.counters))
}

fn note(ended: io::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

impl Edge {
    /// Learns that a client does not accept our certificate, and says so once.
    fn refused(&self, client: &Client, refusal: Refusal, error: &dyn std::fmt::Display) {
        if !self.classifier.learned.refused(client, refusal) {
            return;
        }
        let further = if self.classifier.lets_go { "pass through unobserved" } else { "will fail too" };
        self.counters.not_trusted(&client.host);
        tracing::warn!(
            host = %client.host, client = client.shown(), %error,
            "a client refused the handshake; it may not trust Outrigger's certificate authority. Its further connections \
             {further}: give it the trust files, or list the host under passthrough_hosts"
        );
    }

    fn connection(&self, binding: Binding, mode: Mode, protocol: Protocol) -> Rc<Connection> {
        Rc::new(Connection {
            shared: Rc::clone(&self.shared),
            binding,
            mode,
            protocol,
            after: Rc::default(),
            tunnel: RefCell::default(),
            own_h2: OwnH2::default(),
        })
    }

    /// Whether a stack that is met for the first time shares no cipher or signature with us. Its handshake would only fail.
    fn cannot_answer(&self, interception: &Interception, hello: &[u8]) -> bool {
        let protocol = if interception.offers.h1 { Protocol::H1 } else { Protocol::H2 };
        self.classifier.learned.is_new(&interception.client) && !self.acceptor.can_answer(hello, protocol)
    }
}

/// What a connection turned out to be.
enum Inspected {
    /// The app left before a byte came.
    Gone,
    /// None of ours: the way is open.
    Passthrough(Passthrough),
    /// It is ours to serve.
    Terminated(Terminated),
}

struct Terminated {
    connection: Rc<Connection>,
    tls: Box<TlsStream<TcpStream>>,
    client: Client,
    _seat: Seat,
}

/// Both sides of a connection that passes through, and what came before the server's was there.
struct Passthrough {
    app: TcpStream,
    server: TcpStream,
    first: Vec<u8>,
    reason: Reason,
}

async fn inspect_and_serve(
    edge: &Rc<Edge>,
    stream: TcpStream,
    arrival: Arrival,
    buffer: Vec<u8>,
    token: Token,
) -> io::Result<()> {
    // Each phase is boxed, so that a connection that lives long does not carry the handshake's state with it.
    match Box::pin(inspect(edge, stream, &arrival, buffer)).await? {
        Inspected::Gone => Ok(()),
        Inspected::Passthrough(through) => Box::pin(pass(edge, through, &arrival.to)).await,
        Inspected::Terminated(terminated) => serve(edge, terminated, token).await,
    }
}

/// Serves a connection whose TLS is ours, and learns whether its client trusts us: one that does goes on to speak.
async fn serve(edge: &Rc<Edge>, terminated: Terminated, token: Token) -> io::Result<()> {
    let Terminated { connection, tls, client, _seat } = terminated;
    let spoke = Rc::new(Cell::new(false));
    let (heard, learning, speaker) = (Rc::clone(&spoke), Rc::clone(edge), client.clone());
    connection.after.at_first_bytes(move || {
        heard.set(true);
        learning.classifier.learned.trusts(&speaker);
    });
    let begun = Instant::now();
    let ended = match connection.protocol {
        Protocol::H1 => Box::pin(serve_h1(connection, tls, token)).await,
        Protocol::H2 => Box::pin(serve_h2(connection, tls, token)).await,
    };
    if !spoke.get() && begun.elapsed() < LOOKED_AND_LEFT {
        edge.refused(&client, Refusal::Unexplained, &"it left when the handshake was over");
    }
    ended
}

/// Decides by the first bytes. `first` may hold some already.
async fn inspect(
    edge: &Rc<Edge>,
    mut stream: TcpStream,
    arrival: &Arrival,
    mut first: Vec<u8>,
) -> io::Result<Inspected> {
    let mut server = None;
    // An address says nothing of what is spoken there; a listed name speaks TLS, where the client begins.
    if first.is_empty() && arrival.to.address().is_some() && is_silent(&stream).await? {
        let early = dial(edge, &stream, arrival).await?;
        let server_speaks = tokio::select! {
            spoken = has_spoken(&stream) => { spoken?; false }
            spoken = has_spoken(&early) => { spoken?; true }
        };
        if server_speaks {
            let reason = Reason::ServerFirst;
            return Ok(Inspected::Passthrough(Passthrough { app: stream, server: early, first, reason }));
        }
        server = Some(early);
    }
    let reason = match client_hello::read(&mut stream, &mut first).await? {
        // Redirected, it may wait for a greeting; the end is passed on like any byte.
        FirstBytes::Nothing if arrival.mode != Mode::Transparent => return Ok(Inspected::Gone),
        FirstBytes::Nothing => Reason::NotTls,
        FirstBytes::Other => Reason::NotTls,
        FirstBytes::Hello(hello) => match edge.classifier.judge(&hello, &arrival.to) {
            Verdict::Intercept(interception) if edge.cannot_answer(&interception, &first) => {
                Reason::OtherProtocol
            }
            Verdict::Intercept(interception) => {
                // What had been recorded lives on in the handshake.
                drop((server, first));
                return terminate(edge, stream, *hello, interception, arrival).await;
            }
            Verdict::Passthrough(reason) => reason,
        },
    };
    let server = match server {
        Some(server) => server,
        None => dial(edge, &stream, arrival).await?,
    };
    Ok(Inspected::Passthrough(Passthrough { app: stream, server, first, reason }))
}

async fn is_silent(stream: &TcpStream) -> io::Result<bool> {
    match tokio::time::timeout(CLIENT_SILENCE, has_spoken(stream)).await {
        Ok(spoken) => spoken.map(|()| false),
        Err(_) => Ok(true),
    }
}

/// Waits for a byte, which stays where it is, or the end. A fresh socket counts as readable before anything came.
async fn has_spoken(stream: &TcpStream) -> io::Result<()> {
    stream.peek(&mut [0]).await.map(drop)
}

async fn terminate(
    edge: &Rc<Edge>,
    stream: TcpStream,
    hello: Accepted,
    interception: Interception,
    arrival: &Arrival,
) -> io::Result<Inspected> {
    let Interception { service, offers, client, seat } = interception;
    let target = Target { host: Rc::from(client.host.as_str()), port: arrival.to.port };
    let original = arrival.to.address();
    let protocol = if offers.h2 {
        edge.shared.client.protocol(&target, original, offers.h1).await
    } else {
        Protocol::H1
    };
    if has_left(&stream).await {
        // Before it saw a certificate, so this says nothing of what it trusts.
        return Ok(Inspected::Gone);
    }
    let tls = match edge.acceptor.accept(hello, stream, protocol).await {
        Ok(tls) => tls,
        Err(error) => {
            if let Some(refusal) = refusal(&error) {
                edge.counters.not_trusted(&target.host);
                edge.shared.records.untrusted(service.id);
                edge.refused(&client, refusal, &error);
            }
            return Err(error);
        }
    };
    Counters::count(&edge.counters.intercepted);
    tracing::debug!(host = %target.host, protocol = protocol.version(), "a connection is read");
    let binding = Binding::Named { service, target, original };
    let connection = edge.connection(binding, arrival.mode, protocol);
    Ok(Inspected::Terminated(Terminated { connection, tls: Box::new(tls), client, _seat: seat }))
}

/// Whether the peer has closed, or reset, and left no byte behind.
async fn has_left(stream: &TcpStream) -> bool {
    let mut byte = [0];
    let mut byte = ReadBuf::new(&mut byte);
    std::future::poll_fn(|cx| {
        Poll::Ready(matches!(stream.poll_peek(cx, &mut byte), Poll::Ready(Ok(0) | Err(_))))
    })
    .await
}

/// What a failed handshake says of the client, if anything. Node and gRPC refuse a certificate by an end without a word.
fn refusal(error: &io::Error) -> Option<Refusal> {
    use rustls::AlertDescription as Alert;
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::UnknownCA,
        )) => Some(Refusal::Certificate),
        Some(_) => Some(Refusal::Unexplained),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Some(Refusal::Unexplained)
            }
            // Our own deadline, or the machine's trouble.
            _ => None,
        },
    }
}

async fn dial(edge: &Edge, app: &TcpStream, arrival: &Arrival) -> io::Result<TcpStream> {
    let client = &edge.shared.client;
    let dialled = match (arrival.mode, arrival.to.address()) {
        // Never by name: the name is the client's word, the address is where it was really going.
        (Mode::Transparent, Some(address)) => client.dial_address(address).await,
        _ => client.dial_for_app(&arrival.to.host, arrival.to.port).await,
    };
    dialled.map_err(|error| {
        reset(app);
        io::Error::other(error.text)
    })
}

async fn pass(edge: &Edge, through: Passthrough, to: &Destination) -> io::Result<()> {
    let Passthrough { mut app, mut server, first, reason } = through;
    edge.counters.passed_through(&to.host, reason);
    if reason == Reason::Budget {
        tracing::warn!(
            host = %to.host, reason = reason.as_str(),
            "as many connections are read as may be: this one passes through unobserved, and no rule holds for it; raise \
             max_intercepted (OUTRIGGER_MAX_INTERCEPTED)"
        );
    }
    tracing::debug!(host = %to.host, port = to.port, reason = reason.as_str(), "a connection passes through");
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
