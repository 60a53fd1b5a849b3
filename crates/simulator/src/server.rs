//! TLS in, one task per connection, HTTP/1.1 or HTTP/2 by ALPN.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::answer;
use crate::authority::Authority;
use crate::body::Broken;
use crate::google_tokens::Desk;
use crate::received::Log;
use crate::script::{Answer, Asked};
use crate::{Config, Script};

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) valid_keys: Vec<String>,
    pub(crate) aws_keys: Vec<(String, String)>,
    pub(crate) desk: Desk,
    /// With the calls seen per rule.
    script: Mutex<(Script, Vec<u64>)>,
    pub(crate) gateways: Vec<String>,
    pub(crate) log: Arc<Log>,
    pub(crate) gate: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(config: Config, log: Arc<Log>, gate: Arc<Semaphore>) -> Shared {
        Shared {
            valid_keys: config.valid_keys,
            aws_keys: config.aws_keys,
            desk: Desk::new(&config.service_accounts),
            script: Mutex::new((config.script, Vec::new())),
            gateways: config.gateways,
            log,
            gate,
        }
    }

    /// How the script answers a call.
    pub(crate) fn answer(&self, asked: &Asked<'_>) -> Answer {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let (script, seen) = &mut *script;
        script.answer(seen, asked)
    }

    /// Follows another script from now on.
    pub(crate) fn follow(&self, script: Script) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = (script, Vec::new());
    }
}

/// Serves until dropped.
pub(crate) async fn serve(listener: std::net::TcpListener, authority: &Authority, shared: Arc<Shared>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let acceptor = TlsAcceptor::from(authority.server());
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            // A client may end its connection as it likes, handshake included.
            let _ended = connection(acceptor, stream, shared).await;
        });
    }
}

async fn connection(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    shared: Arc<Shared>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let tls = acceptor.accept(stream).await?;
    let server_name = tls.get_ref().1.server_name().map(str::to_owned);
    let h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    let io = TokioIo::new(Counted { tls, log: Arc::clone(&shared.log) });
    let service = service_fn(move |request| {
        let (shared, server_name) = (Arc::clone(&shared), server_name.clone());
        async move {
            let response = answer::respond(shared, server_name, request).await;
            match response.extensions().get::<Broken>() {
                Some(broken) => Err(*broken),
                None => Ok(response),
            }
        }
    });
    if h2 {
        http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await?;
    } else {
        http1::Builder::new()
            .preserve_header_case(true)
            .serve_connection(io, service)
            .with_upgrades()
            .await?;
    }
    Ok(())
}

/// Counts what is read: a request that was not sent must not leave a byte here.
struct Counted {
    tls: TlsStream<TcpStream>,
    log: Arc<Log>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.tls).poll_read(cx, buf);
        self.log.count_bytes(buf.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}
