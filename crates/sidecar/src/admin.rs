//! The admin socket: `GET /status` on a Unix socket that the sidecar's own user alone may open. Read-only.
//! Served on the control thread, never on the traffic thread.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::StartError;
use crate::control::{control_span, failed};
use crate::status::Observer;

/// Where the state is asked for.
pub(crate) const STATUS: &str = "/status";

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
    pub async fn serve(self, observer: Arc<Observer>) -> io::Result<()> {
        let router = Router::new().route(STATUS, get(status)).with_state(observer);
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
    fn a_file_in_its_place_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        std::fs::write(&path, "precious").unwrap();
        assert!(Admin::open(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}
