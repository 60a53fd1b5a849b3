//! What a conversation is, whatever the wire format: what a request says and what an answer holds, content included. Read on
//! demand and never on the data path: everything here allocates.
//!
//! ```text
//! body of a request   Reader::request   Request   messages of parts, tools, what bounds the answer
//! body of an answer   Reader::answer    Answer    choices of parts, why each ended
//! events of a stream  StreamReader      Event     what opens, grows and closes; Fold makes an Answer of them
//! an answer back      AnswerWriter      Said      blocks one after another, as every format can say them
//! and back            RequestWriter     Request   once it is fitted to what the format can say
//! ```
//!
//! What has no word here is kept beside under its own name (`rest`), or whole ([`Body::Generic`]); nothing is dropped in silence.

mod answer;
mod answering;
mod bytes;
mod event;
mod fault;
mod fields;
mod part;
mod request;
mod turns;
mod writing;

use serde_json::Value;

pub use answer::{Answer, Choice, Stop, StopReason};
pub use answering::{AnswerWriter, Asked, Begun, Block, Finish, Said, StreamWriter};
pub(crate) use answering::{Counts, object, sse};
pub(crate) use bytes::Unframed;
pub use bytes::{Framed, Whole, answer_from, request_from};
pub use event::{Event, Fold, Piece};
pub use fault::Fault;
pub(crate) use fault::Within;
pub(crate) use fields::{Fields, one_or_more};
pub use part::{Arguments, Body, CacheHint, Call, Modality, Part, Role, Seal};
pub use request::{Effort, Format, Grammar, Message, Request, Sampling, Tool, ToolChoice, ToolKind};
pub(crate) use turns::{By, Turn, joined, turns};
pub(crate) use writing::{
    Fate, IdRule, Mark, NameRule, STEPS, Schemas, SomeTools, StrictTools, Thinking, fates,
};
pub use writing::{Form, Manner, RequestWriter};

/// Reads a wire format into the canonical form.
pub trait Reader: Sync {
    /// The body of a request.
    ///
    /// # Errors
    /// A member that the format knows holds what it cannot; the fault names it.
    fn request(&self, body: Value) -> Result<Request, Fault>;
    /// The body of an answer that was not streamed.
    ///
    /// # Errors
    /// As for a request.
    fn answer(&self, body: Value) -> Result<Answer, Fault>;
    /// For the events of one answer.
    fn stream(&self) -> Box<dyn StreamReader>;
}

/// Reads the events of one streamed answer.
pub trait StreamReader: Send {
    /// The next event: its name where it stands outside of its data, else empty. Says what it means, in order; an event that
    /// means nothing for the answer adds nothing.
    ///
    /// # Errors
    /// As for a request. What was said before stays true.
    fn event(&mut self, name: &str, data: Value, out: &mut Vec<Event>) -> Result<(), Fault>;
}
