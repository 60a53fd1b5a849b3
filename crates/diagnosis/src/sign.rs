//! What one record is a sign of. Per call; nothing is kept.

use outrigger_ledger::{CallRecord, Outcome};
use outrigger_providers::FailureClass;

use crate::Kind;

/// Nanoseconds that a call may take before it is slow.
pub(crate) const SLOW: u64 = 30_000_000_000;

/// Nanoseconds before which no first token is slow.
pub(crate) const PROMPT: u64 = 5_000_000_000;

/// The kinds of which only many signs mean something: calls are counted for them one by one, good and bad. Of any other one sign is
/// enough, for it will not go away by itself.
pub(crate) const COUNTED: [Kind; 8] = [
    Kind::RateLimited,
    Kind::PartialOutage,
    Kind::Unreachable,
    Kind::BrokenStreams,
    Kind::SlowCalls,
    Kind::Truncated,
    Kind::InvalidRequests,
    Kind::ContentRefused,
];

/// What a failure is a sign of. `known_key` says whether the key has worked before.
pub(crate) fn of_failure(record: &CallRecord, known_key: bool) -> Option<Kind> {
    let cause = record.cause.as_ref()?;
    Some(match cause.class {
        FailureClass::Authentication => match (&record.key, known_key) {
            (None, _) => Kind::MissingKey,
            (Some(_), true) => Kind::RevokedKey,
            (Some(_), false) if made_for_another(record).is_some() => Kind::KeyOfAnotherProvider,
            (Some(_), false) => Kind::MistypedKey,
        },
        FailureClass::Permission => Kind::Permission,
        FailureClass::NotFound => Kind::ModelNotFound,
        FailureClass::Quota => Kind::QuotaExhausted,
        FailureClass::ContextLength => Kind::ContextOverflow,
        FailureClass::TooLarge => Kind::TooLarge,
        FailureClass::Tls => Kind::ProviderTls,
        FailureClass::ContentPolicy => Kind::ContentRefused,
        FailureClass::InvalidRequest => Kind::InvalidRequests,
        FailureClass::RateLimit => Kind::RateLimited,
        FailureClass::Dns | FailureClass::Connect => Kind::Unreachable,
        FailureClass::StreamCut => Kind::BrokenStreams,
        FailureClass::Overloaded
        | FailureClass::ServerError
        | FailureClass::Timeout
        | FailureClass::Edge
        | FailureClass::Malformed
        | FailureClass::Other => Kind::PartialOutage,
    })
}

/// The provider that makes keys like the one that was sent, if that is not the one that was asked.
pub(crate) fn made_for_another(record: &CallRecord) -> Option<&'static str> {
    let made_for = record.key.as_ref()?.made_for?;
    let is_own = match record.provider {
        // Google's keys are for both.
        "vertex" => made_for == "gemini",
        // Whose keys a host of the operator's own takes nobody knows.
        "operator_listed" | "ollama" => true,
        asked => made_for == asked,
    };
    (!is_own).then_some(made_for)
}

/// Whether a call that has ended shows a counted kind.
pub(crate) fn shows(record: &CallRecord, kind: Kind, known_key: bool) -> bool {
    match kind {
        Kind::SlowCalls => {
            record.outcome != Outcome::Failed && record.times.ended.since(record.times.started) > SLOW
        }
        Kind::Truncated => record.finish_reasons.iter().any(|word| word == "length"),
        _ => of_failure(record, known_key) == Some(kind),
    }
}

/// Whether a record may be a sign of something, alone or with others: whoever waits with records must not wait with these.
#[must_use]
pub fn is_sign(record: &CallRecord) -> bool {
    record.cause.is_some()
        || shows(record, Kind::SlowCalls, false)
        || shows(record, Kind::Truncated, false)
        || first_content(record).is_some_and(|took| took > PROMPT)
}

/// Nanoseconds to the first content, of a stream that has some.
pub(crate) fn first_content(record: &CallRecord) -> Option<u64> {
    Some(record.times.first_content?.since(record.times.started))
}
