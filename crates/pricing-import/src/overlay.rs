//! The hand-kept overlay: what the open data set lacks, or has wrong, each row with its source and the day it was read.

use std::collections::BTreeSet;

use outrigger_pricing::document::{Card, Clause, Document, Facts, Model, Provider};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Failure;

/// The overlay's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// `PROVIDER/MODEL` whose cards of the data set are dropped first.
    replace: Vec<String>,
    /// `PROVIDER/MODEL` of the data set that the book does without.
    drop: Vec<String>,
    /// Rows in the book's own form.
    book: Box<RawValue>,
}

/// Lays the overlay's rows over the book's. A card with the same conditions, dates and lengths is merged line by line.
pub(crate) fn lay(book: &mut Document, text: &str) -> Result<(), Failure> {
    let file: File = serde_json::from_str(text).map_err(Failure::foreign)?;
    let overlay = Document::parse_override(file.book.get()).map_err(Failure::Book)?;
    for name in &file.replace {
        let model = name.split_once('/').and_then(|(provider, id)| {
            let provider = book.providers.iter_mut().find(|one| one.id == provider)?;
            provider.models.iter_mut().find(|model| model.id == id)
        });
        match model {
            Some(model) => model.cards.clear(),
            None => {
                return Err(Failure::Row(format!(
                    "overlay: `{name}` is to be replaced, but the data set lacks it"
                )));
            }
        }
    }
    for name in &file.drop {
        let before: usize = book.providers.iter().map(|provider| provider.models.len()).sum();
        if let Some((provider, id)) = name.split_once('/') {
            let providers = book.providers.iter_mut().filter(|one| one.id == provider);
            providers.for_each(|one| one.models.retain(|model| model.id != id));
        }
        if before == book.providers.iter().map(|provider| provider.models.len()).sum::<usize>() {
            return Err(Failure::Row(format!(
                "overlay: `{name}` is to be dropped, but the data set lacks it"
            )));
        }
    }
    book.version = overlay.version;
    book.date = overlay.date;
    book.license = overlay.license;
    book.sources.extend(overlay.sources);
    for provider in overlay.providers {
        match book.providers.iter_mut().find(|one| one.id == provider.id) {
            Some(base) => lay_provider(base, provider),
            None => book.providers.push(provider),
        }
    }
    sort(book);
    Ok(())
}

/// Lays model facts over the book's: only for models it has.
pub(crate) fn lay_facts(book: &mut Document, text: &str) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Row {
        provider: String,
        model: String,
        facts: Box<RawValue>,
    }
    let rows: Vec<Row> = serde_json::from_str(text).map_err(Failure::foreign)?;
    for row in rows {
        let models =
            book.providers.iter_mut().filter(|one| one.id == row.provider).flat_map(|one| &mut one.models);
        for model in models.filter(|model| model.id == row.model) {
            let wrapped = format!(
                r#"{{"schema": 2, "currency": "USD", "providers": [{{"id": "p", "models": [{{"id": "m", "facts": {}}}]}}]}}"#,
                row.facts.get()
            );
            let read = Document::parse_override(&wrapped).map_err(Failure::Book)?;
            let facts = read.providers.into_iter().flat_map(|one| one.models).find_map(|model| model.facts);
            model.facts = merge(facts, model.facts.take());
        }
    }
    Ok(())
}

fn lay_provider(base: &mut Provider, over: Provider) {
    if !over.hosts.is_empty() {
        base.hosts = over.hosts;
    }
    base.aliases.extend(over.aliases);
    let others: BTreeSet<String> = over.fallbacks.iter().map(|fallback| fallback.provider.clone()).collect();
    base.fallbacks.retain(|fallback| !others.contains(&fallback.provider));
    base.fallbacks.splice(0..0, over.fallbacks);
    base.factors.extend(over.factors);
    // A name that the overlay gives to a model or a pointer is taken from the others.
    let equals = |model: &Model| {
        let names = model.clauses.iter().filter_map(|clause| match clause {
            Clause::Equals(name) => Some(name.clone()),
            _ => None,
        });
        names.collect::<Vec<_>>()
    };
    let mut given: BTreeSet<String> = over.pointers.iter().map(|pointer| pointer.name.clone()).collect();
    for model in &over.models {
        given.extend(equals(model));
        given.insert(model.id.clone());
    }
    for model in &mut base.models {
        model.clauses.retain(|clause| !matches!(clause, Clause::Equals(name) if given.contains(name)));
    }
    base.models.retain(|model| !over.pointers.iter().any(|pointer| pointer.name == model.id));
    base.pointers.extend(over.pointers);
    for model in over.models {
        match base.models.iter_mut().find(|one| one.id == model.id) {
            Some(base) => lay_model(base, model),
            None => base.models.push(model),
        }
    }
}

fn lay_model(base: &mut Model, over: Model) {
    base.clauses.extend(over.clauses);
    for card in over.cards {
        let same = |one: &&mut Card| {
            one.when == card.when
                && one.threshold == card.threshold
                && one.valid_from == card.valid_from
                && one.valid_until == card.valid_until
        };
        match base.cards.iter_mut().find(same) {
            Some(one) => {
                one.lines.extend(card.lines);
                one.origin.source.extend(card.origin.source);
                one.origin.source.sort();
                one.origin.source.dedup();
                one.origin.checked_on = card.origin.checked_on;
                one.status = card.status;
            }
            None => base.cards.push(card),
        }
    }
    base.factors.extend(over.factors);
    base.minimums.extend(over.minimums);
    base.allowances.extend(over.allowances);
    base.facts = merge(over.facts, base.facts.take());
}

/// The first facts, and where they are silent the second.
fn merge(first: Option<Facts>, second: Option<Facts>) -> Option<Facts> {
    let (Some(mut first), Some(second)) = (first.clone(), second.clone()) else { return first.or(second) };
    let silent = first.context_window.is_none() && second.context_window.is_some();
    first.context_window = first.context_window.or(second.context_window);
    first.output_limit = first.output_limit.or(second.output_limit);
    first.smallest_cacheable = first.smallest_cacheable.or(second.smallest_cacheable);
    first.tokenizer = first.tokenizer.or(second.tokenizer);
    first.retires = first.retires.or(second.retires);
    for (word, can) in second.capabilities {
        first.capabilities.entry(word).or_insert(can);
    }
    if silent {
        first.origin.source.extend(second.origin.source);
    }
    first.origin.source.sort();
    first.origin.source.dedup();
    Some(first)
}

/// One order, so that a change of the data is a change of its lines.
fn sort(book: &mut Document) {
    book.providers.sort_by(|a, b| a.id.cmp(&b.id));
    for provider in &mut book.providers {
        provider.models.sort_by(|a, b| a.id.cmp(&b.id));
        for model in &mut provider.models {
            model.clauses.sort();
            model.clauses.dedup();
            model.cards.sort_by_cached_key(|card| {
                let tier = card.when.tier.unwrap_or_default() as u8;
                let low = card.threshold.map_or(0, |threshold| threshold.tokens);
                (tier, card.when.to_string(), card.valid_from.clone(), low, format!("{:?}", card.when))
            });
        }
    }
}
