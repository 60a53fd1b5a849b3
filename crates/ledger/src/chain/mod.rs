//! Which call goes on from which, for apps that say nothing: by the ids that a request repeats from answers before it, and
//! by the history that it begins with. Hashes only, in memory, in one process. Once per call.

mod emitted;

use outrigger_providers::{Who, id_hash};

pub(crate) use self::emitted::Emitted;
use crate::recent::Recent;
use crate::{CallId, CallRecord, Outcome, SpanContext, Timestamp};

/// Keys that are kept: a call leaves two and one per tool call. Some thousand calls of one pod, in about a third of a MiB.
const KEYS: usize = 4096;
/// After an hour an app that comes back has mostly begun something else; the provider's own id chains it all the same while
/// it is kept.
const AGE: u64 = 60 * 60 * 1_000_000_000;

/// How a call is known to go on from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChainedBy {
    /// It names the response before it (`previous_response_id`).
    Response,
    /// Its history holds the id of a tool call that the other's answer made.
    ToolCall,
    /// Its history begins with the other's.
    History,
}

impl ChainedBy {
    /// The word used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ChainedBy::Response => "response_id",
            ChainedBy::ToolCall => "tool_call_id",
            ChainedBy::History => "history",
        }
    }
}

/// How far a link can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Confidence {
    /// An id that only the other call's answer can have given.
    Certain,
    /// The only call with that history.
    Likely,
    /// The latest of several calls with that history.
    Guess,
}

impl Confidence {
    /// The word used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Confidence::Certain => "certain",
            Confidence::Likely => "likely",
            Confidence::Guess => "guess",
        }
    }
}

/// The call that another goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// Its id.
    pub call: CallId,
    /// Its place in a trace.
    pub span: SpanContext,
    /// How that is known.
    pub by: ChainedBy,
    /// How far that can be trusted.
    pub confidence: Confidence,
}

/// A call's place among those that go on from one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// The first call of the chain, as far as it was seen.
    pub id: CallId,
    /// This call's number in it, from 1. Calls that go on from the same one have the same number.
    pub number: u32,
    /// The call before it; `None` for the first.
    pub parent: Option<Parent>,
}

/// The calls that others may go on from.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    known: Recent<Key, Known>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// A response or a tool call.
    Id(u64),
    History(u64),
}

#[derive(Debug, Clone, Copy)]
struct Known {
    call: CallId,
    span: SpanContext,
    root: CallId,
    number: u32,
    /// When its answer began.
    at: Timestamp,
    /// Hash of the user, where one is named: nobody goes on from another's call.
    user: Option<u64>,
    /// Whether other calls had the same history.
    shared: bool,
}

impl Chains {
    /// Finds a call's place, and remembers the call.
    pub(crate) fn place(&mut self, record: &CallRecord) -> Chain {
        let at = record.times.ended;
        self.known.forget(at, KEYS, AGE);
        let user = record.identity.get(Who::User).map(|user| id_hash(user.as_bytes()));
        let chain = match self.parent(record, user) {
            Some((known, by, confidence)) => Chain {
                id: known.root,
                number: known.number.saturating_add(1),
                parent: Some(Parent { call: known.call, span: known.span, by, confidence }),
            },
            None => Chain { id: record.id, number: 1, parent: None },
        };
        // Nothing goes on from a failure: its history comes again with the next try.
        if record.outcome != Outcome::Failed {
            self.remember(record, &chain, user, at);
        }
        chain
    }

    fn parent(&self, record: &CallRecord, user: Option<u64>) -> Option<(&Known, ChainedBy, Confidence)> {
        let thread = &record.facts.thread;
        let find = |key| {
            let known: &Known = self.known.get(&key)?;
            let another = matches!((known.user, user), (Some(one), Some(other)) if one != other);
            // An answer that had not begun cannot be the one it goes on from.
            (!another && known.at <= record.times.started).then_some(known)
        };
        let named = record.facts.previous_response_id.as_ref();
        if let Some(known) = named.and_then(|id| find(Key::Id(id_hash(id.as_bytes())))) {
            return Some((known, ChainedBy::Response, Confidence::Certain));
        }
        let by_tool = thread.ids.iter().find_map(|id| find(Key::Id(*id)));
        let by_history = thread.earlier.iter().find_map(|history| find(Key::History(*history)));
        match (by_tool, by_history) {
            (Some(tool), Some(history)) if history.at > tool.at => Some(Self::by_history(history)),
            (Some(tool), _) => Some((tool, ChainedBy::ToolCall, Confidence::Certain)),
            (None, Some(history)) => Some(Self::by_history(history)),
            (None, None) => None,
        }
    }

    const fn by_history(known: &Known) -> (&Known, ChainedBy, Confidence) {
        let confidence = if known.shared { Confidence::Guess } else { Confidence::Likely };
        (known, ChainedBy::History, confidence)
    }

    fn remember(&mut self, record: &CallRecord, chain: &Chain, user: Option<u64>, at: Timestamp) {
        let known = Known {
            call: record.id,
            span: record.span,
            root: chain.id,
            number: chain.number,
            at: record.times.responded.unwrap_or(at),
            user,
            shared: false,
        };
        let response = record.response_id.as_ref().map(|id| id_hash(id.as_bytes()));
        for id in response.into_iter().chain(record.marks.tool_calls.iter().copied()) {
            self.known.insert(Key::Id(id), known, at);
        }
        if let Some(history) = record.facts.thread.history {
            let key = Key::History(history);
            let shared = self.known.get(&key).is_some();
            self.known.insert(key, Known { shared, ..known }, at);
        }
    }
}
