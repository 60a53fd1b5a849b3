//! The attempts of a call that a rule decides, until one has an answer for the app or all have failed. Per call; what an attempt is
//! stands in `attempt`, what follows one in `failover`.

mod follow;
mod give;
mod go_on;
mod places;

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use http::{Response, request};
use outrigger_ledger::is_stream;
use outrigger_providers::{Dialect, FailureClass, Recognised};
use outrigger_rules::{Policy, Rule, Target};
use tokio::time::Instant;

pub(crate) use self::go_on::Order;
use crate::exchange::Connection;
use crate::exchange::attempt::{self, Failure, What};
use crate::exchange::body::RelayedBody;
use crate::exchange::forwarded::HeldBody;
use crate::exchange::relay::Came;
use crate::exchange::request::Route;
use crate::exchange::watch::Watch;
use crate::failover::decide::{Failed, Next, Standing, decide, is_of_the_place};
use crate::failover::patience::Patience;
use crate::failover::{Admitted, Place};

/// What the app wants, and of whom.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The head that leaves.
    pub(super) head: &'a request::Parts,
    pub(super) route: &'a Route,
    pub(super) recognised: &'a Recognised,
    /// Whether its body is not encoded.
    pub(super) readable: bool,
}

/// The attempts of one call.
pub(super) struct Run<'a> {
    connection: &'a Rc<Connection>,
    policy: &'a Arc<Policy>,
    rule: &'a Rule,
    wanted: Wanted<'a>,
    body: HeldBody,
    watch: &'a Rc<Watch>,
    begun: Instant,
    addressed: Place,
    /// Those that can take the call and have not been asked; `None` before somebody wanted to know.
    backups: Option<VecDeque<Arc<Target>>>,
    attempts: u32,
    /// How the last attempt failed.
    failed: Option<FailureClass>,
    /// What the app can be given of the last one where it addressed the call.
    kept: Option<(What, FailureClass)>,
    /// Whether a place is asked to go on with a stream that died.
    goes_on: bool,
    /// Whether it is led to the place that gave the answer it goes on with, which takes it as it is.
    follows: bool,
    /// The format that the place of the last attempt speaks.
    spoken: Option<&'static dyn Dialect>,
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
        policy: &'a Arc<Policy>,
        rule: &'a Rule,
        (wanted, model): (Wanted<'a>, Option<&str>),
        body: HeldBody,
        watch: &'a Rc<Watch>,
        begun: Instant,
    ) -> Run<'a> {
        connection.shared.failovers.call(rule);
        let addressed = Place { host: Arc::from(&*wanted.route.target.host), model: model.map(Arc::from) };
        Run {
            connection,
            policy,
            rule,
            wanted,
            body,
            watch,
            begun,
            addressed,
            backups: None,
            attempts: 0,
            failed: None,
            kept: None,
            goes_on: false,
            follows: false,
            spoken: None,
        }
    }

    pub(super) async fn serve(mut self) -> Response<RelayedBody> {
        if let Some(given) = self.gone_on_with() {
            return Box::pin(self.follow(given)).await;
        }
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
                patience: self.patience(),
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

    fn patience(&self) -> Patience {
        Patience::of(self.wanted.head, self.rule, self.begun)
    }

    async fn attempt(&mut self, turn: &Turn) -> Tried {
        let prepared = match turn {
            Turn::Addressed => self.as_addressed(),
            Turn::Backup(target) => match Box::pin(self.in_time(target)).await {
                Ok(prepared) => prepared,
                Err(why) => {
                    tracing::warn!(backup = &*target.name, "a backup could not be asked: {why}");
                    self.watch.show(|call| call.passed_over(&target.name, &why));
                    return Tried::Skipped;
                }
            },
        };
        self.attempts += 1;
        self.spoken = Some(prepared.recognised.dialect);
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
}

/// Anything from 0 up to 1. Where the system has no randomness to give, none of the wait is left out.
fn chance() -> f64 {
    let mut bytes = [0u8; 4];
    if getrandom::fill(&mut bytes).is_err() {
        return 0.0;
    }
    f64::from(u32::from_ne_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}
