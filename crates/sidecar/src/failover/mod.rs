//! What rules do about failures: where a call may go, what follows a failed attempt, which places are left alone. The decisions are
//! pure; what is remembered between calls stands here. Per call that a rule decides; one thread, no lock.

pub(crate) mod backoff;
pub(crate) mod breaker;
mod budget;
pub(crate) mod decide;
pub(crate) mod given;
pub(crate) mod patience;
mod periods;
pub(crate) mod plan;
#[cfg(test)]
mod testing;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use outrigger_rules::{Breaker as Limits, Rule};
use tokio::time::Instant;

use breaker::{Admission, Breaker, Since};
use budget::Budget;
use given::Gifts;
pub(crate) use periods::Periods;

/// Places that are remembered; past them those that are well are forgotten first.
const PLACES: usize = 1024;
/// Rules whose retries are counted.
const RULES: usize = 1024;

/// A place as its failures are counted: limits of rate and outages are those of a model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) host: Arc<str>,
    /// The model or deployment.
    pub(crate) model: Option<Arc<str>>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.model {
            Some(model) => write!(f, "{model} at {}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// What is remembered between calls.
#[derive(Default)]
pub(crate) struct Failovers {
    breakers: RefCell<HashMap<Place, Rc<RefCell<Breaker>>>>,
    budgets: RefCell<HashMap<Arc<str>, Budget>>,
    pub(crate) periods: Periods,
    pub(crate) gifts: Gifts,
}

/// Leave to ask a place. Whoever drops it without a word has learned nothing of the place.
pub(crate) struct Admitted {
    breaker: Option<(Rc<RefCell<Breaker>>, Limits, Since)>,
}

impl Failovers {
    /// A call came that a rule decides.
    pub(crate) fn call(&self, rule: &Rule) {
        if rule.retry.is_some() {
            self.budget(rule, |budget| budget.call(Instant::now()));
        }
    }

    /// Takes a retry out of the rule's share, if it is not used up.
    pub(crate) fn may_retry(&self, rule: &Rule) -> bool {
        let share = rule.retry.map_or(0, |retry| retry.budget);
        self.budget(rule, |budget| budget.take(share, Instant::now()))
    }

    fn budget<T>(&self, rule: &Rule, ask: impl FnOnce(&mut Budget) -> T) -> T {
        let mut budgets = self.budgets.borrow_mut();
        if budgets.len() >= RULES && !budgets.contains_key(&rule.name) {
            budgets.clear();
        }
        let budget = budgets.entry(Arc::clone(&rule.name)).or_insert_with(|| Budget::new(Instant::now()));
        ask(budget)
    }

    /// Whether a call may go to a place; `None`: it is left alone.
    pub(crate) fn admit(&self, rule: &Rule, place: &Place) -> Option<Admitted> {
        let Some(limits) = rule.breaker else { return Some(Admitted { breaker: None }) };
        let now = Instant::now();
        let breaker = self.breaker(place, now);
        let admission = breaker.borrow_mut().admit(now);
        if admission == Admission::No {
            return None;
        }
        Some(Admitted::by(breaker, limits, admission))
    }

    /// Leave all the same, where there is nowhere else to go.
    pub(crate) fn insist(&self, rule: &Rule, place: &Place) -> Admitted {
        let Some(limits) = rule.breaker else { return Admitted { breaker: None } };
        Admitted::by(self.breaker(place, Instant::now()), limits, Admission::No)
    }

    fn breaker(&self, place: &Place, now: Instant) -> Rc<RefCell<Breaker>> {
        let mut breakers = self.breakers.borrow_mut();
        if let Some(known) = breakers.get(place) {
            return Rc::clone(known);
        }
        if breakers.len() >= PLACES {
            breakers.retain(|_, breaker| !breaker.borrow().is_closed());
        }
        if breakers.len() >= PLACES {
            breakers.clear();
        }
        let breaker = Rc::new(RefCell::new(Breaker::new(now)));
        breakers.insert(place.clone(), Rc::clone(&breaker));
        breaker
    }
}

impl Admitted {
    fn by(breaker: Rc<RefCell<Breaker>>, limits: Limits, admission: Admission) -> Admitted {
        let since = breaker.borrow().since(admission);
        Admitted { breaker: Some((breaker, limits, since)) }
    }

    /// It has begun a stream; how that ends is told later.
    pub(crate) fn began(&self) {
        if let Some((breaker, _, since)) = &self.breaker {
            breaker.borrow_mut().began(*since, Instant::now());
        }
    }

    /// The place answered.
    pub(crate) fn succeeded(mut self) {
        if let Some((breaker, limits, since)) = self.breaker.take() {
            breaker.borrow_mut().succeeded(since, &limits, Instant::now());
        }
    }

    /// It failed by a fault of its own. Whether it is left alone from here on.
    pub(crate) fn failed(mut self) -> bool {
        let Some((breaker, limits, since)) = self.breaker.take() else { return false };
        let mut breaker = breaker.borrow_mut();
        breaker.failed(since, &limits, Instant::now());
        breaker.is_open()
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some((breaker, _, since)) = &self.breaker {
            breaker.borrow_mut().unknown(*since, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn streams_count_by_their_end_and_not_by_their_beginning() {
        let document = "version: 1\nmode: act\nrules:\n  - { name: r, match: {}, retry: {} }\n";
        let policy = testing::policy(document);
        let rule = &policy.rules[0];
        let failovers = Failovers::default();
        let place = Place { host: "api.openai.com".into(), model: None };
        let begin = || {
            let admitted = failovers.admit(rule, &place)?;
            admitted.began();
            Some(admitted)
        };
        // All have begun before the first one breaks off.
        let streams = [begin(), begin(), begin()].map(Option::unwrap);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(streams.map(Admitted::failed), [false, false, true]);
        assert!(begin().is_none());
        tokio::time::advance(Duration::from_secs(10)).await;
        let probe = begin().unwrap();
        let other = begin().expect("the probe has begun, and more may follow");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(probe.failed(), "a relapse");
        other.succeeded();
        assert!(begin().is_none(), "what was under way says nothing new");
        tokio::time::advance(Duration::from_secs(10)).await;
        begin().unwrap().succeeded();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(begin().is_some());
        assert!(failovers.breaker(&place, Instant::now()).borrow().is_closed());
    }
}
