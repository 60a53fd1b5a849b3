//! The app's side: listeners, what a connection is, and the bytes that pass through.

pub(crate) mod client_hello;
pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod listener;
pub(crate) mod passthrough;
