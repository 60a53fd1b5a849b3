//! Token usage, the dated price book and exact cost. Arithmetic only: no I/O, no clock, no floats for money.

mod atto;
mod book;
mod charge;
mod cost;
pub mod document;
pub mod estimate;
pub mod reported;
mod usage;

pub use atto::{Atto, AttoError};
pub use book::{Capability, Explanation, FreeQuantity, ModelFacts, NotABook, PriceBook};
pub use charge::{Charge, Region, Tier};
pub use cost::{Completeness, Cost, CostLine, Factor, Rate};
pub use document::{BookError, Fault};
pub use usage::{Kind, Meter, Modality, SumFault, TokenUsage};
