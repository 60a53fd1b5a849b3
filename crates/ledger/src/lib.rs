//! From the bytes of one call to its [`CallRecord`]: the pure pipeline that live and recorded traffic share.
//! No I/O and no clock: times are handed in.

mod call;
mod capture;
mod cause;
mod chain;
mod chunk_times;
mod decode;
mod deployments;
mod guard;
mod har;
mod identity;
mod ids;
mod instrumented;
mod join;
mod json;
mod key;
mod propagators;
mod query;
mod recent;
mod record;
mod resets;
mod told;
mod trail;
mod whole;

pub use call::{
    Calibrations, Call, CallStart, EVENTS, Elsewhere, End, Socket, UnderWay, comes_as, is_stream,
};
pub use capture::{Captured, Conversation, OF_ONE_CALL, Room};
pub use chain::{Chain, ChainedBy, Confidence, Parent};
pub use chunk_times::ChunkTimes;
pub use deployments::Deployments;
pub use har::{HarEntry, HarError, Made, replay as replay_har};
pub use identity::{Hashing, Identity, IdentityRules, Named, Source, hashing_key};
pub use ids::{CallId, SpanContext};
pub use instrumented::Instrumented;
pub use join::{JoinedBy, Logical, Resent, Retried};
pub use json::call_json;
pub use key::KeyHint;
pub use propagators::Propagators;
pub use record::{
    Accounted, Attempt, CallRecord, Cause, Fate, Marks, Mode, Outcome, Provenance, Routed, Seam, Times,
    Timestamp, Transport, Used,
};
pub use resets::resets;
pub use told::{ToldCall, ToldError};
pub use trail::Trail;
pub use whole::{Beginning, failure, response_id};

/// Takes finished records. Never blocks: a sink that is full counts the record as dropped.
pub trait Recorder: Send + Sync {
    /// Hands one record over.
    fn try_record(&self, record: std::sync::Arc<CallRecord>);

    /// Hands over which streams have fallen silent, each time that changes. Whoever has no use for it lets it be.
    fn try_silent(&self, _streams: Vec<SilentStream>) {}

    /// Says that a program did not accept our certificate for a provider's host.
    fn try_untrusted(&self, _provider: &'static str, _at: Timestamp) {}

    /// What it wants to know of a call beside its record; by default nothing. Whoever hands records on hands this on too.
    fn wants(&self) -> Wants {
        Wants::default()
    }
}

/// What a recorder wants to know of a call that costs something to know.
#[derive(Debug, Clone, Default)]
pub struct Wants {
    /// Where the bodies of calls are to be kept; `None` where no content is wanted.
    pub room: Option<std::sync::Arc<Room>>,
    /// The times between the pieces of streams.
    pub chunk_times: bool,
}

/// A stream that has begun, and of which nothing has come for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilentStream {
    /// The call.
    pub call: CallId,
    /// Provider id.
    pub provider: &'static str,
    /// When its last bytes came.
    pub since: Timestamp,
}
