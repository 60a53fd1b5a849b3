//! What lanes carry, and within which bounds.

use std::time::Duration;

use bytes::Bytes;

use crate::DropCause;

/// What a lane carries.
pub(crate) trait Freight {
    /// How many items of the signal (spans, records, points) it counts for.
    fn weight(&self) -> u64;
    /// How many calls' fate goes into the spool with it. Asked before every attempt to keep it there; when it is settled as
    /// spooled, the last answer holds.
    fn claim(&self) -> u64;
    /// Whether a request with it has a span of the control plane.
    fn traced(&self) -> bool {
        true
    }
    /// Its fate, said once.
    fn settle(self, fate: Fate);
}

/// What became of a piece of freight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The endpoint took it, or a part of it.
    Arrived,
    /// It lies in the spool, which answers for it from now on.
    Spooled,
    /// It is lost.
    Lost(DropCause),
}

/// Which freight goes when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// What came last: what is held has waited longer.
    DropNewest,
    /// What came first: what is new tells more.
    DropOldest,
    /// What came first, and nothing is lost by that: the newer holds all that it held.
    Supersede,
}

/// A lane's bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How long the first item of a request waits for company.
    pub(crate) delay: Duration,
    /// Pieces of freight held at most, those on the way included.
    pub(crate) queue: usize,
    /// Pieces of freight in one request at most.
    pub(crate) batch: usize,
    /// What goes when there is no room.
    pub(crate) overflow: Overflow,
}

/// Makes one request of several pieces.
pub(crate) type Pack<F> = Box<dyn Fn(&[F], Content) -> Bytes>;

/// Whether captured prompts and answers go into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// As they were captured.
    Whole,
    /// Left out: it goes to the disk.
    Left,
}
