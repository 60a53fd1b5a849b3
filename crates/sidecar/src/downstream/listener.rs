//! Accepts connections until the drain begins. Per connection.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::drain::Token;

/// When the system cannot accept (no descriptors left), trying again at once would only burn its time.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Hands every connection to `serve`, each in a task of its own: a fault ends that one connection.
pub(crate) async fn accept<F>(listener: TcpListener, mut token: Token, serve: impl Fn(TcpStream, Token) -> F)
where
    F: Future<Output = ()> + 'static,
{
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::task::spawn_local(serve(stream, token.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BACK_OFF).await;
                }
            },
            // Dropping the listener refuses new connections.
            () = token.draining() => return,
        }
    }
}
