//! HTTP of the app over a connection that is read: served request by request, or turned into a tunnel. Per connection.

use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

use crate::downstream::framing::Framed;
use crate::downstream::preface::Prefaced;
use crate::drain::Token;
use crate::exchange::{self, Connection};
use crate::flush_noted::FlushNoted;
use crate::upstream::client::LocalExecutor;

/// Largest head or chunk read at once.
const READ_BUFFER: usize = 128 * 1024;
const H2_HEADER_LIST: u32 = 128 * 1024;
const H2_STREAMS: u32 = 256;
const H2_STREAM_WINDOW: u32 = 4 * 1024 * 1024;
const H2_CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// How long the drain leaves a connection that has asked nothing yet: its client is about to, and would see its first call fail.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// Returns when a connection shall take no more requests: the drain has begun, and its first one was `asked` or does not come.
async fn last_call(token: &mut Token, asked: &Notify) {
    token.draining().await;
    let _none = tokio::time::timeout(FIRST_REQUEST, asked.notified()).await;
}

/// Serves HTTP/1.1.
pub(crate) async fn serve_h1<I>(connection: Rc<Connection>, io: I, mut token: Token) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let answered = Rc::clone(&connection);
    let io = Framed::new(io, move || answered.tunnel.borrow().is_some());
    let io = TokioIo::new(FlushNoted::new(io, Rc::clone(&connection.after)));
    let serving = Rc::clone(&connection);
    let asked = Rc::new(Notify::new());
    let heard = Rc::clone(&asked);
    let mut http = http1::Builder::new()
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_buf_size(READ_BUFFER)
        // Boxed because the connection must stay movable to be taken apart for a tunnel.
        .serve_connection(
            io,
            service_fn(move |request| {
                heard.notify_one();
                Box::pin(exchange::serve(Rc::clone(&serving), request))
            }),
        );
    let ended = tokio::select! {
        ended = std::future::poll_fn(|cx| http.poll_without_shutdown(cx)) => ended,
        () = last_call(&mut token, &asked) => {
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
pub(crate) async fn serve_h2<I>(connection: Rc<Connection>, io: I, token: Token) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let io = FlushNoted::new(io, Rc::clone(&connection.after));
    let serving = connection;
    speak_h2(io, service_fn(move |request| exchange::serve(Rc::clone(&serving), request)), token).await
}

async fn speak_h2<I, S, B>(io: I, service: S, mut token: Token) -> io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    LocalExecutor: Http2ServerConnExec<S::Future, B>,
{
    let asked = Rc::new(Notify::new());
    let heard = Rc::clone(&asked);
    let service = service_fn(move |request| {
        heard.notify_one();
        service.call(request)
    });
    let http = http2::Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_header_list_size(H2_HEADER_LIST)
        .max_concurrent_streams(H2_STREAMS)
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .serve_connection(TokioIo::new(Prefaced::new(io)), service);
    tokio::pin!(http);
    let ended = tokio::select! {
        ended = http.as_mut() => ended,
        () = last_call(&mut token, &asked) => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    ended.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http_body_util::Empty;
    use tokio::io::DuplexStream;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::downstream::preface::PATIENCE;
    use crate::drain;

    /// And an empty SETTINGS frame.
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

    /// An app's side of a connection whose requests have empty answers, and what serves it.
    fn served() -> (DuplexStream, drain::Drain, JoinHandle<io::Result<()>>) {
        let (app, side) = tokio::io::duplex(1024);
        let (drain, token) = drain::new();
        let service = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) });
        (app, drain, tokio::task::spawn_local(speak_h2(side, service, token)))
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn who_does_not_begin_is_given_up_and_who_has_begun_may_be_idle() {
        for (said, is_given_up) in [(&b""[..], true), (&PREFACE[..23], true), (PREFACE, false)] {
            let (mut app, _drain, served) = served();
            app.write_all(said).await.unwrap();
            tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
            assert!(!served.is_finished());
            tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
            assert_eq!(served.is_finished(), is_given_up, "{} bytes", said.len());
            if is_given_up {
                assert!(served.await.unwrap().is_err());
            }
        }
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn a_client_that_the_drain_meets_before_its_first_request_has_its_answer() {
        let (app, drain, served) = served();
        let drained = tokio::task::spawn_local(drain.finish(Duration::from_secs(30)));
        tokio::time::sleep(FIRST_REQUEST / 2).await;
        let io = TokioIo::new(app);
        let (mut client, speaking) = hyper::client::conn::http2::handshake(LocalExecutor, io).await.unwrap();
        tokio::task::spawn_local(speaking);
        let answer = client.send_request(Request::new(Empty::<Bytes>::new())).await.unwrap();
        assert_eq!(answer.status(), 200);
        // Who of the two hangs up first says nothing.
        let _ended = served.await.unwrap();
        assert!(drained.await.unwrap());
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn a_client_that_asks_nothing_holds_the_drain_up_no_longer_than_its_patience() {
        let (app, drain, served) = served();
        let io = TokioIo::new(app);
        let (_client, speaking) =
            hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(LocalExecutor, io).await.unwrap();
        tokio::task::spawn_local(speaking);
        let begun = tokio::time::Instant::now();
        assert!(drain.finish(Duration::from_secs(30)).await);
        let _ended = served.await.unwrap();
        assert!(begun.elapsed() <= FIRST_REQUEST + Duration::from_millis(1), "{:?}", begun.elapsed());
    }
}
