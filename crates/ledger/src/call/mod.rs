//! One call while it passes: shown bytes, in the end a record. Per chunk: no allocation in the steady state.

mod verdict;

use std::net::SocketAddr;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use outrigger_pricing::{Atto, Charge, Completeness, Cost, PriceBook, Region, Tier, TokenUsage};
use outrigger_providers::{
    FailureClass, Reading, Recognised, RequestFacts, RequestReader, ResponseMeter, Service,
};

use crate::decode::{Consumer, Decoder};
use crate::identity::{Identity, tidy};
use crate::{
    Accounted, Attempt, CallId, CallRecord, KeyHint, Mode, Provenance, SpanContext, Times, Timestamp,
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
    /// No response came; the class and plain words say why. The status is what we answered the app.
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
    id: CallId,
    span: SpanContext,
    service: &'static Service,
    recognised: Recognised,
    mode: Mode,
    method: Method,
    path: String,
    host: String,
    port: u16,
    peer: Option<SocketAddr>,
    http_version: &'static str,
    identity: Identity,
    key: Option<KeyHint>,
    request: Decoder<Facts>,
    response: Option<Response>,
    times: Times,
    transport: Transport,
}

/// A response under way.
struct Response {
    status: StatusCode,
    /// The headers that a verdict needs, and no others.
    headers: HeaderMap,
    request_id: Option<String>,
    body: Decoder<Metered>,
}

struct Facts(Box<dyn RequestReader>);

impl Consumer for Facts {
    fn take(&mut self, bytes: &[u8]) {
        self.0.chunk(bytes);
    }
}

struct Metered {
    meter: Box<dyn ResponseMeter>,
    content: bool,
}

impl Consumer for Metered {
    fn take(&mut self, bytes: &[u8]) {
        self.content |= self.meter.chunk(bytes);
    }
}

impl Call {
    /// Starts watching. Inference operations only.
    #[must_use]
    pub fn begin(start: CallStart<'_>) -> Call {
        Call {
            id: start.id,
            span: SpanContext::for_call(start.id, start.headers),
            service: start.service,
            recognised: start.recognised,
            mode: start.mode,
            method: start.method.clone(),
            path: start.path.to_owned(),
            host: start.host.to_owned(),
            port: start.port,
            peer: None,
            http_version: start.http_version,
            identity: Identity::read(start.headers),
            key: start
                .service
                .credential(start.headers, start.query)
                .filter(|credential| !credential.secret.is_empty())
                .as_ref()
                .map(KeyHint::of),
            request: Decoder::new(start.headers, Facts(start.recognised.dialect.request_reader())),
            response: None,
            times: Times { started: start.at, ..Times::default() },
            transport: Transport::default(),
        }
    }

    /// The next bytes of the request body, as the app sent them.
    pub fn request_chunk(&mut self, bytes: &[u8]) {
        self.transport.request_bytes += bytes.len() as u64;
        self.request.push(bytes);
    }

    /// An upstream connection carries the call.
    pub fn connected(&mut self, peer: Option<SocketAddr>) {
        self.peer = peer;
    }

    /// The response's head.
    pub fn response_head(&mut self, status: StatusCode, headers: &HeaderMap, at: Timestamp) {
        self.times.responded = Some(at);
        let meter = self.recognised.dialect.response_meter(status, headers);
        let kind = headers.get(CONTENT_TYPE).map(|value| (CONTENT_TYPE, value.clone()));
        self.response = Some(Response {
            status,
            headers: kind.into_iter().collect(),
            request_id: headers
                .get(self.service.request_id_header)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| tidy(value.to_owned())),
            body: Decoder::new(headers, Metered { meter, content: false }),
        });
    }

    /// The next bytes of the response body, as the provider sent them (still encoded).
    pub fn response_chunk(&mut self, bytes: &[u8], at: Timestamp) {
        self.transport.response_bytes += bytes.len() as u64;
        let Some(response) = &mut self.response else { return };
        response.body.push(bytes);
        if self.times.first_content.is_none()
            && response.body.consumer().is_some_and(|metered| metered.content)
        {
            self.times.first_content = Some(at);
        }
    }

    /// Ends the call.
    #[must_use]
    pub fn finish(mut self, end: End, at: Timestamp, book: &'static PriceBook) -> CallRecord {
        self.times.ended = at;
        let addressed = (self.service.addressed)(&self.host, &self.path);
        let facts = addressed.complete(self.facts());
        let (reading, status) = match &mut self.response {
            Some(response) => (response.reading(), Some(response.status)),
            None => (Reading::default(), None),
        };
        let verdict = self.verdict(&end, &reading, &facts);
        let cost = self.cost(&verdict.tokens, &reading, &facts, addressed.region, book);
        let attempt = Attempt {
            span_id: self.id.derived("attempt 1"),
            number: 1,
            provider: self.service.id,
            host: self.host,
            port: self.port,
            peer: self.peer,
            path: self.path,
            method: self.method.as_str().to_owned(),
            http_version: self.http_version,
            status: status.map(|status| status.as_u16()),
            error_type: verdict.cause.as_ref().map(|cause| match status {
                Some(status) if !status.is_success() => status.as_str().to_owned(),
                _ => cause.error_type.clone(),
            }),
            started: self.times.started,
            ended: at,
        };
        CallRecord {
            id: self.id,
            span: self.span,
            mode: self.mode,
            provider: self.service.id,
            otel_provider: self.service.otel_name,
            dialect: self.recognised.dialect.name(),
            api_type: self.recognised.dialect.api_type(),
            operation: self.recognised.operation,
            step: self.identity.step,
            user: self.identity.user.or_else(|| facts.user.clone()),
            session: self.identity.session.or_else(|| facts.conversation.clone()),
            key: self.key,
            served_model: reading.model.and_then(tidy),
            served_tier: reading.tier_word.and_then(tidy),
            response_id: reading.response_id.and_then(tidy),
            request_id: self.response.and_then(|response| response.request_id),
            finish_reasons: verdict.finish_reasons,
            facts,
            tokens: verdict.tokens,
            cost,
            price_book: book.hash(),
            outcome: verdict.outcome,
            cause: verdict.cause,
            times: self.times,
            transport: self.transport,
            attempts: vec![attempt],
        }
    }

    /// What the request said, its free texts made fit for a record.
    fn facts(&mut self) -> RequestFacts {
        let facts = self.request.consumer().map(|facts| facts.0.finish()).unwrap_or_default();
        RequestFacts {
            model: facts.model.and_then(tidy),
            reasoning_level: facts.reasoning_level.and_then(tidy),
            tier_word: facts.tier_word.and_then(tidy),
            previous_response_id: facts.previous_response_id.and_then(tidy),
            user: facts.user.and_then(tidy),
            conversation: facts.conversation.and_then(tidy),
            ..facts
        }
    }

    fn cost(
        &self,
        tokens: &Accounted,
        reading: &Reading,
        facts: &RequestFacts,
        region: Region,
        book: &PriceBook,
    ) -> Cost {
        if tokens.usage == TokenUsage::ZERO && tokens.provenance == Provenance::Exact {
            // Nothing was used, whatever the model costs.
            let total = Some(Atto::ZERO);
            return Cost { total, lines: Vec::new(), completeness: Completeness::Exact, reasons: Vec::new() };
        }
        let Some(model) = reading.model.as_deref().or(facts.model.as_deref()) else {
            let reasons = vec!["neither request nor response names a model".to_owned()];
            return Cost { total: None, lines: Vec::new(), completeness: Completeness::Unpriced, reasons };
        };
        let mut cost = book.cost(&Charge {
            provider: self.service.id,
            model,
            at: self.times.started.unix_seconds(),
            tier: reading.tier.unwrap_or(Tier::Standard),
            region: if reading.resident { Region::Resident } else { region },
            usage: &tokens.usage,
        });
        let doubts = [
            reading.model.is_none().then_some("the answer names no model: priced as the one asked for"),
            tokens.reason.filter(|_| tokens.provenance != Provenance::Exact),
        ];
        if cost.total.is_some() {
            for doubt in doubts.into_iter().flatten() {
                cost.completeness = Completeness::Partial;
                cost.reasons.push(doubt.to_owned());
            }
        }
        cost
    }
}

impl Response {
    fn reading(&mut self) -> Reading {
        let fault = self.body.fault();
        let mut reading = self.body.consumer().map(|metered| metered.meter.finish()).unwrap_or_default();
        // What the meter made of a body that was not decoded to its end follows from that.
        reading.stumbled = fault.or(reading.stumbled);
        reading
    }
}
