//! What calls that were reported teach about those that were not: per model, how many tokens were reported for what was
//! estimated. Per call; bounded.

use std::collections::HashMap;

use super::{Estimate, Prior, TextCount, tokens_of};

/// Models that are remembered, each with its two sides; of more only the family is.
const MODELS: usize = 256;
/// Families that are remembered: the book has five.
const FAMILIES: usize = 16;
/// Texts of fewer tokens say more of rounding than of the tokenizer.
const TELLING: f64 = 50.0;
/// With fewer calls a model is estimated by its family.
const ENOUGH: f64 = 3.0;
/// Older calls than so many count less and less: models change behind their names.
const MEMORY: f64 = 256.0;
/// How many calls the prior is worth.
const PRIOR_MEAN: f64 = 1.0;
const PRIOR_SPREAD: f64 = 3.0;
/// No tokenizer is so regular that texts of one model differ by less.
const LEAST_SPREAD: f64 = 0.03;
/// What is further off is no matter of tokenizers: hidden reasoning, a template of the provider's, a report that is wrong.
const CREDIBLE: f64 = 1.6;

/// Which side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// What was asked, frames and tools included.
    Prompt,
    /// What was answered, as far as it is shown.
    Answer,
}

/// Logarithms of reported over estimated tokens.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    calls: f64,
    mean: f64,
    /// Sum of squared differences from the mean.
    squares: f64,
}

impl Seen {
    fn add(&mut self, log: f64) {
        if self.calls >= MEMORY {
            self.calls /= 2.0;
            self.squares /= 2.0;
        }
        self.calls += 1.0;
        let before = log - self.mean;
        self.mean += before / self.calls;
        self.squares += before * (log - self.mean);
    }

    /// What the next call is expected to show.
    fn predict(&self, prior: Prior) -> Prior {
        let calls = self.calls;
        let off = self.mean - prior.mean;
        let mean = PRIOR_MEAN.mul_add(prior.mean, calls * self.mean) / (PRIOR_MEAN + calls);
        let squares = PRIOR_SPREAD.mul_add(prior.spread.powi(2), self.squares)
            + off.powi(2) * PRIOR_MEAN * calls / (PRIOR_MEAN + calls);
        let variance = squares / (PRIOR_SPREAD + calls) * (1.0 + 1.0 / (PRIOR_MEAN + calls));
        // Student's t has longer tails while few calls are known.
        let tails = 1.0 + 1.2 / (PRIOR_SPREAD + calls);
        Prior { mean, spread: variance.sqrt().max(LEAST_SPREAD) * tails }
    }
}

/// What was learned.
#[derive(Debug, Default)]
pub struct Calibration {
    /// Calls that told of no reasoning at all; `None` once one told of some.
    reasoning: HashMap<Box<str>, Option<u32>>,
    models: HashMap<(Side, Box<str>), Seen>,
    families: HashMap<(Side, Option<Box<str>>), Seen>,
}

impl Calibration {
    /// A call of this model and family of tokenizers was reported: this text has so many tokens.
    pub fn learn(&mut self, side: Side, family: Option<&str>, model: &str, count: &TextCount, reported: u64) {
        let estimated = tokens_of(count);
        if count.media > 0 || estimated < TELLING || reported == 0 {
            return;
        }
        let log = (reported as f64 / estimated).ln();
        if (log - Prior::of(family).mean).abs() > CREDIBLE.ln() + Prior::of(family).spread {
            return;
        }
        remember(&mut self.models, (side, model.into()), MODELS, log);
        remember(&mut self.families, (side, family.map(Into::into)), FAMILIES, log);
    }

    /// A call of this model reported so many tokens of reasoning.
    pub fn learn_reasoning(&mut self, model: &str, reported: u64) {
        if self.reasoning.len() >= MODELS && !self.reasoning.contains_key(model) {
            return;
        }
        let calls = self.reasoning.entry(model.into()).or_insert(Some(0));
        *calls = calls.filter(|_| reported == 0).map(|calls| calls.saturating_add(1));
    }

    /// Whether a model never reasons, by all that its calls reported. Not known after a few.
    #[must_use]
    pub fn never_reasons(&self, model: &str) -> bool {
        self.reasoning.get(model).is_some_and(|calls| calls.is_some_and(|calls| f64::from(calls) >= ENOUGH))
    }

    /// How many tokens a text is.
    #[must_use]
    pub fn estimate(&self, side: Side, family: Option<&str>, model: &str, count: &TextCount) -> Estimate {
        let enough = |seen: &&Seen| seen.calls >= ENOUGH;
        let of_model = self.models.get(&(side, model.into())).filter(enough);
        let of_family = || self.families.get(&(side, family.map(Into::into))).filter(enough);
        let prior = Prior::of(family);
        let ratio = match (of_model, of_family()) {
            (Some(seen), _) => seen.predict(prior),
            // Another model of the family is evidence, but not of this one.
            (None, Some(seen)) => {
                let predicted = seen.predict(prior);
                Prior { spread: predicted.spread.max(prior.spread / 2.0), ..predicted }
            }
            (None, None) => prior,
        };
        Estimate::new(count, tokens_of(count), ratio)
    }
}

/// Adds to what is known under a key; keys beyond the bound are not begun.
fn remember<K: std::hash::Hash + Eq>(known: &mut HashMap<K, Seen>, key: K, most: usize, log: f64) {
    if known.len() < most * 2 || known.contains_key(&key) {
        known.entry(key).or_default().add(log);
    }
}
