//! What a call used that nobody reported: estimated from its texts, and learned from calls that were reported. Per call.

use std::sync::{Mutex, PoisonError};

use outrigger_pricing::estimate::{Calibration, Estimate, Side, TextCount};
use outrigger_pricing::{Atto, Capability, Kind, Meter, ModelFacts, TokenUsage};
use outrigger_providers::StreamEnd;

use crate::call::End;
use crate::call::about::Seen;
use crate::cause::is_good;
use crate::{Accounted, Provenance};

/// What may have been under way, and is billed, when a stream broke off: a tenth of what came, or a few words.
const UNDER_WAY: (u64, u64) = (10, 16);

/// What reported calls teach about those that are not; shared by the calls of a process.
#[derive(Debug, Default)]
// Taken twice per call, by the one thread of its traffic.
pub struct Calibrations(Mutex<Calibration>);

/// The texts of a call, by kinds of characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts {
    pub(super) prompt: TextCount,
    /// `None` where it is not known which parts of an answer are text.
    pub(super) answer: Option<TextCount>,
    /// Whether the model showed that it reasoned; `None` where it would not show it.
    pub(super) reasoned: Option<bool>,
}

/// What is known of the model.
pub(super) struct Model<'a> {
    pub(super) name: &'a str,
    pub(super) facts: Option<ModelFacts<'a>>,
}

impl Model<'_> {
    fn family(&self) -> Option<&str> {
        self.facts.and_then(|facts| facts.tokenizer)
    }

    /// Whether tokens may have gone into reasoning that no text shows.
    fn may_have_reasoned(&self, texts: &Texts, learned: &Calibration) -> bool {
        texts.reasoned.unwrap_or_else(|| {
            let can = self.facts.and_then(|facts| facts.can(Capability::Reasoning));
            can != Some(false) && !learned.never_reasons(self.name)
        })
    }
}

impl Calibrations {
    fn with<T>(&self, act: impl FnOnce(&mut Calibration) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Learns from a call whose tokens were reported, or estimates those that were not.
    pub(super) fn settle(&self, tokens: &mut Accounted, seen: &Seen<'_>, model: &Model<'_>) {
        let Some(texts) = &seen.texts else { return };
        // What we gave up, or what a recording lacks, went on unseen.
        let followed = !seen.fault && !matches!(seen.end, End::Abandoned);
        if !seen.operation.generates_text()
            || !followed
            || !seen.head.is_some_and(|head| is_good(head.status))
        {
            return;
        }
        if tokens.provenance.is_reported() {
            self.learn(&tokens.usage, texts, model);
        } else if seen.reading.stumbled.is_none() && seen.reading.usage_fault.is_none() {
            self.estimate(tokens, seen, texts, model);
        }
    }

    fn learn(&self, usage: &TokenUsage, texts: &Texts, model: &Model<'_>) {
        self.with(|calibration| {
            if let Some(prompt) = usage.total_prompt() {
                calibration.learn(Side::Prompt, model.family(), model.name, &texts.prompt, prompt);
            }
            if let Some(reasoning) = usage.get(Meter::Reasoning) {
                calibration.learn_reasoning(model.name, reasoning);
            }
            // Where reasoning is not told apart it stands inside of what is shown.
            let apart = usage.get(Meter::Reasoning).is_some() || !model.may_have_reasoned(texts, calibration);
            if let (Some(answer), Some(shown), true) = (&texts.answer, usage.get(Meter::Output), apart) {
                calibration.learn(Side::Answer, model.family(), model.name, answer, shown);
            }
        });
    }

    fn estimate(&self, tokens: &mut Accounted, seen: &Seen<'_>, texts: &Texts, model: &Model<'_>) {
        let Some(answer) = &texts.answer else { return };
        // Reasoning that is not seen has no upper bound: what is known is then the least that it can be, and if that is nothing
        // it is not known at all.
        let (prompt, mut answer, whole) = self.with(|calibration| {
            let of = |side, text| calibration.estimate(side, model.family(), model.name, text);
            let whole = !model.may_have_reasoned(texts, calibration);
            (of(Side::Prompt, &texts.prompt), of(Side::Answer, answer), whole)
        });
        if seen.reading.end == StreamEnd::Open {
            answer = answer.and_at_most((answer.tokens / UNDER_WAY.0).max(UNDER_WAY.1));
        }
        if let Some(most) = seen.facts.max_tokens {
            answer.high = answer.high.min(most).max(answer.tokens);
        }
        let says = |estimate: &Estimate| whole || estimate.low > 0;
        let prompt = Some(prompt).filter(|prompt| tokens.usage.total_prompt().is_none() && says(prompt));
        let answer = Some(answer).filter(|answer| tokens.usage.total_answer().is_none() && says(answer));
        let number = |estimate: Estimate| if whole { estimate.tokens } else { estimate.low };
        if let Some(prompt) = prompt {
            fill(&mut tokens.usage, Meter::Input, number(prompt), Meter::is_prompt);
        }
        if let Some(answer) = answer {
            fill(&mut tokens.usage, Meter::Output, number(answer), |meter| !meter.is_prompt());
            if !whole {
                tokens.usage.set(Meter::Reasoning, None);
            }
        }
        (tokens.prompt, tokens.answer) = (prompt, answer);
        if whole {
            tokens.provenance = Provenance::Estimated;
        }
    }
}

/// Sets one meter, and of the others of its side those that are not known to none.
fn fill(usage: &mut TokenUsage, meter: Meter, count: u64, belongs: impl Fn(Meter) -> bool) {
    for other in Meter::ALL.into_iter().filter(|other| belongs(*other)) {
        if usage.get(other).is_none() {
            usage.set(other, Some(0));
        }
    }
    usage.set(meter, Some(count));
}

/// The least and the most that an estimated call cost, where `price` prices counts. Of a prompt nobody knows how much of it
/// came from a cache.
pub(super) fn cost_between(
    tokens: &Accounted,
    price: impl Fn(&TokenUsage) -> Option<Atto>,
) -> Option<(Atto, Atto)> {
    if tokens.provenance != Provenance::Estimated {
        return None;
    }
    let (mut low, mut high) = (tokens.usage, tokens.usage);
    for (meter, estimate) in [(Meter::Input, tokens.prompt), (Meter::Output, tokens.answer)] {
        if let Some(estimate) = estimate {
            low.set(meter, Some(estimate.low));
            high.set(meter, Some(estimate.high));
        }
    }
    let mut least = price(&low)?;
    if let Some(prompt) = tokens.prompt {
        let cached = low.with(Meter::Input, 0).with(Meter::CacheRead, prompt.low);
        least = price(&cached).map_or(least, |cached| cached.min(least));
    }
    Some((least, price(&high)?))
}

/// The usage without what is estimated: what may stand under names that promise the provider's own report.
pub(crate) fn reported(tokens: &Accounted) -> TokenUsage {
    let mut usage = tokens.usage;
    for meter in Meter::ALL {
        let estimated = match meter.kind() {
            Kind::Input | Kind::CacheRead | Kind::CacheWrite | Kind::ToolPrompt => tokens.prompt,
            Kind::Output | Kind::Reasoning | Kind::Citation | Kind::Fee => tokens.answer,
        };
        if estimated.is_some() {
            usage.set(meter, None);
        }
    }
    usage
}
