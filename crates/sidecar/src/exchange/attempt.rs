//! One attempt of a call that a rule decides: the request as the place is to have it, the answer within its deadlines as far as its
//! first content, and what an answer means that is no success. Per attempt.

use std::rc::Rc;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Uri, Version, request};
use outrigger_ledger::{failure, is_stream, resets};
use outrigger_providers::translate::Outgoing;
use outrigger_providers::{Endpoint, FailureClass, Recognised, with_model};
use outrigger_rules::{Deadline, Rule, Target};
use tokio::time::Instant;

use crate::exchange::Connection;
use crate::exchange::ask::ask;
use crate::exchange::body::{bytes_of, pieces, read_refusal};
use crate::exchange::forwarded::HeldBody;
use crate::exchange::hold::{Limits, Unfit, hold};
use crate::exchange::relay::Came;
use crate::exchange::request::Route;
use crate::exchange::say::{self, Saying};
use crate::exchange::watch::Watch;
use crate::failover::decide::Failed;
use crate::tls::accept::Protocol;
use crate::upstream::{self, DialError};

/// What may go along to another place. What is not known to be harmless, the app's keys and accounts among it, stays
/// here.
const TAKEN_ALONG: [HeaderName; 8] = [
    ACCEPT,
    ACCEPT_ENCODING,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    USER_AGENT,
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("openai-beta"),
];

/// A request for one place.
pub(super) struct Prepared {
    pub(super) route: Route,
    pub(super) protocol: Protocol,
    pub(super) recognised: Recognised,
    pub(super) head: request::Parts,
    pub(super) body: HeldBody,
    /// How the answer is to be said, where the request is in another format than the app's.
    pub(super) saying: Option<Saying>,
}

/// How an attempt failed, with what the app could be given of it.
pub(super) struct Failure {
    /// `None`: it is an answer like any other, and no success.
    pub(super) failed: Option<Failed>,
    pub(super) what: What,
}

/// What is there of an attempt that failed.
pub(super) enum What {
    /// An answer.
    Answer(Box<Came>),
    /// None.
    Nothing(DialError),
}

/// The request as a backup is to have it, but for what pays for it. Why it cannot be made, in plain words.
pub(super) fn for_backup(
    target: &Target,
    endpoint: &Endpoint,
    head: &request::Parts,
    body: &HeldBody,
) -> Result<Prepared, &'static str> {
    let mut body = body.clone().measured();
    if let Some(model) = &endpoint.model {
        let bytes = body.bytes();
        let (out, within) = with_model(&bytes, model).ok_or("another model cannot be named in its body")?;
        body = body.with([bytes.slice(..out.start), within.into(), bytes.slice(out.end..)]);
    }
    let head = (head.method.clone(), taken_along(&head.headers));
    addressed(target, &endpoint.path_and_query, head, body, None)
}

/// The request as it was said in the backup's format, but for what pays for it.
pub(super) fn in_other_words(
    target: &Target,
    said: Outgoing,
    saying: Option<Saying>,
    head: &request::Parts,
    body: &HeldBody,
) -> Result<Prepared, &'static str> {
    let headers = match &saying {
        Some(_) => said.headers,
        // Its body is the app's, and so are its headers.
        None => taken_along(&head.headers),
    };
    let body = body.with([said.body]).measured();
    addressed(target, &said.path, (head.method.clone(), headers), body, saying)
}

/// The headers of the app's that another place gets.
fn taken_along(own: &HeaderMap) -> HeaderMap {
    let mut taken = HeaderMap::new();
    for name in TAKEN_ALONG {
        for value in own.get_all(&name) {
            taken.append(name.clone(), value.clone());
        }
    }
    taken
}

/// A request to a backup's own host.
fn addressed(
    target: &Target,
    path_and_query: &str,
    (method, mut headers): (Method, HeaderMap),
    body: HeldBody,
    saying: Option<Saying>,
) -> Result<Prepared, &'static str> {
    let address = "its address makes no request";
    let path_and_query: http::uri::PathAndQuery = path_and_query.parse().map_err(|_| address)?;
    headers.insert(HOST, HeaderValue::from_str(&target.host).map_err(|_| address)?);
    let mut new = http::Request::new(()).into_parts().0;
    new.method = method;
    new.uri = Uri::from(path_and_query.clone());
    new.version = Version::HTTP_11;
    new.headers = headers;
    let recognised = (target.provider.recognise)(&new.method, path_and_query.path());
    let route = Route {
        service: target.provider,
        target: upstream::Target { host: Rc::from(&*target.host), port: 443 },
        original: None,
        connect: None,
        path_and_query,
    };
    Ok(Prepared { route, protocol: Protocol::H1, recognised, head: new, body, saying })
}

/// Sends a request and waits for an answer that may be shown, no longer than the rule allows. What few attempts come to is boxed, so that
/// the others do without its room.
pub(super) async fn send(
    connection: &Connection,
    rule: &Rule,
    begun: Instant,
    prepared: Prepared,
    watch: &Rc<Watch>,
) -> Result<Came, Box<Failure>> {
    let Prepared { mut route, protocol, recognised, head, body, saying } = prepared;
    route.connect = rule.deadlines.connect.acting();
    let began = Instant::now();
    let request_sent = Rc::default();
    let (request, asked) = match &saying {
        // Said anew it asks for the usage itself.
        Some(_) => {
            let body = body.forwarded(Some(Rc::clone(watch)), Rc::clone(&request_sent));
            (http::Request::from_parts(head, body), None)
        }
        None => {
            let usage = &connection.shared.include_usage;
            usage.prepare_held(&route, &recognised, head, body, Some(watch), &request_sent)
        }
    };
    let asking = Box::pin(ask(connection, &route, protocol, request, asked, Some(watch), request_sent));
    let late = |(_, part, after): Passing| {
        let text = format!(
            "{} did not answer within the {part} of {after:?} that the rule `{}` allows",
            route.target.host, rule.name
        );
        DialError { class: FailureClass::Timeout, text }
    };
    let total = passing(rule.deadlines.total, begun, "total");
    let head = earliest([passing(rule.deadlines.response_head, began, "responseHead"), total]);
    let came = match head {
        None => asking.await,
        Some(passing) => match tokio::time::timeout_at(passing.0, asking).await {
            Ok(came) => came,
            Err(_) => {
                connection.shared.client.distrust(&route.target, protocol, &connection.own_h2);
                Err(late(passing))
            }
        },
    };
    let mut came = came.map_err(nothing)?;
    if !came.sent.response.status().is_success() {
        return Err(Box::new(Box::pin(refused(connection, &recognised, came, total, watch)).await));
    }
    let streams = is_stream(came.sent.response.headers());
    let first = passing(rule.deadlines.first_token, began, "firstToken").filter(|_| streams);
    let deadline = earliest([first, total]);
    let share = connection.shared.include_usage.share();
    let limits = Limits { late_at: deadline.map(|passing| passing.0), is_released: first.is_none() };
    match (hold(&mut came, &recognised, limits, &share).await, deadline) {
        (Ok(()), _) => {
            let Some(saying) = saying else { return Ok(came) };
            let said = say::answer(&mut came, saying, share, total.map(|total| total.0));
            match Box::pin(said).await {
                Ok(left_out) => {
                    watch.show(|call| call.leaves_out(left_out));
                    Ok(came)
                }
                Err(error) => {
                    unseen(&came, watch);
                    Err(nothing(error))
                }
            }
        }
        (Err(Unfit::Late), Some(passing)) => {
            unseen(&came, watch);
            Err(nothing(late(passing)))
        }
        (Err(Unfit::Late), None) => Ok(came),
        (Err(Unfit::Failed(class)), _) => {
            unseen(&came, watch);
            let failed = Some(Failed { class, asked: None });
            Err(Box::new(Failure { failed, what: What::Answer(Box::new(came)) }))
        }
    }
}

/// Shows what came of an answer that the app will not see: it may have been billed.
fn unseen(came: &Came, watch: &Watch) {
    let (status, headers) = (came.sent.response.status(), came.sent.response.headers());
    watch.show(|call| call.came_unseen(status, headers, pieces(&came.ahead), watch.clock.now()));
}

fn nothing(error: DialError) -> Box<Failure> {
    let failed = Some(Failed { class: error.class, asked: None });
    Box::new(Failure { failed, what: What::Nothing(error) })
}

/// When a deadline passes, its key, and what was written.
type Passing = (Instant, &'static str, Duration);

/// When a deadline passes that does more than report.
fn passing(deadline: Deadline, from: Instant, part: &'static str) -> Option<Passing> {
    let after = deadline.acting()?;
    Some((from + after, part, after))
}

fn earliest(deadlines: [Option<Passing>; 2]) -> Option<Passing> {
    deadlines.into_iter().flatten().min()
}

/// Reads what an answer means that is no success.
async fn refused(
    connection: &Connection,
    recognised: &Recognised,
    mut came: Came,
    total: Option<Passing>,
    watch: &Rc<Watch>,
) -> Failure {
    let (more, whole) = read_refusal(came.sent.response.body_mut(), total.map(|total| total.0)).await;
    if whole && came.request_sent.get() {
        came.sent.lease.put_back(&connection.shared.client);
    }
    came.ahead.extend(more);
    let text = bytes_of(&came.ahead);
    let (status, headers) = (came.sent.response.status(), came.sent.response.headers());
    let class = failure(recognised, status, headers, &text).map(|failure| failure.class);
    let now = watch.clock.now();
    let asked = resets(headers, now).map(|at| Duration::from_nanos(at.since(now)));
    let failed = class.map(|class| Failed { class, asked });
    Failure { failed, what: What::Answer(Box::new(came)) }
}
