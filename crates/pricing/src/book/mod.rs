//! The dated price book: which prices applied to a call when it ran, and what it therefore cost.

mod bill;
mod card;
mod file;
mod load;
mod names;

use std::sync::OnceLock;

pub use load::BookError;

use crate::{Charge, Completeness, Cost};
use names::Provider;

/// The book that is checked in beside the code.
const BUILTIN: &str = include_str!("../../prices.json");

/// A book of prices, read once and never changed.
#[derive(Debug)]
pub struct PriceBook {
    /// Says in every record which prices were used.
    hash: String,
    /// Shown beside every bill, so that stale prices are seen.
    date: String,
    /// Few, so they are searched in order.
    providers: Vec<Provider>,
}

impl PriceBook {
    /// The book this version was built with. Read at the first use (under a millisecond), then shared.
    #[must_use]
    pub fn builtin() -> &'static PriceBook {
        static BOOK: OnceLock<PriceBook> = OnceLock::new();
        // A test reads the checked-in file; should it be broken all the same, every call is unpriced and nothing stops.
        BOOK.get_or_init(|| {
            PriceBook::parse(BUILTIN).unwrap_or_else(|_| PriceBook {
                hash: load::hash(BUILTIN),
                date: String::new(),
                providers: Vec::new(),
            })
        })
    }

    /// Reads a book in the format of `prices.json`.
    ///
    /// # Errors
    /// The first fault that is found, with its place and its mend: unreadable JSON, an unknown key, meter or tier, a
    /// price that is not decimal text, a row without source or date, two rows that would apply to the same call.
    pub fn parse(text: &str) -> Result<PriceBook, BookError> {
        load::load(text)
    }

    /// SHA-256 of the file's bytes, 64 hex digits.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The day up to which the prices are known, `YYYY-MM-DD`.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// What the call cost by this book. Never fails: what cannot be priced is [`Completeness::Unpriced`] and says why.
    #[must_use]
    pub fn cost(&self, charge: &Charge<'_>) -> Cost {
        let found = self
            .providers
            .iter()
            .find(|provider| provider.id == charge.provider)
            .ok_or_else(|| format!("the price book has no provider `{}`", charge.provider))
            .and_then(|provider| {
                provider.find(charge.model).ok_or_else(|| {
                    format!("the price book has no {} model `{}`", charge.provider, charge.model)
                })
            })
            .and_then(|model| bill::bill(model, charge));
        found.unwrap_or_else(unpriced)
    }
}

/// The cost of a call that has no price.
fn unpriced(reason: String) -> Cost {
    Cost { total: None, lines: Vec::new(), completeness: Completeness::Unpriced, reasons: vec![reason] }
}
