//! What is said on a socket: the client's events in, one task per response out.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::Agreed;
use super::frames::{Message, Reader, Writer, frame};
use crate::ask::{Ask, Told};
use crate::formats::{openai, openai_realtime as realtime, openai_responses};
use crate::received::{Received, Reported};
use crate::script::{Answer, Asked, Cut, ErrorKind};
use crate::server::Shared;

/// What is to be sent.
enum Out {
    Event(Value),
    Raw(Vec<u8>),
    /// The end: by a close frame, or by breaking the connection.
    Close(Vec<u8>),
    Break,
}

struct Session {
    shared: Arc<Shared>,
    at: usize,
    path: String,
    /// The model that the address names (Realtime).
    model: String,
    out: mpsc::UnboundedSender<Out>,
}

/// Serves one socket to its end.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    shared: Arc<Shared>,
    at: usize,
    uri: Uri,
    io: S,
    agreed: Agreed,
    answer: Answer,
) {
    let (read, mut write) = tokio::io::split(io);
    let (out, mut outgoing) = mpsc::unbounded_channel();
    let log = Arc::clone(&shared.log);
    let mut writer = Writer::new(agreed.compressed, agreed.context, answer.frame_bytes);
    let writing = async move {
        while let Some(next) = outgoing.recv().await {
            let (bytes, last) = match next {
                Out::Event(event) => {
                    let text = event.to_string();
                    log.change(at, |received| received.sent.extend_from_slice(text.as_bytes()));
                    (writer.text(&text), false)
                }
                Out::Raw(bytes) => (bytes, false),
                Out::Close(payload) => (frame(0x88, &payload), true),
                Out::Break => return,
            };
            if write.write_all(&bytes).await.is_err() || write.flush().await.is_err() {
                return;
            }
            if last {
                // Whatever the client still says, it has been told.
                let _closed = write.shutdown().await;
                return;
            }
        }
    };
    let query = uri.query().unwrap_or_default();
    let model = query.split('&').find_map(|pair| pair.strip_prefix("model=")).unwrap_or_default();
    let session = Session {
        shared: Arc::clone(&shared),
        at,
        path: uri.path().to_owned(),
        model: model.to_owned(),
        out,
    };
    let reader = Reader::new(read, agreed.compressed, agreed.context);
    tokio::select! {
        () = writing => {}
        () = session.read(reader) => {}
    }
    shared.log.change(at, |received| received.ended = true);
}

impl Session {
    fn send(&self, out: Out) {
        // A socket that is over takes nothing.
        let _gone = self.out.send(out);
    }

    /// Reads to the client's end; then the answers under way may finish writing.
    async fn read<R: AsyncRead + Unpin>(self, mut reader: Reader<R>) {
        if self.path == "/v1/realtime" {
            self.send(Out::Event(realtime::session("session.created", &self.model)));
        }
        let mut open = None;
        let mut abandoned = true;
        while let Ok(message) = reader.next(&mut open).await {
            match message {
                Message::Text(text) => self.heard(&text),
                Message::Ping(payload) => self.send(Out::Raw(frame(0x8a, &payload))),
                Message::Close(payload) => {
                    abandoned = false;
                    self.send(Out::Close(payload));
                    break;
                }
                Message::Other => {}
            }
        }
        if abandoned {
            self.shared.log.change(self.at, |received| received.abandoned = true);
            return;
        }
        // The close frame leaves, and with it the writer ends.
        std::future::pending::<()>().await;
    }

    fn heard(&self, text: &[u8]) {
        self.shared.log.change(self.at, |received| received.body.extend_from_slice(text));
        let event: Value = serde_json::from_slice(text).unwrap_or(Value::Null);
        match (self.path.as_str(), event["type"].as_str().unwrap_or_default()) {
            (_, "response.create") => self.respond(text, &event, false),
            ("/v1/realtime", "session.update") => {
                self.send(Out::Event(realtime::session("session.updated", &self.model)));
            }
            // As with a voice that falls silent: what was said is written down, and answered unasked.
            ("/v1/realtime", "input_audio_buffer.commit") => {
                self.respond(text, &event, true);
            }
            (_, "") => self.send(Out::Event(self.error(ErrorKind::InvalidRequest, None))),
            _ => {}
        }
    }

    fn error(&self, kind: ErrorKind, lane: Option<&Value>) -> Value {
        let (status, body) = openai::error(kind, None);
        let mut event = json!({"type": "error", "error": body["error"]});
        if self.path == "/v1/responses" {
            event["status"] = json!(status);
        }
        if let Some(lane) = lane {
            event["stream_id"] = lane.clone();
        }
        event
    }

    fn respond(&self, text: &[u8], event: &Value, heard: bool) {
        let realtime = self.path == "/v1/realtime";
        let model = if realtime {
            self.model.clone()
        } else {
            event["model"].as_str().unwrap_or_default().to_owned()
        };
        let asked =
            Asked { provider: "openai", path: &self.path, model: &model, stream: true, handshake: false };
        let answer = self.shared.answer(&asked);
        let received = Received {
            method: "WEBSOCKET".to_owned(),
            path: self.path.clone(),
            body: text.to_vec(),
            ..self.shared.log.get(self.at)
        };
        let serial = self.shared.log.add(received);
        let lane = event.get("stream_id").filter(|lane| !lane.is_null()).cloned();
        let ask = Ask::new(serial, model, true, event.clone());
        let told = Told::new(&answer, &ask, text.len());
        let reported =
            told.usage.map(|usage| Reported { model: told.model.clone(), tier: told.tier.clone(), usage });
        self.shared
            .log
            .change(serial, |received| (received.reported, received.sent) = (reported, Vec::new()));
        let mut events = self.events(&ask, &told, &answer, lane.as_ref(), heard);
        let end = ending(&answer, &mut events, || {
            self.error(answer.error.unwrap_or(ErrorKind::ServerError), lane.as_ref())
        });
        let (out, shared) = (self.out.clone(), Arc::clone(&self.shared));
        tokio::spawn(async move {
            for event in events {
                if answer.gated
                    && let Ok(permit) = shared.gate.acquire().await
                {
                    permit.forget();
                }
                if answer.pace_ms > 0 {
                    tokio::time::sleep(Duration::from_millis(answer.pace_ms)).await;
                }
                let text = event.to_string();
                shared.log.change(serial, |received| received.sent.extend_from_slice(text.as_bytes()));
                if out.send(Out::Event(event)).is_err() {
                    return;
                }
                // Responses side by side take turns.
                tokio::task::yield_now().await;
            }
            if let Some(end) = end {
                // Nobody may be there any more.
                let _gone = out.send(end);
            }
            shared.log.change(serial, |received| received.ended = true);
        });
    }

    fn events(
        &self,
        ask: &Ask,
        told: &Told,
        answer: &Answer,
        lane: Option<&Value>,
        heard: bool,
    ) -> Vec<Value> {
        if let Some(kind) = answer.error.filter(|_| answer.error_after.is_none()) {
            return vec![self.error(kind, lane)];
        }
        if self.path == "/v1/realtime" {
            return realtime::answer(ask, told, answer.cancelled, heard);
        }
        let mut events = openai_responses::events(ask, told);
        if let Some(lane) = lane {
            for event in &mut events {
                event["stream_id"] = lane.clone();
            }
        }
        events
    }
}

/// Shortens the events as the script wants it; how the socket ends after them, if it does.
fn ending(answer: &Answer, events: &mut Vec<Value>, error: impl FnOnce() -> Value) -> Option<Out> {
    if let Some(after) = answer.error_after {
        events.truncate(after);
        events.push(error());
    } else if let Some(after) = answer.garbage_after {
        events.truncate(after);
        // A frame of a kind that does not exist.
        return Some(Out::Raw(frame(0x83, b"tide")));
    } else if let Some(after) = answer.cut_after {
        events.truncate(after);
        return Some(match answer.cut {
            Cut::Broken => Out::Break,
            Cut::Clean => Out::Close(1011u16.to_be_bytes().to_vec()),
        });
    }
    None
}
