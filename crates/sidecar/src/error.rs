//! What can keep the sidecar from starting. What fails later belongs to one connection and is answered there.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the sidecar did not start. Each text names the place and the mend.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address is taken or not ours.
    #[error("cannot listen on {address} for {purpose}: {source}; choose another address with `{setting}`")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What listens there.
        purpose: &'static str,
        /// The setting that changes it.
        setting: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Extra certificate authorities cannot be used.
    #[error("cannot use {} as extra certificate authorities: {reason}; give PEM with at least one certificate", path.display())]
    ExtraCa {
        /// The file, or the setting.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The upstream proxy cannot be used.
    #[error("cannot use the upstream proxy `{proxy}`: {reason}; give it as http://[user:password@]host:port")]
    UpstreamProxy {
        /// The proxy without its credentials.
        proxy: String,
        /// Why.
        reason: &'static str,
    },
    /// A settings file or variable cannot be read.
    #[error("settings: {0}")]
    Settings(String),
    /// The pod's own certificate authority could not be made.
    #[error("cannot make the certificate authority: {0}")]
    Authority(String),
    /// The admin socket could not be opened.
    #[error("cannot open the admin socket {}: {reason}; choose another place with `admin_socket`", path.display())]
    Admin {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A thread or runtime could not be started.
    #[error("cannot start the traffic thread: {0}")]
    Runtime(#[source] std::io::Error),
}
