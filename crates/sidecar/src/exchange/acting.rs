//! A call for which a rule may act: its body is held until the rule is found, for the model stands in it. What else it asks for is read
//! while its provider works. What no rule decides goes on as if there were none. Per call.

use std::cell::Cell;
use std::rc::Rc;

use http::{Request, Response};
use hyper::body::Incoming;
use outrigger_providers::{Recognised, is_encoded, named_model};
use tokio::time::Instant;

use crate::exchange::Connection;
use crate::exchange::body::RelayedBody;
use crate::exchange::forwarded::{ForwardedBody, HeldBody, ReadBody};
use crate::exchange::include_usage::{Asked, LIMITS};
use crate::exchange::request::{Route, outgoing};
use crate::exchange::run::{Run, Wanted};
use crate::exchange::watch::Watch;

const TOO_LONG: &str = "the request is too long to be held, so it could be neither tried again nor moved";

/// A call whose rule is looked for.
pub(super) struct Call<'a> {
    pub(super) connection: &'a Rc<Connection>,
    pub(super) route: &'a Route,
    pub(super) recognised: &'a Recognised,
    /// The model that its address names.
    pub(super) addressed: Option<&'a str>,
    pub(super) watch: &'a Rc<Watch>,
}

/// What became of it.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is returned")]
pub(super) enum Decided {
    /// A rule decided it, and this is its answer.
    Answered(Response<RelayedBody>),
    /// No rule did: it is to be sent so.
    Left(Request<ForwardedBody>, Option<Asked>),
}

impl Call<'_> {
    /// Serves it under the rules with which it began, if one of them decides it.
    pub(super) async fn serve(self, request: Request<Incoming>, request_sent: &Rc<Cell<bool>>) -> Decided {
        let Call { connection, route, recognised, addressed, watch } = self;
        let begun = Instant::now();
        let (head, body) = request.into_parts();
        let usage = &connection.shared.include_usage;
        let readable = !is_encoded(&head.headers);
        let mut read = ReadBody::read(body, usage.share(), LIMITS, Some(watch)).await.whole();
        let bytes = read.as_mut().map(HeldBody::bytes).unwrap_or_default();
        let facts;
        let named = || named_model(recognised.dialect, &bytes).filter(|_| readable);
        let model = match addressed.or_else(named) {
            Some(model) => Some(model),
            // Only who reads all of it knows.
            None => {
                facts = watch.asked();
                facts.model.as_deref()
            }
        };
        let decided = watch.decide(model).filter(|(_, rule)| rule.acts());
        if let Some((_, rule)) = decided {
            watch.note(|call| call.decided_by(&rule.name));
        }
        let head = outgoing(head, route, connection.protocol, &connection.binding);
        match (read, decided) {
            (Ok(body), Some((policy, rule))) => {
                let asked = Wanted { head: &head, route, recognised, readable };
                let run = Run::new(connection, policy, rule, (asked, model), body, watch, begun);
                // Most calls come without its room.
                Decided::Answered(Box::pin(run.serve()).await)
            }
            (Ok(body), None) => {
                let (request, asked) =
                    usage.prepare_held(route, recognised, head, body, Some(watch), request_sent);
                Decided::Left(request, asked)
            }
            (Err(part), _) => {
                watch.show(|call| call.hindered(TOO_LONG));
                let body = part.forwarded(Some(Rc::clone(watch)), Rc::clone(request_sent));
                Decided::Left(Request::from_parts(head, body), None)
            }
        }
    }
}
