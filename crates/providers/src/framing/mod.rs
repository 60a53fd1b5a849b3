//! Framing that several wire formats share. Per frame: no allocation in the steady state, no lock, no log.

mod event_stream;
mod events;
mod json_scan;
mod json_values;
mod keep_alives;
mod lines;
mod sse;
mod websocket;

pub(crate) use event_stream::write_message;
pub use event_stream::{EventStreamMessage, EventStreamSplitter};
pub use events::{Event, Events};
pub use json_scan::{JsonScan, Path};
pub use json_values::JsonValues;
pub use keep_alives::KeepAlives;
pub use lines::LineSplitter;
pub use sse::SseSplitter;
pub use websocket::{Deflate, Extensions, FrameReader, Messages};
