//! What is looked at before it passes: what a refusal means, how far an answer has come; read by the same code as what passes. Per
//! call that a rule decides.

use http::{HeaderMap, StatusCode};
use outrigger_providers::{Failure, FirstContent, Progress, Reading, Recognised, ResponseMeter};

use crate::decode::{Consumer, Decoder};
use crate::guard::guarded;

struct Metered(Box<dyn ResponseMeter>);

impl Consumer for Metered {
    fn take(&mut self, bytes: &[u8]) {
        self.0.chunk(bytes);
    }
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

/// The id of an answer, as far as it is told in what was read of its body.
pub fn response_id<'a>(
    recognised: &Recognised,
    status: StatusCode,
    headers: &HeaderMap,
    body: impl Iterator<Item = &'a [u8]>,
) -> Option<String> {
    let mut decoder = Decoder::new(headers, Metered(recognised.dialect.response_meter(status, headers)));
    body.for_each(|bytes| decoder.push(bytes));
    guarded(|| decoder.consumer().map(|metered| metered.0.finish())).flatten()?.response_id
}

struct Watched {
    /// Taken when the body is over.
    first: Option<FirstContent>,
    progress: Progress,
}

impl Consumer for Watched {
    fn take(&mut self, bytes: &[u8]) {
        if let Some(first) = &mut self.first {
            self.progress = first.push(bytes);
        }
    }
}

/// How far an answer has come of which the app has nothing yet. What cannot be followed is taken for content: it is not held.
pub struct Beginning(Decoder<Watched>);

impl Beginning {
    /// Of an answer with this head.
    #[must_use]
    pub fn new(recognised: &Recognised, status: StatusCode, headers: &HeaderMap) -> Beginning {
        let first = FirstContent::new(recognised.dialect, status, headers);
        let progress = first.progress();
        Beginning(Decoder::new(headers, Watched { first: Some(first), progress }))
    }

    /// The next bytes of its body, as the provider sent them.
    pub fn push(&mut self, bytes: &[u8]) -> Progress {
        self.0.push(bytes);
        if self.0.fault().is_some() {
            return Progress::Content;
        }
        self.0.consumer().map_or(Progress::Content, |watched| watched.progress)
    }

    /// The body of an answer with these headers is over: what was read of it, where all of it could be read.
    #[must_use]
    pub fn end(mut self, headers: &HeaderMap) -> (Progress, Option<Box<Reading>>) {
        if self.0.fault().is_some() {
            return (Progress::Content, None);
        }
        let first = self.0.consumer().and_then(|watched| watched.first.take());
        match guarded(|| first.map(|first| first.end(headers))).flatten() {
            Some((progress, reading)) => (progress, Some(Box::new(reading))),
            None => (Progress::Content, None),
        }
    }
}
