//! The dated price book: which price applied to a call when it ran.

use crate::{Charge, Completeness, Cost};

/// The price book.
#[derive(Debug)]
pub struct PriceBook {
    hash: String,
    date: String,
}

impl PriceBook {
    /// The book that is checked in with this crate.
    #[must_use]
    pub fn builtin() -> &'static PriceBook {
        static BOOK: std::sync::OnceLock<PriceBook> = std::sync::OnceLock::new();
        BOOK.get_or_init(|| PriceBook { hash: String::new(), date: String::new() })
    }

    /// Reads a book.
    ///
    /// # Errors
    /// Names the place and the mend.
    pub fn parse(_text: &str) -> Result<PriceBook, BookError> {
        Ok(PriceBook { hash: String::new(), date: String::new() })
    }

    /// SHA-256 of the file, hex.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The day of the prices, `YYYY-MM-DD`.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// What the call cost.
    #[must_use]
    pub fn cost(&self, _charge: &Charge<'_>) -> Cost {
        Cost { total: None, lines: Vec::new(), completeness: Completeness::Unpriced, reasons: Vec::new() }
    }
}

/// Why a book was refused.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BookError(String);
