//! What calls cost and why they failed, added up as they end. Per call; memory is bounded by the number of models, steps
//! and kinds of failure, not of calls.

mod failures;
mod people;
mod samples;
mod summary;
#[cfg(test)]
mod tests;
mod threads;
mod verdicts;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use outrigger_diagnosis::Change;
use outrigger_exporter::Counts;
use outrigger_ledger::{CallRecord, Outcome, Provenance, Recorder, Used};
use outrigger_pricing::{Atto, Completeness, Meter, TokenUsage};
use outrigger_providers::Who;
use outrigger_sidecar::Seen;

use crate::bill::failures::Failures;
use crate::bill::people::People;
use crate::bill::samples::Samples;
use crate::bill::threads::Threads;
use crate::bill::verdicts::Verdicts;
use crate::output;

/// Names that an app makes up (models, steps) are kept apart up to this many, then together.
const NAMES: usize = 200;
const OTHER: &str = "(other)";

/// Where the telemetry went.
pub(crate) struct Telemetry {
    pub(crate) counts: Counts,
    pub(crate) endpoints: Vec<String>,
}

/// Adds up calls.
pub(crate) struct Bill {
    // Taken once per finished call and by summaries.
    state: Mutex<State>,
    started: Instant,
    /// Whether a failure is said when it happens.
    says_failures: bool,
}

#[derive(Default)]
struct State {
    total: Sums,
    models: BTreeMap<(&'static str, String), ModelRow>,
    steps: BTreeMap<String, Sums>,
    people: People,
    threads: Threads,
    failures: Failures,
    verdicts: Verdicts,
    outcomes: BTreeMap<&'static str, u64>,
    exact: u64,
    /// Calls whose usage came after the app had left.
    late: u64,
    estimated: u64,
    unknown: u64,
    /// Calls that were refused and used nothing.
    unused: u64,
}

/// A sum of money that says what it leaves out.
#[derive(Debug, Default, Clone)]
struct Sums {
    calls: u64,
    cost: Atto,
    /// Calls whose cost is a lower bound.
    partial: u64,
    /// Calls at the price of another provider or of a model of a similar name.
    borrowed: u64,
    /// Calls without a price.
    unpriced: u64,
    /// Calls of which something is estimated, and what of the cost is theirs.
    estimated: u64,
    estimated_cost: Atto,
}

#[derive(Default)]
struct ModelRow {
    sums: Sums,
    input: Tokens,
    cached: u64,
    output: Tokens,
    first_token: Samples,
}

/// A sum of tokens that says of how many calls it holds only a part.
#[derive(Default)]
struct Tokens {
    known: u64,
    /// Calls with a count that is unknown.
    incomplete: u64,
    /// Calls with a count that is estimated.
    estimated: u64,
}

impl Tokens {
    fn add(&mut self, usage: &TokenUsage, total: Option<u64>, estimated: bool, belongs: fn(Meter) -> bool) {
        self.estimated += u64::from(estimated);
        let known =
            || Meter::ALL.into_iter().filter(|meter| belongs(*meter)).filter_map(|meter| usage.get(meter));
        self.known = self.known.saturating_add(total.unwrap_or_else(|| known().sum()));
        self.incomplete += u64::from(total.is_none());
    }
}

fn is_estimated(record: &CallRecord) -> bool {
    record.tokens.prompt.is_some() || record.tokens.answer.is_some()
}

impl Sums {
    /// With what failed attempts of the call cost.
    fn add(&mut self, record: &CallRecord) {
        self.add_answer(record);
        for used in record.attempts.iter().filter_map(|attempt| attempt.used.as_ref()) {
            self.add_used(used);
        }
    }

    /// What an attempt cost whose answer the app did not get.
    fn add_used(&mut self, used: &Used) {
        let Some(cost) = used.cost.total else { return };
        let plus = |sum: Atto| sum.checked_add(cost).unwrap_or(sum);
        self.cost = plus(self.cost);
        if used.cost.completeness == Completeness::Estimated {
            self.estimated_cost = plus(self.estimated_cost);
        }
    }

    fn add_answer(&mut self, record: &CallRecord) {
        self.calls += 1;
        self.estimated += u64::from(is_estimated(record));
        match record.cost.completeness {
            Completeness::Exact | Completeness::Estimated => {}
            Completeness::Partial => self.partial += 1,
            Completeness::Fallback => self.borrowed += 1,
            Completeness::Unpriced => self.unpriced += 1,
        }
        if let Some(cost) = record.cost.total {
            // Sums beyond 1e20 dollars stay where they are.
            let plus = |sum: Atto| sum.checked_add(cost).unwrap_or(sum);
            self.cost = plus(self.cost);
            if is_estimated(record) {
                self.estimated_cost = plus(self.estimated_cost);
            }
        }
    }
}

impl Bill {
    pub(crate) fn new(says_failures: bool) -> Bill {
        Bill { state: Mutex::default(), started: Instant::now(), says_failures }
    }

    /// The bill so far; at the end also what passed unread and where the telemetry went.
    pub(crate) fn summary(&self, seen: Option<&Seen>, telemetry: Option<&Telemetry>) -> String {
        summary::text(&self.state(), self.started.elapsed(), seen, telemetry)
    }

    /// The bill of calls that took so long, from the first one's start to the last one's end.
    pub(crate) fn summary_of(&self, elapsed: Duration) -> String {
        summary::text(&self.state(), elapsed, None, None)
    }

    /// What is found to be wrong has changed.
    pub(crate) fn changed(&self, change: &Change) {
        self.state().verdicts.take(change);
    }

    /// The sums as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        summary::json(&self.state())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder for Bill {
    fn try_record(&self, record: Arc<CallRecord>) {
        let said = {
            let mut state = self.state();
            state.add(&record);
            state.failures.note(&record, Instant::now())
        };
        if let Some(line) = said.filter(|_| self.says_failures) {
            output::live(&line);
        }
    }
}

impl State {
    fn add(&mut self, record: &CallRecord) {
        self.total.add(record);
        *self.outcomes.entry(record.outcome.as_str()).or_default() += 1;
        match record.tokens.provenance {
            Provenance::Exact if record.tokens.usage == TokenUsage::ZERO => self.unused += 1,
            Provenance::Exact => self.exact += 1,
            Provenance::ProviderLate => self.late += 1,
            Provenance::Estimated => self.estimated += 1,
            Provenance::Unknown => self.unknown += 1,
        }
        let step = record.identity.get(Who::Step).unwrap_or("unnamed");
        self.people.add(record);
        self.threads.add(record);
        bounded(&mut self.steps, step.to_owned(), OTHER.to_owned()).add(record);

        let model = record.model().unwrap_or("(unnamed)").to_owned();
        let row = bounded(&mut self.models, (record.provider, model), (record.provider, OTHER.to_owned()));
        row.sums.add_answer(record);
        let usage = &record.tokens.usage;
        row.input.add(usage, usage.total_prompt(), record.tokens.prompt.is_some(), Meter::is_prompt);
        row.cached += usage.total_cached().unwrap_or(0);
        let seen_only = record.tokens.answer.filter(|_| record.tokens.provenance == Provenance::Unknown);
        // Reasoning that nobody saw is not in it.
        let answer = usage.total_answer().filter(|_| seen_only.is_none());
        row.output.add(usage, answer, record.tokens.answer.is_some(), Meter::is_answer);
        if let (Some(first), Outcome::Answered) = (record.times.first_content, record.outcome) {
            row.first_token.add(first.since(record.times.started));
        }
        let used = record.attempts.iter().filter_map(|attempt| Some((attempt, attempt.used.as_ref()?)));
        for (attempt, used) in used.filter(|(_, used)| used.cost.total.is_some_and(|cost| cost != Atto::ZERO))
        {
            let model = attempt.model.clone().unwrap_or_else(|| "(unnamed)".to_owned());
            let key = (attempt.provider, model);
            bounded(&mut self.models, key, (attempt.provider, OTHER.to_owned())).sums.add_used(used);
        }
    }

    fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome.as_str()).copied().unwrap_or(0)
    }
}

fn bounded<K: Ord, V: Default>(map: &mut BTreeMap<K, V>, key: K, other: K) -> &mut V {
    let key = if map.len() >= NAMES && !map.contains_key(&key) { other } else { key };
    map.entry(key).or_default()
}
