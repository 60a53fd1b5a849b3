//! A Realtime session: the app or the user's voice asks for a response, `response.done` reports it; what the user said may
//! be transcribed by another model, billed apart.

use crate::dialects::openai_errors::WireError;
use crate::dialects::openai_realtime::usage::{RealtimeUsage, TranscriptionUsage};
use crate::dialects::openai_sockets::{Api, EventMeter, Turn, Turns};
use crate::framing::{JsonScan, Path};
use crate::{FailureClass, Operation, Peer, Reading, RequestFacts, SocketEvent, SocketMeter, StreamEnd};

const CLIENT: &[Path] = &[
    &["type"],
    &["event_id"],
    &["response", "max_output_tokens"],
    &["response", "output_modalities"],
    &["response", "reasoning", "effort"],
];

const SERVER: &[Path] = &[
    &["type"],
    &["response_id"],
    &["response", "id"],
    &["response", "status"],
    &["response", "status_details", "reason"],
    &["response", "status_details", "error"],
    &["response", "usage"],
    &["response", "output", "*", "type"],
    &["error"],
    &["session", "model"],
    &["session", "audio", "input", "transcription", "model"],
    // As the API was before it left beta.
    &["session", "input_audio_transcription", "model"],
    &["item_id"],
    &["usage"],
];

const TRANSCRIBED: &str = "conversation.item.input_audio_transcription.completed";

/// A meter for one session, opened with this query.
pub(super) fn meter(query: Option<&str>) -> Box<dyn SocketMeter> {
    let asked = query
        .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("model=")))
        .filter(|model| !model.is_empty())
        .map(str::to_owned);
    Box::new(EventMeter::new(Session { asked, model: None, transcriber: None }))
}

struct Session {
    /// The model that the address names.
    asked: Option<String>,
    /// The model that the provider says it runs.
    model: Option<String>,
    /// The model that writes down what the user says.
    transcriber: Option<String>,
}

impl Api for Session {
    fn paths(from: Peer) -> &'static [Path] {
        match from {
            Peer::Client => CLIENT,
            Peer::Server => SERVER,
        }
    }

    fn matters(&self, from: Peer, kind: &[u8], turns: &Turns) -> bool {
        match (from, kind) {
            (Peer::Client, kind) => kind == b"response.create",
            (
                Peer::Server,
                b"session.created" | b"session.updated" | b"response.created" | b"response.done" | b"error",
            ) => true,
            (Peer::Server, kind) => {
                kind == TRANSCRIBED.as_bytes()
                    || kind.starts_with(b"response.") && kind.ends_with(b".delta") && turns.await_content()
            }
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
        if from == Peer::Client {
            let facts = RequestFacts {
                max_tokens: scan.read(&["response", "max_output_tokens"]),
                reasoning_level: scan.read(&["response", "reasoning", "effort"]),
                ..self.facts()
            };
            turns.ask(facts, sink).event_id = scan.read(&["event_id"]);
            return;
        }
        match kind {
            "session.created" | "session.updated" => {
                self.model = scan.read(&["session", "model"]).or(self.model.take());
                self.transcriber = scan
                    .read(&["session", "audio", "input", "transcription", "model"])
                    .or_else(|| scan.read(&["session", "input_audio_transcription", "model"]))
                    .or(self.transcriber.take());
            }
            "response.created" => {
                let id: Option<String> = scan.read(&["response", "id"]);
                let turn = turns.begin(id.as_deref(), |_| true, || self.facts(), sink);
                turn.reading.model.clone_from(&self.model);
                turn.reading.response_id = id;
            }
            "response.done" => {
                let id: Option<String> = scan.read(&["response", "id"]);
                let Some(turn) = turns.find(id.as_deref(), |_| true) else { return };
                turn.reading.model.clone_from(&self.model);
                read_done(scan, &mut turn.reading);
                let number = turn.number;
                turns.end(number, sink);
            }
            "error" => self.error(scan, turns, sink),
            TRANSCRIBED => self.transcribed(scan, turns, sink),
            _ => {
                let id: Option<String> = scan.read(&["response_id"]);
                if let Some(turn) = turns.find(id.as_deref(), |_| true) {
                    turn.see_content(sink);
                }
            }
        }
    }
}

/// The event of the app that an error is about.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct About {
    event_id: Option<String>,
}

fn read_done(scan: &JsonScan, reading: &mut Reading) {
    reading.response_id = scan.read(&["response", "id"]).or(reading.response_id.take());
    if let Some(usage) = scan.value(&["response", "usage"]).filter(|raw| *raw != b"null") {
        match serde_json::from_slice::<RealtimeUsage>(usage)
            .map_err(|_| "the usage could not be read")
            .and_then(|usage| usage.meters())
        {
            Ok(meters) => (reading.usage, reading.usage_final) = (meters, true),
            Err(fault) => reading.usage_fault = Some(fault),
        }
    }
    let status: Option<&str> = scan.read(&["response", "status"]);
    reading.end = if status == Some("cancelled") { StreamEnd::Cancelled } else { StreamEnd::Complete };
    let calls_tool = || {
        scan.values(&["response", "output", "*", "type"])
            .filter_map(|raw| serde_json::from_slice::<&str>(raw).ok())
            .any(|kind| kind == "function_call")
    };
    let word = match status {
        Some("completed") if calls_tool() => Some("function_call".to_owned()),
        Some(word) => scan.read(&["response", "status_details", "reason"]).or_else(|| Some(word.to_owned())),
        None => None,
    };
    reading.finish_reasons.extend(word);
    let error: Option<WireError> = scan.read(&["response", "status_details", "error"]);
    if error.is_some() || status == Some("failed") {
        error.unwrap_or_default().note(reading, &[]);
    }
}

impl Session {
    fn facts(&self) -> RequestFacts {
        RequestFacts {
            model: self.asked.clone().or_else(|| self.model.clone()),
            stream: true,
            ..RequestFacts::default()
        }
    }

    /// Most errors concern one event of the app and end nothing. One that names the event that asked for a response, or
    /// comes while a response is asked for that has not begun, is the answer to it. Of the others only those are calls
    /// that failed which the session cannot go on with.
    fn error(&self, scan: &JsonScan, turns: &mut Turns, sink: &mut dyn FnMut(SocketEvent)) {
        let mut reading = Reading::default();
        WireError::scanned(scan, true).unwrap_or_default().note(&mut reading, &[]);
        let about = scan.read::<About>(&["error"]).unwrap_or_default().event_id;
        let concerns = |turn: &Turn| match &about {
            Some(about) => turn.event_id.as_ref() == Some(about),
            None => turn.id.is_none(),
        };
        if let Some(turn) = turns.find(None, concerns) {
            turn.reading.failure = reading.failure;
            turn.reading.failure_message = reading.failure_message;
            let number = turn.number;
            turns.end(number, sink);
            return;
        }
        let harmless = reading.failure.as_ref().is_none_or(|failure| {
            matches!(failure.class, FailureClass::InvalidRequest | FailureClass::Other)
        });
        if !harmless {
            turns.at_once(Operation::Chat, self.facts(), reading, sink);
        }
    }

    fn transcribed(&self, scan: &JsonScan, turns: &mut Turns, sink: &mut dyn FnMut(SocketEvent)) {
        let mut reading = Reading {
            model: self.transcriber.clone(),
            response_id: scan.read(&["item_id"]),
            end: StreamEnd::Complete,
            finish_reasons: vec!["completed".to_owned()],
            ..Reading::default()
        };
        match scan.value(&["usage"]).map(|raw| {
            serde_json::from_slice::<TranscriptionUsage>(raw)
                .map_err(|_| "the usage could not be read")
                .and_then(|usage| usage.meters())
        }) {
            Some(Ok(usage)) => (reading.usage, reading.usage_final) = (usage, true),
            Some(Err(fault)) => reading.usage_fault = Some(fault),
            None => {}
        }
        let facts = RequestFacts { model: self.transcriber.clone(), ..RequestFacts::default() };
        turns.at_once(Operation::Transcription, facts, reading, sink);
    }
}
