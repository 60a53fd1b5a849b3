//! The record of one logical call: everything Outrigger says about it. Content stands beside, and only where it was asked for.

use std::sync::Arc;

use outrigger_pricing::estimate::Estimate;
use outrigger_pricing::{Atto, Completeness, Cost, Meter, Region, Tier, TokenUsage, reported};
use outrigger_providers::{FailureClass, Operation, RequestFacts};

use crate::{CallId, Chain, Identity, Instrumented, Logical, Resent, SpanContext};

/// Nanoseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Nanoseconds from `earlier` to this, zero if the clock went backwards.
    #[must_use]
    pub const fn since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        (self.0 / 1_000_000_000) as i64
    }
}

/// How the connection reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Redirected, without the app's knowledge.
    Transparent,
    /// Through the CONNECT proxy.
    Connect,
    /// Through the base-URL listener.
    BaseUrl,
    /// It did not: the call was read from a recording.
    Recorded,
}

impl Mode {
    /// The word used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Transparent => "transparent",
            Mode::Connect => "connect",
            Mode::BaseUrl => "base_url",
            Mode::Recorded => "recorded",
        }
    }
}

/// How a call ended, from the app's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The app got a complete answer.
    Answered,
    /// The app got an error, or an answer that broke off; the cause says which.
    Failed,
    /// The app hung up before the answer was complete.
    Cancelled,
    /// The answer passed, but Outrigger could not follow it to its end.
    Unknown,
}

impl Outcome {
    /// The word used in records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
            Outcome::Unknown => "unknown",
        }
    }
}

/// How a count is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provenance {
    /// As the provider reported it in its final usage.
    Exact,
    /// As the provider reported it, but to nobody: the app had left, and the answer was read on to its usage.
    ProviderLate,
    /// Estimated from the texts that passed; the bounds stand beside.
    Estimated,
    /// Not known. Never a zero.
    Unknown,
}

impl Provenance {
    /// The word used in records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Provenance::Exact => "exact",
            Provenance::ProviderLate => "provider_late",
            Provenance::Estimated => "estimated",
            Provenance::Unknown => "unknown",
        }
    }

    /// Whether it is the provider's own final word, whenever that came.
    #[must_use]
    pub const fn is_reported(self) -> bool {
        matches!(self, Provenance::Exact | Provenance::ProviderLate)
    }
}

/// Token counts with how each is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounted {
    /// Disjoint counts; a meter without a count is unknown.
    pub usage: TokenUsage,
    /// `Exact` when the answer was seen whole, with the provider's final report, or when nothing was billed (an error
    /// answer, a request that never left); `ProviderLate` when that report came after the app had left; `Estimated` when
    /// nothing but estimates is missing in it; else what is known is only a lower bound of the truth.
    pub provenance: Provenance,
    /// Where the prompt's counts are estimated: all its tokens, and their bounds. They stand in [`Meter::Input`].
    pub prompt: Option<Estimate>,
    /// Where the answer's counts are estimated: the tokens that it shows, and their bounds. They stand in [`Meter::Output`].
    pub answer: Option<Estimate>,
    /// Why it is not exact, or what in the report did not add up; plain words.
    pub reason: Option<&'static str>,
}

impl Accounted {
    /// What the provider reported, without what is estimated.
    #[must_use]
    pub fn reported(&self) -> TokenUsage {
        crate::call::reported(self)
    }

    /// How one meter's count is known.
    #[must_use]
    pub const fn of(&self, meter: Meter) -> Provenance {
        let estimate = if meter.is_prompt() { self.prompt } else { self.answer };
        match (self.usage.get(meter), self.provenance) {
            (Some(_), _) if estimate.is_some() => Provenance::Estimated,
            (Some(_), Provenance::ProviderLate) => Provenance::ProviderLate,
            (Some(_), _) => Provenance::Exact,
            (None, _) => Provenance::Unknown,
        }
    }
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Its kind.
    pub class: FailureClass,
    /// `error.type` of the conventions: a code from the provider's documented list, else the status of an error answer,
    /// else one of `dns_error`, `connect_error`, `tls_error`, `timeout`, `stream_interrupted` (the connection broke),
    /// `stream_incomplete` (it ended in order, without the format's end) or the word of the class.
    pub error_type: String,
    /// HTTP status the app saw, if a response came.
    pub status: Option<u16>,
    /// Plain words with the mend: what a person reads first. No secret in it.
    pub text: String,
    /// When the provider says that it answers again; not exported.
    pub resets: Option<Timestamp>,
}

/// Times of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// The request's head had been read.
    pub started: Timestamp,
    /// The response's head arrived.
    pub responded: Option<Timestamp>,
    /// The first content of the answer passed (streams).
    pub first_content: Option<Timestamp>,
    /// The answer had passed, broken off or been given up.
    pub ended: Timestamp,
}

/// What the transport knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Transport {
    /// Request body bytes as sent by the app.
    pub request_bytes: u64,
    /// Response body bytes as sent by the provider.
    pub response_bytes: u64,
}

/// One HTTP request that left the process for this call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Id of its span, fixed by the record so that a replay is recognisable.
    pub span_id: [u8; 8],
    /// Counts from 1.
    pub number: u32,
    /// Provider that was asked.
    pub provider: &'static str,
    /// Name that was dialled and verified.
    pub host: String,
    /// Port that was dialled.
    pub port: u16,
    /// Address of the peer, once connected.
    pub peer: Option<std::net::SocketAddr>,
    /// Path without its query.
    pub path: String,
    /// The query, with the values of a few parameters that are known to be harmless, and no others.
    pub query: Option<String>,
    /// Model that was asked for.
    pub model: Option<String>,
    /// HTTP method.
    pub method: String,
    /// `1.1` or `2`.
    pub http_version: &'static str,
    /// The rules' backup that was asked; `None`: where the app addressed the call.
    pub backup: Option<Arc<str>>,
    /// Status, if a response came.
    pub status: Option<u16>,
    /// Its kind of failure, if it failed and that is known.
    pub class: Option<FailureClass>,
    /// As an HTTP client sees it, if it failed: the status of an error answer, else as in [`Cause`].
    pub error_type: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// When its body ended.
    pub ended: Timestamp,
    /// What it used, if it is over and its answer is not the call's: that one's stands in the record.
    pub used: Option<Box<Used>>,
}

/// What an attempt used whose answer the app did not get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Tokens.
    pub tokens: Accounted,
    /// Dollars, beside those of the call.
    pub cost: Cost,
}

/// What a rule had to do with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// The rule that decided it.
    pub rule: Arc<str>,
    /// Whether it may do more than report.
    pub acts: bool,
    /// Id of the provider that the app addressed.
    pub requested_provider: &'static str,
    /// Number of the attempt whose answer, or failure, the app got.
    pub serving: u32,
    /// Backups that were left out, each with the reason in plain words.
    pub passed_over: Vec<String>,
    /// Those among them that were left alone since they had failed of late, by their names.
    pub left_alone: Vec<Arc<str>>,
    /// What of the request was said less well, or left out, in the format of the backup that answered, or that was asked last.
    pub losses: Vec<String>,
    /// What of the backup's answer has no place in the app's format: `reasoning`, `citations`.
    pub left_out: Vec<&'static str>,
    /// Deadlines that passed and are only reported, by their keys in the rule.
    pub exceeded: Vec<&'static str>,
    /// Why the call could be neither tried again nor moved, whatever the rule says.
    pub hindrance: Option<&'static str>,
    /// Whether a retry was left out since the rule's share of them was used up.
    pub retry_denied: bool,
    /// Whether the app got a failure that the rule would have kept from it: nothing else was left to try.
    pub exhausted: bool,
    /// Where the app's answer goes from one place's to another's; `None` where it is of one.
    pub seam: Option<Seam>,
    /// Why the answer could not have been gone on with by another place, though the rule allows it.
    pub not_continued: Option<&'static str>,
}

/// The seam of a streamed answer that died and was gone on with by the attempt that served it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seam {
    /// When the first stream was given up.
    pub at: Timestamp,
    /// Bytes of text that the app had by then, in UTF-8.
    pub after: u64,
    /// Bytes that were said again behind it and left out.
    pub overlap: u64,
}

impl Routed {
    /// By this rule, with nothing more to say of it; `requested_provider` is the id of the provider that the app addressed.
    #[must_use]
    pub fn by(rule: &Arc<str>, acts: bool, requested_provider: &'static str, serving: u32) -> Routed {
        Routed {
            rule: Arc::clone(rule),
            acts,
            requested_provider,
            serving,
            passed_over: Vec::new(),
            left_alone: Vec::new(),
            losses: Vec::new(),
            left_out: Vec::new(),
            exceeded: Vec::new(),
            hindrance: None,
            retry_denied: false,
            exhausted: false,
            seam: None,
            not_continued: None,
        }
    }
}

/// What came of a call that a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Asked once, where the app addressed it; the app got what came.
    Direct,
    /// Answered where the app addressed it, though not at once.
    Retried,
    /// Answered by a backup.
    Moved,
    /// The app got a failure that the rule would have kept from it.
    Exhausted,
}

impl Fate {
    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Fate::Direct => "direct",
            Fate::Retried => "retried",
            Fate::Moved => "moved",
            Fate::Exhausted => "exhausted",
        }
    }
}

/// The word for a place that was not asked, since it failed of late.
const LEFT_ALONE: &str = "left_alone";
/// The word for one that was not, since the call goes on with an answer that a backup keeps.
const KEPT_ELSEWHERE: &str = "kept_elsewhere";

/// One logical call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// The id that also stands in log and span.
    pub id: CallId,
    /// Trace, span and parent ids.
    pub span: SpanContext,
    /// What made the span that is the parent of this call's, where it is known to count the same tokens.
    pub instrumented: Option<Instrumented>,
    /// How the connection reached us.
    pub mode: Mode,
    /// Provider id (`openai`).
    pub provider: &'static str,
    /// `gen_ai.provider.name`.
    pub otel_provider: &'static str,
    /// Wire format (`openai_chat`).
    pub dialect: &'static str,
    /// `openai.api.type`, where the conventions define one.
    pub api_type: Option<&'static str>,
    /// What was asked for.
    pub operation: Operation,
    /// What the request said.
    pub facts: RequestFacts,
    /// User, session, step, agent and tenant, as far as the app named them, each with where it was found.
    pub identity: Identity,
    /// Fingerprint (and ending, for long keys) of the credential.
    pub key: Option<crate::KeyHint>,
    /// The model that answered.
    pub served_model: Option<String>,
    /// The model behind the deployment that was asked for, where a setting names it; it was priced as that.
    pub deployed_model: Option<String>,
    /// The provider's word for the tier it served.
    pub served_tier: Option<String>,
    /// The provider's word for the configuration that answered.
    pub system_fingerprint: Option<String>,
    /// The response's id.
    pub response_id: Option<String>,
    /// The provider's request id, to quote in a support case.
    pub request_id: Option<String>,
    /// Finish words by the conventions, one per choice.
    pub finish_reasons: Vec<String>,
    /// Tokens.
    pub tokens: Accounted,
    /// The tier it was priced in.
    pub tier: Tier,
    /// The region class it was priced in.
    pub region: Region,
    /// Dollars.
    pub cost: Cost,
    /// Of an estimated call the least and the most that it cost, with the certainty of its tokens' bounds.
    pub cost_between: Option<(Atto, Atto)>,
    /// What the provider says that the call cost. It is the charge, and ours the check.
    pub reported_cost: Option<Atto>,
    /// SHA-256 of the price book the cost was computed with, hex.
    pub price_book: Arc<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed, when it did.
    pub cause: Option<Cause>,
    /// What it was found to be a sign of, in the words of verdicts that hold; empty until somebody judged it.
    pub verdicts: Vec<&'static str>,
    /// Whether a fault of Outrigger's own kept something from being seen: what the record lacks may then be our doing.
    pub fault: bool,
    /// Times.
    pub times: Times,
    /// Sizes.
    pub transport: Transport,
    /// Every HTTP request made for this call, in order.
    pub attempts: Vec<Attempt>,
    /// What a rule had to do with it; `None` where none acted and no deadline of one passed.
    pub routed: Option<Box<Routed>>,
    /// The logical call that it belongs to: an SDK's retry is a call of its own here.
    pub logical: Logical,
    /// Its place among the calls that go on from one another; `None` where it is no conversation.
    pub chain: Option<Chain>,
    /// The times between the pieces of its streamed answer, where they were asked for; in no record that is sent.
    pub chunk_times: Option<Box<crate::ChunkTimes>>,
    /// Its bodies, where content was asked for; in no record that is sent.
    pub content: Option<std::sync::Arc<crate::Captured>>,
    /// What later calls may refer to; of use to [`Trail`](crate::Trail) alone.
    pub marks: Marks,
}

/// What a call leaves for those after it to be known by: hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// Of the ids of the tool calls in its answer.
    pub tool_calls: Vec<u64>,
    /// Of its request, as far as it is one that may be sent again.
    pub resent: Option<Resent>,
}

impl CallRecord {
    /// The fingerprint of its system prompt and tools, 16 hex digits.
    #[must_use]
    pub fn prompt_fingerprint(&self) -> Option<String> {
        self.facts.thread.prompt.map(|prompt| format!("{prompt:016x}"))
    }

    /// Whether the parent of its span is the span of the logical call's first attempt, not one of the app's: so stands a retry
    /// of an app that keeps no trace.
    #[must_use]
    pub fn is_under_first_attempt(&self) -> bool {
        self.logical.retried.is_some() && self.span.parent_span_id == Some(self.logical.id.span_id())
    }

    /// The provider's own figure and ours, where both are known.
    #[must_use]
    pub fn compared_cost(&self) -> Option<(Atto, Atto)> {
        let whole = matches!(self.cost.completeness, Completeness::Exact | Completeness::Fallback);
        Some((self.reported_cost?, self.cost.total.filter(|_| whole)?))
    }

    /// The same, where they lie further apart than rounding explains: a price is wrong, or something is billed that the usage
    /// does not show.
    #[must_use]
    pub fn disputed_cost(&self) -> Option<(Atto, Atto)> {
        self.compared_cost().filter(|(theirs, ours)| reported::differs(*ours, *theirs))
    }

    /// Whether the app has a part of an answer and the rest will not come: it broke off, or ended without a last word on every choice.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.cause.as_ref().is_some_and(|cause| cause.class == FailureClass::StreamCut)
            && self.finish_reasons.iter().any(|word| word == crate::call::NEVER_CAME)
    }

    /// The attempt whose answer, or failure, the app got: the last one, unless all failed.
    #[must_use]
    pub fn serving(&self) -> Option<&Attempt> {
        let number = self.routed.as_ref().map(|routed| routed.serving);
        let named = number.and_then(|number| self.attempts.iter().find(|attempt| attempt.number == number));
        named.or(self.attempts.last())
    }

    /// What came of it, where a rule decides it that may do more than report.
    #[must_use]
    pub fn fate(&self) -> Option<Fate> {
        let routed = self.routed.as_ref().filter(|routed| routed.acts)?;
        Some(if routed.exhausted {
            Fate::Exhausted
        } else if self.serving().is_some_and(|serving| serving.backup.is_some()) {
            Fate::Moved
        } else if routed.serving > 1 {
            Fate::Retried
        } else {
            Fate::Direct
        })
    }

    /// Why the place that the app addressed did not answer at once: the class of its first failure, `left_alone` or `kept_elsewhere`.
    #[must_use]
    pub fn moved_for(&self) -> Option<&'static str> {
        let first = self.attempts.first()?;
        match &first.backup {
            None => first.class.map(FailureClass::as_str),
            // What could go nowhere else was led there.
            Some(_) if self.routed.as_ref().is_some_and(|routed| routed.hindrance.is_some()) => {
                Some(KEPT_ELSEWHERE)
            }
            Some(_) => Some(LEFT_ALONE),
        }
    }

    /// The model to show: the one that answered, else the one behind the deployment, else the one asked for.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        let named = self.served_model.as_deref().or(self.deployed_model.as_deref());
        named.or(self.facts.model.as_deref())
    }
}
