//! How a cost came about, for a person who wants to follow it.

use super::PriceBook;
use super::bill;
use super::binary::Table;
use super::select;
use crate::{Charge, Meter};

/// What is free within a period. It is never taken off a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeQuantity<'a> {
    /// Of this meter.
    pub meter: Meter,
    /// So many.
    pub quantity: u64,
    /// `day` or `month`.
    pub period: &'a str,
    /// Models of one group share it; empty: the model has it alone.
    pub shared_group: &'a str,
}

/// Which rows of the book priced a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation<'a> {
    /// The provider's id in the book.
    pub provider: &'a str,
    /// The model's id in the book.
    pub model: &'a str,
    /// The first day of the card, where it has one.
    pub since: Option<String>,
    /// The day on which it ends, where that is known.
    pub until: Option<String>,
    /// `published`, `announced` or `observed`.
    pub status: &'static str,
    /// Where the prices are from.
    pub source: &'a str,
    /// The day on which they were read there.
    pub checked_on: &'a str,
    /// Whether lines or factors of the operator's own apply.
    pub own_prices: bool,
    /// What is free within a period.
    pub free: Vec<FreeQuantity<'a>>,
}

impl PriceBook {
    /// Which rows price a call; `None` where none does.
    #[must_use]
    pub fn explain<'a>(&'a self, charge: &Charge<'_>) -> Option<Explanation<'a>> {
        let found = self.find(charge).ok()?;
        let cards = found.cards(charge, bill::prompt(charge).ok()?).ok()?;
        let model = found.models.into_iter().flatten().next()?;
        let card = cards.0.into_iter().flatten().next()?;
        let (status, source, checked_on) = card.origin();
        let (from, until) = card.dates();
        let seller = found.providers.iter().rev().flatten().next();
        let free = found.models.iter().flatten().flat_map(|model| {
            model.record.range(32).places().filter_map(|place| {
                let record = model.book.record(Table::Allowances, place);
                Some(FreeQuantity {
                    meter: *Meter::ALL.get(record.word(0) as usize)?,
                    quantity: record.long(4),
                    period: record.text(12),
                    shared_group: record.text(20),
                })
            })
        });
        Some(Explanation {
            provider: seller.map_or("", |provider| provider.id()),
            model: model.id(),
            since: (from != i64::MIN).then(|| select::day(from)),
            until: (until != i64::MAX).then(|| select::day(until)),
            status: match status {
                0 => "published",
                1 => "announced",
                _ => "observed",
            },
            source,
            checked_on,
            own_prices: found.models[0].is_some() || found.providers[0].is_some(),
            free: free.collect(),
        })
    }

    /// Ids of a provider's models in the book itself, sorted.
    pub fn models<'a>(&'a self, provider: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.provider(provider)[1].into_iter().flat_map(|provider| provider.models()).map(|model| model.id())
    }
}
