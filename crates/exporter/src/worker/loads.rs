//! What the lanes of the exporter's thread carry, and what their fates mean for the counts of calls.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use outrigger_ledger::CallRecord;

use crate::announcer::Announced;
use crate::counts::Tallies;
use crate::lane::{Fate, Freight};
use crate::schema::{self, Entry, Traced};

/// One call on its way out, shared by the lanes that carry it.
pub(super) struct Call {
    pub(super) record: Arc<CallRecord>,
    /// Lanes that have not settled it.
    pub(super) open: Cell<u8>,
    /// Whether its record is still in its lane: the spool answers for a call where its record goes, or its spans where it has none.
    pub(super) recorded: Cell<bool>,
    /// Whether it is counted already: the spool answers for it.
    pub(super) counted: Cell<bool>,
    /// What has become of it so far: it arrived if any lane brought it through; else its record says why it is lost, or
    /// its spans where no record was wanted.
    pub(super) fate: Cell<Option<Fate>>,
    /// Whether it has an event of its details.
    pub(super) details: bool,
    pub(super) tallies: Arc<Tallies>,
}

/// What the lane of traces carries.
pub(super) enum Spans {
    /// A call's spans, and whether the request that takes them to the spool answers for the call.
    Call(Rc<Call>, Cell<bool>),
    /// A span of the control plane, encoded.
    Control(Vec<u8>),
}

/// What the lane of log records carries.
pub(super) enum Log {
    /// A call's log record, and whether the request that takes it to the spool answers for the call.
    Call(Rc<Call>, Cell<bool>),
    /// What began or ended to be wrong.
    Verdict(Announced),
}

/// One collection of all metrics.
pub(super) struct Collection {
    pub(super) body: Bytes,
    pub(super) points: u64,
}

impl Call {
    fn settle(&self, fate: Fate, claimed: bool) {
        if fate == Fate::Spooled {
            if claimed {
                self.tallies.calls.kept(1);
                self.counted.set(true);
            }
        } else if self.fate.get() != Some(Fate::Arrived) {
            self.fate.set(Some(fate));
        }
        self.open.set(self.open.get().saturating_sub(1));
        if self.open.get() == 0 && !self.counted.get() {
            self.count();
        }
    }

    fn is_open(&self) -> bool {
        self.fate.get() != Some(Fate::Arrived) && !self.counted.get()
    }

    pub(super) fn count(&self) {
        match self.fate.get() {
            Some(Fate::Lost(cause)) => self.tallies.calls.dropped(cause, 1),
            // A call of which neither record nor span is wanted lives on in the metrics.
            Some(Fate::Arrived | Fate::Spooled) | None => self.tallies.calls.exported(1),
        }
    }
}

impl Spans {
    pub(super) fn traced(&self) -> Traced<'_> {
        match self {
            Spans::Call(call, _) => Traced::Call(&call.record),
            Spans::Control(span) => Traced::Control(span),
        }
    }
}

impl Freight for Spans {
    fn weight(&self) -> u64 {
        match self {
            Spans::Call(call, _) => schema::span_count(&call.record),
            Spans::Control(_) => 1,
        }
    }

    fn claim(&self) -> u64 {
        match self {
            Spans::Call(call, claimed) => {
                claimed.set(call.is_open() && !call.recorded.get());
                claimed.get().into()
            }
            Spans::Control(_) => 0,
        }
    }

    fn traced(&self) -> bool {
        matches!(self, Spans::Call(..))
    }

    fn settle(self, fate: Fate) {
        let Spans::Call(call, claimed) = self else { return };
        // Why the record was lost tells more than why the spans were.
        let known = call.fate.get();
        let fate = if matches!(fate, Fate::Lost(_)) { known.unwrap_or(fate) } else { fate };
        call.settle(fate, claimed.get());
    }
}

impl Log {
    pub(super) fn entry(&self) -> Entry<'_> {
        match self {
            Log::Call(call, _) => Entry::Call(&call.record),
            Log::Verdict(announced) => Entry::Verdict(&announced.change, announced.at),
        }
    }
}

impl Freight for Log {
    fn weight(&self) -> u64 {
        match self {
            Log::Call(call, _) => schema::log_count(&call.record, call.details),
            Log::Verdict(_) => 1,
        }
    }

    fn claim(&self) -> u64 {
        match self {
            Log::Call(call, claimed) => {
                claimed.set(call.is_open());
                claimed.get().into()
            }
            Log::Verdict(_) => 0,
        }
    }

    fn settle(self, fate: Fate) {
        if let Log::Call(call, claimed) = self {
            call.recorded.set(false);
            call.settle(fate, claimed.get());
        }
    }
}

impl Freight for Collection {
    fn weight(&self) -> u64 {
        self.points
    }

    fn claim(&self) -> u64 {
        0
    }

    fn settle(self, _fate: Fate) {}
}
