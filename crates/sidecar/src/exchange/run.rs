//! The attempts of a call that a rule decides, until one has an answer for the app or all have failed. Per call; what an attempt is
//! stands in `attempt`, what follows one in `failover`.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request};
use outrigger_ledger::{Elsewhere, End, is_stream};
use outrigger_providers::{FailureClass, Recognised, RequestFacts};
use outrigger_rules::{Policy, Rule, Target};
use tokio::time::Instant;

use crate::exchange::attempt::{self, Failure, Prepared, What};
use crate::exchange::body::RelayedBody;
use crate::exchange::forwarded::HeldBody;
use crate::exchange::request::Route;
use crate::exchange::say;
use crate::exchange::watch::Watch;
use crate::exchange::{Came, Connection, Keeper, answer, relay, unreached};
use crate::failover::decide::{Failed, Next, Standing, decide, is_of_the_place};
use crate::failover::patience::Patience;
use crate::failover::plan::{self, Asked, Known};
use crate::failover::{Admitted, Place};
use crate::tls::accept::Protocol;
use crate::upstream::DialError;

/// Keeps SDKs from trying again what has been tried to the end.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// Some SDKs sleep for as long as they are told to; seconds.
const LONGEST_RETRY_AFTER: f64 = 60.0;
const RESTING: &str = "it is left alone for a while, since it failed of late";

/// What the app wants, and of whom.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The head that leaves.
    pub(super) head: &'a request::Parts,
    pub(super) route: &'a Route,
    pub(super) recognised: &'a Recognised,
    pub(super) facts: &'a RequestFacts,
    /// Whether its body is not encoded.
    pub(super) readable: bool,
}

/// The attempts of one call.
pub(super) struct Run<'a> {
    connection: &'a Rc<Connection>,
    policy: &'a Policy,
    rule: &'a Rule,
    wanted: Wanted<'a>,
    body: HeldBody,
    watch: &'a Rc<Watch>,
    begun: Instant,
    patience: Patience,
    addressed: Place,
    /// Those that can take the call and have not been asked; `None` before somebody wanted to know.
    backups: Option<VecDeque<Arc<Target>>>,
    attempts: u32,
    /// How the last attempt failed.
    failed: Option<FailureClass>,
    /// What the app can be given of the last one where it addressed the call.
    kept: Option<(What, FailureClass)>,
}

/// Where an attempt goes.
#[derive(Clone)]
enum Turn {
    /// Where the app addressed the call.
    Addressed,
    Backup(Arc<Target>),
}

/// What an attempt came to.
enum Tried {
    /// An answer for the app.
    Answer(Box<Came>),
    Failed(Failed),
    /// Nothing was sent.
    Skipped,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        connection: &'a Rc<Connection>,
        policy: &'a Policy,
        rule: &'a Rule,
        wanted: Wanted<'a>,
        body: HeldBody,
        watch: &'a Rc<Watch>,
        (begun, patience): (Instant, Patience),
    ) -> Run<'a> {
        connection.shared.failovers.call(rule);
        let addressed = Place {
            host: Arc::from(&*wanted.route.target.host),
            model: wanted.facts.model.as_deref().map(Arc::from),
        };
        Run {
            connection,
            policy,
            rule,
            wanted,
            body,
            watch,
            begun,
            patience,
            addressed,
            backups: None,
            attempts: 0,
            failed: None,
            kept: None,
        }
    }

    pub(super) async fn serve(mut self) -> Response<RelayedBody> {
        let failovers = &self.connection.shared.failovers;
        let mut next = match failovers.admit(self.rule, &self.addressed) {
            Some(admitted) => Some((Turn::Addressed, admitted)),
            None => self.next_backup(),
        };
        loop {
            let (turn, admitted) = match next.take() {
                Some(next) => next,
                // With nowhere else to go, a place that is left alone is asked all the same.
                None if self.kept.is_none() => {
                    (Turn::Addressed, failovers.insist(self.rule, &self.addressed))
                }
                None => return self.give_up(),
            };
            match self.at(&turn, admitted).await {
                Some((came, leave)) => return self.give(&turn, came, leave),
                None => next = self.next_backup(),
            }
        }
    }

    /// Asks one place as often as the rule allows. `None`: another one is to be asked, if there is one.
    async fn at(&mut self, turn: &Turn, admitted: Admitted) -> Option<(Box<Came>, Option<Admitted>)> {
        let failovers = &self.connection.shared.failovers;
        let (mut admitted, mut tries) = (Some(admitted), 0);
        loop {
            tries += 1;
            let leave = match admitted.take() {
                Some(leave) => leave,
                None => failovers.insist(self.rule, &self.place(turn)),
            };
            let failed = match self.attempt(turn).await {
                Tried::Answer(came) if is_stream(came.sent.response.headers()) => {
                    leave.began();
                    return Some((came, Some(leave)));
                }
                Tried::Answer(came) => {
                    leave.succeeded();
                    return Some((came, None));
                }
                Tried::Skipped => return None,
                Tried::Failed(failed) => failed,
            };
            let resting = if is_of_the_place(failed.class) {
                leave.failed()
            } else {
                leave.succeeded();
                false
            };
            let standing = Standing {
                tries,
                at_backup: matches!(turn, Turn::Backup(_)),
                elsewhere: self.has_backup(),
                resting,
                patience: self.patience,
                now: Instant::now(),
                chance: chance(),
            };
            let may_retry = || {
                let may = failovers.may_retry(self.rule);
                if !may {
                    self.watch.show(|call| call.retry_denied());
                }
                may
            };
            match decide(self.rule, failed, &standing, may_retry) {
                Next::Again(wait) => tokio::time::sleep(wait).await,
                Next::Elsewhere => return None,
                Next::End => {
                    self.backups = Some(VecDeque::new());
                    return None;
                }
            }
        }
    }

    async fn attempt(&mut self, turn: &Turn) -> Tried {
        let prepared = match turn {
            Turn::Addressed => self.as_addressed(),
            Turn::Backup(target) => match self.in_time(target).await {
                Ok(prepared) => prepared,
                Err(why) => {
                    tracing::warn!(backup = &*target.name, "a backup could not be asked: {why}");
                    self.watch.show(|call| call.passed_over(&target.name, &why));
                    return Tried::Skipped;
                }
            },
        };
        self.attempts += 1;
        self.announce(turn, &prepared);
        let sent = attempt::send(self.connection, self.rule, self.begun, prepared, self.watch).await;
        self.learn(turn, &sent);
        let Failure { failed, what } = match sent {
            Ok(came) => return Tried::Answer(Box::new(came)),
            Err(failure) => *failure,
        };
        let (failed, what) = match (turn, failed, what) {
            // A redirection and the like is the app's own affair, but a backup's is nobody's.
            (Turn::Addressed, None, What::Answer(came)) => return Tried::Answer(came),
            (_, failed, what) => (failed.unwrap_or(Failed { class: FailureClass::Other, asked: None }), what),
        };
        self.failed = Some(failed.class);
        self.watch.show(|call| {
            let status = match &what {
                What::Answer(came) => {
                    call.connected(came.sent.peer);
                    Some(came.sent.response.status())
                }
                What::Nothing(_) => None,
            };
            call.attempt_over(status, Some(failed.class), self.watch.clock.now());
        });
        if matches!(turn, Turn::Addressed) {
            self.kept = Some((what, failed.class));
        }
        Tried::Failed(failed)
    }

    /// A backup's answer tells how far the clock here is off.
    fn learn(&self, turn: &Turn, sent: &Result<Came, Box<Failure>>) {
        let came = match sent {
            Ok(came) => came,
            Err(failure) => match &failure.what {
                What::Answer(came) => came,
                What::Nothing(_) => return,
            },
        };
        if let Turn::Backup(target) = turn {
            self.connection.shared.credentials.answered(target, came.sent.response.headers());
        }
    }

    fn as_addressed(&self) -> Prepared {
        Prepared {
            route: self.wanted.route.clone(),
            protocol: self.connection.protocol,
            recognised: *self.wanted.recognised,
            head: self.wanted.head.clone(),
            body: self.body.clone(),
            saying: None,
        }
    }

    /// The request for a backup, unless the whole call is over before it can be paid.
    async fn in_time(&self, target: &Target) -> Result<Prepared, String> {
        let prepared = self.for_backup(target);
        match self.rule.deadlines.total.acting() {
            None => prepared.await,
            Some(total) => tokio::time::timeout_at(self.begun + total, prepared).await.unwrap_or_else(|_| {
                Err(format!("its credential did not come within the total of {total:?}"))
            }),
        }
    }

    /// The request as a backup is to have it, with what pays for it.
    async fn for_backup(&self, target: &Target) -> Result<Prepared, String> {
        let (head, own) = (self.wanted.head, &self.body);
        let mut prepared = match plan::endpoint(&self.asked(), target) {
            Some(endpoint) => {
                self.watch.show(|call| call.says_less(Vec::new()));
                attempt::for_backup(target, &endpoint, head, own)?
            }
            None => {
                let (body, call) = (own.clone().bytes(), self.watch.id.to_string());
                let (said, saying) = say::request(&self.wanted, &body, target, self.known(), call)?;
                let losses = said.losses.iter().map(ToString::to_string).collect();
                self.watch.show(|call| call.says_less(losses));
                attempt::in_other_words(target, said, saying, head, own)?
            }
        };
        let body = prepared.body.bytes();
        let credentials = &self.connection.shared.credentials;
        credentials.authorise(target, &mut prepared.head, &body).await.map_err(|unpaid| unpaid.text)?;
        Ok(prepared)
    }

    /// Says where the attempt goes.
    fn announce(&self, turn: &Turn, prepared: &Prepared) {
        let at = self.watch.clock.now();
        let Turn::Backup(target) = turn else {
            // The first one began with the call.
            if self.attempts > 1 {
                self.watch.show(|call| call.attempt(None, at));
            }
            return;
        };
        let route = &prepared.route;
        self.watch.show(|call| {
            let elsewhere = Elsewhere {
                backup: &target.name,
                service: route.service,
                recognised: prepared.recognised,
                host: &route.target.host,
                port: route.target.port,
                path: route.path_and_query.path(),
                query: route.path_and_query.query(),
                http_version: Protocol::H1.version(),
                model: target.deployment.as_deref().or(target.model.as_deref()),
                deployed: target.deployment.as_ref().and(target.model.as_deref()),
            };
            call.attempt(Some(&elsewhere), at);
        });
    }

    fn asked(&self) -> Asked<'_> {
        let Wanted { route, recognised, facts, readable, .. } = self.wanted;
        Asked {
            service: route.service,
            recognised,
            host: &route.target.host,
            path: route.path_and_query.path(),
            query: route.path_and_query.query(),
            facts,
            readable,
        }
    }

    fn place(&self, turn: &Turn) -> Place {
        match turn {
            Turn::Addressed => self.addressed.clone(),
            Turn::Backup(target) => Place {
                host: Arc::clone(&target.host),
                model: target.deployment.clone().or(target.model.clone()).or(self.addressed.model.clone()),
            },
        }
    }

    /// The backups that can take the call and have not been asked.
    fn backups(&mut self) -> &mut VecDeque<Arc<Target>> {
        if self.backups.is_none() {
            let known = self.known();
            let left_out = |target: &Target, why: &str| {
                self.watch.show(|call| call.passed_over(&target.name, why));
            };
            let failover = self.rule.failover.as_ref();
            let fitting =
                failover.map(|failover| plan::fitting(failover, &self.asked(), self.failed, known, left_out));
            self.backups = Some(fitting.unwrap_or_default());
        }
        self.backups.get_or_insert_default()
    }

    fn known(&self) -> Known<'_> {
        let book = self.connection.shared.records.book();
        Known { book, now: self.watch.clock.started().unix_seconds() }
    }

    fn has_backup(&mut self) -> bool {
        self.rule.failover.is_some() && !self.backups().is_empty()
    }

    fn next_backup(&mut self) -> Option<(Turn, Admitted)> {
        while let Some(target) = self.backups().pop_front() {
            let turn = Turn::Backup(target);
            match self.connection.shared.failovers.admit(self.rule, &self.place(&turn)) {
                Some(admitted) => return Some((turn, admitted)),
                None => {
                    if let Turn::Backup(target) = &turn {
                        self.watch.show(|call| call.passed_over(&target.name, RESTING));
                    }
                }
            }
        }
        None
    }

    /// An answer on its way to the app.
    fn give(self, turn: &Turn, came: Box<Came>, leave: Option<Admitted>) -> Response<RelayedBody> {
        let periods = &self.connection.shared.failovers.periods;
        let service = match turn {
            Turn::Addressed => {
                periods.answered(&self.addressed);
                self.wanted.route.service
            }
            Turn::Backup(target) => {
                periods.moved(&self.addressed, &self.rule.name, &target.name, self.failed);
                target.provider
            }
        };
        let mut response =
            relay(self.connection, service, Some(Rc::clone(self.watch)), *came, Some(self.keeper(leave)));
        if self.attempts > 1 || matches!(turn, Turn::Backup(_)) {
            self.tell(turn, response.headers_mut());
        }
        response
    }

    /// All have failed: the app gets what it would have got where it addressed the call.
    fn give_up(mut self) -> Response<RelayedBody> {
        let again = self.attempts > 1;
        let exhausted = again || self.kept.as_ref().is_some_and(|(_, class)| self.keeps_from_the_app(*class));
        self.watch.show(|call| call.give(exhausted));
        let (watch, recognised) = (Rc::clone(self.watch), self.wanted.recognised);
        let mut response = match self.kept.take() {
            // Nothing of it has been shown, so the app is told with a status that it knows as an error.
            Some((What::Answer(came), class)) if again && came.sent.response.status().is_success() => {
                let host = &self.wanted.route.target.host;
                let text = format!("{host} began to answer and failed before the first content");
                unreached(recognised, Some(watch), DialError { class, text })
            }
            Some((What::Answer(came), _)) if again && is_page(came.sent.response.headers()) => {
                let (status, headers) = (came.sent.response.status(), came.sent.response.headers());
                watch.show(|call| call.response_head(status, headers, watch.clock.now()));
                watch.finish(End::Complete);
                let (status, host) = (status.as_u16(), &self.wanted.route.target.host);
                let text = format!("{host} answered {status} with a page that is no answer of its API");
                answer::error(recognised.dialect, status, FailureClass::Edge, &text)
            }
            Some((What::Answer(came), _)) => {
                relay(self.connection, self.wanted.route.service, Some(watch), *came, Some(self.keeper(None)))
            }
            Some((What::Nothing(error), _)) => unreached(recognised, Some(watch), error),
            None => answer::error(recognised.dialect, 502, FailureClass::Other, "no place was asked"),
        };
        if again {
            let status = response.status();
            calm(status, response.headers_mut());
            self.tell(&Turn::Addressed, response.headers_mut());
        }
        response
    }

    /// Whether the rule does something about such a failure.
    fn keeps_from_the_app(&self, class: FailureClass) -> bool {
        let Rule { retry, failover, .. } = self.rule;
        retry.is_some_and(|retry| retry.when.contains(class))
            || failover.as_ref().is_some_and(|failover| failover.when.contains(class))
    }

    fn keeper(&self, leave: Option<Admitted>) -> Keeper<'_> {
        Keeper { rule: self.rule, begun: self.begun, dialect: self.wanted.recognised.dialect, leave }
    }

    /// Headers of our own: who answered, and how many were asked.
    fn tell(&self, turn: &Turn, headers: &mut HeaderMap) {
        if !self.policy.response_headers {
            return;
        }
        let (provider, model) = match turn {
            Turn::Addressed => (self.wanted.route.service.id, self.addressed.model.clone()),
            Turn::Backup(target) => {
                let model = target.model.clone().or(self.addressed.model.clone());
                (target.provider.id, model)
            }
        };
        let said = [
            (answer::PROVIDER_HEADER, Some(provider.to_owned())),
            (answer::MODEL_HEADER, model.map(|model| model.to_string())),
            (answer::ATTEMPTS_HEADER, Some(self.attempts.to_string())),
            (answer::CALL_HEADER, Some(self.watch.id.to_string())),
        ];
        for (name, text) in said {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
                headers.insert(name, value);
            }
        }
    }
}

/// Whether an error is no answer of an API but a page, as front ends send it.
fn is_page(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|kind| !kind.as_bytes().windows(4).any(|part| part == b"json"))
}

/// Keeps an SDK from repeating what has been tried to the end, and from sleeping for long.
fn calm(status: StatusCode, headers: &mut HeaderMap) {
    let hammered =
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS);
    if hammered || status.is_server_error() {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    if headers.contains_key(RETRY_AFTER) && seconds.is_none_or(|seconds| seconds > LONGEST_RETRY_AFTER) {
        headers.insert(RETRY_AFTER, HeaderValue::from(LONGEST_RETRY_AFTER as u64));
        headers.remove(RETRY_AFTER_MS);
    }
}

/// Anything from 0 up to 1. Where the system has no randomness to give, none of the wait is left out.
fn chance() -> f64 {
    let mut bytes = [0u8; 4];
    if getrandom::fill(&mut bytes).is_err() {
        return 0.0;
    }
    f64::from(u32::from_ne_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sdks_are_calmed_where_they_would_hammer() {
        let calmed = |status: u16, after: &'static str| {
            let mut headers = HeaderMap::new();
            if !after.is_empty() {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(after));
                headers.insert(RETRY_AFTER_MS, HeaderValue::from_static("99000"));
            }
            calm(StatusCode::from_u16(status).unwrap(), &mut headers);
            let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
            (text(SHOULD_RETRY).is_some(), text(RETRY_AFTER), text(RETRY_AFTER_MS).is_some())
        };
        assert_eq!(calmed(529, ""), (true, None, false));
        assert_eq!(calmed(429, "20"), (true, Some("20".to_owned()), true));
        let sixty = Some("60".to_owned());
        assert_eq!(calmed(503, "3600"), (true, sixty.clone(), false));
        assert_eq!(calmed(503, "Thu, 26 Nov 2026 02:00:30 GMT"), (true, sixty, false));
        assert_eq!(calmed(400, ""), (false, None, false));
    }
}
