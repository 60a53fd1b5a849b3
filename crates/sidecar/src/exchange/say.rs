//! A call as a backup is to have it, in its wire format, and its answer in the app's. Per attempt at a backup.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::BodyExt;
use outrigger_ledger::is_stream;
use outrigger_providers::canonical::Asked;
use outrigger_providers::translate::{self, App, End, Outgoing, Place, Stream};
use outrigger_providers::{Dialect, FailureClass, RequestFacts, is_encoded};
use tokio::time::Instant;

use crate::exchange::body::{bytes_of, length_of};
use crate::exchange::forwarded::Share;
use crate::exchange::include_usage::LIMITS;
use crate::exchange::relay::{Came, Said};
use crate::exchange::run::Wanted;
use crate::exchange::translated::{Anew, Whole};
use crate::failover::plan::Known;
use crate::upstream::DialError;

/// Bytes of an answer in one piece that is translated.
const LONGEST: usize = 16 * 1024 * 1024;
/// As it came and as it is said.
const LONGEST_TWICE: usize = 2 * LONGEST;
const FULL: &str = "the backup's answer has no room in what is held together, so it cannot be translated";

/// How an answer is to be said in the app's format.
pub(super) struct Saying {
    from: &'static dyn Dialect,
    to: &'static dyn Dialect,
    asked: Asked,
    streamed: bool,
}

/// The request in the backup's words, and how its answer is to be said; without the latter it is in the app's format already. Why it
/// cannot be said there, in plain words.
pub(super) fn request<'a>(
    wanted: &Wanted<'_>,
    facts: &RequestFacts,
    body: &Bytes,
    mut place: Place<'a>,
    known: Known<'a>,
    call: String,
) -> Result<(Outgoing, Option<Saying>), String> {
    let Wanted { route, recognised, .. } = *wanted;
    place.facts = known.book.facts(place.service.id, place.model, known.now);
    let (host, path) = (&route.target.host, route.path_and_query.path());
    let app = App {
        service: route.service,
        dialect: recognised.dialect,
        operation: recognised.operation,
        addressed: &(route.service.addressed)(host, path),
        path,
        query: route.path_and_query.query(),
    };
    let mut said = translate::request(&app, body, &place).map_err(|refused| refused.to_string())?;
    if !said.rewritten {
        return Ok((said, None));
    }
    let kind = if facts.stream { "text/event-stream" } else { "application/json" };
    said.headers.entry(ACCEPT).or_insert(HeaderValue::from_static(kind));
    // What is to be said anew must be read.
    said.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let agent = concat!("outrigger/", env!("CARGO_PKG_VERSION"));
    said.headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    let created = u64::try_from(known.now).unwrap_or_default();
    let mut asked = Asked::of(body, route.path_and_query.query(), &call, created);
    asked.model = facts.model.clone().unwrap_or_default();
    asked.names.clone_from(&said.names);
    let saying = Saying { from: place.dialect, to: recognised.dialect, asked, streamed: facts.stream };
    Ok((said, Some(saying)))
}

/// Says an answer in the app's format; one in one piece is read to its end for that. What of it has no place there, as far as that
/// is known.
pub(super) async fn answer(
    came: &mut Came,
    saying: Saying,
    held: Share,
    until: Option<Instant>,
) -> Result<Vec<&'static str>, DialError> {
    let Saying { from, to, asked, streamed } = saying;
    let fault = |class, text: &str| DialError { class, text: text.to_owned() };
    let malformed = |text| fault(FailureClass::Malformed, text);
    if is_encoded(came.sent.response.headers()) {
        return Err(malformed("the backup's answer is encoded, so it cannot be translated"));
    }
    let headers = translate::headers(to, &asked, streamed);
    let id = to.answers().and_then(|writer| writer.kept_id(&asked));
    let stream = |came: &Came, asked| {
        let stream = Stream::new(from, to, came.sent.response.headers(), asked);
        stream.ok_or_else(|| malformed("the backup's answer cannot be translated"))
    };
    if streamed && is_stream(came.sent.response.headers()) {
        let stream = stream(came, asked)?;
        came.anew = Some(Said { headers, id, anew: Anew::Stream(Some(Box::new(stream))) });
        return Ok(Vec::new());
    }
    let whole = read(came, &held);
    let whole = match until {
        None => whole.await,
        Some(until) => tokio::time::timeout_at(until, whole)
            .await
            .unwrap_or_else(|_| Err(fault(FailureClass::Timeout, "the backup's answer took too long"))),
    }?;
    let failed = |failed: translate::Failed| fault(failed.class, &failed.message);
    let (body, left_out) = if streamed {
        // Some servers answer a request for a stream with one document.
        let mut stream = stream(came, asked)?;
        let begun = stream.push(&whole);
        let End { bytes, outcome, left_out } = stream.end();
        outcome.map_err(failed)?;
        ([begun, bytes].concat(), left_out)
    } else {
        let (status, raw): (_, &HeaderMap) = (came.sent.response.status(), came.sent.response.headers());
        let said = translate::answer(from, to, status, raw, &whole, &asked).map_err(failed)?;
        (said.body, said.left_out)
    };
    if !held.grow(body.len(), (LONGEST_TWICE, LIMITS.1)) {
        return Err(malformed(FULL));
    }
    came.anew = Some(Said { headers, id, anew: Anew::Whole(Some(Whole::new(body.into(), held))) });
    Ok(left_out)
}

/// All of a body. Its frames stay in `came`, for the meter.
async fn read(came: &mut Came, held: &Share) -> Result<Vec<u8>, DialError> {
    let fault = |class, text: &str| DialError { class, text: text.to_owned() };
    let mut length = length_of(&came.ahead);
    loop {
        let frame = came.sent.response.body_mut().frame().await;
        let Some(frame) = frame else { break };
        let broke = frame.is_err();
        let more = frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
        length += more;
        came.ahead.push_back(frame);
        if broke {
            return Err(fault(FailureClass::StreamCut, "the backup's answer broke off"));
        }
        if length > LONGEST {
            return Err(fault(FailureClass::Malformed, "the backup's answer is too long to be translated"));
        }
        if !held.grow(more, (LONGEST_TWICE, LIMITS.1)) {
            return Err(fault(FailureClass::Malformed, FULL));
        }
    }
    Ok(bytes_of(&came.ahead))
}
