//! What is wrong: verdicts over the records of calls, each said once when it begins and once when it ends.
//! No I/O and no clock: the records' own times are the clock. No content is read.

mod engine;
mod hosts;
mod keys;
mod sign;
mod sources;
mod trend;
mod verdict;
mod words;

pub use engine::Diagnosis;
pub use sign::is_sign;
pub use sources::{FilledBy, Injected, KeySources};
pub use verdict::{Change, Kind, Verdict};
