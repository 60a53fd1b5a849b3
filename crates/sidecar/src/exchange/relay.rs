//! What came of a request, and its way to the app. Per request.

use std::cell::Cell;
use std::rc::Rc;

use http::{HeaderMap, Response, Version, response};
use outrigger_ledger::{EVENTS, comes_as, is_stream};
use outrigger_providers::framing::KeepAlives;
use outrigger_providers::include_usage::UsageStrip;
use outrigger_providers::{Dialect, Reading, Service, is_encoded};
use outrigger_rules::Rule;
use tokio::time::Instant;

use crate::exchange::body::{Ahead, ObservedBody, Passing, RelayedBody};
use crate::exchange::forwarded::ForwardedBody;
use crate::exchange::going_on::GoingOn;
use crate::exchange::kept::KeptBody;
use crate::exchange::rewritten::RewrittenBody;
use crate::exchange::translated::{Anew, TranslatedBody};
use crate::exchange::watch::{Fared, Watch};
use crate::exchange::{Connection, headers};
use crate::failover::Admitted;
use crate::tls::accept::Protocol;
use crate::upstream::client::Sent;

/// What came back of a request.
pub(super) struct Came {
    pub(super) sent: Sent<ForwardedBody>,
    /// What was read of its body.
    pub(super) ahead: Ahead,
    /// Set where that is all of it.
    pub(super) whole: Option<InOnePiece>,
    /// What takes the usage out that the app did not ask for.
    pub(super) strip: Option<Box<UsageStrip>>,
    /// How it is said in the app's format, where it came in another.
    pub(super) anew: Option<Said>,
    pub(super) request_sent: Rc<Cell<bool>>,
}

/// An answer that is here to its end: what it says, where it had to be read for that.
pub(super) struct InOnePiece(pub(super) Option<Box<Reading>>);

/// An answer in the app's format.
pub(super) struct Said {
    pub(super) headers: HeaderMap,
    /// The id by which the app may name it later, where its format has such.
    pub(super) id: Option<String>,
    pub(super) anew: Anew,
}

/// The rule that an answer is kept to, and when the call began.
pub(super) struct Keeper<'a> {
    pub(super) rule: &'a Rule,
    pub(super) begun: Instant,
    /// The app's format.
    pub(super) dialect: &'static dyn Dialect,
    /// Of a stream: told of how it ends.
    pub(super) leave: Option<Admitted>,
    /// Goes on with a stream that dies, where the rule allows it.
    pub(super) going_on: Option<Box<GoingOn>>,
}

/// The answer on its way to the app.
pub(super) fn relay(
    connection: &Rc<Connection>,
    service: &'static Service,
    watch: Option<Rc<Watch>>,
    came: Came,
    keeper: Option<Keeper<'_>>,
) -> Response<RelayedBody> {
    let ends_in_time = keeper.as_ref().is_some_and(|keeper| keeper.rule.deadlines.total.acting().is_some());
    // Nothing is left to be kept of what is here to its end.
    let kept_in_part = ends_in_time && came.whole.is_none();
    let (head, mut passing, streams) = passing(connection, service, watch, came);
    let body = match keeper.filter(|_| streams || kept_in_part) {
        Some(keeper) => {
            let observed = passing.observed();
            (observed.is_kept, observed.holds_end) = (true, keeper.going_on.is_some());
            // Plain text within a compressed body would be garbage.
            let is_readable = comes_as(&head.headers, EVENTS) && !is_encoded(&head.headers);
            let told_in = is_readable.then_some(keeper.dialect);
            RelayedBody::Kept(Box::new(KeptBody::new(passing, told_in, streams, keeper)))
        }
        None => RelayedBody::Passing(passing),
    };
    Response::from_parts(head, body)
}

/// An answer as it passes without a rule, its head as the app gets it, and whether it comes in parts. The call is shown its head.
pub(super) fn passing(
    connection: &Rc<Connection>,
    service: &'static Service,
    watch: Option<Rc<Watch>>,
    came: Came,
) -> (response::Parts, Passing, bool) {
    let shared = &connection.shared;
    let Came { sent, ahead, whole, strip, anew, request_sent } = came;
    let (mut head, inner) = sent.response.into_parts();
    if let Some(watch) = &watch {
        watch.show(|call| {
            call.connected(sent.peer);
            if let Some(reading) = whole.and_then(|InOnePiece(reading)| reading) {
                call.was_held(reading);
            }
            call.response_head(head.status, &head.headers, watch.responded());
        });
    }
    headers::clean_response(&mut head.headers);
    // The version is that of the app's connection; hyper would lower ours to an old provider's.
    head.version = match connection.protocol {
        Protocol::H1 => Version::HTTP_11,
        Protocol::H2 => Version::HTTP_2,
    };
    let billed_to_the_end = watch.is_some()
        && service.bills_after_hang_up
        && shared.hang_ups.drains()
        && head.status.is_success();
    let hang_ups = billed_to_the_end.then(|| Rc::clone(&shared.hang_ups));
    let streams = head.status.is_success() && is_stream(&head.headers);
    let pulse = watch.as_ref().filter(|_| streams).map(|watch| shared.pulses.follow(watch.id, service.id));
    let reports = watch.as_ref().is_some_and(|watch| watch.reports());
    let keep_alives = if streams && reports { KeepAlives::of(&head.headers) } else { None };
    let body = ObservedBody {
        pulse,
        keep_alives,
        says: false,
        ahead,
        inner: Some(inner),
        watch,
        after: Rc::clone(&connection.after),
        lease: sent.lease,
        client: Rc::clone(&shared.client),
        request_sent,
        hang_ups,
        is_kept: false,
        holds_end: false,
        fared: Fared::default(),
    };
    let passing = match (anew, strip) {
        (Some(Said { headers, anew, .. }), _) => {
            head.headers = headers;
            Passing::Translated(Box::new(TranslatedBody::new(body, anew)))
        }
        (None, Some(strip)) => Passing::Rewritten(Box::new(RewrittenBody::new(body, strip))),
        (None, None) => Passing::Observed(Box::new(body)),
    };
    (head, passing, streams)
}
