//! One request of the app, from its head to its record: route > recognise > send > relay > record. Per request.

mod acting;
pub(crate) mod after_flush;
pub(crate) mod answer;
mod ask;
mod attempt;
pub(crate) mod body;
mod forwarded;
mod going_on;
pub(crate) mod hang_up;
mod headers;
mod hold;
pub(crate) mod include_usage;
mod kept;
pub(crate) mod pulse;
mod relay;
mod reporting;
pub(crate) mod request;
mod rewritten;
mod run;
mod say;
mod translated;
pub(crate) mod tunnel;
mod upgrade;
pub(crate) mod watch;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use outrigger_ledger::{CallId, CallStart, End, Mode as Way};
use outrigger_providers::{Addressed, Recognised, services};
use outrigger_rules::Mode;

use crate::clock::CallClock;
use crate::exchange::acting::Decided;
use crate::exchange::after_flush::AfterFlush;
use crate::exchange::ask::ask;
use crate::exchange::body::RelayedBody;
use crate::exchange::forwarded::ForwardedBody;
use crate::exchange::hang_up::HangUps;
use crate::exchange::include_usage::IncludeUsage;
use crate::exchange::pulse::Pulses;
use crate::exchange::relay::relay;
use crate::exchange::reporting::Reporting;
use crate::exchange::request::{Binding, Misrouted, Route, outgoing};
use crate::exchange::tunnel::Tunnel;
use crate::exchange::watch::{Records, Watch};
use crate::failover::Failovers;
use crate::policy::Policies;
use crate::seen::Counters;
use crate::tls::accept::Protocol;
use crate::upstream::DialError;
use crate::upstream::client::{OwnH2, SharedClient};
use crate::upstream::credentials::Credentials;

/// How much of a request that goes nowhere is taken in, and for how long.
const SWALLOWED: usize = 1024 * 1024;
const SWALLOWING: Duration = Duration::from_secs(5);

/// What all exchanges of the traffic thread share.
pub(crate) struct Shared {
    pub(crate) client: SharedClient<ForwardedBody>,
    pub(crate) records: Rc<Records>,
    pub(crate) include_usage: IncludeUsage,
    pub(crate) hang_ups: Rc<HangUps>,
    pub(crate) pulses: Rc<Pulses>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) failovers: Failovers,
    /// What backups are paid by.
    pub(crate) credentials: Credentials,
    /// `service.name` of the app, as its telemetry carries it.
    pub(crate) service: Option<Arc<str>>,
}

impl Shared {
    /// Whether calls that begin now are watched. A connection that was read before the mode became `passthrough` stays with us,
    /// and so does whoever calls us by our base URL: what they send is forwarded, and not looked at.
    fn watches(&self) -> bool {
        self.policies.mode() != Mode::Passthrough
    }

    /// Whether a call is watched, what its address says where a rule may do something for it, and the rules that may have something to
    /// report of it. Under a microsecond where no rule matches.
    fn look(
        &self,
        route: &Route,
        recognised: &Recognised,
        headers: &HeaderMap,
    ) -> (bool, Option<Addressed>, Option<Reporting>) {
        let policy = self.policies.current();
        let is_watched = recognised.operation.is_inference() && policy.mode != Mode::Passthrough;
        if !is_watched || policy.rules.is_empty() {
            return (is_watched, None, None);
        }
        let addressed = (route.service.addressed)(&route.target.host, route.path_and_query.path());
        let call = outrigger_rules::Call {
            provider: route.service.id,
            host: &route.target.host,
            model: addressed.model.as_deref(),
            operation: recognised.operation,
            headers,
            service: self.service.as_deref(),
        };
        let reporting = Reporting::of(&policy, &call);
        let acts = reporting.as_ref().is_some_and(Reporting::may_act);
        (true, acts.then_some(addressed), reporting)
    }
}

/// One connection of the app whose requests we read.
pub(crate) struct Connection {
    pub(crate) shared: Rc<Shared>,
    pub(crate) binding: Binding,
    pub(crate) mode: Way,
    pub(crate) protocol: Protocol,
    pub(crate) after: Rc<AfterFlush>,
    /// Set when a request of this connection was answered with 101: the connection then becomes a tunnel.
    pub(crate) tunnel: RefCell<Option<Tunnel>>,
    /// Its requests over HTTP/2 go here.
    pub(crate) own_h2: OwnH2<ForwardedBody>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Binding::Named { target, .. } = &self.binding {
            self.own_h2.put_back(&self.shared.client, target);
        }
    }
}

/// Serves one request. The app always gets an answer; what fails is told in its provider's format.
pub(crate) async fn serve(
    connection: Rc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<RelayedBody>, Infallible> {
    let clock = CallClock::start();
    Counters::count(&connection.shared.records.counters.requests);
    let route = match connection.binding.route(&request) {
        Ok(route) => route,
        Err(misrouted) => {
            tokio::task::spawn_local(swallow(request.into_body()));
            return Ok(refuse(&misrouted));
        }
    };
    if connection.protocol == Protocol::H1 && upgrade::is_asked_for(request.headers()) {
        return Ok(Box::pin(upgrade::forward(&connection, request, &route, clock)).await);
    }
    Ok(forward(&connection, request, route, clock).await)
}

/// Takes in what still comes of a request that goes nowhere: over HTTP/2 some clients (curl 7) overlook an answer to a body
/// that is cut off.
async fn swallow(mut body: Incoming) {
    let all = async {
        let mut left = SWALLOWED;
        while let Some(Ok(frame)) = body.frame().await {
            match left.checked_sub(frame.data_ref().map_or(0, bytes::Bytes::len)) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // What is late or long is cut off after all.
    let _late = tokio::time::timeout(SWALLOWING, all).await;
}

fn refuse(misrouted: &Misrouted) -> Response<RelayedBody> {
    let service = misrouted.service.unwrap_or(services::ALL[0]);
    answer::error(service.default_dialect(), misrouted.status, misrouted.class, &misrouted.text)
}

async fn forward(
    connection: &Rc<Connection>,
    request: Request<Incoming>,
    route: Route,
    clock: CallClock,
) -> Response<RelayedBody> {
    let shared = &connection.shared;
    let recognised = (route.service.recognise)(request.method(), route.path_and_query.path());
    let (is_watched, acting, reporting) = shared.look(&route, &recognised, request.headers());
    let watch = is_watched.then(|| watch(connection, &request, &route, recognised, clock, reporting));
    let request_sent = Rc::new(Cell::new(false));
    let (request, asked) = match (acting, &watch) {
        (Some(addressed), Some(watch)) => {
            let addressed = addressed.model.as_deref();
            let call = acting::Call { connection, route: &route, recognised: &recognised, addressed, watch };
            match call.serve(request, &request_sent).await {
                Decided::Answered(response) => return response,
                Decided::Left(request, asked) => (request, asked),
            }
        }
        _ => {
            let (head, body) = request.into_parts();
            let head = outgoing(head, &route, connection.protocol, &connection.binding);
            let usage = &shared.include_usage;
            usage.prepare(&route, &recognised, head, body, watch.as_ref(), &request_sent).await
        }
    };
    let protocol = connection.protocol;
    match ask(connection, &route, protocol, request, asked, watch.as_ref(), request_sent).await {
        Ok(came) => relay(connection, route.service, watch, came, None),
        Err(error) => unreached(&recognised, watch, error),
    }
}

/// What the app is told where its provider was not reached.
fn unreached(recognised: &Recognised, watch: Option<Rc<Watch>>, error: DialError) -> Response<RelayedBody> {
    let status = answer::status_for(error.class);
    failed(recognised, watch, error, status)
}

/// The app gets an error with this status, and the call has ended so.
fn failed(
    recognised: &Recognised,
    watch: Option<Rc<Watch>>,
    error: DialError,
    status: u16,
) -> Response<RelayedBody> {
    let response = answer::error(recognised.dialect, status, error.class, &error.text);
    if let Some(watch) = watch {
        watch.finish(End::Failed { class: error.class, text: error.text, status });
    }
    response
}

/// A watch over the call that a request is.
fn watch<B>(
    connection: &Connection,
    request: &Request<B>,
    route: &Route,
    recognised: Recognised,
    clock: CallClock,
    reporting: Option<Reporting>,
) -> Rc<Watch> {
    let records = &connection.shared.records;
    let start = CallStart {
        id: call_id(),
        service: route.service,
        recognised,
        mode: connection.mode,
        method: request.method(),
        path: route.path_and_query.path(),
        query: route.path_and_query.query(),
        headers: request.headers(),
        host: &route.target.host,
        port: route.target.port,
        http_version: connection.protocol.version(),
        identity: &records.identity,
        at: clock.started(),
    };
    Rc::new(Watch::begin(start, clock, Rc::clone(records), reporting))
}

/// Random; where the system has no randomness to give, the time is better than no id.
fn call_id() -> CallId {
    let mut id = [0u8; 16];
    if getrandom::fill(&mut id).is_err() {
        id[..8].copy_from_slice(&CallClock::start().started().0.to_be_bytes());
    }
    CallId(id)
}
