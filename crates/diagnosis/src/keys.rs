//! Which keys worked and which were refused, by fingerprint. Bounded: what was seen first is forgotten first.

use std::collections::VecDeque;

use outrigger_ledger::KeyHint;

/// Keys that are remembered.
const KEYS: usize = 64;

#[derive(Debug)]
struct Known {
    provider: &'static str,
    key: KeyHint,
    /// Whether it still did when it was last used.
    works: bool,
}

/// Keys that a provider has accepted.
#[derive(Debug, Default)]
pub(crate) struct Keys(VecDeque<Known>);

impl Keys {
    /// A call with it was answered.
    pub(crate) fn works(&mut self, provider: &'static str, key: &KeyHint) {
        if let Some(known) = self.find(provider, key) {
            known.works = true;
            return;
        }
        if self.0.len() == KEYS {
            self.0.pop_front();
        }
        self.0.push_back(Known { provider, key: key.clone(), works: true });
    }

    /// It no longer does.
    pub(crate) fn refused(&mut self, provider: &'static str, key: &KeyHint) {
        if let Some(known) = self.find(provider, key) {
            known.works = false;
        }
    }

    /// Whether it has ever worked.
    pub(crate) fn knows(&self, provider: &'static str, key: &KeyHint) -> bool {
        self.0.iter().any(|known| known.is(provider, key))
    }

    /// Another key of the same provider that works.
    pub(crate) fn other(&self, provider: &'static str, key: &KeyHint) -> Option<&KeyHint> {
        let mut latest_first = self.0.iter().rev();
        latest_first
            .find(|known| {
                known.works && known.provider == provider && known.key.fingerprint != key.fingerprint
            })
            .map(|known| &known.key)
    }

    fn find(&mut self, provider: &'static str, key: &KeyHint) -> Option<&mut Known> {
        self.0.iter_mut().find(|known| known.is(provider, key))
    }
}

impl Known {
    fn is(&self, provider: &'static str, key: &KeyHint) -> bool {
        self.provider == provider && self.key.fingerprint == key.fingerprint
    }
}
