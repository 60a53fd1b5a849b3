//! What each LLM API looks like on the wire: dialects (wire formats) and services (providers). No I/O.

pub mod account;
pub mod canonical;
mod dialect;
pub mod dialects;
mod endpoint;
mod failure;
mod first_content;
pub mod framing;
mod key_shapes;
mod media;
mod members;
mod named_model;
mod names;
mod reading;
mod scrub;
mod service;
pub mod services;
mod socket;
mod text;
mod thread;
pub mod translate;

pub use dialect::{Dialect, Operation, RequestFacts, RequestReader, ResponseMeter};
pub use dialects::openai_chat::include_usage;
pub use endpoint::{Endpoint, Wanted, with_model};
pub use failure::{Failure, FailureClass, OwnError};
pub use first_content::{FirstContent, Progress};
pub use key_shapes::{KEY_SHAPES, KeyShape, REDACTED_KEY, without_keys};
pub use media::is_encoded;
pub use named_model::named_model;
pub use names::{Name, Names, Who};
pub use reading::{Reading, StreamEnd};
pub use service::{Addressed, Credential, Recognised, Service, StreamedUsage};
pub use socket::{Ended, Peer, SocketEvent, SocketMeter};
pub use text::{AnswerTexts, TextScan};
pub use thread::{Thread, ToolCallMark, id_hash};
