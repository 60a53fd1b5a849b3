//! What is looked at before it passes: what a refusal means, how far an answer has come; read by the same code as what passes. Per
//! call that a rule decides.

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use outrigger_providers::{
    Dialect, Failure, FirstContent, Progress, Reading, Recognised, ResponseMeter, is_plain_answer,
    is_plain_json,
};

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
pub struct Beginning(Way);

enum Way {
    /// It is read as it comes.
    Followed(Box<Decoder<Watched>>),
    /// It is one JSON object, of which nothing is known before its end: it is looked at then, and read only where that does not do.
    OneObject { dialect: &'static dyn Dialect, status: StatusCode, has_begun: bool },
}

impl Beginning {
    /// Of an answer with this head.
    #[must_use]
    pub fn new(recognised: &Recognised, status: StatusCode, headers: &HeaderMap) -> Beginning {
        let dialect = recognised.dialect;
        let may_be_plain =
            status.is_success() && dialect.failure_members().is_some() && is_plain_json(headers);
        Beginning(match may_be_plain {
            true => Way::OneObject { dialect, status, has_begun: false },
            false => Way::Followed(followed(dialect, status, headers)),
        })
    }

    /// The next bytes of its body, as the provider sent them.
    pub fn push(&mut self, headers: &HeaderMap, bytes: &[u8]) -> Progress {
        if let Way::OneObject { dialect, status, has_begun: has_begun @ false } = &mut self.0 {
            match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => {}
                Some(b'{') => *has_begun = true,
                // Gemini's streams may be arrays.
                Some(_) => self.0 = Way::Followed(followed(*dialect, *status, headers)),
            }
        }
        match &mut self.0 {
            Way::OneObject { .. } => Progress::Lifecycle,
            Way::Followed(decoder) => {
                decoder.push(bytes);
                if decoder.fault().is_some() {
                    return Progress::Content;
                }
                decoder.consumer().map_or(Progress::Content, |watched| watched.progress)
            }
        }
    }

    /// The body is over; these are its pieces. What was read of it, where all of it could be read and had to be.
    #[must_use]
    pub fn end<'a>(
        self,
        headers: &HeaderMap,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> (Progress, Option<Box<Reading>>) {
        let mut decoder = match self.0 {
            Way::Followed(decoder) => decoder,
            Way::OneObject { dialect, status, .. } => {
                let pieces: Vec<_> = pieces.collect();
                let whole = match &*pieces {
                    [one] => Cow::Borrowed(*one),
                    all => all.concat().into(),
                };
                if is_plain_answer(dialect, &whole) {
                    return (Progress::Ended, None);
                }
                let mut decoder = followed(dialect, status, headers);
                decoder.push(&whole);
                decoder
            }
        };
        if decoder.fault().is_some() {
            return (Progress::Content, None);
        }
        let first = decoder.consumer().and_then(|watched| watched.first.take());
        match guarded(|| first.map(|first| first.end(headers))).flatten() {
            Some((progress, reading)) => (progress, Some(Box::new(reading))),
            None => (Progress::Content, None),
        }
    }
}

fn followed(dialect: &'static dyn Dialect, status: StatusCode, headers: &HeaderMap) -> Box<Decoder<Watched>> {
    let first = FirstContent::new(dialect, status, headers);
    let progress = first.progress();
    Box::new(Decoder::new(headers, Watched { first: Some(first), progress }))
}
