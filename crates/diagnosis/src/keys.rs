//! Which keys worked and which were refused, by fingerprint. Bounded: what was seen first is forgotten first.

use std::collections::VecDeque;

use outrigger_ledger::KeyHint;

/// Keys that are remembered.
const KEYS: usize = 64;

/// Keys that a provider has accepted.
#[derive(Debug, Default)]
pub(crate) struct Keys(VecDeque<(&'static str, KeyHint)>);

impl Keys {
    /// A call with it was answered.
    pub(crate) fn works(&mut self, provider: &'static str, key: &KeyHint) {
        if self.knows(provider, key) {
            return;
        }
        if self.0.len() == KEYS {
            self.0.pop_front();
        }
        self.0.push_back((provider, key.clone()));
    }

    /// It no longer does.
    pub(crate) fn refused(&mut self, provider: &'static str, key: &KeyHint) {
        self.0.retain(|(of, known)| (*of, &known.fingerprint) != (provider, &key.fingerprint));
    }

    /// Whether it has worked.
    pub(crate) fn knows(&self, provider: &'static str, key: &KeyHint) -> bool {
        self.0.iter().any(|(of, known)| *of == provider && known.fingerprint == key.fingerprint)
    }

    /// Another key of the same provider that works.
    pub(crate) fn other(&self, provider: &'static str, key: &KeyHint) -> Option<&KeyHint> {
        let other =
            |known: &&(&'static str, KeyHint)| known.0 == provider && known.1.fingerprint != key.fingerprint;
        self.0.iter().rev().find(other).map(|(_, key)| key)
    }
}
