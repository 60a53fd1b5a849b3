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
    let mut fold = Fold::default();
    let Some(mut stream) = Unframed::new(reader, framed) else { return whole_from(reader, body) };
    stream.push(body, &mut |event| fold.take(event));
    let (ended, error) = (fold.is_done(), fold.error().cloned());
    Whole { answer: fold.answer(), ended, error, fault: stream.fault().cloned() }
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

/// The events of a stream out of its bytes, cut anywhere.
pub(crate) struct Unframed {
    splitter: Splitter,
    gathered: Gathered,
}

enum Splitter {
    Events(SseSplitter),
    Messages(EventStreamSplitter),
}

impl Unframed {
    /// `None` for a body that is one document.
    pub(crate) fn new(reader: &dyn Reader, framed: Framed) -> Option<Unframed> {
        let splitter = match framed {
            Framed::Whole => return None,
            Framed::Events => Splitter::Events(SseSplitter::default()),
            Framed::AwsMessages => Splitter::Messages(EventStreamSplitter::default()),
        };
        let (name, data) = (String::new(), Vec::new());
        let gathered = Gathered { stream: reader.stream(), fault: None, events: Vec::new(), name, data };
        Some(Unframed { splitter, gathered })
    }

    /// The next bytes. Says what they mean, in order; after a fault nothing.
    pub(crate) fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Event)) {
        let gathered = &mut self.gathered;
        match &mut self.splitter {
            Splitter::Events(splitter) => splitter.push(bytes, &mut Sunk { gathered, sink }),
            Splitter::Messages(splitter) => {
                splitter.push(bytes, &mut |message| {
                    Sunk { gathered: &mut *gathered, sink: &mut *sink }.message(message);
                });
                if splitter.broken().is_some() {
                    gathered.fault.get_or_insert(Fault::new("does not fit its checksums"));
                } else if splitter.skipped() > 0 {
                    gathered.fault.get_or_insert(Fault::new("has a message that is too long"));
                }
            }
        }
    }

    /// What could not be read.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.gathered.fault.as_ref()
    }
}

/// An event longer than this is not read.
const LONGEST: usize = 16 * 1024 * 1024;

struct Gathered {
    stream: Box<dyn StreamReader>,
    fault: Option<Fault>,
    events: Vec<Event>,
    /// An event that passes in parts.
    name: String,
    data: Vec<u8>,
}

/// What events are shown to, and who is told what they mean.
struct Sunk<'a> {
    gathered: &'a mut Gathered,
    sink: &'a mut dyn FnMut(Event),
}

impl Sunk<'_> {
    fn read(&mut self, name: &str, data: &[u8]) {
        let data = data.trim_ascii();
        if self.gathered.fault.is_some() || data.is_empty() {
            return;
        }
        if data == b"[DONE]" {
            return (self.sink)(Event::Done);
        }
        let Gathered { stream, events, .. } = &mut *self.gathered;
        let read = json(data).and_then(|data| stream.event(name, data, events));
        events.drain(..).for_each(&mut *self.sink);
        self.gathered.fault = read.err();
    }

    /// InvokeModel wraps the events of the model's vendor in base64.
    fn message(&mut self, message: EventStreamMessage<'_>) {
        if self.gathered.fault.is_some() {
            return;
        }
        if message.header(":message-type") != Some("event") {
            return (self.sink)(Event::Failed(json(message.payload).unwrap_or_default()));
        }
        let wrapped = json(message.payload).ok();
        match wrapped.as_ref().and_then(|payload| payload["bytes"].as_str()).map(|text| STANDARD.decode(text))
        {
            Some(Ok(event)) => self.read("", &event),
            Some(Err(_)) => self.gathered.fault = Some(Fault::new("an event is no base64")),
            None => self.read(message.header(":event-type").unwrap_or_default(), message.payload),
        }
    }
}

impl Events for Sunk<'_> {
    fn event(&mut self, event: framing::Event<'_>) {
        self.read(&String::from_utf8_lossy(event.name), event.data);
    }

    fn begin(&mut self, name: &[u8]) {
        self.gathered.name = String::from_utf8_lossy(name).into_owned();
        self.gathered.data.clear();
    }

    fn part(&mut self, data: &[u8]) {
        let gathered = &mut self.gathered;
        if gathered.data.len() + data.len() > LONGEST {
            gathered.fault.get_or_insert(Fault::new("has an event that is too long"));
        } else if gathered.fault.is_none() {
            gathered.data.extend_from_slice(data);
        }
    }

    fn end(&mut self) {
        let (name, data) = (std::mem::take(&mut self.gathered.name), std::mem::take(&mut self.gathered.data));
        self.read(&name, &data);
    }
}
