//! From the decoded bytes of a body to the canonical form. A body that broke off is read as far as it goes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{Answer, Event, Fault, Fold, Reader, Request, StreamReader};
use crate::framing::{self, EventStreamMessage, EventStreamSplitter, Events, SseSplitter};

/// How the body of an answer is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framed {
    /// One JSON document.
    Whole,
    /// Server-sent events.
    Events,
    /// AWS's messages (`application/vnd.amazon.eventstream`).
    AwsMessages,
}

/// An answer with how it ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Whole {
    /// The answer, as far as it came.
    pub answer: Answer,
    /// Whether it came to the format's end.
    pub ended: bool,
    /// The error that the provider ended with, in its own form.
    pub error: Option<Value>,
    /// What could not be read; what stands after it was not looked at.
    pub fault: Option<Fault>,
}

/// Reads the body of a request.
///
/// # Errors
/// It is no JSON, or a member that the format knows holds what it cannot.
pub fn request_from(reader: &dyn Reader, body: &[u8]) -> Result<Request, Fault> {
    reader.request(json(body)?)
}

/// Reads the body of an answer. Never fails: what could not be read is said in the result.
#[must_use]
pub fn answer_from(reader: &dyn Reader, framed: Framed, body: &[u8]) -> Whole {
    let mut gathered = Gathered {
        stream: reader.stream(),
        fold: Fold::default(),
        fault: None,
        events: Vec::new(),
        name: String::new(),
        data: Vec::new(),
    };
    match framed {
        Framed::Whole => return whole_from(reader, body),
        Framed::Events => SseSplitter::default().push(body, &mut gathered),
        Framed::AwsMessages => {
            EventStreamSplitter::default().push(body, &mut |message| gathered.message(message));
        }
    }
    let Gathered { fold, fault, .. } = gathered;
    let (ended, error) = (fold.is_done(), fold.error().cloned());
    Whole { answer: fold.answer(), ended, error, fault }
}

fn whole_from(reader: &dyn Reader, body: &[u8]) -> Whole {
    let read = |body: &[u8]| {
        let body = json(body)?;
        // Kept in the object that it stands in, as the events of streams have it.
        let error = body.get("error").filter(|error| !error.is_null()).cloned();
        let error = error.map(|error| Value::Object(Map::from_iter([("error".to_owned(), error)])));
        Ok((error, reader.answer(body)?))
    };
    match read(body) {
        Ok((error, answer)) => Whole { answer, ended: true, error, fault: None },
        Err(fault) => Whole { fault: Some(fault), ..Whole::default() },
    }
}

fn json(body: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(body).map_err(|_| Fault::new("is no JSON, or broke off"))
}

struct Gathered {
    stream: Box<dyn StreamReader>,
    fold: Fold,
    fault: Option<Fault>,
    events: Vec<Event>,
    /// An event that passes in parts.
    name: String,
    data: Vec<u8>,
}

impl Gathered {
    fn read(&mut self, name: &str, data: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        let data = data.trim_ascii();
        if data.is_empty() {
            return;
        }
        if data == b"[DONE]" {
            self.fold.take(Event::Done);
            return;
        }
        let read = json(data).and_then(|data| self.stream.event(name, data, &mut self.events));
        self.fault = read.err();
        for event in self.events.drain(..) {
            self.fold.take(event);
        }
    }
}

impl Gathered {
    /// InvokeModel wraps the events of the model's vendor in base64.
    fn message(&mut self, message: EventStreamMessage<'_>) {
        if message.header(":message-type") != Some("event") {
            if let Ok(error) = json(message.payload) {
                self.fold.take(Event::Failed(error));
            }
            return;
        }
        let wrapped = json(message.payload).ok();
        match wrapped.as_ref().and_then(|payload| payload["bytes"].as_str()).map(|text| STANDARD.decode(text))
        {
            Some(Ok(event)) => self.read("", &event),
            Some(Err(_)) => self.fault = Some(Fault::new("an event is no base64")),
            None => self.read(message.header(":event-type").unwrap_or_default(), message.payload),
        }
    }
}

impl Events for Gathered {
    fn event(&mut self, event: framing::Event<'_>) {
        self.read(&String::from_utf8_lossy(event.name), event.data);
    }

    fn begin(&mut self, name: &[u8]) {
        self.name = String::from_utf8_lossy(name).into_owned();
        self.data.clear();
    }

    fn part(&mut self, data: &[u8]) {
        self.data.extend_from_slice(data);
    }

    fn end(&mut self) {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        self.read(&name, &data);
    }
}
