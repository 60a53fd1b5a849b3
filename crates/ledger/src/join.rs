//! The retries of an app's SDK, joined into one logical call (wire formats, section 3.6). Every attempt keeps a record of its
//! own, made when it ends and held back for nothing; a retry's record names the attempt before it. Hashes only, in one
//! process. Once per call, but for the hash of the request, which is made as it passes.

use std::hash::Hasher as _;

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName};
use outrigger_providers::FailureClass;
use twox_hash::XxHash3_64;
use twox_hash::xxhash3_64::{DEFAULT_SECRET_LENGTH, RawHasher, SecretBuffer};

use crate::call::CallStart;
use crate::recent::Recent;
use crate::{CallId, CallRecord, Outcome, SpanContext, Timestamp};

/// Attempts that a retry may follow: some thousand of one pod, in about a quarter of a MiB.
const KEYS: usize = 2048;
const SECOND: u64 = 1_000_000_000;
/// A request that names itself is the same for as long as any SDK tries.
const NAMED_AGE: u64 = 15 * 60 * SECOND;
/// SDKs that count their retries wait 8 s at most, or as long as the provider asked: 60 s at most.
const COUNTED_GAP: u64 = 120 * SECOND;
/// Loops around SDKs that count nothing: tenacity and its like stay below a minute.
const UNCOUNTED_GAP: u64 = 60 * SECOND;

/// Headers that name a request through all of its attempts.
static NAMES: [HeaderName; 5] = [
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("amz-sdk-invocation-id"),
    HeaderName::from_static("helicone-request-id"),
    HeaderName::from_static("x-litellm-call-id"),
    HeaderName::from_static("x-client-request-id"),
];
/// Headers of an SDK that are the same in each of its attempts.
static SENDER: [HeaderName; 6] = [
    USER_AGENT,
    HeaderName::from_static("x-stainless-lang"),
    HeaderName::from_static("x-stainless-package-version"),
    HeaderName::from_static("x-stainless-runtime"),
    HeaderName::from_static("x-stainless-async"),
    HeaderName::from_static("x-stainless-os"),
];
static RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");
static AWS_ATTEMPT: HeaderName = HeaderName::from_static("amz-sdk-request");

/// How an attempt is known to be a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinedBy {
    /// Both carry the same id of their request.
    RequestId,
    /// The SDK counts its retries, and the request is the same.
    RetryCount,
    /// The request is the same, and the attempt before it had failed: inferred.
    SameRequest,
}

impl JoinedBy {
    /// The word used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            JoinedBy::RequestId => "request_id",
            JoinedBy::RetryCount => "retry_count",
            JoinedBy::SameRequest => "same_request",
        }
    }
}

/// The attempt before a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retried {
    /// Its id.
    pub call: CallId,
    /// Its place in a trace.
    pub span: SpanContext,
    /// Whether it had failed, so that its failure was not the last word.
    pub failed: bool,
    /// How that is known.
    pub by: JoinedBy,
}

/// The logical call that an attempt belongs to. Costs are of attempts: a sum over records counts nothing twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logical {
    /// The id of its first attempt, as far as that was seen.
    pub id: CallId,
    /// The attempt's number, from 1. Above 1 with nothing before it, the earlier ones were not seen.
    pub attempt: u32,
    /// The attempt before it.
    pub retried: Option<Retried>,
}

impl Logical {
    /// A call that is no retry, as far as is known.
    #[must_use]
    pub const fn alone(id: CallId) -> Logical {
        Logical { id, attempt: 1, retried: None }
    }
}

/// What a request says of being a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resent {
    /// Hash of the id that it names itself by.
    pub(crate) name: Option<u64>,
    /// How many attempts came before it, by its own count.
    pub(crate) count: Option<u32>,
    /// Hash of who sends what where; the body's is added when all of it has passed.
    pub(crate) request: u64,
}

impl Resent {
    pub(crate) fn of_head(start: &CallStart<'_>, key: Option<&str>) -> Resent {
        let mut request = XxHash3_64::new();
        let mut part = |bytes: &[u8]| {
            request.write(bytes);
            request.write(&[0]);
        };
        part(start.method.as_str().as_bytes());
        part(start.host.as_bytes());
        part(start.path.as_bytes());
        part(key.unwrap_or_default().as_bytes());
        for name in &SENDER {
            part(start.headers.get(name).map_or(b"", |value| value.as_bytes()));
        }
        Resent {
            name: NAMES
                .iter()
                .find_map(|name| Some(hash(name.as_str(), start.headers.get(name)?.as_bytes()))),
            count: count(start.headers),
            request: request.finish(),
        }
    }

    /// The request once its body has passed.
    pub(crate) fn with_body(mut self, body: u64) -> Resent {
        let mut request = XxHash3_64::new();
        request.write_u64(self.request);
        request.write_u64(body);
        self.request = request.finish();
        self
    }
}

/// The hash of a request's body while it passes. Per read: one walk over it.
pub(crate) enum BodyHash {
    Passing(Box<RawHasher<&'static [u8; DEFAULT_SECRET_LENGTH]>>),
    /// An answer may stream for long: by then only the hash is left.
    Passed(u64),
}

impl BodyHash {
    pub(crate) fn new() -> BodyHash {
        BodyHash::Passing(Box::new(RawHasher::new(SecretBuffer::default())))
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if let BodyHash::Passing(hasher) = self {
            hasher.write(bytes);
        }
    }

    /// The hash of what has passed; what comes later has no part in it.
    pub(crate) fn finish(&mut self) -> u64 {
        let hash = match self {
            BodyHash::Passing(hasher) => hasher.finish(),
            BodyHash::Passed(hash) => *hash,
        };
        *self = BodyHash::Passed(hash);
        hash
    }
}

fn hash(name: &str, value: &[u8]) -> u64 {
    let mut hasher = XxHash3_64::new();
    hasher.write(name.as_bytes());
    hasher.write(value);
    hasher.finish()
}

/// Stainless counts from 0 the retries, AWS from 1 the attempts (`attempt=2; max=3`).
fn count(headers: &HeaderMap) -> Option<u32> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    if let Some(retries) = text(&RETRY_COUNT) {
        return retries.trim().parse().ok();
    }
    let attempt =
        text(&AWS_ATTEMPT)?.split(';').find_map(|part| part.trim().strip_prefix("attempt=")?.parse().ok());
    attempt.map(|attempt: u32| attempt.saturating_sub(1))
}

/// The attempts that a retry may follow.
#[derive(Debug, Default)]
pub(crate) struct Joins {
    known: Recent<Key, Attempted>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Name(u64),
    /// The same request, and how many attempts came before it: two that run side by side are told apart by that.
    Counted(u64, u32),
    Uncounted(u64),
}

#[derive(Debug, Clone, Copy)]
struct Attempted {
    call: CallId,
    span: SpanContext,
    logical: CallId,
    attempt: u32,
    ended: Timestamp,
    /// How many attempts came before it, by its own count.
    count: u32,
    name: Option<u64>,
    failed: bool,
}

impl Joins {
    /// Finds the logical call of an attempt and its place in a trace, and remembers the attempt.
    pub(crate) fn join(&mut self, record: &CallRecord) -> (Logical, SpanContext) {
        let now = record.times.ended;
        self.known.forget(now, KEYS, NAMED_AGE);
        let Some(Resent { name, count, request }) = record.marks.resent else {
            return (Logical::alone(record.id), record.span);
        };
        let logical = match self.before(record.times.started, name, count, request) {
            Some((before, by)) => Logical {
                id: before.logical,
                attempt: before
                    .attempt
                    .saturating_add(1)
                    .max(count.map_or(0, |count| count.saturating_add(1))),
                retried: Some(Retried { call: before.call, span: before.span, failed: before.failed, by }),
            },
            None => Logical {
                attempt: count.map_or(1, |count| count.saturating_add(1)),
                ..Logical::alone(record.id)
            },
        };
        let span = logical.retried.map_or(record.span, |before| record.span.after(&before.span, logical.id));
        let attempted = Attempted {
            call: record.id,
            span,
            logical: logical.id,
            attempt: logical.attempt,
            ended: now,
            count: count.unwrap_or(0),
            name,
            failed: record.outcome == Outcome::Failed,
        };
        if let Some(name) = name {
            self.known.insert(Key::Name(name), attempted, now);
        }
        if is_retriable(record) {
            self.known.insert(Key::Counted(request, attempted.count), attempted, now);
            self.known.insert(Key::Uncounted(request), attempted, now);
        }
        (logical, span)
    }

    fn before(
        &mut self,
        started: Timestamp,
        name: Option<u64>,
        count: Option<u32>,
        request: u64,
    ) -> Option<(Attempted, JoinedBy)> {
        // What had not ended when this one began was no attempt before it.
        let over = |known: &Attempted, gap: u64| known.ended <= started && started.since(known.ended) <= gap;
        let named = name.and_then(|name| self.known.get(&Key::Name(name)).copied());
        if let Some(known) = named.filter(|known| over(known, NAMED_AGE)) {
            self.had_its_retry(request, &known);
            return Some((known, JoinedBy::RequestId));
        }
        let (key, gap, by) = match count {
            Some(count @ 1..) => (Key::Counted(request, count - 1), COUNTED_GAP, JoinedBy::RetryCount),
            Some(0) | None => (Key::Uncounted(request), UNCOUNTED_GAP, JoinedBy::SameRequest),
        };
        let another = |known: &Attempted| name.is_some() && known.name.is_some();
        let known = self.known.get(&key).copied().filter(|known| over(known, gap) && !another(known))?;
        self.had_its_retry(request, &known);
        Some((known, by))
    }

    /// A failure is followed by one retry: what comes after that follows the retry.
    fn had_its_retry(&mut self, request: u64, known: &Attempted) {
        for key in [Key::Counted(request, known.count), Key::Uncounted(request)] {
            if self.known.get(&key).is_some_and(|one| one.call == known.call) {
                self.known.remove(&key);
            }
        }
    }
}

/// Whether SDKs try again after an attempt that ended so. An app that hung up may have lost its patience.
fn is_retriable(record: &CallRecord) -> bool {
    match (record.outcome, &record.cause) {
        (Outcome::Cancelled, _) => true,
        (Outcome::Failed, Some(cause)) => {
            matches!(cause.status, Some(408 | 409 | 429 | 500..))
                || matches!(
                    cause.class,
                    FailureClass::RateLimit
                        | FailureClass::Overloaded
                        | FailureClass::ServerError
                        | FailureClass::Timeout
                        | FailureClass::StreamCut
                )
        }
        _ => false,
    }
}
