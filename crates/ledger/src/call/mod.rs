//! One call while it passes: shown bytes, in the end a record. Per chunk: no allocation in the steady state.

mod about;
mod attempts;
mod estimate;
mod over;
mod seam;
mod socket;
mod verdict;

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use outrigger_pricing::PriceBook;
use outrigger_providers::{
    AnswerTexts, FailureClass, Progress, Reading, Recognised, RequestFacts, RequestReader, ResponseMeter,
    Service, TextScan,
};

use self::about::{About, Head, Seen, tidied};
pub use self::attempts::Elsewhere;
pub use self::estimate::Calibrations;
use self::estimate::Texts;
pub(crate) use self::estimate::reported;
pub use self::socket::{Socket, UnderWay};
pub(crate) use self::verdict::NEVER_CAME;
use crate::chain::Emitted;
use crate::chunk_times::ChunkTimes;
use crate::decode::{Consumer, Decoder};
use crate::guard::{FAULT, guarded};
use crate::join::BodyHash;
use crate::{
    CallId, CallRecord, Captured, Deployments, IdentityRules, Marks, Mode, Outcome, Room, Times, Timestamp,
    Transport,
};

/// What is known when a request's head has been read.
pub struct CallStart<'a> {
    /// Random id; the span ids are derived from it.
    pub id: CallId,
    /// The provider.
    pub service: &'static Service,
    /// What the request is.
    pub recognised: Recognised,
    /// How the connection reached us.
    pub mode: Mode,
    /// The request's method.
    pub method: &'a Method,
    /// Path without query.
    pub path: &'a str,
    /// The query, in which some providers take the key; it is looked at and not kept.
    pub query: Option<&'a str>,
    /// The request's headers as the app sent them.
    pub headers: &'a HeaderMap,
    /// Name dialled.
    pub host: &'a str,
    /// Port dialled.
    pub port: u16,
    /// `1.1` or `2`.
    pub http_version: &'static str,
    /// Which names of users, sessions and steps are believed, and how they are kept.
    pub identity: &'a Arc<IdentityRules>,
    /// When the head had been read.
    pub at: Timestamp,
}

/// How the passing of a response ended.
#[derive(Debug)]
pub enum End {
    /// The body passed to its end.
    Complete,
    /// The provider, or the way to it, broke the body off.
    Cut,
    /// The app hung up.
    Cancelled,
    /// No response came, or it was given up under way; the class and plain words say why. The status is what we answered the app.
    Failed {
        /// Kind of failure.
        class: FailureClass,
        /// Plain words; for a name that was not found or a certificate that was refused, with the mend.
        text: String,
        /// Status of our own answer.
        status: u16,
    },
    /// The process is ending, or a fault of ours ended the watching.
    Abandoned,
}

/// One call while it passes.
pub struct Call {
    about: About,
    request: Decoder<Facts>,
    /// What all of the body that was shown says, where somebody has asked.
    asked: Option<Arc<RequestFacts>>,
    body: BodyHash,
    captured: Option<Box<Captured>>,
    /// What was read of the answer before it passed.
    held: Option<Box<Reading>>,
    response: Option<Response>,
    /// Attempts that are over, in order.
    over: Vec<over::Over>,
    /// The answer that died under the app's eyes, until it is known what comes of it.
    died: Option<Box<seam::Died>>,
    times: Times,
    wants_chunk_times: bool,
    chunk_times: Option<Box<ChunkTimes>>,
    transport: Transport,
}

/// A response under way.
struct Response {
    head: Head,
    streams: bool,
    body: Decoder<Metered>,
}

struct Facts {
    reader: Box<dyn RequestReader>,
    texts: TextScan,
}

impl Consumer for Facts {
    fn take(&mut self, bytes: &[u8]) {
        self.reader.chunk(bytes);
        self.texts.push(bytes);
    }
}

/// Of an answer that was read before. It has no content to be timed: what has is not held to its end.
struct Held(Box<Reading>);

impl ResponseMeter for Held {
    fn chunk(&mut self, _bytes: &[u8]) -> bool {
        false
    }

    fn finish(&mut self) -> Reading {
        std::mem::take(&mut self.0)
    }
}

struct Metered {
    meter: Box<dyn ResponseMeter>,
    emitted: Emitted,
    content: bool,
    /// Which of its members are texts, and what they hold.
    members: AnswerTexts,
    texts: TextScan,
}

impl Consumer for Metered {
    fn take(&mut self, bytes: &[u8]) {
        self.content |= self.meter.chunk(bytes);
        self.emitted.take(bytes);
        self.texts.push(bytes);
    }
}

impl Call {
    /// Starts watching. Inference operations only. Boxed: it is large, and handed on.
    #[must_use]
    pub fn begin(start: CallStart<'_>) -> Box<Call> {
        Box::new(Call {
            captured: None,
            body: BodyHash::new(),
            request: Decoder::new(
                start.headers,
                Facts { reader: start.recognised.dialect.request_reader(), texts: TextScan::of_request() },
            ),
            asked: None,
            held: None,
            response: None,
            over: Vec::new(),
            died: None,
            times: Times { started: start.at, ..Times::default() },
            wants_chunk_times: false,
            chunk_times: None,
            transport: Transport::default(),
            about: About::new(start),
        })
    }

    /// Says what stands behind the names that the customer gave to models.
    #[must_use]
    pub fn with_deployments(mut self: Box<Self>, deployments: &Arc<Deployments>) -> Box<Call> {
        self.about.deployments = Some(Arc::clone(deployments));
        self
    }

    /// Estimates by what reported calls have taught, and teaches in its turn.
    #[must_use]
    pub fn with_calibrations(mut self: Box<Self>, calibrations: &Arc<Calibrations>) -> Box<Call> {
        self.about.calibrations = Some(Arc::clone(calibrations));
        self
    }

    /// Keeps the bodies where there is room, of a call that asks for a text in a format that can be read. `headers` are the request's.
    #[must_use]
    pub fn with_room(mut self: Box<Self>, room: Option<&Arc<Room>>, headers: &HeaderMap) -> Box<Call> {
        let Some(room) = room.filter(|_| self.about.recognised.operation.generates_text()) else {
            return self;
        };
        let reader = self.about.recognised.dialect.canonical();
        self.captured = reader.map(|reader| Box::new(Captured::new(reader, headers, room)));
        self
    }

    /// Times what comes of a streamed answer behind its first content, if that is asked for.
    #[must_use]
    pub const fn with_chunk_times(mut self: Box<Self>, wanted: bool) -> Box<Call> {
        self.wants_chunk_times = wanted;
        self
    }

    /// The next bytes of the request body, as the app sent them.
    pub fn request_chunk(&mut self, bytes: &[u8]) {
        self.transport.request_bytes += bytes.len() as u64;
        self.request.push(bytes);
        self.asked = None;
        self.body.take(bytes);
        if let Some(captured) = &mut self.captured {
            captured.request_chunk(bytes);
        }
    }

    /// What the request asks for as far as it was shown, and what its address says better. A body that cannot be read says nothing.
    #[must_use]
    pub fn asked(&mut self) -> Arc<RequestFacts> {
        if let Some(asked) = &self.asked {
            return Arc::clone(asked);
        }
        let sound = self.request.fault().is_none();
        let facts = guarded(|| self.request.consumer().filter(|_| sound).map(|facts| facts.reader.finish()));
        let addressed = self.about.addressed();
        let read = facts.flatten();
        let is_read = read.is_some();
        let facts = Arc::new(addressed.complete(read.unwrap_or_default()));
        self.asked = is_read.then(|| Arc::clone(&facts));
        facts
    }

    /// An upstream connection carries the call.
    pub fn connected(&mut self, peer: Option<SocketAddr>) {
        self.about.peer = peer;
    }

    /// Why the provider is not asked for a usage that the app did not ask for, in plain words.
    pub const fn usage_not_asked(&mut self, why: &'static str) {
        self.about.not_asked = Some(why);
    }

    /// The response's head.
    pub fn response_head(&mut self, status: StatusCode, headers: &HeaderMap, at: Timestamp) {
        if !self.has_content() {
            self.times.responded = Some(at);
        }
        self.body.finish();
        if let Some(captured) = &mut self.captured {
            // A backup may answer in another format than the app asked in.
            captured.response_head(headers, self.about.recognised.dialect.canonical());
        }
        self.response = Some(self.response(status, headers, at));
    }

    /// All of the next answer was read before it passes, and this is what it says: it is not read again for that.
    pub fn was_held(&mut self, reading: Box<Reading>) {
        self.held = Some(reading);
    }

    fn response(&mut self, status: StatusCode, headers: &HeaderMap, at: Timestamp) -> Response {
        let dialect = self.about.recognised.dialect;
        let meter = match self.held.take() {
            Some(reading) => Box::new(Held(reading)),
            None => dialect.response_meter(status, headers),
        };
        let members = dialect.answer_texts(is_stream(headers));
        let metered = Metered {
            meter,
            content: false,
            emitted: Emitted::of(dialect),
            members,
            texts: TextScan::of_answer(members),
        };
        Response {
            head: Head::new(self.about.service, status, headers, at),
            streams: is_stream(headers),
            body: Decoder::new(headers, metered),
        }
    }

    /// The next bytes of the response body, as the provider sent them (still encoded).
    pub fn response_chunk(&mut self, bytes: &[u8], at: Timestamp) {
        self.transport.response_bytes += bytes.len() as u64;
        let Some(response) = &mut self.response else { return };
        if let Some(captured) = &mut self.captured {
            captured.response_chunk(bytes);
        }
        response.body.push(bytes);
        if self.times.first_content.is_none()
            && self.about.hung_up.is_none()
            && response.body.consumer().is_some_and(|metered| metered.content)
        {
            self.times.first_content = Some(at);
            if self.wants_chunk_times && response.streams {
                self.chunk_times = Some(Box::new(ChunkTimes::since(at)));
            }
        } else if let Some(times) = self.chunk_times.as_mut().filter(|_| self.about.hung_up.is_none()) {
            times.piece(at);
        }
    }

    /// Whether content of the answer has passed.
    #[must_use]
    pub const fn has_content(&self) -> bool {
        self.times.first_content.is_some()
    }

    /// Whether the answer has come to the end that its format tells, and said nothing against it.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        let Some(body) = self.response.as_mut().map(|response| &mut response.body) else { return false };
        let progress = body.consumer().map(|metered| metered.meter.progress());
        progress == Some(Progress::Ended) && body.is_whole()
    }

    /// The app hung up; what still comes is read for its usage alone.
    pub const fn hung_up(&mut self, at: Timestamp) {
        self.about.hung_up = Some(at);
    }

    /// Ends the call. Whatever stumbles over what was seen, there is a record, of what is known without it.
    #[must_use]
    pub fn finish(mut self: Box<Self>, end: End, at: Timestamp, book: &PriceBook) -> CallRecord {
        // The app may leave while others are asked to go on with its answer.
        self.left(at);
        // How the app saw it end is settled once it has hung up.
        let (end, at) = self.about.hung_up.map_or((end, at), |hung_up| (End::Cancelled, hung_up));
        self.times.ended = at;
        let reading = self.response.as_mut().map(|response| response.reading(&end)).unwrap_or_default();
        let facts = match self.asked.take() {
            Some(facts) => Some(Some(Arc::unwrap_or_clone(facts))),
            None => guarded(|| self.request.consumer().map(|facts| facts.reader.finish())),
        };
        let texts = self.texts();
        let unread = facts.is_none();
        let facts = tidied(facts.flatten().unwrap_or_default());
        self.settle_over(&facts, book);
        let fault = unread || [self.request.fault(), reading.stumbled].contains(&Some(FAULT));
        let metered = self.response.as_mut().and_then(|response| response.body.consumer());
        let marks = Marks {
            tool_calls: metered.map(|metered| metered.emitted.ids()).unwrap_or_default(),
            resent: Some(self.about.resent.with_body(self.body.finish())),
        };
        let mut record = self.about.record(
            Seen {
                operation: self.about.recognised.operation,
                facts,
                reading,
                texts,
                fault,
                marks,
                head: self.response.as_ref().map(|response| &response.head),
                times: self.times,
                transport: self.transport,
                end,
            },
            book,
        );
        if let Some(routed) = record.routed.as_mut().filter(|_| record.outcome != Outcome::Failed) {
            // Nobody had to.
            routed.not_continued = None;
        }
        record.chunk_times = self.chunk_times;
        record.content = self.captured.map(Arc::from);
        record
    }
}

impl Call {
    /// What both bodies hold of texts; `None` where one could not be read.
    fn texts(&mut self) -> Option<Texts> {
        if self.request.fault().is_some() {
            return None;
        }
        let prompt = self.request.consumer()?.texts.count();
        let metered = self.response.as_mut()?.body.consumer()?;
        let known = metered.members != AnswerTexts::NONE;
        let shows_reasoning = !metered.members.reasoning.is_empty();
        Some(Texts {
            prompt,
            answer: known.then(|| metered.texts.count()),
            reasoned: shows_reasoning.then(|| metered.texts.has_reasoned()),
        })
    }
}

/// Whether an answer comes as events. AWS's frames are a stream too.
#[must_use]
pub fn is_stream(headers: &HeaderMap) -> bool {
    let told = content_type(headers);
    [EVENTS, "application/x-ndjson", AWS_EVENTS].iter().any(|stream| begins(told, stream))
}

/// Content type of server-sent events.
pub const EVENTS: &str = "text/event-stream";
/// Content type of AWS's frames.
pub(crate) const AWS_EVENTS: &str = "application/vnd.amazon.eventstream";

/// Whether an answer's content type begins so.
#[must_use]
pub fn comes_as(headers: &HeaderMap, kind: &str) -> bool {
    begins(content_type(headers), kind)
}

fn content_type(headers: &HeaderMap) -> &[u8] {
    headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default()
}

fn begins(told: &[u8], kind: &str) -> bool {
    told.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind.as_bytes()))
}

impl Response {
    fn reading(&mut self, end: &End) -> Reading {
        // Of a body that somebody broke off no more is to be had.
        let torn = matches!(end, End::Complete) && !self.body.is_whole();
        let fault = self.body.fault();
        let read = guarded(|| self.body.consumer().map(|metered| metered.meter.finish()));
        let fault = if read.is_none() { Some(FAULT) } else { fault };
        let mut reading = read.flatten().unwrap_or_default();
        // What the meter made of a body that was not decoded to its end follows from that.
        reading.stumbled = fault.or(reading.stumbled);
        if torn && reading.usage_fault.is_none() {
            reading.usage_fault = Some("the body ended before its compression did");
        }
        reading
    }
}
