//! A fault of our own ends one connection and never prints what it was working on.

use std::sync::Arc;

use crate::seen::Counters;

/// Replaces the panic hook of this process by one that prints the place only: a panic's text may quote the
/// bytes at which it stumbled, and those may hold a prompt or a key.
pub fn print_place_only() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!(%place, "a fault of Outrigger's own ended one task; traffic goes on; please report it");
    }));
}

/// Counts the panic of the task that holds it.
pub(crate) struct PanicCount(pub(crate) Arc<Counters>);

impl Drop for PanicCount {
    fn drop(&mut self) {
        if std::thread::panicking() {
            Counters::count(&self.0.panics);
        }
    }
}
