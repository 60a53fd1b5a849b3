//! What one call cost, line by line.

use std::fmt;

use crate::{Atto, Meter};

/// How far a cost can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Completeness {
    /// Every meter is known and priced.
    Exact,
    /// The total is a lower bound: a meter is unknown or has no price; `reasons` names it.
    Partial,
    /// Every meter is known and priced, but some price is borrowed, as `reasons` says: another provider's, or that of a
    /// model whose name only resembles this one.
    Fallback,
    /// Every meter is priced, and known or estimated: the call's bounds say how far the truth may be.
    Estimated,
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
            Completeness::Fallback => "fallback",
            Completeness::Estimated => "estimated",
            Completeness::Unpriced => "unpriced",
        }
    }
}

/// A published price: `amount / over` dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The price, or the numerator of one that no decimal can hold.
    pub amount: Atto,
    /// The denominator: 1, but for prices such as a twelfth of a dollar.
    pub over: u32,
}

/// A decimal (`2.5`), or a fraction (`1/12`).
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.over == 1 { self.amount.fmt(f) } else { write!(f, "{}/{}", self.amount, self.over) }
    }
}

impl From<Atto> for Rate {
    fn from(amount: Atto) -> Rate {
        Rate { amount, over: 1 }
    }
}

/// The product of the factors on a line, as numerator and denominator.
pub type Factor = (u64, u64);

/// One line of the bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostLine {
    /// What was counted.
    pub meter: Meter,
    /// How many are billed: what was counted, or the least that the provider bills.
    pub quantity: u64,
    /// Price of `per` of them, before factors.
    pub rate: Rate,
    /// What `rate` is per: 1_000_000 tokens, 1_000 requests, 3_600 seconds, …
    pub per: u64,
    /// Discounts and uplifts.
    pub factor: Factor,
    /// `quantity × rate / per × factor`, rounded once, half to even, at 1e-18 dollars.
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

impl Cost {
    /// The cost of a call that has no price.
    #[must_use]
    pub fn unpriced(reason: String) -> Cost {
        Cost { total: None, lines: Vec::new(), completeness: Completeness::Unpriced, reasons: vec![reason] }
    }
}
