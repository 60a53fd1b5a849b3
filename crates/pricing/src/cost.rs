//! What one call cost, line by line.

use crate::{Atto, Meter, TokenUsage};

/// The service tier that the provider says it served. The tier decides the price, the wish of the request does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Tier {
    /// The ordinary tier (`default`, `standard`, absent).
    #[default]
    Standard,
    /// Slower and cheaper.
    Flex,
    /// Faster and dearer (OpenAI `priority` and `fast`, Anthropic `speed: fast`).
    Priority,
    /// OpenAI's fastest.
    Ultrafast,
    /// Asynchronous batch processing.
    Batch,
    /// A word this version does not know: such a call is unpriced, never guessed.
    Unknown,
}

impl Tier {
    /// Every tier that can have a price.
    pub const SOLD: [Tier; 5] = [Tier::Standard, Tier::Flex, Tier::Priority, Tier::Ultrafast, Tier::Batch];

    /// The word used in records, metrics and the price book.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Tier::Standard => "standard",
            Tier::Flex => "flex",
            Tier::Priority => "priority",
            Tier::Ultrafast => "ultrafast",
            Tier::Batch => "batch",
            Tier::Unknown => "unknown",
        }
    }
}

/// Where the provider processed the call, as far as it changes the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Region {
    /// No residency was asked for.
    #[default]
    Global,
    /// A residency host or an inference geography that carries an uplift.
    Resident,
}

impl Region {
    /// The word used in records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Region::Global => "global",
            Region::Resident => "resident",
        }
    }
}

/// What is to be priced.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    /// Provider id as in the book (`openai`, `anthropic`).
    pub provider: &'a str,
    /// The model that the response names.
    pub model: &'a str,
    /// When the request ran, seconds since 1970 (UTC): prices have dates.
    pub at: i64,
    /// The tier that was served.
    pub tier: Tier,
    /// The region class that was served.
    pub region: Region,
    /// Disjoint counts.
    pub usage: &'a TokenUsage,
}

/// How far a cost can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Completeness {
    /// Every meter is known and priced.
    Exact,
    /// The total is a lower bound: a meter is unknown or has no price; `reasons` names it.
    Partial,
    /// No price applies; `reasons` says why. Never zero dollars.
    Unpriced,
}

impl Completeness {
    /// The word used in records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Completeness::Exact => "exact",
            Completeness::Partial => "partial",
            Completeness::Unpriced => "unpriced",
        }
    }
}

/// One line of the bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostLine {
    /// What was counted.
    pub meter: Meter,
    /// How many.
    pub quantity: u64,
    /// Price of one million (tokens) or one thousand (requests), before factors.
    pub rate: Atto,
    /// What `rate` is per: 1_000_000 or 1_000.
    pub per: u64,
    /// `quantity × rate / per × factors`, rounded once, half to even, at 1e-18 dollars.
    pub amount: Atto,
}

/// The cost of one call in US dollars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Sum of the lines; `None` exactly when unpriced.
    pub total: Option<Atto>,
    /// One per meter that was counted and priced, zero counts left out.
    pub lines: Vec<CostLine>,
    /// How far the total can be trusted.
    pub completeness: Completeness,
    /// Why it is not exact, in plain words; empty when it is.
    pub reasons: Vec<String>,
}
