//! Where a document is to run: what is asked of it from outside.

use outrigger_pricing::PriceBook;

use crate::Gate;

/// Where a document is to run.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// Prices and facts of models.
    pub book: &'a PriceBook,
    /// Seconds since 1970 (UTC): prices have dates.
    pub now: i64,
    /// The providers that backups may name; `None`: any.
    pub allowed_providers: Option<&'a [String]>,
    /// Whether it runs in a pod, where credentials come from mounted files only.
    pub in_cluster: bool,
    /// What backups can answer at all.
    pub gate: &'a dyn Gate,
}
