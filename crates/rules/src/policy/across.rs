//! What no single key shows: names that stand twice, rules that never decide, backups that no call can go to.

use outrigger_pricing::PriceBook;
use outrigger_providers::{FailureClass, Operation};

use super::compile::{Findings, acts};
use super::{Failover, Rule, Site, Target};
use crate::document::Draft;

pub(super) fn check(draft: &Draft, rules: &[(usize, Rule)], site: &Site<'_>, findings: &mut Findings<'_>) {
    names(draft, findings);
    // What is missing for a fault is no sign of anything.
    if !findings.is_faulty() {
        unreachable(draft, findings);
        unused(draft, findings);
        if acts(draft) && !rules.iter().any(|(_, rule)| rule.acts()) {
            let text = "the mode is `act`, and no rule does anything";
            findings.doubtful("mode", text, "write `observe`, or rules with deadlines, retry or failover");
        }
    }
    for (index, rule) in rules {
        if let Some(failover) = &rule.failover {
            for (place, target) in placed(draft, *index, failover) {
                fits(rule, failover, target, &format!("rules[{index}].failover.to[{place}]"), site, findings);
            }
        }
    }
}

/// Targets of a rule with their places in the written list, where faulty ones may be missing.
fn placed<'a>(draft: &Draft, index: usize, failover: &'a Failover) -> Vec<(usize, &'a Target)> {
    let written =
        draft.rules.iter().find(|(place, _)| *place == index).and_then(|(_, rule)| rule.failover.as_ref());
    let Some(written) = written else { return Vec::new() };
    let find = |name: &str| failover.to.iter().find(|target| *target.name == *name).map(|target| &**target);
    written.to.iter().enumerate().filter_map(|(place, name)| Some((place, find(&name.0)?))).collect()
}

fn names(draft: &Draft, findings: &mut Findings<'_>) {
    for (at, (index, rule)) in draft.rules.iter().enumerate() {
        if rule.name.0 == crate::examples::NO_RULE {
            let text = format!("`{}` means that no rule decides", rule.name);
            findings.wrong(&format!("rules[{index}].name"), text, "take another name");
        }
        if let Some((first, _)) = draft.rules[..at].iter().find(|(_, other)| other.name == rule.name) {
            let text = format!("the name `{}` is also that of rules[{first}]", rule.name);
            findings.wrong(&format!("rules[{index}].name"), text, "give each rule a name of its own");
        }
    }
}

fn unreachable(draft: &Draft, findings: &mut Findings<'_>) {
    for (at, (index, rule)) in draft.rules.iter().enumerate() {
        let before = draft.rules[..at].iter().find(|(_, other)| rule.matching.is_within(&other.matching));
        if let Some((first, wider)) = before {
            let why = if wider.matching.is_all() {
                "matches every call"
            } else {
                "matches every call that this one does"
            };
            let text = format!("no call comes this far: rules[{first}] (`{}`) {why}", wider.name);
            findings.doubtful(
                &format!("rules[{index}].match"),
                text,
                "move this rule above it, or remove it",
            );
        }
    }
}

fn unused(draft: &Draft, findings: &mut Findings<'_>) {
    for (name, _) in &draft.backups {
        let named = |rule: &crate::document::Rule| {
            rule.failover.as_ref().is_some_and(|failover| failover.to.iter().any(|to| to.0 == *name))
        };
        if !draft.rules.iter().any(|(_, rule)| named(rule)) {
            let text = format!("no rule fails over to `{name}`");
            findings.doubtful(
                &format!("backups.{name}"),
                text,
                "name it in a rule's `failover.to`, or remove it",
            );
        }
    }
}

/// The models that a rule is about, each with its provider, as far as the book and the rule name them.
fn asked<'a>(rule: &'a Rule, book: &'a PriceBook) -> Vec<(&'static str, String)> {
    let providers: Vec<&'static str> =
        rule.conditions.iter().filter_map(|condition| condition.providers()).flatten().collect();
    let globs = rule.conditions.iter().filter_map(|condition| condition.models()).flatten();
    let mut asked = Vec::new();
    for glob in globs {
        for provider in &providers {
            match glob.exact() {
                Some(model) => asked.push((*provider, model.to_owned())),
                None => {
                    let models = book.models(provider).filter(|model| glob.holds(model));
                    asked.extend(models.map(|model| (*provider, model.to_owned())));
                }
            }
        }
    }
    asked
}

/// Whether a target can take calls of a rule at all.
fn fits(
    rule: &Rule,
    failover: &Failover,
    target: &Target,
    path: &str,
    site: &Site<'_>,
    findings: &mut Findings<'_>,
) {
    const MEND: &str = "name another backup, loosen the limit, or add what is missing to the price book";
    let limits = &failover.limits;
    let asked = asked(rule, site.book);
    let own = target.model.as_deref().and_then(|model| {
        limits
            .incapable(target, model, site.book, site.now)
            .or_else(|| limits.unpriced(target, model, site.book, site.now))
    });
    let refusals: Vec<(&str, String)> = match own {
        Some(refusal) => vec![("", refusal)],
        None => asked
            .iter()
            .filter_map(|(provider, model)| {
                let from = (*provider, "", Some(&**model));
                Some((&**model, limits.refusal(target, from, site.book, site.now)?))
            })
            .collect(),
    };
    if let Some((model, refusal)) = refusals.first() {
        if model.is_empty() || refusals.len() == asked.len() {
            findings.wrong(
                path,
                format!("no call of this rule can go to `{}`: {refusal}", target.name),
                MEND,
            );
        } else {
            let models: Vec<&str> = refusals.iter().map(|(model, _)| *model).collect();
            let text = format!("calls to {} do not go to `{}`: {refusal}", some(&models), target.name);
            findings.doubtful(path, text, "this may be what you want; else loosen the limit");
        }
    } else if asked.is_empty()
        && limits.max_price.is_some()
        && rule.conditions.iter().any(|one| one.models().is_some())
    {
        let text =
            format!("no priced model is known that this rule matches, so `{}` is left out", target.name);
        findings.doubtful(path, text, "name `provider` and `model` in `match`, or add own prices");
    }
    if failover.when.contains(FailureClass::ContextLength) {
        larger(&asked, target, path, site, findings);
    }
    kinds(rule, target, path, site, findings);
}

/// A prompt that was too long needs a larger window.
fn larger(
    asked: &[(&'static str, String)],
    target: &Target,
    path: &str,
    site: &Site<'_>,
    findings: &mut Findings<'_>,
) {
    let window = |provider: &str, model: &str| site.book.facts(provider, model, site.now)?.context_window;
    let Some(model) = target.model.as_deref() else { return };
    let mend = "remove `context_length`, or name a backup with a larger window";
    match window(target.provider.id, model) {
        None => {
            let text =
                format!("the window of {model} is not known, so `context_length` does not move a call there");
            findings.doubtful(path, text, mend);
        }
        Some(theirs) => {
            let smaller = |(provider, model): &(&'static str, String)| {
                window(provider, model).is_some_and(|ours| theirs <= ours)
            };
            if !asked.is_empty() && asked.iter().all(smaller) {
                let text = format!(
                    "the window of {model} is no larger, so `context_length` does not move a call there"
                );
                findings.doubtful(path, text, mend);
            }
        }
    }
}

/// What the backup cannot answer, of all that the rule is about.
fn kinds(rule: &Rule, target: &Target, path: &str, site: &Site<'_>, findings: &mut Findings<'_>) {
    let mut operations: Vec<_> =
        rule.conditions.iter().filter_map(|condition| condition.operations()).flatten().collect();
    if operations.is_empty() {
        operations.extend(Operation::ALL.into_iter().filter(|operation| operation.is_inference()));
    }
    let providers: Vec<_> =
        rule.conditions.iter().filter_map(|condition| condition.providers()).flatten().collect();
    let asked = rule
        .conditions
        .iter()
        .filter_map(|condition| condition.models())
        .flatten()
        .find_map(|glob| glob.exact());
    let crossings: Vec<Option<String>> = operations
        .iter()
        .flat_map(|operation| providers.iter().map(move |provider| (*provider, *operation)))
        .map(|(provider, operation)| site.gate.refusal(provider, operation, asked, target))
        .collect();
    if let Some(Some(refusal)) = crossings.first()
        && crossings.iter().all(Option::is_some)
    {
        let text = format!("no call of this rule can go to `{}`: {refusal}", target.name);
        findings.wrong(path, text, "name a backup that can answer it, or remove `failover`");
    }
}

/// The first of many names.
fn some(names: &[&str]) -> String {
    const TOLD: usize = 3;
    let told = names.iter().take(TOLD).copied().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(TOLD) {
        Some(more) if more > 0 => format!("{told} and {more} more"),
        _ => told,
    }
}
