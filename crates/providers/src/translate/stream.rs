//! A streamed answer, from a backup's format into the app's, as it comes. Per frame of a translated stream: it is read, put in order
//! and written anew, which allocates; streams that are not translated never come here.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use outrigger_pricing::TokenUsage;

use super::answer::{usage, whole};
use super::blocks::{Blocks, Step};
use super::error::Failed;
use super::go_on::Seam;
use crate::canonical::{Asked, Begun, Event, Framed, StreamWriter, Unframed, answer_from};
use crate::media::{Media, media};
use crate::{Dialect, FailureClass, ResponseMeter};

/// Bytes of a body that is one document though a stream was asked for.
const LONGEST: usize = 16 * 1024 * 1024;

/// One streamed answer on its way. Its end is an error unless the source said its format's last word: what was cut is never
/// shown as whole.
pub struct Stream {
    from: &'static dyn Dialect,
    to: &'static dyn Dialect,
    asked: Asked,
    source: Source,
    meter: Box<dyn ResponseMeter>,
    blocks: Blocks,
    writer: Box<dyn StreamWriter>,
    content_type: &'static str,
    started: bool,
    /// Where it goes on with an answer that died.
    seam: Option<Box<Seam>>,
    /// How it ended, once it has.
    over: Option<Result<(), Failed>>,
    steps: Vec<Step>,
}

enum Source {
    Events(Box<Unframed>),
    /// Some servers answer a request for a stream with one document.
    Document(Vec<u8>),
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// The last bytes for the app.
    pub bytes: Bytes,
    /// Whether the answer was whole; if not, the app has been told in its own format.
    pub outcome: Result<(), Failed>,
    /// What the backup said that has no place in the app's format: `reasoning`, `citations`.
    pub left_out: Vec<&'static str>,
}

impl Stream {
    /// For the answer of a backup with this head. `None` where there is no translation between the two formats.
    #[must_use]
    pub fn new(
        from: &'static dyn Dialect,
        to: &'static dyn Dialect,
        headers: &HeaderMap,
        asked: Asked,
    ) -> Option<Stream> {
        let (reader, writer) = (from.canonical()?, to.answers()?);
        let source = match media(headers) {
            Media::EventStream => Unframed::new(reader, Framed::Events),
            Media::AwsEvents => Unframed::new(reader, Framed::AwsMessages),
            Media::Json | Media::Lines | Media::Other => None,
        };
        Some(Stream {
            from,
            to,
            source: source.map_or_else(|| Source::Document(Vec::new()), |it| Source::Events(Box::new(it))),
            meter: from.response_meter(StatusCode::OK, headers),
            blocks: Blocks::new(from, writer),
            writer: writer.stream(&asked),
            content_type: writer.stream_type(&asked),
            asked,
            started: false,
            seam: None,
            over: None,
            steps: Vec::new(),
        })
    }

    /// The same as the rest of an answer that was told a part of, and died. `None` where that cannot be said in the app's format.
    #[must_use]
    pub fn resume(mut self, begun: &Begun, before: TokenUsage) -> Option<Stream> {
        self.writer = self.to.answers()?.resumed(&self.asked, begun)?;
        self.started = true;
        self.seam = Some(Box::new(Seam::new(begun, before)));
        Some(self)
    }

    /// Bytes of text that were left out at the seam, since the app has them already; 0 where there is none.
    #[must_use]
    pub fn overlap(&self) -> usize {
        self.seam.as_ref().map_or(0, |seam| seam.left_out())
    }

    /// The content type of what the app gets.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// What the backup said so far that has no place in the app's format.
    pub fn left_out(&self) -> impl Iterator<Item = &'static str> {
        self.blocks.left_out()
    }

    /// The next (decoded) bytes of the backup's answer, cut anywhere: what the app gets for them.
    pub fn push(&mut self, bytes: &[u8]) -> Bytes {
        let mut out = Vec::new();
        if self.over.is_some() {
            return Bytes::new();
        }
        self.meter.chunk(bytes);
        let mut events = Vec::new();
        let fault = match &mut self.source {
            Source::Events(source) => {
                source.push(bytes, &mut |event| events.push(event));
                source.fault().map(ToString::to_string)
            }
            Source::Document(body) => {
                body.extend_from_slice(bytes);
                (body.len() > LONGEST).then(|| "the answer is too long to be translated".to_owned())
            }
        };
        for event in events {
            self.event(event, &mut out);
        }
        if let Some(fault) = fault {
            self.fail_with(Failed { class: FailureClass::Malformed, message: fault }, &mut out);
        }
        out.into()
    }

    /// How the answer ended, if it has: nothing that comes after it is looked at.
    #[must_use]
    pub const fn outcome(&self) -> Option<&Result<(), Failed>> {
        self.over.as_ref()
    }

    /// The backup's body is over.
    #[must_use]
    pub fn end(mut self) -> End {
        let mut out = Vec::new();
        if self.over.is_none() {
            if let Source::Document(body) = &mut self.source {
                let body = std::mem::take(body);
                self.document(&body, &mut out);
            }
            self.complete(&mut out);
        }
        let unfinished = Err(Failed::new(FailureClass::StreamCut, "the answer broke off"));
        let (outcome, left_out) = (self.over.unwrap_or(unfinished), self.blocks.left_out().collect());
        End { bytes: out.into(), outcome, left_out }
    }

    /// Ends the app's stream with an error of ours, such as a deadline that passed. What was told before stays as it is.
    pub fn fail(&mut self, class: FailureClass, text: &str) -> Bytes {
        let mut out = Vec::new();
        self.fail_with(Failed::new(class, text), &mut out);
        out.into()
    }

    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        if self.over.is_some() {
            return;
        }
        match event {
            Event::Failed(_) => self.source_failed(out),
            Event::Done => self.complete(out),
            event => {
                let taken = self.blocks.take(event, &self.asked, &mut self.steps);
                self.write(out);
                if let Err(reason) = taken {
                    self.fail_with(Failed::new(FailureClass::Malformed, reason), out);
                }
            }
        }
    }

    /// A document is read as the stream that it should have been.
    fn document(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let Some(reader) = self.from.canonical() else { return };
        let read = answer_from(reader, Framed::Whole, body);
        if read.error.is_some() {
            return self.source_failed(out);
        }
        // What could not be read the meter has stumbled over as well.
        let taken = self.blocks.take_whole(read.answer, &self.asked, &mut self.steps);
        let reason = taken.err().map(str::to_owned).or(read.fault.map(|fault| fault.to_string()));
        match reason {
            Some(message) => self.fail_with(Failed { class: FailureClass::Malformed, message }, out),
            None => self.write(out),
        }
    }

    fn source_failed(&mut self, out: &mut Vec<u8>) {
        let reading = self.meter.finish();
        let failed = match &reading.failure {
            Some(failure) => Failed::told(failure, &reading),
            None => Failed::new(FailureClass::Other, "the provider failed without a word"),
        };
        self.fail_with(failed, out);
    }

    /// The source has said its last word, or says no more.
    fn complete(&mut self, out: &mut Vec<u8>) {
        let reading = self.meter.finish();
        if let Err(failed) = whole(&reading, self.blocks.stop()) {
            return self.fail_with(failed, out);
        }
        match self.blocks.finish(&mut self.steps) {
            Ok(finish) => {
                self.write(out);
                self.start(out);
                let mut usage = usage(&reading);
                if let Some(seam) = &mut self.seam {
                    usage = seam.end(&usage, &mut *self.writer, out);
                }
                self.writer.end(&finish, &usage, out);
                self.over = Some(Ok(()));
            }
            Err(reason) => self.fail_with(Failed::new(FailureClass::Malformed, reason), out),
        }
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        for step in self.steps.drain(..) {
            match (&mut self.seam, step) {
                (Some(seam), step) => seam.step(step, &mut *self.writer, out),
                (None, Step::Open(block)) => self.writer.open(&block, out),
                (None, Step::Grow(text)) => self.writer.grow(&text, out),
                (None, Step::Close) => self.writer.close(out),
            }
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            self.writer.start(out);
        }
    }

    fn fail_with(&mut self, failed: Failed, out: &mut Vec<u8>) {
        if self.over.is_some() {
            return;
        }
        failed.with(self.to, |error| self.writer.fail(error, out));
        self.over = Some(Err(failed));
    }
}
