//! The meter that the answers of nearly all wire formats share: whole JSON, or events in one of the framings. Per frame: an
//! event is looked at, and scanned where its dialect wants it; no allocation in the steady state.

use std::borrow::Cow;

use http::HeaderMap;
use serde::Deserialize;

use crate::dialects::{marks, peek};
use crate::framing::{
    Event, EventStreamMessage, EventStreamSplitter, Events, JsonScan, JsonValues, LineSplitter, Path,
    SseSplitter,
};
use crate::media::{Media, media};
use crate::{FailureClass, Progress, Reading, ResponseMeter, StreamEnd};

/// What a wire format adds.
pub(crate) trait Answer: Send {
    /// How a body of this type is framed; `None` where the API does not speak it.
    fn framing(media: Media) -> Option<Framing> {
        match media {
            Media::EventStream => Some(Framing::Events),
            Media::Json => Some(Framing::Whole),
            Media::AwsEvents | Media::Lines | Media::Other => None,
        }
    }

    /// The member that tells the kind of an event, where events have one. Where an event has a name it is the same word.
    const KIND: Option<&'static str> = None;

    /// Where a whole answer tells what is wanted.
    fn whole_paths(&self) -> &'static [Path];

    /// Where an event does; [`KIND`](Answer::KIND) must be one of them.
    fn event_paths(&self) -> &'static [Path];

    /// Reads a whole answer, or as much of it as came.
    fn whole(&mut self, scan: &JsonScan, told: &mut Told);

    /// Looks at an event: its kind (empty where that is not known yet), and its data unless it is too long to be held.
    fn look(&mut self, kind: &[u8], data: Option<&[u8]>, told: &mut Told) -> Look;

    /// Reads an event that was to be read.
    fn event(&mut self, kind: &str, scan: &JsonScan, told: &mut Told);

    /// Reads what AWS's framing carries that is no event.
    fn exception(&mut self, _message: &EventStreamMessage<'_>, told: &mut Told) {
        told.stumble("a message is no event");
    }

    /// `[DONE]` has passed, OpenAI's last word.
    fn done(&mut self, _told: &mut Told) {}

    /// The body is over.
    fn finish(&mut self, _told: &mut Told) {}

    /// The body is over, and it was not of a type that the API speaks.
    fn other(&mut self, told: &mut Told) {
        told.stumble("the body is not of the API's type");
    }
}

/// How a body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Events,
    /// AWS's messages.
    Messages,
    /// One object per line.
    Lines,
    /// One JSON value.
    Whole,
    /// One object, or an array of chunks.
    WholeOrArray,
}

/// What to do about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It tells nothing.
    Skip,
    /// It carries content, and that is all there is to know.
    Content,
    /// It must be read.
    Read,
}

/// What has been told so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) reading: Reading,
    content_seen: bool,
    content_now: bool,
}

impl Told {
    /// Content passes.
    pub(crate) const fn content(&mut self) {
        self.content_now |= !self.content_seen;
        self.content_seen = true;
    }

    /// Whether no content has passed yet.
    pub(crate) const fn awaits_content(&self) -> bool {
        !self.content_seen
    }

    /// How far the answer has come, by what was told.
    pub(crate) fn progress(&self) -> Progress {
        match &self.reading.failure {
            Some(failure) => Progress::Failed(failure.class),
            None if self.reading.stumbled.is_some() => Progress::Failed(FailureClass::Malformed),
            None if self.reading.end != StreamEnd::Open => Progress::Ended,
            None if self.content_seen => Progress::Content,
            None => Progress::Lifecycle,
        }
    }

    /// Something could not be understood. The first reason counts.
    pub(crate) fn stumble(&mut self, reason: &'static str) {
        self.reading.stumbled.get_or_insert(reason);
    }

    /// Whether the first content has passed since this was asked last.
    pub(crate) const fn take_content(&mut self) -> bool {
        std::mem::replace(&mut self.content_now, false)
    }
}

/// A usage as it stands at this path; one that is there and cannot be read is a fault.
pub(crate) fn usage_at<'a, T: Deserialize<'a>>(
    scan: &'a JsonScan,
    path: &[&str],
    reading: &mut Reading,
) -> Option<T> {
    match scan.value(path) {
        None if scan.has_dropped(path) => reading.usage_fault = Some("the usage is too long to read"),
        None | Some(b"null") => {}
        Some(raw) => match serde_json::from_slice(raw) {
            Ok(usage) => return Some(usage),
            Err(_) => reading.usage_fault = Some("the usage could not be read"),
        },
    }
    None
}

/// Puts the text at this path into its place; one that stands there already is not written again, an empty one is none.
pub(crate) fn text_into(slot: &mut Option<String>, scan: &JsonScan, path: &[&str]) {
    let Some(raw) = scan.value(path) else { return };
    let inside = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\""));
    if inside == Some(b"") || inside.is_some() && inside == slot.as_deref().map(str::as_bytes) {
        return;
    }
    if let Ok(text) = serde_json::from_slice(raw) {
        *slot = Some(text);
    }
}

/// The texts at a path with `*`, in order; what is none is left out.
pub(crate) fn texts_at<'a>(scan: &'a JsonScan, path: &[&str]) -> impl Iterator<Item = Cow<'a, str>> {
    scan.values(path).filter(|raw| *raw != b"null").filter_map(|raw| serde_json::from_slice(raw).ok())
}

/// The meter of one answer.
pub(crate) struct AnswerMeter<A> {
    form: Form,
    watched: Watched<A>,
}

enum Form {
    Events(SseSplitter),
    Messages(EventStreamSplitter),
    Lines(LineSplitter),
    Elements(JsonValues),
    Whole(Box<JsonScan>),
    /// Of which nothing has been seen: an array is a stream, an object a whole answer.
    Undecided,
    Other,
}

/// What events are shown to.
struct Watched<A> {
    answer: A,
    told: Told,
    scan: JsonScan,
    /// The name of the long event under way, if it is read.
    long: Option<Vec<u8>>,
}

impl<A: Answer + 'static> AnswerMeter<A> {
    /// A meter for an answer with this head.
    pub(crate) fn boxed(headers: &HeaderMap, answer: A) -> Box<dyn ResponseMeter> {
        let form = match A::framing(media(headers)) {
            Some(Framing::Events) => Form::Events(SseSplitter::default()),
            Some(Framing::Messages) => Form::Messages(EventStreamSplitter::default()),
            Some(Framing::Lines) => Form::Lines(LineSplitter::default()),
            Some(Framing::Whole) => Form::Whole(Box::new(JsonScan::new(answer.whole_paths()))),
            Some(Framing::WholeOrArray) => Form::Undecided,
            None => Form::Other,
        };
        let scan = JsonScan::new(answer.event_paths());
        Box::new(AnswerMeter { form, watched: Watched { answer, told: Told::default(), scan, long: None } })
    }
}

impl<A: Answer> ResponseMeter for AnswerMeter<A> {
    fn chunk(&mut self, bytes: &[u8]) -> bool {
        let watched = &mut self.watched;
        if matches!(self.form, Form::Undecided) {
            match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => return false,
                Some(b'[') => self.form = Form::Elements(JsonValues::default()),
                Some(_) => self.form = Form::Whole(Box::new(JsonScan::new(watched.answer.whole_paths()))),
            }
        }
        match &mut self.form {
            Form::Events(splitter) => splitter.push(bytes, watched),
            Form::Messages(splitter) => splitter.push(bytes, &mut |message| watched.message(&message)),
            Form::Lines(splitter) => splitter.push(bytes, watched),
            Form::Elements(splitter) => splitter.push(bytes, watched),
            Form::Whole(scan) => scan.push(bytes),
            Form::Undecided | Form::Other => {}
        }
        watched.told.take_content()
    }

    fn progress(&self) -> Progress {
        let malformed = Progress::Failed(FailureClass::Malformed);
        match &self.form {
            Form::Messages(splitter) if splitter.broken().is_some() => malformed,
            Form::Elements(splitter) if splitter.is_malformed() => malformed,
            Form::Whole(scan) if scan.is_malformed() => malformed,
            Form::Whole(_) | Form::Undecided => Progress::Lifecycle,
            Form::Other => Progress::Content,
            _ => self.watched.told.progress(),
        }
    }

    fn finish(&mut self) -> Reading {
        if let Form::Lines(splitter) = &mut self.form {
            splitter.finish(&mut self.watched);
        }
        let Watched { answer, told, .. } = &mut self.watched;
        match &self.form {
            Form::Events(_) | Form::Lines(_) => answer.finish(told),
            Form::Messages(splitter) => {
                answer.finish(told);
                if splitter.skipped() > 0 && !told.reading.usage_final {
                    told.stumble("a message was too long to read");
                }
                told.reading.stumbled = splitter.broken().or(told.reading.stumbled);
            }
            Form::Elements(splitter) => {
                answer.finish(told);
                if splitter.is_malformed() {
                    told.reading.stumbled = Some("the body is no array of chunks");
                } else if !splitter.is_whole() {
                    // The bracket may be lost with the connection although the answer was whole; then it is not.
                    told.reading.end = StreamEnd::Open;
                }
            }
            Form::Whole(scan) => {
                answer.whole(scan, told);
                answer.finish(told);
                if scan.is_whole() {
                    told.reading.end = StreamEnd::Complete;
                } else {
                    told.reading.stumbled = Some("the body is not whole JSON");
                    // How it was to end may stand in what is missing.
                    told.reading.finish_reasons.clear();
                }
            }
            Form::Undecided => told.reading.stumbled = Some("the body is empty"),
            Form::Other => answer.other(told),
        }
        std::mem::take(&mut told.reading)
    }
}

impl<A: Answer> Watched<A> {
    fn message(&mut self, message: &EventStreamMessage<'_>) {
        match message.header(":event-type") {
            Some(name) => self.event(Event { name: name.as_bytes(), data: message.payload }),
            None => self.answer.exception(message, &mut self.told),
        }
    }

    /// Reads the event that was scanned.
    fn read(&mut self, name: &[u8]) {
        if !self.scan.is_whole() {
            return self.told.stumble("an event is not whole JSON");
        }
        let kind = match (std::str::from_utf8(name), A::KIND) {
            (Ok(""), Some(member)) => self.scan.read(&[member]).unwrap_or_default(),
            (name, _) => Cow::Borrowed(name.unwrap_or_default()),
        };
        self.answer.event(&kind, &self.scan, &mut self.told);
    }
}

impl<A: Answer> Events for Watched<A> {
    fn event(&mut self, event: Event<'_>) {
        if event.data == b"[DONE]" {
            return self.answer.done(&mut self.told);
        }
        if !marks::is_object(event.data) {
            return self.told.stumble("an event is not a JSON object");
        }
        let kind = match (event.name, A::KIND) {
            (b"", Some(member)) => peek::text_at(event.data, member).unwrap_or_default(),
            (name, _) => name,
        };
        match self.answer.look(kind, Some(event.data), &mut self.told) {
            Look::Skip => {}
            Look::Content => self.told.content(),
            Look::Read => {
                self.scan.reset();
                self.scan.push(event.data);
                self.read(kind);
            }
        }
    }

    fn begin(&mut self, name: &[u8]) {
        self.long = None;
        match self.answer.look(name, None, &mut self.told) {
            Look::Skip => {}
            Look::Content => self.told.content(),
            Look::Read => {
                self.scan.reset();
                self.long = Some(name.to_vec());
            }
        }
    }

    fn part(&mut self, data: &[u8]) {
        if self.long.is_some() {
            self.scan.push(data);
        }
    }

    fn end(&mut self) {
        if let Some(name) = self.long.take() {
            self.read(&name);
        }
    }
}
