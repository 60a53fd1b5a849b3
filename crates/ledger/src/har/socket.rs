//! The messages of a recorded WebSocket, framed anew and shown to the same reader as live ones.

use outrigger_providers::Peer;

use super::document::Message;
use crate::{CallRecord, End, Socket, Timestamp};

/// The records of its responses, in the order in which they ended.
pub(super) fn replay(mut socket: Socket, messages: &[Message], begun: Timestamp) -> Vec<CallRecord> {
    let mut records = Vec::new();
    let mut at = begun;
    for message in messages {
        if let Some(seconds) = message.time.filter(|seconds| *seconds > 0.0) {
            at = Timestamp((seconds * 1e9) as u64).max(at);
        }
        let from = if message.way == "send" { Peer::Client } else { Peer::Server };
        let frame = frame(from, message.opcode.unwrap_or(1), &message.payload());
        socket.bytes(from, &frame, at, &mut |record| records.push(record));
    }
    // The recording ends; how the socket did is not known.
    socket.finish(&End::Abandoned, at, &mut |record| records.push(record));
    records
}

/// One whole message. A client's is masked with zeros, so that it reads as it is.
fn frame(from: Peer, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mask = if from == Peer::Client { 0x80 } else { 0 };
    let mut frame = vec![0x80 | (opcode & 0x0f)];
    match (u16::try_from(payload.len()), payload.len()) {
        (_, short @ ..126) => frame.push(mask | short as u8),
        (Ok(length), _) => {
            frame.push(mask | 126);
            frame.extend(length.to_be_bytes());
        }
        (Err(_), length) => {
            frame.push(mask | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    if from == Peer::Client {
        frame.extend([0; 4]);
    }
    frame.extend(payload);
    frame
}
