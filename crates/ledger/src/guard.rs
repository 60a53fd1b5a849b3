//! A fault of our own, caught where a call is looked at: it ends the watching of that call, never its record, never its
//! traffic.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why the tokens of such a call are unknown.
pub(crate) const FAULT: &str = "a fault of Outrigger's own ended the watching";

/// What the look brings; `None` if it panicked. Of what panicked nothing but its end is asked afterwards, under the same
/// guard.
pub(crate) fn guarded<T>(look: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(look)).ok()
}
