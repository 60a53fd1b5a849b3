//! What a wire format tells us of a WebSocket: one connection, many responses. Per message.

use crate::{Operation, Reading, RequestFacts};

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The app.
    Client,
    /// The provider.
    Server,
}

/// What a message means for the responses of its connection, each known by a number.
#[derive(Debug, Clone, PartialEq)]
pub enum SocketEvent {
    /// A response was asked for, by the app or by what the provider heard.
    Asked(u64),
    /// The provider has begun with it.
    Begun(u64),
    /// The first content of its answer was in this message.
    Content(u64),
    /// It is over.
    Ended(Box<Ended>),
}

/// A response that is over, or of which no more will be seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Its number.
    pub number: u64,
    /// What was asked for.
    pub operation: Operation,
    /// What the request said.
    pub facts: RequestFacts,
    /// What the answer said.
    pub reading: Reading,
}

/// Reads the messages of one WebSocket as they pass, cut anywhere. Never fails, bounded, allocation-free in the steady
/// state.
pub trait SocketMeter: Send {
    /// A message begins.
    fn begin(&mut self, from: Peer, text: bool);
    /// Its next bytes. False when the rest of it need not be shown.
    fn part(&mut self, from: Peer, bytes: &[u8]) -> bool;
    /// It is whole.
    fn end(&mut self, from: Peer, sink: &mut dyn FnMut(SocketEvent));
    /// No more messages come: whatever is still open ends here, as far as it was seen.
    fn finish(&mut self, sink: &mut dyn FnMut(SocketEvent));
}
