//! A verdict: what is wrong, since when, by what evidence, and what to do.

use std::fmt;

use outrigger_ledger::Timestamp;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A key that never worked is refused.
    MistypedKey,
    /// A key that worked before is refused.
    RevokedKey,
    /// A refused key is one that another provider makes.
    KeyOfAnotherProvider,
    /// Requests carry no key.
    MissingKey,
    /// The key is valid but may not do this.
    Permission,
    /// The model, or the path, does not exist.
    ModelNotFound,
    /// Credit or a spending limit is used up.
    QuotaExhausted,
    /// Too many requests or tokens for now, again and again.
    RateLimited,
    /// A part of the calls fails on the provider's side.
    PartialOutage,
    /// All calls fail on the provider's side.
    Outage,
    /// The provider cannot be reached from here.
    Unreachable,
    /// A host's name is not found that was never reached here, while others are.
    WrongHost,
    /// No provider can be reached from here.
    OwnNetwork,
    /// The provider's certificate is not accepted.
    ProviderTls,
    /// A program does not accept the certificate that it is shown in a provider's place.
    AuthorityNotTrusted,
    /// Answers break off.
    BrokenStreams,
    /// Streams have stopped in their middle and are still open.
    StalledStreams,
    /// The first token comes much later than it used to.
    SlowFirstToken,
    /// Calls take longer than 30 s.
    SlowCalls,
    /// Answers end at the limit of tokens.
    Truncated,
    /// Prompts are longer than the model's window.
    ContextOverflow,
    /// Request bodies are larger than the provider takes.
    TooLarge,
    /// The provider rejects the form of the requests.
    InvalidRequests,
    /// The provider refuses the content.
    ContentRefused,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 24] = [
        Kind::MistypedKey,
        Kind::RevokedKey,
        Kind::KeyOfAnotherProvider,
        Kind::MissingKey,
        Kind::Permission,
        Kind::ModelNotFound,
        Kind::QuotaExhausted,
        Kind::RateLimited,
        Kind::PartialOutage,
        Kind::Outage,
        Kind::Unreachable,
        Kind::WrongHost,
        Kind::OwnNetwork,
        Kind::ProviderTls,
        Kind::AuthorityNotTrusted,
        Kind::BrokenStreams,
        Kind::StalledStreams,
        Kind::SlowFirstToken,
        Kind::SlowCalls,
        Kind::Truncated,
        Kind::ContextOverflow,
        Kind::TooLarge,
        Kind::InvalidRequests,
        Kind::ContentRefused,
    ];

    /// The word used in logs, events, metrics and on the admin socket.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::MistypedKey => "mistyped_key",
            Kind::RevokedKey => "revoked_key",
            Kind::KeyOfAnotherProvider => "key_of_another_provider",
            Kind::MissingKey => "missing_key",
            Kind::Permission => "permission",
            Kind::ModelNotFound => "model_not_found",
            Kind::QuotaExhausted => "quota_exhausted",
            Kind::RateLimited => "rate_limited",
            Kind::PartialOutage => "partial_outage",
            Kind::Outage => "outage",
            Kind::Unreachable => "unreachable",
            Kind::WrongHost => "wrong_host",
            Kind::OwnNetwork => "own_network",
            Kind::ProviderTls => "provider_tls",
            Kind::AuthorityNotTrusted => "authority_not_trusted",
            Kind::BrokenStreams => "broken_streams",
            Kind::StalledStreams => "stalled_streams",
            Kind::SlowFirstToken => "slow_first_token",
            Kind::SlowCalls => "slow_calls",
            Kind::Truncated => "truncated",
            Kind::ContextOverflow => "context_overflow",
            Kind::TooLarge => "too_large",
            Kind::InvalidRequests => "invalid_requests",
            Kind::ContentRefused => "content_refused",
        }
    }
}

/// One thing that is wrong, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What.
    pub kind: Kind,
    /// Provider id; `None` where it concerns all of them.
    pub provider: Option<&'static str>,
    /// The model, where it concerns one.
    pub model: Option<String>,
    /// Fingerprint of the key, where it concerns one.
    pub key: Option<String>,
    /// When its first sign was seen.
    pub since: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// Calls that showed it.
    pub calls: u64,
    /// Of a limit: when it resets, as the call told by which the verdict began.
    pub resets: Option<Timestamp>,
    /// What happens, in plain words.
    pub cause: String,
    /// What that is concluded from.
    pub evidence: String,
    /// What to do.
    pub next_step: String,
}

impl fmt::Display for Verdict {
    /// One line: cause, evidence, next step.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. Evidence: {}. Next: {}", self.cause, self.evidence, self.next_step)
    }
}

/// A change of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It begins.
    Began(Verdict),
    /// It is over, and why.
    Ended(Verdict, &'static str),
}
