//! What follows a failed attempt: the same place again, the next one, or the end. Pure; per failed attempt.

use std::time::Duration;

use outrigger_providers::FailureClass;
use outrigger_rules::Rule;
use tokio::time::Instant;

use crate::failover::backoff;
use crate::failover::patience::Patience;

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) class: FailureClass,
    /// How long the provider asks to wait.
    pub(crate) asked: Option<Duration>,
}

/// How things stand after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// Times this place has been tried, this one included.
    pub(crate) tries: u32,
    /// Whether it is a backup: what it cannot take, another place may.
    pub(crate) at_backup: bool,
    /// Whether there is another place.
    pub(crate) elsewhere: bool,
    /// Whether this one is left alone from here on.
    pub(crate) resting: bool,
    pub(crate) patience: Patience,
    pub(crate) now: Instant,
    /// Anything from 0 up to 1.
    pub(crate) chance: f64,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// This place again, after a wait.
    Again(Duration),
    /// The next place.
    Elsewhere,
    /// Nothing: the app is told.
    End,
}

/// Decides. `budget` is asked, once, whether another retry is within the rule's share of calls.
pub(crate) fn decide(
    rule: &Rule,
    failed: Failed,
    standing: &Standing,
    budget: impl FnOnce() -> bool,
) -> Next {
    let Standing { tries, at_backup, elsewhere, resting, patience, now, chance } = *standing;
    if patience.is_over(now) {
        return Next::End;
    }
    let moves = !stands(failed.class)
        && (at_backup || rule.failover.as_ref().is_some_and(|failover| failover.when.contains(failed.class)));
    let may_move = elsewhere && moves;
    if let Some(retry) = &rule.retry
        && retry.when.contains(failed.class)
        && tries < retry.attempts
        && !(resting && may_move)
    {
        let wait = backoff::wait(retry, tries, failed.asked, chance);
        // Another place answers sooner than one that asks for a long wait.
        let bearable = patience.bears(wait, now) && !(may_move && wait > retry.max);
        if bearable && budget() {
            return Next::Again(wait);
        }
    }
    if may_move { Next::Elsewhere } else { Next::End }
}

/// Whether a failure stands, whoever it came from: nobody looks for a place that says what another one refused to.
pub(crate) const fn stands(class: FailureClass) -> bool {
    matches!(class, FailureClass::ContentPolicy)
}

/// Whether a failure says something of the place that was asked, and not of the request.
pub(crate) const fn is_of_the_place(class: FailureClass) -> bool {
    match class {
        FailureClass::RateLimit
        | FailureClass::Quota
        | FailureClass::Overloaded
        | FailureClass::ServerError
        | FailureClass::Timeout
        | FailureClass::Edge
        | FailureClass::Dns
        | FailureClass::Connect
        | FailureClass::Tls
        | FailureClass::StreamCut
        | FailureClass::Malformed => true,
        FailureClass::Authentication
        | FailureClass::Permission
        | FailureClass::NotFound
        | FailureClass::ContextLength
        | FailureClass::InvalidRequest
        | FailureClass::ContentPolicy
        | FailureClass::TooLarge
        | FailureClass::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use outrigger_rules::Policy;
    use proptest::prelude::*;

    use super::super::testing;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(does: &str) -> Policy {
        let document = format!(
            "version: 1\nmode: act\nbackups:\n  b: {{ provider: openai, host: b.example, credential: {{ file: b }} }}\n\
             rules:\n  - {{ name: r, match: {{}}, {does} }}\n"
        );
        testing::policy(&document)
    }

    fn standing() -> Standing {
        let now = Instant::now();
        Standing {
            tries: 1,
            at_backup: false,
            elsewhere: true,
            resting: false,
            patience: Patience::new(&HeaderMap::new(), None, now),
            now,
            chance: 0.0,
        }
    }

    const BOTH: &str = "retry: { backoff: { initial: 1s, max: 4s } }, failover: { to: [b] }";

    fn next(does: &str, class: FailureClass, standing: Standing) -> Next {
        let policy = policy(does);
        decide(&policy.rules[0], Failed { class, asked: None }, &standing, || true)
    }

    #[test]
    fn what_may_be_tried_again_is_then_moved_then_told() {
        let class = FailureClass::ServerError;
        assert_eq!(next(BOTH, class, standing()), Next::Again(SECOND));
        assert_eq!(next(BOTH, class, Standing { tries: 2, ..standing() }), Next::Elsewhere);
        let last = Standing { tries: 2, elsewhere: false, ..standing() };
        assert_eq!(next(BOTH, class, last), Next::End);
        assert_eq!(next(BOTH, FailureClass::Quota, standing()), Next::Elsewhere, "waiting does not help");
        assert_eq!(next("deadlines: { total: 9s }", class, standing()), Next::End, "no rule says so");
    }

    #[test]
    fn refusals_of_the_request_are_the_apps_and_of_a_backups_only_those_of_the_content() {
        let at_backup = Standing { at_backup: true, ..standing() };
        for standing in [standing(), at_backup] {
            assert_eq!(next(BOTH, FailureClass::ContentPolicy, standing), Next::End);
        }
        for class in [
            FailureClass::InvalidRequest,
            FailureClass::TooLarge,
            FailureClass::Authentication,
            FailureClass::ContextLength,
        ] {
            assert_eq!(next(BOTH, class, standing()), Next::End, "{class:?}");
            assert_eq!(next(BOTH, class, at_backup), Next::Elsewhere, "{class:?}");
        }
        let opted = "failover: { to: [b], when: [authentication] }";
        assert_eq!(next(opted, FailureClass::Authentication, standing()), Next::Elsewhere);
    }

    #[test]
    fn a_long_wait_is_for_those_who_have_nowhere_to_go() {
        let policy = policy(BOTH);
        let failed = Failed { class: FailureClass::RateLimit, asked: Some(9 * SECOND) };
        let decided = |standing| decide(&policy.rules[0], failed, &standing, || true);
        assert_eq!(decided(standing()), Next::Elsewhere);
        assert_eq!(decided(Standing { elsewhere: false, ..standing() }), Next::Again(9 * SECOND));
        let impatient = Patience::new(
            &[("x-stainless-timeout".parse().unwrap(), "10".parse().unwrap())].into_iter().collect(),
            None,
            standing().now,
        );
        let alone = Standing { elsewhere: false, patience: impatient, ..standing() };
        assert_eq!(decided(alone), Next::End);
        let over = Standing { now: alone.now + 10 * SECOND, ..alone };
        assert_eq!(decided(Standing { elsewhere: true, ..over }), Next::End, "nobody waits any more");
    }

    #[test]
    fn a_place_that_is_left_alone_is_not_tried_again_where_there_is_another() {
        let class = FailureClass::ServerError;
        let resting = Standing { resting: true, ..standing() };
        assert_eq!(next(BOTH, class, resting), Next::Elsewhere);
        assert_eq!(next(BOTH, class, Standing { elsewhere: false, ..resting }), Next::Again(SECOND));
    }

    proptest! {
        /// The budget is asked for no more than one retry, and without it there is none.
        #[test]
        fn nothing_is_tried_again_past_the_budget(class in 0usize..FailureClass::ALL.len(), tries in 1u32..5, flags in any::<[bool; 4]>()) {
            let policy = policy("retry: { attempts: 3 }, failover: { to: [b] }");
            let [at_backup, elsewhere, resting, within] = flags;
            let failed = Failed { class: FailureClass::ALL[class], asked: None };
            let standing = Standing { tries, at_backup, elsewhere, resting, ..standing() };
            let mut asked = 0;
            let next = decide(&policy.rules[0], failed, &standing, || { asked += 1; within });
            prop_assert!(asked <= 1);
            if matches!(next, Next::Again(_)) {
                prop_assert!(asked == 1 && within && tries < 3);
            }
            if next == Next::Elsewhere {
                prop_assert!(elsewhere);
            }
        }
    }
}
