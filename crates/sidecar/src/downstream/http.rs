//! HTTP of the app over a connection that is read: served request by request, or turned into a tunnel. Per connection.

use std::io;
use std::rc::Rc;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::downstream::framing::Framed;
use crate::drain::Token;
use crate::exchange::after_flush::FlushNoted;
use crate::exchange::{self, Connection};
use crate::upstream::client::LocalExecutor;

/// Largest head or chunk read at once.
const READ_BUFFER: usize = 128 * 1024;
const H2_HEADER_LIST: u32 = 128 * 1024;
const H2_STREAMS: u32 = 256;
const H2_STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const H2_CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// Serves HTTP/1.1.
pub(crate) async fn serve_h1<I>(connection: Rc<Connection>, io: I, mut token: Token) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let answered = Rc::clone(&connection);
    let io = Framed::new(io, move || answered.tunnel.borrow().is_some());
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
    let mut io = parts.io.into_inner().into_inner().into_inner();
    let tunnel = connection.tunnel.take();
    match tunnel {
        Some(tunnel) => Box::pin(tunnel.run(io, parts.read_buf)).await,
        None => io.shutdown().await,
    }
}

/// Serves HTTP/2.
pub(crate) async fn serve_h2<I>(connection: Rc<Connection>, io: I, mut token: Token) -> io::Result<()>
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
