//! Bounds, chances and effort.

use super::{At, Notes};
use crate::canonical::{Effort, Manner, Request, STEPS, Thinking, ToolChoice};

pub(super) fn fit(request: &mut Request, manner: &Manner, notes: &mut Notes) {
    if request.sampling.choices.take().is_some_and(|choices| choices > 1) {
        notes.refuse(At::Member("the number of answers"), "more than one answer");
    }
    max_tokens(request, manner, notes);
    effort(request, manner, notes);
    if !manner.verbosity && request.verbosity.take().is_some() {
        notes.drop(At::Member("verbosity"), "how wordy the answer is to be");
    }
    chances(request, manner, notes);
    stops(request, manner, notes);
}

fn max_tokens(request: &mut Request, manner: &Manner, notes: &mut Notes) {
    let asked = &mut request.sampling.max_tokens;
    if asked.is_none() {
        *asked = manner.max_tokens_needed;
    }
    if let (Some(most), Some(cap)) = (*asked, manner.max_tokens_cap)
        && most > cap
    {
        notes.approximate(At::Member("the most tokens"), "more tokens than the model ever answers with");
        *asked = Some(cap);
    }
}

fn chances(request: &mut Request, manner: &Manner, notes: &mut Notes) {
    let thinks = request.effort.mode.as_deref().is_some_and(|mode| mode != "disabled");
    let taken = manner.chances_while_thinking || !thinks;
    let sampling = &mut request.sampling;
    match (sampling.temperature, manner.hottest.filter(|_| taken)) {
        (Some(_), None) => {
            notes.drop(At::Member("temperature"), "the temperature");
            sampling.temperature = None;
        }
        (Some(asked), Some(hottest)) if asked > hottest => {
            notes.approximate(At::Member("temperature"), "a temperature above the highest");
            sampling.temperature = Some(hottest);
        }
        _ => {}
    }
    let both = manner.both_chances || sampling.temperature.is_none();
    if sampling.top_p.is_some() && !(manner.top_p && taken && both) {
        notes.drop(At::Member("top_p"), "nucleus sampling (top_p)");
        sampling.top_p = None;
    }
    if sampling.top_k.is_some() && !(manner.top_k && taken) {
        notes.drop(At::Member("top_k"), "top-k sampling");
        sampling.top_k = None;
    }
    if sampling.seed.is_some() && !manner.seed {
        notes.drop(At::Member("seed"), "the seed");
        sampling.seed = None;
    }
    if !manner.penalties {
        for (name, penalty) in [
            ("frequency_penalty", &mut sampling.frequency_penalty),
            ("presence_penalty", &mut sampling.presence_penalty),
        ] {
            if penalty.take().is_some_and(|penalty| penalty != 0.0) {
                notes.drop(At::Member(name), "a penalty for repetition");
            }
        }
    }
}

fn stops(request: &mut Request, manner: &Manner, notes: &mut Notes) {
    let stops = &request.sampling.stop;
    let at = At::Member("the texts that end the answer");
    if !stops.is_empty() && manner.stops == 0 {
        notes.refuse(at, "a text that ends the answer, which the model does not take");
    } else if stops.len() > manner.stops {
        notes.refuse(at, "more texts that end the answer than are taken");
    } else if !manner.blank_stops && stops.iter().any(|stop| stop.trim().is_empty()) {
        notes.refuse(at, "a blank text that ends the answer");
    }
}

/// What is asked for, as a step of the scale and, where it was said in tokens, as these.
fn wanted(effort: &Effort, notes: &mut Notes) -> Option<(usize, Option<u64>)> {
    if effort.mode.as_deref() == Some("disabled") {
        return Some((0, None));
    }
    if let Some(level) = &effort.level {
        let word = level.to_ascii_lowercase();
        let step = STEPS.iter().position(|(step, _)| *step == word);
        if step.is_none() {
            notes.drop(At::Member("effort"), "a step of effort that is not known here");
        }
        return step.map(|step| (step, None));
    }
    if effort.budget.is_none() && matches!(effort.mode.as_deref(), Some("adaptive" | "between_tools")) {
        // Where nothing is said, models that think decide it themselves.
        notes.approximate(At::Member("effort"), "that the model decides how much to think");
    }
    let budget = effort.budget?;
    let step = STEPS.iter().position(|(_, tokens)| *tokens >= budget).unwrap_or(STEPS.len() - 1);
    Some((step, Some(budget)))
}

fn effort(request: &mut Request, manner: &Manner, notes: &mut Notes) {
    let at = At::Member("effort");
    let wanted = wanted(&std::mem::take(&mut request.effort), notes);
    let Some((step, budget)) = wanted else { return };
    request.effort = match manner.thinking {
        Thinking::Untold => {
            if step != 0 {
                notes.drop(at, "how much to think");
            }
            Effort::default()
        }
        Thinking::Steps(steps) => {
            let level = nearest(steps, step, budget, at, notes);
            Effort { level: Some(level.to_owned()), ..Effort::default() }
        }
        Thinking::Adaptive(_) if step == 0 => mode("disabled"),
        Thinking::Adaptive(steps) => {
            let level = nearest(steps, step, budget, at, notes);
            Effort { level: Some(level.to_owned()), ..mode("adaptive") }
        }
        Thinking::Budget { off: true, .. } if step == 0 => Effort { budget: Some(0), ..mode("disabled") },
        Thinking::Budget { least, below_max, .. } => {
            let tokens = budget.unwrap_or(STEPS[step].1).max(least);
            if budget != Some(tokens) {
                notes.approximate(at, "how much to think, in tokens");
            }
            below(tokens, least, request.sampling.max_tokens.filter(|_| below_max), at, notes)
        }
    };
    let is_forced = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. })
    );
    let thinks = request.effort.mode.as_deref().is_some_and(|mode| mode != "disabled");
    if thinks && is_forced && !manner.forced_while_thinking {
        notes.drop(at, "how much to think, where a call is ordered");
        request.effort = mode("disabled");
    } else if request.effort.mode.as_deref() == Some("enabled") && in_tool_loop(request) {
        // What was thought before the calls is not there, and such a model wants it.
        notes.drop(at, "how much to think, between calls");
        request.effort = mode("disabled");
    }
}

fn mode(mode: &str) -> Effort {
    Effort { mode: Some(mode.to_owned()), ..Effort::default() }
}

/// A budget below the bound of the answer, of which it is a part.
fn below(tokens: u64, least: u64, max: Option<u64>, at: At<'_>, notes: &mut Notes) -> Effort {
    match max {
        Some(max) if max <= least => {
            notes.drop(at, "how much to think, in an answer too short for it");
            mode("disabled")
        }
        Some(max) if tokens >= max => {
            notes.approximate(at, "how much to think, within the answer's bound");
            Effort { budget: Some(max - 1), ..mode("enabled") }
        }
        _ => Effort { budget: Some(tokens), ..mode("enabled") },
    }
}

/// The step that is taken for another one: the highest that is not above it, else the lowest.
fn nearest(
    steps: &'static [&'static str],
    step: usize,
    budget: Option<u64>,
    at: At<'_>,
    notes: &mut Notes,
) -> &'static str {
    let place = |word: &str| STEPS.iter().position(|(known, _)| *known == word).unwrap_or(0);
    let below = steps.iter().rev().find(|word| place(word) <= step);
    let found = below.or(steps.first()).copied().unwrap_or("medium");
    if place(found) != step || budget.is_some() {
        notes.approximate(at, "how much to think");
    }
    found
}

/// Whether the model waits for what it goes on with after a call.
fn in_tool_loop(request: &Request) -> bool {
    let turns = crate::canonical::turns(&request.messages);
    turns.last().is_some_and(|turn| turn.answers().next().is_some())
}
