//! An answer that is not streamed, from a backup's format into the app's. Per answered call.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use outrigger_pricing::TokenUsage;

use super::blocks::{Blocks, Step};
use super::error::Failed;
use crate::canonical::{
    AnswerWriter, Asked, Block, Finish, Framed, Said, Stop, StopReason, Whole, answer_from,
};
use crate::{Dialect, Failure, FailureClass, Reading, StreamEnd};

/// An answer in the app's format.
#[derive(Debug, Clone, PartialEq)]
pub struct Translated {
    /// Its body.
    pub body: Vec<u8>,
    /// What the backup said that has no place in it: `reasoning`, `citations`.
    pub left_out: Vec<&'static str>,
}

/// The headers of an answer in the app's format, the length aside: what the backup's own say is of another provider, and stays behind.
#[must_use]
pub fn headers(to: &dyn Dialect, asked: &Asked, streamed: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let writer = to.answers();
    let kind = writer.filter(|_| streamed).map_or("application/json", |writer| writer.stream_type(asked));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some((name, prefix)) = writer.and_then(AnswerWriter::request_id)
        && let Ok(id) = HeaderValue::from_str(&asked.id(prefix, "request"))
    {
        headers.insert(HeaderName::from_static(name), id);
    }
    headers
}

/// Translates the (decoded) body that a backup answered with this head.
///
/// # Errors
/// It is an error, or no answer that may be shown as one.
pub fn answer(
    from: &'static dyn Dialect,
    to: &'static dyn Dialect,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    asked: &Asked,
) -> Result<Translated, Failed> {
    let (Some(reader), Some(writer)) = (from.canonical(), to.answers()) else {
        return Err(Failed::new(FailureClass::Other, "the format has no translation"));
    };
    let mut meter = from.response_meter(status, headers);
    meter.chunk(body);
    let reading = meter.finish();
    if let Some(failure) = from.classify(status, headers, &reading).filter(|_| !status.is_success()) {
        return Err(Failed::told(&failure, &reading));
    }
    let Whole { answer, error, fault, .. } = answer_from(reader, Framed::Whole, body);
    whole(&reading, answer.choices.first().and_then(|choice| choice.stop.as_ref()))?;
    if let Some(fault) = fault {
        return Err(Failed::new(FailureClass::Malformed, &fault.to_string()));
    }
    if error.is_some() {
        return Err(Failed::new(
            FailureClass::Other,
            "the provider told an error of a form that is not known",
        ));
    }
    let (mut blocks, mut steps) = (Blocks::new(from, writer), Vec::new());
    let finish = blocks.take_whole(answer, asked, &mut steps).and_then(|()| blocks.finish(&mut steps));
    let finish = finish.map_err(|reason| Failed::new(FailureClass::Malformed, reason))?;
    let left_out = blocks.left_out().collect();
    let said = said(steps, finish, &reading);
    Ok(Translated { body: writer.answer(&said, asked).to_string().into_bytes(), left_out })
}

/// Checks that an answer is whole, and tells what is wrong if it is not.
pub(super) fn whole(reading: &Reading, stop: Option<&Stop>) -> Result<(), Failed> {
    match &reading.failure {
        Some(failure) if !is_filter(failure, stop) => Err(Failed::told(failure, reading)),
        _ if reading.end == StreamEnd::Open => {
            Err(Failed::new(FailureClass::StreamCut, "the answer broke off"))
        }
        _ => match reading.stumbled {
            Some(reason) => Err(Failed::new(FailureClass::Malformed, reason)),
            None => Ok(()),
        },
    }
}

/// A blocked prompt is an answer in every other format.
fn is_filter(failure: &Failure, stop: Option<&Stop>) -> bool {
    failure.class == FailureClass::ContentPolicy
        && stop.is_some_and(|stop| stop.reason == StopReason::Filtered)
}

/// What an answer took, where the report of it is whole.
pub(super) fn usage(reading: &Reading) -> TokenUsage {
    if reading.usage_final { reading.usage } else { TokenUsage::UNKNOWN }
}

fn said(steps: Vec<Step>, finish: Finish, reading: &Reading) -> Said {
    let mut blocks: Vec<(Block, String)> = Vec::new();
    for step in steps {
        match (step, blocks.last_mut()) {
            (Step::Open(block), _) => blocks.push((block, String::new())),
            (Step::Grow(more), Some((_, text))) => text.push_str(&more),
            (Step::Grow(_), None) | (Step::Close, _) => {}
        }
    }
    Said { blocks, finish, usage: usage(reading) }
}
