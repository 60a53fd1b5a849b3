//! The app's side: listeners, what a connection is, and the bytes that pass through.

pub(crate) mod classify;
mod client_hello;
pub(crate) mod connect;
pub(crate) mod connection;
mod framing;
mod http;
pub(crate) mod learned;
pub(crate) mod listener;
pub(crate) mod passthrough;
mod preface;
pub(crate) mod transparent;
