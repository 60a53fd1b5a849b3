//! What no row shows by itself: names that stand twice, references to nothing, cards that tie.

use std::collections::BTreeMap;

use crate::document::{BookError, Card, Clause, Document, Fault, Model, Op, Provider, instant};

/// Checks a document whose rows are sound each by itself. An operator's own prices (`strict` is false) may speak of
/// models and providers of the book they are laid over.
///
/// # Errors
/// Every fault found.
pub(crate) fn check(document: &Document, strict: bool) -> Result<(), BookError> {
    let mut checker = Checker { faults: Vec::new() };
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for provider in &document.providers {
        let path = format!("providers.{}", provider.id);
        for name in std::iter::once(&provider.id).chain(&provider.aliases) {
            if let Some(other) = names.insert(name, &provider.id) {
                checker.fault(
                    &path,
                    format!("the name `{name}` stands twice (also for `{other}`)"),
                    "let each name belong to one provider",
                );
            }
        }
        for fallback in provider.fallbacks.iter().filter(|_| strict) {
            if !document.providers.iter().any(|other| other.id == fallback.provider) {
                let text = format!("there is no provider `{}` to fall back to", fallback.provider);
                checker.fault(&path, text, "name a provider of this book");
            }
        }
        checker.provider(&path, provider, document, strict);
    }
    if checker.faults.is_empty() { Ok(()) } else { Err(BookError { faults: checker.faults }) }
}

struct Checker {
    faults: Vec<Fault>,
}

impl Checker {
    fn fault(&mut self, path: &str, text: String, mend: &'static str) {
        self.faults.push(Fault { path: path.to_owned(), text, mend });
    }

    fn provider(&mut self, path: &str, provider: &Provider, document: &Document, strict: bool) {
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for model in &provider.models {
            let path = format!("{path}.models.{}", model.id);
            let equals = model.clauses.iter().filter_map(|clause| match clause {
                Clause::Equals(name) => Some(name),
                _ => None,
            });
            for name in std::iter::once(&model.id).chain(equals) {
                if names.insert(name, &model.id).is_some() {
                    self.fault(
                        &path,
                        format!("the name `{name}` stands twice"),
                        "let each name belong to one model, and list it once",
                    );
                }
            }
            self.model(&path, model, strict);
        }
        for pointer in &provider.pointers {
            let path = format!("{path}.pointers.{}", pointer.name);
            if strict && !provider.models.iter().any(|model| model.id == pointer.model) {
                let text = format!("there is no model `{}` to point to", pointer.model);
                self.fault(&path, text, "name a model's id of this provider in this file");
            }
            if names.contains_key(pointer.name.as_str()) {
                let text = format!("`{}` is also the name of a model", pointer.name);
                self.fault(&path, text, "let it be one or the other");
            }
        }
        // A factor may also be on a model that the provider sells at another one's prices.
        let sells = |id: &String| {
            let from = |other: &&Provider| provider.fallbacks.iter().any(|one| one.provider == other.id);
            let others = document.providers.iter().filter(from);
            others.chain([provider]).any(|one| one.models.iter().any(|model| model.id == *id))
        };
        for id in provider.factors.iter().filter(|_| strict).flat_map(|factor| &factor.models) {
            if !sells(id) {
                let text = format!("there is no model `{id}` for this factor");
                self.fault(&format!("{path}.factors"), text, "name a model's id of this provider");
            }
        }
    }

    fn model(&mut self, path: &str, model: &Model, strict: bool) {
        if model.clauses.iter().any(|clause| !is_simple(clause)) {
            let text = "`not` stands before more than one test, or a clause tests nothing".to_owned();
            self.fault(
                &format!("{path}.match"),
                text,
                "write `not` before a single test, and `all` around several",
            );
        }
        if model.cards.is_empty() && strict {
            self.fault(path, "the model has no card".to_owned(), "give it one, or leave the model out");
        }
        for (at, card) in model.cards.iter().enumerate() {
            if let Some(earlier) = model.cards.iter().take(at).position(|earlier| ties(earlier, card)) {
                self.fault(
                    &format!("{path}.cards[{at}] ({})", card.when),
                    format!("it and cards[{earlier}] can apply to the same call"),
                    "keep their conditions, dates or prompt lengths apart",
                );
            }
        }
    }
}

fn is_simple(clause: &Clause) -> bool {
    match clause {
        Clause::All(parts) => {
            !parts.is_empty() && parts.iter().all(is_simple) && parts.iter().any(is_positive)
        }
        Clause::Not(part) => is_positive(part),
        _ => true,
    }
}

fn is_positive(clause: &Clause) -> bool {
    !matches!(clause, Clause::All(_) | Clause::Not(_))
}

/// Whether both cards can apply to one call, and neither is the more specific.
fn ties(a: &Card, b: &Card) -> bool {
    let span = |card: &Card| {
        let read = |text: &Option<String>, open| text.as_deref().and_then(instant).unwrap_or(open);
        (read(&card.valid_from, i64::MIN), read(&card.valid_until, i64::MAX))
    };
    let ((from, until), (other_from, other_until)) = (span(a), span(b));
    let (low, high) = lengths(a);
    let (other_low, other_high) = lengths(b);
    let meet = a.when.tier.unwrap_or_default() == b.when.tier.unwrap_or_default()
        && agree(&a.when.region, &b.when.region)
        && agree(&a.when.route, &b.when.route)
        && agree(&a.when.variant, &b.when.variant)
        && a.when.schedule.as_ref().zip(b.when.schedule.as_ref()).is_none_or(|(a, b)| a.meets(b))
        && from < other_until
        && other_from < until
        && low <= other_high
        && other_low <= high;
    let within = |a: (u64, u64), b: (u64, u64)| b.0 <= a.0 && a.1 <= b.1 && a != b;
    let nested = within((low, high), (other_low, other_high)) || within((other_low, other_high), (low, high));
    meet && conditions(a) == conditions(b) && !nested
}

fn agree<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
    a.is_none() || b.is_none() || a == b
}

fn conditions(card: &Card) -> usize {
    let when = &card.when;
    [when.region.is_some(), when.route.is_some(), when.variant.is_some(), when.schedule.is_some()]
        .into_iter()
        .filter(|set| *set)
        .count()
}

fn lengths(card: &Card) -> (u64, u64) {
    card.threshold.map_or((0, u64::MAX), |threshold| match threshold.op {
        Op::Gt => (threshold.tokens.saturating_add(1), u64::MAX),
        Op::Ge => (threshold.tokens, u64::MAX),
        Op::Le => (0, threshold.tokens),
        Op::Lt => (0, threshold.tokens.saturating_sub(1)),
    })
}
