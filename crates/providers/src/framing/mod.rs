//! Framing that several wire formats share. Per frame: no allocation in the steady state, no lock, no log.

mod json_scan;
mod sse;

pub use json_scan::{JsonScan, Path};
pub use sse::{SseEvent, SseSplitter};
