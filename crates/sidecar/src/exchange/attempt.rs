//! One attempt of a call that a rule decides: the request as the place is to have it, the answer's head within its deadline, and
//! what an answer means that is no success. Per attempt.

use std::rc::Rc;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Uri, Version, request};
use http_body::Frame;
use outrigger_ledger::{failure, resets};
use outrigger_providers::{Endpoint, FailureClass, Recognised, with_model};
use outrigger_rules::{Deadline, Rule, Target};
use tokio::time::Instant;

use crate::exchange::body::read_refusal;
use crate::exchange::forwarded::HeldBody;
use crate::exchange::include_usage::Answered;
use crate::exchange::request::Route;
use crate::exchange::watch::Watch;
use crate::exchange::{Came, Connection, ask};
use crate::failover::decide::Failed;
use crate::tls::accept::Protocol;
use crate::upstream::{self, DialError};

/// The headers that another place gets of the app's. What is not known to be harmless, the app's keys and accounts among it, stays
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
    let address = "its address makes no request";
    let path_and_query: http::uri::PathAndQuery = endpoint.path_and_query.parse().map_err(|_| address)?;
    let mut headers = HeaderMap::new();
    for name in &TAKEN_ALONG {
        for value in head.headers.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers.insert(HOST, HeaderValue::from_str(&target.host).map_err(|_| address)?);
    let mut body = body.clone().measured();
    if let Some(model) = &endpoint.model {
        let bytes = body.bytes();
        let (out, within) = with_model(&bytes, model).ok_or("another model cannot be named in its body")?;
        body = body.with([bytes.slice(..out.start), within.into(), bytes.slice(out.end..)]);
    }
    let mut new = http::Request::new(()).into_parts().0;
    new.method = head.method.clone();
    new.uri = Uri::from(path_and_query.clone());
    new.version = Version::HTTP_11;
    new.headers = headers;
    let recognised = (target.provider.recognise)(&new.method, path_and_query.path());
    let route = Route {
        service: target.provider,
        target: upstream::Target { host: Rc::from(&*target.host), port: 443 },
        original: None,
        path_and_query,
    };
    Ok(Prepared { route, protocol: Protocol::H1, recognised, head: new, body })
}

/// Sends a request and waits for a head, no longer than the rule allows.
pub(super) async fn send(
    connection: &Connection,
    rule: &Rule,
    begun: Instant,
    prepared: Prepared,
    watch: &Rc<Watch>,
) -> Result<Came, Box<Failure>> {
    let Prepared { route, protocol, recognised, head, body } = prepared;
    let request_sent = Rc::default();
    let (request, asked) = connection.shared.include_usage.prepare_held(
        &route,
        &recognised,
        head,
        body,
        Some(watch),
        &request_sent,
    );
    let asking = Box::pin(ask(connection, &route, protocol, request, asked, Some(watch), request_sent));
    let came = match until(rule, begun) {
        None => asking.await,
        Some((deadline, part, after)) => match tokio::time::timeout_at(deadline, asking).await {
            Ok(came) => came,
            Err(_) => Err(DialError {
                class: FailureClass::Timeout,
                text: format!(
                    "{} did not answer within the {part} of {after:?} that the rule `{}` allows",
                    route.target.host, rule.name
                ),
            }),
        },
    };
    let came = came.map_err(|error| {
        let failed = Some(Failed { class: error.class, asked: None });
        Box::new(Failure { failed, what: What::Nothing(error) })
    })?;
    if came.sent.response.status().is_success() {
        Ok(came)
    } else {
        Err(Box::new(refused(connection, &recognised, came, watch).await))
    }
}

/// The deadline that passes first while a head is waited for, with its key and what was written.
fn until(rule: &Rule, begun: Instant) -> Option<(Instant, &'static str, Duration)> {
    let now = Instant::now();
    let of = |deadline: Deadline, from: Instant, part| {
        let after = deadline.acting()?;
        Some((from + after, part, after))
    };
    let (head, total) = (rule.deadlines.response_head, rule.deadlines.total);
    [of(head, now, "responseHead"), of(total, begun, "total")].into_iter().flatten().min()
}

/// Reads what an answer means that is no success.
async fn refused(
    connection: &Connection,
    recognised: &Recognised,
    mut came: Came,
    watch: &Rc<Watch>,
) -> Failure {
    let (more, whole) = read_refusal(came.sent.response.body_mut()).await;
    if whole && came.request_sent.get() {
        came.sent.lease.put_back(&connection.shared.client);
    }
    if let Answered::Otherwise(ahead) = &mut came.answered {
        ahead.extend(more);
        let text: Vec<u8> = ahead.iter().flatten().filter_map(Frame::data_ref).flatten().copied().collect();
        let (status, headers) = (came.sent.response.status(), came.sent.response.headers());
        let class = failure(recognised, status, headers, &text).map(|failure| failure.class);
        let now = watch.clock.now();
        let asked = resets(headers, now).map(|at| Duration::from_nanos(at.since(now)));
        let failed = class.map(|class| Failed { class, asked });
        return Failure { failed, what: What::Answer(Box::new(came)) };
    }
    Failure { failed: None, what: What::Answer(Box::new(came)) }
}
