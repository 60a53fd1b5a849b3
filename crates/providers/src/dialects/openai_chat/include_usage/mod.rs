//! Makes a stream tell what it used although its app did not ask (wire formats, section 3.3): `stream_options.include_usage`
//! goes into the request, and what it adds to the answer comes out again. Every other byte stays as it was sent.

mod request;
mod strip;

pub use request::{Ask, Edit, ask, is_refusal};
pub use strip::UsageStrip;
