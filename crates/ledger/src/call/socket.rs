//! One WebSocket while it passes: shown bytes of both directions, and every response on it becomes a record of its own.
//! Per read: no allocation in the steady state.

use std::sync::Arc;

use http::HeaderMap;
use outrigger_pricing::PriceBook;
use outrigger_providers::framing::{Extensions, FrameReader, Messages};
use outrigger_providers::{Ended, Peer, Reading, RequestFacts, SocketEvent, SocketMeter, StreamEnd};

use crate::call::about::{About, Head, Seen, tidied};
use crate::call::{Call, End};
use crate::guard::{FAULT, guarded};
use crate::propagators;
use crate::{CallId, CallRecord, Marks, SpanContext, Times, Timestamp, Transport};

/// One WebSocket while it passes.
pub struct Socket {
    about: About,
    head: Head,
    /// The request's headers that place its responses in a trace.
    trace: HeaderMap,
    client: FrameReader,
    server: FrameReader,
    meter: Box<dyn SocketMeter>,
    book: Arc<PriceBook>,
    open: Vec<Open>,
    /// Responses that have been begun.
    begun: u64,
    /// When the provider last said something: control frames, which answer whatever becomes of a response, do not count.
    heard: Timestamp,
    /// Who took their leave first, by a close frame.
    leaving: Option<Peer>,
    fault: Option<&'static str>,
}

/// A response that the provider is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnderWay {
    /// Its call.
    pub call: CallId,
    /// Provider id.
    pub provider: &'static str,
    /// When the provider last said something on this socket.
    pub heard: Timestamp,
}

/// A response under way.
struct Open {
    number: u64,
    call: CallId,
    times: Times,
    transport: Transport,
}

impl Call {
    /// The provider has answered 101: from here on the connection is a WebSocket.
    ///
    /// `request` and `response` are the headers of the handshake, `query` that of its address.
    ///
    /// # Errors
    /// The call itself, where its wire format is not known to be spoken so.
    pub fn into_socket(
        self: Box<Self>,
        query: Option<&str>,
        request: &HeaderMap,
        response: &HeaderMap,
        book: &Arc<PriceBook>,
    ) -> Result<Socket, Box<Call>> {
        let Some(meter) = guarded(|| self.about.recognised.dialect.socket_meter(query)).flatten() else {
            return Err(self);
        };
        let Some(head) = self.response.as_ref().map(|response| response.head.clone()) else {
            return Err(self);
        };
        let (extensions, fault) = match Extensions::agreed(response) {
            Ok(extensions) => (extensions, None),
            Err(fault) => (Extensions::default(), Some(fault)),
        };
        let mut trace = HeaderMap::new();
        for name in propagators::HEADERS {
            for value in request.get_all(name) {
                trace.append(name, value.clone());
            }
        }
        Ok(Socket {
            head,
            about: self.about,
            trace,
            client: FrameReader::of_client(extensions.client),
            server: FrameReader::of_server(extensions.server),
            meter,
            book: Arc::clone(book),
            open: Vec::new(),
            begun: 0,
            heard: Timestamp::default(),
            leaving: None,
            fault,
        })
    }
}

impl Socket {
    /// The next bytes from one side, as they were sent. Records of responses that are over go to `sink`.
    pub fn bytes(&mut self, from: Peer, bytes: &[u8], at: Timestamp, sink: &mut dyn FnMut(CallRecord)) {
        if self.fault.is_some() {
            return;
        }
        // Of several responses under way nobody knows whose a read is: the oldest has it.
        if let (Peer::Server, Some(oldest)) = (from, self.open.first_mut()) {
            oldest.transport.response_bytes += bytes.len() as u64;
        }
        let before = self.open.len();
        let reader = match from {
            Peer::Client => &mut self.client,
            Peer::Server => &mut self.server,
        };
        let mut reading = Passing {
            from,
            about: &self.about,
            head: &self.head,
            trace: &self.trace,
            meter: &mut *self.meter,
            book: &self.book,
            open: &mut self.open,
            begun: &mut self.begun,
            heard: &mut self.heard,
            leaving: &mut self.leaving,
            at,
            sink,
        };
        let read = guarded(|| reader.push(bytes, &mut reading));
        self.fault = if read.is_none() { Some(FAULT) } else { reader.fault() };
        if from == Peer::Client
            && self.open.len() > before
            && let Some(asked) = self.open.last_mut()
        {
            asked.transport.request_bytes = bytes.len() as u64;
        }
    }

    /// Responses that have been begun so far.
    #[must_use]
    pub const fn begun(&self) -> u64 {
        self.begun
    }

    /// The oldest response that the provider has begun and not ended, as far as frames can be read.
    #[must_use]
    pub fn under_way(&self) -> Option<UnderWay> {
        let begun = |one: &&Open| one.times.responded.is_some();
        let oldest = self.open.iter().find(begun).filter(|_| self.fault.is_none())?;
        Some(UnderWay { call: oldest.call, provider: self.about.service.id, heard: self.heard })
    }

    /// Which side took its leave first.
    #[must_use]
    pub const fn leaving(&self) -> Option<Peer> {
        self.leaving
    }

    /// The connection is over, or nothing more of it is read: what is still open ends with it. Every response that was begun
    /// has then had its record, whatever stumbled over it.
    pub fn finish(mut self, end: &End, at: Timestamp, sink: &mut dyn FnMut(CallRecord)) {
        let (about, head, trace, book) = (&self.about, &self.head, &self.trace, &self.book);
        let (open, fault) = (&mut self.open, self.fault);
        let mut record = |ended: Ended, one: &Open| {
            sink(record(about, head, trace, ended, one, again(end), at, book));
        };
        let told = guarded(|| {
            self.meter.finish(&mut |event| {
                if let SocketEvent::Ended(mut ended) = event {
                    let Some(place) = open.iter().position(|one| one.number == ended.number) else { return };
                    ended.reading.stumbled = fault.or(ended.reading.stumbled);
                    let one = open.swap_remove(place);
                    record(*ended, &one);
                }
            });
        });
        let fault = if told.is_none() { Some(FAULT) } else { fault };
        // What was never understood may have been used all the same, and that is said.
        if fault.is_some() && self.begun == 0 {
            open.push(Open {
                number: 1,
                call: of_response(about, 1),
                times: Times { started: at, ..Times::default() },
                transport: Transport::default(),
            });
        }
        for one in open.drain(..) {
            let reading = Reading { stumbled: fault, ..Reading::default() };
            let facts = RequestFacts { stream: true, ..RequestFacts::default() };
            record(Ended { number: one.number, operation: about.recognised.operation, facts, reading }, &one);
        }
    }
}

/// A read while it is looked through.
struct Passing<'a> {
    from: Peer,
    about: &'a About,
    head: &'a Head,
    trace: &'a HeaderMap,
    meter: &'a mut dyn SocketMeter,
    book: &'a PriceBook,
    open: &'a mut Vec<Open>,
    begun: &'a mut u64,
    heard: &'a mut Timestamp,
    leaving: &'a mut Option<Peer>,
    at: Timestamp,
    sink: &'a mut dyn FnMut(CallRecord),
}

impl Passing<'_> {
    fn hear(&mut self) {
        if self.from == Peer::Server {
            *self.heard = self.at;
        }
    }
}

impl Messages for Passing<'_> {
    fn begin(&mut self, text: bool) {
        self.hear();
        self.meter.begin(self.from, text);
    }

    fn part(&mut self, bytes: &[u8]) -> bool {
        self.hear();
        self.meter.part(self.from, bytes)
    }

    fn end(&mut self) {
        let Passing { from, about, head, trace, meter, book, open, begun, at, sink, .. } = self;
        let at = *at;
        meter.end(*from, &mut |event| match event {
            SocketEvent::Asked(number) => {
                **begun += 1;
                open.push(Open {
                    number,
                    call: of_response(about, number),
                    times: Times { started: at, ..Times::default() },
                    transport: Transport::default(),
                });
            }
            SocketEvent::Begun(number) => {
                if let Some(one) = find(open, number) {
                    one.times.responded.get_or_insert(at);
                }
            }
            SocketEvent::Content(number) => {
                if let Some(one) = find(open, number) {
                    one.times.first_content.get_or_insert(at);
                }
            }
            SocketEvent::Ended(ended) => {
                let Some(place) = open.iter().position(|one| one.number == ended.number) else { return };
                let one = open.remove(place);
                sink(record(about, head, trace, *ended, &one, End::Complete, at, book));
            }
        });
    }

    fn close(&mut self, _code: Option<u16>) {
        self.leaving.get_or_insert(self.from);
    }
}

/// Every response of a socket is a call of its own.
fn of_response(socket: &About, number: u64) -> CallId {
    CallId(socket.id.derived(&format!("response {number}")))
}

fn find(open: &mut [Open], number: u64) -> Option<&mut Open> {
    open.iter_mut().find(|one| one.number == number)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one record, from two callers")]
fn record(
    socket: &About,
    head: &Head,
    trace: &HeaderMap,
    ended: Ended,
    one: &Open,
    end: End,
    at: Timestamp,
    book: &PriceBook,
) -> CallRecord {
    let mut about = socket.clone();
    about.id = one.call;
    about.span = SpanContext::for_call(about.id, trace, about.identity.propagators());
    let times = Times { ended: at, ..one.times };
    let Ended { operation, facts, reading, .. } = ended;
    // An answer that only failed has no end of its own.
    let end = if reading.failure.is_some() && reading.end == StreamEnd::Open { End::Complete } else { end };
    about.record(
        Seen {
            operation,
            facts: tidied(facts),
            fault: reading.stumbled == Some(FAULT),
            texts: None,
            reading,
            // What is asked for on a socket is not asked again by itself.
            marks: Marks::default(),
            head: Some(head),
            times,
            transport: one.transport,
            end,
        },
        book,
    )
}

/// An end once more, for each response that it ends.
fn again(end: &End) -> End {
    match end {
        End::Complete => End::Complete,
        End::Cut => End::Cut,
        End::Cancelled => End::Cancelled,
        End::Failed { class, text, status } => {
            End::Failed { class: *class, text: text.clone(), status: *status }
        }
        End::Abandoned => End::Abandoned,
    }
}
