//! A provider that records every byte and understands only what a strict reader understands.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use outrigger_tests::app::{NAME, Pod};
use outrigger_tests::netns::{Network, PROVIDER};
pub(super) use outrigger_tests::tls::Accepted;
use outrigger_tests::tls::TlsServer;

use super::strict::{self, Request, Rest};

/// Everything that came.
#[derive(Default)]
struct Log {
    requests: Vec<Request>,
    wrong: Vec<Vec<u8>>,
}

/// The recording provider.
pub(super) struct Upstream {
    log: Arc<Mutex<Log>>,
}

impl Upstream {
    /// Requests that came whole.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).requests.clone()
    }

    /// Connections on which something came that is no request.
    pub(super) fn wrong(&self) -> Vec<Vec<u8>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).wrong.clone()
    }
}

/// What a provider does once a request is there: it says something, or ends the connection.
pub(super) type Answerer = fn(&Request, &mut Accepted) -> std::io::Result<()>;

/// Says that all is well, and what was asked for.
pub(super) fn agree(request: &Request, app: &mut Accepted) -> std::io::Result<()> {
    let body = if request.method == "HEAD" { "" } else { request.target.as_str() };
    write!(app, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", request.target.len())
}

/// A pod in front of such a provider.
pub(super) fn pod(answer: Answerer) -> (Pod, Upstream) {
    let network = Network::new(&[]);
    let server = listen(&network, &[]);
    let ca = server.ca_pem().to_owned();
    let log = Arc::<Mutex<Log>>::default();
    let kept = Arc::clone(&log);
    std::thread::spawn(move || {
        loop {
            let (app, log) = (server.accept(), Arc::clone(&kept));
            // The sidecar may leave as it likes.
            std::thread::spawn(move || drop(serve(app, answer, &log)));
        }
    });
    (Pod::start(network, None, &ca, |sidecar| sidecar), Upstream { log })
}

/// A TLS server in the provider's place.
pub(super) fn listen(network: &Network, protocols: &[&[u8]]) -> TlsServer {
    let address = SocketAddr::new(PROVIDER[0], 443);
    let listener = network.beyond.enter(|| TcpListener::bind(address).expect("a free port"));
    TlsServer::on(listener, NAME, protocols)
}

fn serve(mut app: Accepted, answer: Answerer, log: &Mutex<Log>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let (found, rest) = strict::requests(&bytes);
        let end = found.last().map_or(0, |(_, end)| *end);
        for (request, _) in found {
            log.lock().unwrap_or_else(PoisonError::into_inner).requests.push(request.clone());
            answer(&request, &mut app)?;
        }
        if rest == Rest::Wrong {
            log.lock().unwrap_or_else(PoisonError::into_inner).wrong.push(bytes);
            return Ok(());
        }
        bytes.drain(..end);
        match app.read(&mut buffer)? {
            0 => return Ok(()),
            read => bytes.extend(&buffer[..read]),
        }
    }
}
