//! Asks the running sidecar for its state.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::admin;
use crate::status::Status;

const PATIENCE: Duration = Duration::from_secs(5);
/// Far more than 4,096 clients take.
const LONGEST: usize = 4 * 1024 * 1024;

/// Why there is no state to examine.
#[derive(Debug)]
pub(super) enum Silence {
    /// Nobody listens there.
    Nobody(io::Error),
    /// We may not ask.
    Forbidden,
    /// It answered, but not as we know it.
    Unreadable(String),
}

pub(super) async fn status(socket: &Path) -> Result<Status, Silence> {
    let stream = UnixStream::connect(socket).await.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Silence::Forbidden,
        _ => Silence::Nobody(error),
    })?;
    tokio::time::timeout(PATIENCE, ask(stream))
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
        .map_err(Silence::Unreadable)
}

async fn ask(stream: UnixStream) -> Result<Status, String> {
    let fault = |error: hyper::Error| error.to_string();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(fault)?;
    let driver = tokio::spawn(connection);
    let request = Request::get(admin::STATUS)
        .header(http::header::HOST, "outrigger")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(fault)?;
    if !response.status().is_success() {
        return Err(format!("status {}", response.status().as_u16()));
    }
    let body =
        Limited::new(response.into_body(), LONGEST).collect().await.map_err(|error| error.to_string())?;
    driver.abort();
    serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())
}
