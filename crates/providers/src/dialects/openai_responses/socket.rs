//! Responses over a WebSocket (wire formats, section 1.4): the app's `response.create` is the request, the provider's
//! events are those of the stream. Responses may run side by side in lanes (`stream_id`), one at a time in each.

use http::{HeaderMap, StatusCode};

use crate::dialects::openai_errors::{self, WireError};
use crate::dialects::openai_responses::facts;
use crate::dialects::openai_responses::meter::{EVENT, NESTED, read_response};
use crate::dialects::openai_sockets::{Api, EventMeter, Turn, Turns};
use crate::framing::{JsonScan, Path};
use crate::{Operation, Peer, Reading, RequestFacts, SocketEvent, SocketMeter, StreamEnd};

/// Told to a connection that has grown old; no response fails by it.
const TOO_OLD: &str = "websocket_connection_limit_reached";

const CLIENT: &[Path] = &[
    &["type"],
    &["stream_id"],
    &["model"],
    &["stream"],
    &["max_output_tokens"],
    &["temperature"],
    &["top_p"],
    &["reasoning", "effort"],
    &["service_tier"],
    &["text", "format", "type"],
    &["previous_response_id"],
    &["conversation"],
    &["user"],
    &["safety_identifier"],
    &["session_id"],
    &["litellm_session_id"],
    &["trace", "span_name"],
    &["prompt_cache_key"],
    &["metadata"],
    &["client_metadata"],
];

/// A meter for one socket.
pub(super) fn meter() -> Box<dyn SocketMeter> {
    Box::new(EventMeter::new(Socket::default()))
}

#[derive(Default)]
struct Socket {
    /// The model last asked for: what the provider begins of its own accord goes on with it.
    model: Option<String>,
}

impl Api for Socket {
    fn paths(from: Peer) -> &'static [Path] {
        match from {
            Peer::Client => CLIENT,
            Peer::Server => EVENT,
        }
    }

    fn matters(&self, from: Peer, kind: &[u8], turns: &Turns) -> bool {
        match (from, kind) {
            (Peer::Client, kind) => kind == b"response.create",
            (
                Peer::Server,
                b"response.created"
                | b"response.completed"
                | b"response.incomplete"
                | b"response.failed"
                | b"error",
            ) => true,
            (Peer::Server, kind) => kind.ends_with(b".delta") && turns.await_content(),
        }
    }

    fn event(
        &mut self,
        from: Peer,
        kind: &str,
        scan: &JsonScan,
        turns: &mut Turns,
        sink: &mut dyn FnMut(SocketEvent),
    ) {
        let lane: Option<String> = scan.read(&["stream_id"]);
        if from == Peer::Client {
            let facts = RequestFacts { stream: true, ..facts(scan) };
            self.model.clone_from(&facts.model);
            turns.ask(facts, sink).lane = lane;
            return;
        }
        let in_lane = |turn: &Turn| turn.lane == lane;
        match kind {
            "response.created" => {
                let id: Option<String> = scan.read(&["response", "id"]);
                let facts =
                    || RequestFacts { model: self.model.clone(), stream: true, ..RequestFacts::default() };
                let turn = turns.begin(id.as_deref(), in_lane, facts, sink);
                turn.lane.clone_from(&lane);
                read_response(scan, NESTED, &mut turn.reading);
            }
            "error" => self.error(scan, lane.as_deref(), turns, sink),
            delta if delta.ends_with(".delta") => {
                let turn = match turns.only() {
                    Some(turn) => Some(turn),
                    None => turns.find(None, in_lane),
                };
                if let Some(turn) = turn {
                    turn.see_content(sink);
                }
            }
            _ => {
                let id: Option<String> = scan.read(&["response", "id"]);
                let Some(turn) = turns.find(id.as_deref(), in_lane) else { return };
                read_response(scan, NESTED, &mut turn.reading);
                turn.reading.end = StreamEnd::Complete;
                let number = turn.number;
                turns.end(number, sink);
            }
        }
    }
}

impl Socket {
    /// An error ends the response of its lane. Its `status` is what HTTP would have answered.
    fn error(
        &self,
        scan: &JsonScan,
        lane: Option<&str>,
        turns: &mut Turns,
        sink: &mut dyn FnMut(SocketEvent),
    ) {
        // It comes nested and flat, as in a stream.
        let error = WireError::scanned(scan, true).unwrap_or_default();
        let status = scan.read::<u16>(&["status"]).and_then(|status| StatusCode::from_u16(status).ok());
        let note = |reading: &mut Reading| {
            error.note(reading, &[]);
            if let Some(status) = status {
                reading.failure = openai_errors::classify(status, &HeaderMap::new(), reading);
            }
        };
        match turns.find(None, |turn| turn.lane.as_deref() == lane) {
            Some(turn) => {
                note(&mut turn.reading);
                let number = turn.number;
                turns.end(number, sink);
            }
            None if error.code.as_ref().is_some_and(|code| code == TOO_OLD) => {}
            // What could not even be read as a request has failed all the same.
            None => {
                let mut reading = Reading::default();
                note(&mut reading);
                let facts =
                    RequestFacts { model: self.model.clone(), stream: true, ..RequestFacts::default() };
                turns.at_once(Operation::Chat, facts, reading, sink);
            }
        }
    }
}
