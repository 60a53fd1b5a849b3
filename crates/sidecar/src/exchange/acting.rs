//! A call for which a rule may act: its body is held until the rule is found, for the model stands in it. What else it asks for is read
//! while its provider works. What no rule decides goes on as if there were none. Per call.

use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response, request};
use hyper::body::Incoming;
use outrigger_providers::{Recognised, is_encoded, named_model};
use outrigger_rules::Policy;
use tokio::time::Instant;

use crate::exchange::ask::ask;
use crate::exchange::body::RelayedBody;
use crate::exchange::forwarded::{HeldBody, ReadBody};
use crate::exchange::include_usage::LIMITS;
use crate::exchange::relay::relay;
use crate::exchange::request::{Route, outgoing};
use crate::exchange::run::{Run, Wanted};
use crate::exchange::watch::Watch;
use crate::exchange::{Connection, unreached};
use crate::failover::patience::Patience;

const TOO_LONG: &str = "the request is too long to be held, so it could be neither tried again nor moved";

/// Bytes of a body that is gone through for its model alone, so that it leaves before the rest of it is read. For longer ones that pass
/// costs more than it saves: they are read once, first.
const SHORT: usize = 16 * 1024;

/// A call as it came.
pub(super) struct Call {
    connection: Rc<Connection>,
    /// As the app sent it: rules ask for headers that do not leave.
    head: request::Parts,
    body: Incoming,
    route: Route,
    recognised: Recognised,
    /// The model that its address names.
    addressed: Option<String>,
    watch: Rc<Watch>,
    begun: Instant,
}

impl Call {
    pub(super) fn new(
        connection: &Rc<Connection>,
        request: Request<Incoming>,
        route: Route,
        recognised: Recognised,
        addressed: Option<String>,
        watch: Rc<Watch>,
    ) -> Call {
        let (head, body) = request.into_parts();
        let connection = Rc::clone(connection);
        Call { connection, head, body, route, recognised, addressed, watch, begun: Instant::now() }
    }

    /// Serves it under these rules, which it keeps to its end.
    pub(super) async fn run(self, policy: Arc<Policy>) -> Response<RelayedBody> {
        let Call { connection, head, body, route, recognised, addressed, watch, begun } = self;
        let shared = &connection.shared;
        let readable = !is_encoded(&head.headers);
        let share = shared.include_usage.share();
        let mut read = ReadBody::read(body, share, LIMITS, Some(&watch)).await.whole();
        let bytes = read.as_mut().map(HeldBody::bytes).unwrap_or_default();
        let plain = match &addressed {
            Some(model) => Some(model.as_str()),
            None if readable && bytes.len() <= SHORT => named_model(recognised.dialect, &bytes),
            None => None,
        };
        let facts;
        let model = match plain {
            Some(model) => Some(model),
            // Only who reads all of it knows.
            None => {
                facts = watch.asked();
                facts.model.as_deref()
            }
        };
        let decided = policy.decide(&outrigger_rules::Call {
            provider: route.service.id,
            host: &route.target.host,
            model,
            operation: recognised.operation,
            headers: &head.headers,
            service: shared.service.as_deref(),
        });
        let rule = decided.filter(|rule| rule.acts());
        if let Some(rule) = rule {
            watch.note(|call| call.decided_by(&rule.name));
        }
        let patience = rule.map(|rule| Patience::new(&head.headers, rule.deadlines.total.acting(), begun));
        let head = outgoing(head, &route, connection.protocol, &connection.binding);
        let request_sent = Rc::default();
        let (request, asked) = match (read, rule.zip(patience)) {
            (Ok(body), Some((rule, patience))) => {
                let asked = Wanted { head: &head, route: &route, recognised: &recognised, readable };
                let run =
                    Run::new(&connection, &policy, rule, (asked, model), body, &watch, (begun, patience));
                return run.serve().await;
            }
            (Ok(body), None) => {
                let usage = &shared.include_usage;
                usage.prepare_held(&route, &recognised, head, body, Some(&watch), &request_sent)
            }
            (Err(part), _) => {
                watch.show(|call| call.hindered(TOO_LONG));
                let body = part.forwarded(Some(Rc::clone(&watch)), Rc::clone(&request_sent));
                (Request::from_parts(head, body), None)
            }
        };
        let protocol = connection.protocol;
        match ask(&connection, &route, protocol, request, asked, Some(&watch), request_sent).await {
            Ok(came) => relay(&connection, route.service, Some(watch), came, None),
            Err(error) => unreached(&recognised, Some(watch), error),
        }
    }
}
