//! The integration tests of this crate, in one program: it is linked once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

mod book_file;
mod estimation;
mod oracle;
mod own_prices;
mod properties;
mod rules;
mod worked_examples;
