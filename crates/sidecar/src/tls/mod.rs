//! The app's side of TLS: our own certificate authority, a leaf per name, and the rest of a handshake.

pub(crate) mod accept;
pub(crate) mod authority;
pub(crate) mod custody;
mod der;
pub(crate) mod leaf;
pub mod publish;
mod store;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The one cryptographic provider, for both sides.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
