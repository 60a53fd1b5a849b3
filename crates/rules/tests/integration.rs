//! The integration tests of this crate, in one program: it is linked once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail the test they serve")]

mod broken;
mod decide;
mod documented;
mod policy;
mod round_trip;
