//! The admin socket, a Unix socket that the sidecar's own user alone may open: `GET /status` tells the state, `GET /calls` each call as
//! it ends, one JSON object a line, until the reader leaves (`?failed`: those that failed; `?call=ID`: those whose id begins so). Read-only.
//! Served on the control thread, never on the traffic thread.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http_body::Frame;
use outrigger_ledger::{CallRecord, Outcome, call_json};
use tokio::sync::mpsc;

use crate::StartError;
use crate::control::{control_span, failed};
use crate::feed::{Feed, Reader, Told};
use crate::status::Observer;

/// Where the state is asked for.
pub(crate) const STATUS: &str = "/status";
/// Where calls are watched.
pub(crate) const CALLS: &str = "/calls";

/// An open admin socket; its file goes when it is dropped.
pub struct Admin {
    listener: UnixListener,
    path: PathBuf,
}

impl Admin {
    /// Opens the socket, mode 0600. One that a killed sidecar left behind is replaced.
    ///
    /// # Errors
    /// [`StartError::Admin`]: the directory cannot be written, or somebody listens there already.
    pub fn open(path: &Path) -> Result<Admin, StartError> {
        let fault = |reason: String| StartError::Admin { path: path.to_owned(), reason };
        match std::fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(fault("something that is no socket lies there".to_owned()));
            }
            Ok(_) if UnixStream::connect(path).is_ok() => {
                return Err(fault("another sidecar listens there".to_owned()));
            }
            _ => {}
        }
        let listener = listen(path).map_err(|error| fault(error.to_string()))?;
        Ok(Admin { listener, path: path.to_owned() })
    }

    /// Answers until it is dropped.
    ///
    /// # Errors
    /// The system's, when the socket cannot be served.
    pub async fn serve(self, observer: Arc<Observer>, feed: Feed) -> io::Result<()> {
        let calls = Router::new().route(CALLS, get(calls)).with_state(feed);
        let router = Router::new().route(STATUS, get(status)).with_state(observer).merge(calls);
        let listener = tokio::net::UnixListener::from_std(self.listener.try_clone()?)?;
        axum::serve(listener, router).await
    }
}

/// Under its own name only once nobody else may open it.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let fresh = path.with_extension("new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&fresh)?;
    listener.set_nonblocking(true)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&fresh, path)?;
    Ok(listener)
}

impl Drop for Admin {
    fn drop(&mut self) {
        // Gone already where somebody cleaned up.
        let _gone = std::fs::remove_file(&self.path);
    }
}

async fn status(State(observer): State<Arc<Observer>>) -> Response {
    let span = control_span!("admin", path = STATUS);
    match span.in_scope(|| serde_json::to_vec(&observer.status())) {
        Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            failed(&span, &error.to_string());
            tracing::error!(%error, "the state cannot be told");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn calls(State(feed): State<Feed>, uri: Uri) -> Response {
    let wanted = match Wanted::of(uri.query().unwrap_or_default()) {
        Ok(wanted) => wanted,
        Err(text) => return (StatusCode::BAD_REQUEST, text).into_response(),
    };
    // One line waits for the reader; what it is too slow for is counted where all calls are.
    let (lines, body) = mpsc::channel(1);
    tokio::spawn(tell(feed.read(), wanted, lines));
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::new(Lines(body))).into_response()
}

/// Which calls are to be told.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    failed: bool,
    /// What their id begins with, lower case.
    id: String,
}

impl Wanted {
    fn of(query: &str) -> Result<Wanted, String> {
        let mut wanted = Wanted { failed: false, id: String::new() };
        for part in query.split('&').filter(|part| !part.is_empty()) {
            match part.split_once('=').unwrap_or((part, "")) {
                ("failed", "") => wanted.failed = true,
                ("call", id) => wanted.id = id.to_ascii_lowercase(),
                (name, _) => {
                    return Err(format!("`{name}` is not known: there are `failed` and `call=ID`\n"));
                }
            }
        }
        Ok(wanted)
    }

    fn has(&self, record: &CallRecord) -> bool {
        (!self.failed || record.outcome == Outcome::Failed) && record.id.to_string().starts_with(&self.id)
    }
}

/// Tells calls until the reader has left.
async fn tell(mut reader: Reader, wanted: Wanted, lines: mpsc::Sender<Bytes>) {
    loop {
        let told = tokio::select! {
            told = reader.next() => told,
            () = lines.closed() => return,
        };
        let line = match told {
            Some(Told::Call(record)) if wanted.has(&record) => call_json(&record),
            Some(Told::Call(_)) => continue,
            Some(Told::Missed(calls)) => serde_json::json!({ MISSED: calls }),
            None => return,
        };
        if lines.send(format!("{line}\n").into()).await.is_err() {
            return;
        }
    }
}

/// The one member of a line that says how many calls the reader was too slow for.
pub(crate) const MISSED: &str = "missed";

/// The body of an answer that goes on.
struct Lines(mpsc::Receiver<Bytes>);

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        // A listener that goes leaves its file.
        drop(UnixListener::bind(&path).unwrap());
        let admin = Admin::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = Admin::open(&path).err().unwrap().to_string();
        assert!(error.contains("another sidecar") && error.contains("admin_socket"), "{error}");
        UnixStream::connect(&path).unwrap();
        drop(admin);
        assert!(!path.exists());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_understood_is_not_left_out() {
        let wanted = |failed, id: &str| Ok(Wanted { failed, id: id.to_owned() });
        assert_eq!(Wanted::of(""), wanted(false, ""));
        assert_eq!(Wanted::of("failed&call=0AF1"), wanted(true, "0af1"));
        assert!(Wanted::of("since=5m").is_err());
    }

    #[test]
    fn a_file_in_its_place_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        std::fs::write(&path, "precious").unwrap();
        assert!(Admin::open(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}
