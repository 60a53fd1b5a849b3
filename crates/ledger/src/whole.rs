//! Bodies that lie in memory: what a request asks for, and what a refusal means, read by the same code as what passes. Per call
//! that a rule decides.

use http::{HeaderMap, StatusCode};
use outrigger_providers::{Failure, Recognised, RequestFacts, RequestReader, ResponseMeter, Service};

use crate::decode::{Consumer, Decoder};
use crate::guard::guarded;

struct Read(Box<dyn RequestReader>);

impl Consumer for Read {
    fn take(&mut self, bytes: &[u8]) {
        self.0.chunk(bytes);
    }
}

struct Metered(Box<dyn ResponseMeter>);

impl Consumer for Metered {
    fn take(&mut self, bytes: &[u8]) {
        self.0.chunk(bytes);
    }
}

/// What a request asks for: its body and what its address says better. A body that cannot be read says nothing.
#[must_use]
pub fn asked(
    service: &Service,
    recognised: &Recognised,
    (host, path): (&str, &str),
    headers: &HeaderMap,
    body: &[u8],
) -> RequestFacts {
    let mut decoder = Decoder::new(headers, Read(recognised.dialect.request_reader()));
    decoder.push(body);
    let sound = decoder.fault().is_none();
    let facts = guarded(|| decoder.consumer().filter(|_| sound).map(|read| read.0.finish()));
    (service.addressed)(host, path).complete(facts.flatten().unwrap_or_default())
}

/// What an answer means that is no success, of whose body this much was read.
#[must_use]
pub fn failure(
    recognised: &Recognised,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<Failure> {
    let dialect = recognised.dialect;
    let mut decoder = Decoder::new(headers, Metered(dialect.response_meter(status, headers)));
    decoder.push(body);
    let read = guarded(|| decoder.consumer().map(|metered| metered.0.finish())).flatten();
    guarded(|| dialect.classify(status, headers, &read.unwrap_or_default())).flatten()
}
