//! What moves through a log, and what is found there besides.

use std::path::PathBuf;

use bytes::Bytes;

use super::cursor::Place;
use super::format::Label;

/// Items and the calls whose fate goes with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Load {
    pub(super) items: u64,
    pub(super) calls: u64,
}

impl Load {
    pub(super) fn add(&mut self, other: Load) {
        self.items += other.items;
        self.calls += other.calls;
    }

    pub(super) fn take(&mut self, other: Load) {
        self.items = self.items.saturating_sub(other.items);
        self.calls = self.calls.saturating_sub(other.calls);
    }
}

impl From<Label> for Load {
    fn from(label: Label) -> Load {
        Load { items: label.items.into(), calls: label.calls.into() }
    }
}

/// Bytes that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) file: PathBuf,
    pub(super) from: u64,
    pub(super) bytes: u64,
}

/// What was found besides what was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Too old to be kept.
    pub(super) expired: Load,
    /// Held once, unreadable now.
    pub(super) unreadable: Load,
    /// Where.
    pub(super) damage: Vec<Damage>,
}

/// How much is read at once. The first entry always is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) items: u64,
    pub(crate) bytes: usize,
}

/// Requests that stand next to each other, as one: encoded requests may be joined end to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The encoded request.
    pub(crate) body: Bytes,
    /// Entries in it.
    pub(crate) entries: usize,
    pub(crate) items: u64,
    pub(crate) calls: u64,
    /// Its end.
    pub(crate) place: Place,
}
