//! The integration tests of this crate, in one program: it is linked once.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test they serve")]

mod api_server;
mod certificates;
mod documented;
mod goldens;
mod process;
mod properties;
mod support;
mod webhook;
