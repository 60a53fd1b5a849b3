//! Rules for tests, as a pod has them.

use outrigger_pricing::PriceBook;
use outrigger_rules::{Policy, Site, Translation};

/// When they are read, in seconds since the epoch.
pub(super) const NOW: i64 = 1_795_521_600;

/// What a document becomes that is good.
pub(super) fn policy(document: &str) -> Policy {
    let book = PriceBook::builtin();
    let site = Site { book, now: NOW, allowed_providers: None, in_cluster: true, gate: &Translation };
    Policy::read(document.as_bytes(), &site).unwrap().0
}
