//! What the walk keeps of what has passed, in places of fixed size.

use super::Thread;

/// A short text, kept as far as there is room.
#[derive(Clone, Copy)]
pub(super) struct Kept<const N: usize> {
    pub(super) bytes: [u8; N],
    pub(super) length: usize,
    overflowed: bool,
    /// Whether it began in bytes that are gone.
    pub(super) began_before: bool,
}

impl<const N: usize> Kept<N> {
    pub(super) const EMPTY: Kept<N> =
        Kept { bytes: [0; N], length: 0, overflowed: false, began_before: false };

    pub(super) const fn clear(&mut self) {
        (self.length, self.overflowed, self.began_before) = (0, false, false);
    }

    /// False when there is no room for all of it, and nothing of it was kept.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let end = self.length + bytes.len();
        match self.bytes.get_mut(self.length..end) {
            Some(room) if !self.overflowed => {
                room.copy_from_slice(bytes);
                self.length = end;
                true
            }
            _ => {
                self.overflowed = true;
                false
            }
        }
    }

    /// The text, if all of it is here.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        (!self.overflowed).then(|| &self.bytes[..self.length])
    }
}

/// The last hashes.
pub(super) struct Ring {
    kept: [u64; Thread::KEPT + 1],
    pushed: usize,
}

impl Ring {
    pub(super) const EMPTY: Ring = Ring { kept: [0; Thread::KEPT + 1], pushed: 0 };

    pub(super) fn push(&mut self, hash: u64) {
        self.kept[self.pushed % self.kept.len()] = hash;
        self.pushed += 1;
    }

    /// The latest first.
    pub(super) fn latest(&self) -> impl Iterator<Item = u64> {
        let first = self.pushed.saturating_sub(self.kept.len());
        (first..self.pushed).rev().map(|at| self.kept[at % self.kept.len()])
    }
}
