//! Other places are asked to go on with a stream that died under the app's eyes. Per such stream; what is needed for it is kept per stream
//! that may be gone on with.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, request};
use outrigger_ledger::is_stream;
use outrigger_pricing::TokenUsage;
use outrigger_providers::canonical::{Asked, Begun};
use outrigger_providers::translate::{Shown, Stream, continuable, continued};
use outrigger_providers::{FailureClass, Recognised, is_encoded};
use outrigger_rules::{Policy, Rule, Target};
use tokio::time::Instant;

use super::{Run, Tried, Turn, Wanted};
use crate::exchange::Connection;
use crate::exchange::body::Passing;
use crate::exchange::forwarded::HeldBody;
use crate::exchange::going_on::{GoingOn, Rest};
use crate::exchange::include_usage::is_signed;
use crate::exchange::relay::{Came, Said, passing};
use crate::exchange::request::Route;
use crate::exchange::translated::Anew;
use crate::exchange::watch::Watch;
use crate::failover::decide::{is_of_the_place, stands};
use crate::failover::patience::Patience;
use crate::failover::{Admitted, Place};

/// All that is needed to ask others, kept while the stream flows.
pub(crate) struct Order {
    connection: Rc<Connection>,
    policy: Arc<Policy>,
    /// Which of its rules.
    rule: usize,
    head: request::Parts,
    route: Route,
    recognised: Recognised,
    body: HeldBody,
    watch: Rc<Watch>,
    begun: Instant,
    addressed: Place,
    /// Those that are left, if anybody wanted to know.
    backups: Option<VecDeque<Arc<Target>>>,
    attempts: u32,
}

impl Run<'_> {
    /// Whether the place that the app addressed is asked not to encode its answer: else it could not be gone on with.
    pub(super) fn is_to_be_read(&self) -> bool {
        let Wanted { head, route, .. } = self.wanted;
        self.may_go_on()
            && head.headers.contains_key(ACCEPT_ENCODING)
            && !is_signed(&head.headers, route.path_and_query.query())
            && self.watch.asked().stream
    }

    fn may_go_on(&self) -> bool {
        self.rule.failover.as_ref().is_some_and(|failover| failover.continue_cut_streams)
    }

    /// What goes on with this answer, should it die, where the rule allows it and it can be.
    pub(super) fn going_on(&mut self, came: &Came) -> Option<Box<GoingOn>> {
        if !self.may_go_on() || !is_stream(came.sent.response.headers()) {
            return None;
        }
        match self.followed(came) {
            Ok((shown, rule)) => {
                let order = Box::new(self.order(rule));
                let share = self.connection.shared.include_usage.share();
                Some(Box::new(GoingOn::new(shown, share, order, Rc::clone(self.watch))))
            }
            Err(why) => {
                self.watch.show(|call| call.cannot_go_on(why));
                None
            }
        }
    }

    /// The answer as it is followed, and which rule it keeps.
    fn followed(&mut self, came: &Came) -> Result<(Shown, usize), &'static str> {
        let dialect = self.wanted.recognised.dialect;
        if came.anew.is_some() {
            return Err("it was said in another format already");
        }
        if !self.wanted.readable {
            return Err("its request is encoded");
        }
        continuable(dialect, &self.body.bytes())?;
        let shown = Shown::new(dialect, came.sent.response.headers())?;
        let rule = self.policy.rules.iter().position(|rule| std::ptr::eq(rule, self.rule));
        Ok((shown, rule.ok_or("its rule is gone")?))
    }

    fn order(&self, rule: usize) -> Order {
        Order {
            connection: Rc::clone(self.connection),
            policy: Arc::clone(self.policy),
            rule,
            head: self.wanted.head.clone(),
            route: self.wanted.route.clone(),
            recognised: *self.wanted.recognised,
            body: self.body.clone(),
            watch: Rc::clone(self.watch),
            begun: self.begun,
            addressed: self.addressed.clone(),
            backups: self.backups.clone(),
            attempts: self.attempts,
        }
    }
}

impl Order {
    /// Whether others may be asked to go on with a stream that died in this way.
    pub(crate) fn may(&self, class: FailureClass) -> Result<(), &'static str> {
        let rule = self.policy.rules.get(self.rule);
        let moves =
            |rule: &&Rule| rule.failover.as_ref().is_some_and(|failover| failover.when.contains(class));
        let Some(rule) = rule.filter(moves) else {
            return Err("its rule does not fail over for what it died of");
        };
        if Patience::of(&self.head, rule, self.begun).is_over(Instant::now()) {
            return Err("the app waits no longer");
        }
        Ok(())
    }

    /// Asks the backups that are left, one after another, to go on behind what was begun.
    pub(crate) async fn go_on(
        self: Box<Order>,
        begun: Begun,
        before: TokenUsage,
        class: FailureClass,
    ) -> Option<Rest> {
        let order = *self;
        let rule = order.policy.rules.get(order.rule)?;
        let mut body = order.body;
        let own = body.bytes();
        let bidding = continued(order.recognised.dialect, &own, &begun.text)?;
        let wanted =
            Wanted { head: &order.head, route: &order.route, recognised: &order.recognised, readable: true };
        let mut run = Run {
            connection: &order.connection,
            policy: &order.policy,
            rule,
            wanted,
            body: body.with([bidding]).measured(),
            watch: &order.watch,
            begun: order.begun,
            addressed: order.addressed,
            backups: order.backups,
            attempts: order.attempts,
            failed: Some(class),
            kept: None,
            goes_on: true,
            follows: false,
            spoken: None,
        };
        while let Some((turn, leave)) = run.next_backup() {
            let Turn::Backup(target) = &turn else { return None };
            if run.patience().is_over(Instant::now()) {
                return None;
            }
            match run.attempt(&turn).await {
                Tried::Answer(came) => match run.takes_over(target, *came, (&begun, before), &own) {
                    Some(stream) => {
                        leave.began();
                        return Some(Rest { stream, leave });
                    }
                    None => leave.succeeded(),
                },
                Tried::Failed(failed) => {
                    settle(leave, is_of_the_place(failed.class));
                    if stands(failed.class) {
                        return None;
                    }
                }
                Tried::Skipped => {}
            }
        }
        None
    }
}

impl Run<'_> {
    /// Lets the rest of a stream that died come from the answer to one that was asked to go on with it. `None` where it cannot.
    fn takes_over(
        &self,
        target: &Target,
        mut came: Came,
        (begun, before): (&Begun, TokenUsage),
        own: &[u8],
    ) -> Option<Passing> {
        let stream = self.said_anew(&mut came, own).and_then(|stream| stream.resume(begun, before));
        let Some(stream) = stream else {
            let (status, now) = (came.sent.response.status(), self.watch.clock.now());
            self.watch.show(|call| call.attempt_over(Some(status), Some(FailureClass::Malformed), now));
            return None;
        };
        tracing::info!(
            call = %self.watch.id, rule = &*self.rule.name, backup = &*target.name, after = begun.text.len(),
            "a backup goes on with a stream that died"
        );
        self.watch.show(|call| call.goes_on(begun.text.len() as u64));
        let periods = &self.connection.shared.failovers.periods;
        periods.moved(&self.addressed, &self.rule.name, &target.name, self.failed);
        let anew = Anew::Stream(Some(Box::new(stream)));
        came.anew = Some(Said { headers: HeaderMap::new(), id: None, anew });
        let (_, mut stream, _) = passing(self.connection, target.provider, Some(Rc::clone(self.watch)), came);
        stream.observed().is_kept = true;
        Some(stream)
    }

    /// An answer as it is said in the app's format, its own among them.
    fn said_anew(&self, came: &mut Came, own: &[u8]) -> Option<Stream> {
        match came.anew.take() {
            Some(Said { anew: Anew::Stream(stream), .. }) => stream.map(|stream| *stream),
            Some(Said { anew: Anew::Whole(_), .. }) => None,
            None => {
                let headers = came.sent.response.headers();
                if is_encoded(headers) {
                    return None;
                }
                let query = self.wanted.route.path_and_query.query();
                let asked = Asked::of(own, query, &self.watch.id.to_string(), 0);
                Stream::new(self.spoken?, self.wanted.recognised.dialect, headers, asked)
            }
        }
    }
}

fn settle(leave: Admitted, failed: bool) {
    if failed {
        leave.failed();
    } else {
        leave.succeeded();
    }
}
