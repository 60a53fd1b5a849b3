//! Token usage, the dated price book and exact cost. Arithmetic only: no I/O, no clock, no floats for money.

mod atto;
mod book;
mod cost;
mod usage;

pub use atto::{Atto, AttoError};
pub use book::{BookError, PriceBook};
pub use cost::{Charge, Completeness, Cost, CostLine, Region, Tier};
pub use usage::{Kind, Meter, Modality, SumFault, TokenUsage};
