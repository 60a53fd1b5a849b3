//! What a request body shows of the calls before it, and which prompt it was made with: hashes, no content. Read from the
//! members that the chat formats have in common. Per read of a request: one more walk over its bytes, no allocation, no
//! copy but of keys and ids.

mod kept;
mod members;
mod scan;

use twox_hash::XxHash3_64;

pub(crate) use scan::ThreadScan;

/// A conversation's history as a request repeats it. Hashes are XXH3 of the JSON's tokens: blanks between them and marks for
/// the provider's cache (`cache_control`), which move from turn to turn, have no part in them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thread {
    /// The system prompt and the tools. The same in every pod and version, so that versions of a prompt can be compared; `None`
    /// where the request has neither.
    pub prompt: Option<u64>,
    /// The whole history; `None` without messages, or where the body was not seen to its end.
    pub history: Option<u64>,
    /// How many messages it has.
    pub messages: u32,
    /// The histories that it begins with, the longest first, itself left out; the last [`KEPT`](Thread::KEPT) at most.
    pub earlier: Vec<u64>,
    /// The ids in it, as by [`id_hash`], the last first: those of tool calls, and whatever else is called `id`.
    pub ids: Vec<u64>,
}

impl Thread {
    /// How much of a history's end is kept. One step adds a message, its tool calls' results and perhaps a question; more than
    /// thirty are rare.
    pub const KEPT: usize = 32;
}

/// The hash of an id as requests repeat it and answers give it.
#[must_use]
pub fn id_hash(id: &[u8]) -> u64 {
    XxHash3_64::oneshot(id)
}

/// Where an answer gives the ids of its tool calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolCallMark {
    /// What stands before a tool call, quotes included.
    pub mark: &'static str,
    /// The member behind it that holds the id, quotes included; `None` where the mark is that member.
    pub key: Option<&'static str>,
}

#[cfg(test)]
mod tests;
