//! Deadlines of a rule that only report: what took longer is said in the record and the log, and nothing is done about it. Per call;
//! per frame of a stream that waits, the clock is read.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::time::Duration;

use outrigger_ledger::{Attempt, CallRecord, Routed, Timestamp};
use outrigger_rules::{Candidates, Mode, Policy, Rule};

/// The rules that may decide a call, and the one that does once that is known.
pub(crate) struct Reporting {
    policy: Arc<Policy>,
    candidates: Candidates,
    decided: OnceCell<Option<usize>>,
}

impl Reporting {
    /// `None` where no rule decides the call.
    pub(crate) fn of(policy: &Arc<Policy>, call: &outrigger_rules::Call<'_>) -> Option<Reporting> {
        let candidates = policy.candidates(call);
        let policy = Arc::clone(policy);
        (!candidates.is_empty()).then(|| Reporting { policy, candidates, decided: OnceCell::new() })
    }

    /// Whether one of them may do more than report.
    pub(crate) fn may_act(&self) -> bool {
        self.policy.mode == Mode::Act && self.policy.may_act(&self.candidates)
    }

    /// The rules, and the one of them that decides the call, which is for this model. Who asks first knows it.
    pub(crate) fn decide(&self, model: Option<&str>) -> Option<(&Arc<Policy>, &Rule)> {
        let place = (*self.decided.get_or_init(|| self.policy.decided(&self.candidates, model)))?;
        Some((&self.policy, &self.policy.rules[place]))
    }

    /// Says in the record which deadlines passed that nothing was done about.
    pub(crate) fn note(&self, record: &mut CallRecord, waits: &Waits) {
        let Some((_, rule)) = self.decide(record.facts.model.as_deref()) else { return };
        let watched = self.policy.mode != Mode::Act;
        let mut exceeded = Vec::new();
        for (key, deadline) in rule.deadlines.named() {
            let reports = watched || deadline.acting().is_none();
            if reports && took(key, record, waits) > deadline.after {
                tracing::warn!(
                    id = %record.id, provider = record.provider, rule = &*rule.name, reason = key,
                    "a call took longer than the {key} of {:?} that its rule names, and the rule only reports it",
                    deadline.after
                );
                exceeded.push(key);
            }
        }
        if exceeded.is_empty() {
            return;
        }
        let (requested_provider, serving) = (record.provider, record.attempts.len() as u32);
        let reported = || Box::new(Routed::by(&rule.name, false, requested_provider, serving));
        let routed = record.routed.get_or_insert_with(reported);
        routed.exceeded = exceeded;
    }
}

/// How long one part of a call took at the most, of all its attempts.
fn took(key: &str, record: &CallRecord, waits: &Waits) -> Duration {
    let times = &record.times;
    let between = |from: Timestamp, to: Timestamp| Duration::from_nanos(to.since(from));
    let last = record.serving().filter(|serving| serving.ended == times.ended).map(|serving| serving.number);
    let is_last = |attempt: &Attempt| Some(attempt.number) == last;
    let longest = |until: &dyn Fn(&Attempt) -> Option<Timestamp>| {
        let all =
            record.attempts.iter().filter_map(|attempt| Some(between(attempt.started, until(attempt)?)));
        all.max().unwrap_or_default()
    };
    match key {
        "connect" => waits.connecting.get(),
        "responseHead" => longest(&|attempt| match (is_last(attempt), attempt.status) {
            (true, _) => Some(times.responded.unwrap_or(times.ended)),
            (false, None) => Some(attempt.ended),
            (false, Some(_)) => None,
        }),
        // Of those that failed nothing had come yet.
        "firstToken" if record.facts.stream => longest(&|attempt| match is_last(attempt) {
            true => Some(times.first_content.unwrap_or(times.ended)),
            false => Some(attempt.ended),
        }),
        "betweenTokens" => waits.longest(times.first_content.is_some(), times.ended),
        "total" => between(times.started, times.ended),
        _ => Duration::ZERO,
    }
}

/// How long was waited within one call.
#[derive(Default)]
pub(crate) struct Waits {
    /// For the slowest connection.
    pub(crate) connecting: Cell<Duration>,
    /// Since when the next part of the answer is waited for, while it is.
    since: Cell<Option<Timestamp>>,
    /// For a part behind the first content.
    pause: Cell<Duration>,
}

impl Waits {
    /// The next part is not there yet.
    pub(crate) fn wait(&self, now: impl FnOnce() -> Timestamp) {
        if self.since.get().is_none() {
            self.since.set(Some(now()));
        }
    }

    /// It came, after content or as the first.
    pub(crate) fn came(&self, after_content: bool, now: Timestamp) {
        if let Some(since) = self.since.take().filter(|_| after_content) {
            self.pause.set(self.pause.get().max(Duration::from_nanos(now.since(since))));
        }
    }

    fn longest(&self, after_content: bool, ended: Timestamp) -> Duration {
        self.came(after_content, ended);
        self.pause.get()
    }
}
