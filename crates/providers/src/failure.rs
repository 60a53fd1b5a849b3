//! Why a call failed, in the same words for every provider.

use serde::Serialize;

/// The kind of a failure. The same word stands in record, span, metric and log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The key was refused: mistyped, revoked or expired.
    Authentication,
    /// The key is valid but may not do this.
    Permission,
    /// The model or the path does not exist.
    NotFound,
    /// Too many requests or tokens for now; trying later helps.
    RateLimit,
    /// Credit or spending limit is used up; trying again does not help.
    Quota,
    /// The prompt is longer than the model's window.
    ContextLength,
    /// The provider rejects the request's form.
    InvalidRequest,
    /// The provider refuses the content.
    ContentPolicy,
    /// The request body is larger than the provider takes.
    TooLarge,
    /// The provider has no capacity.
    Overloaded,
    /// The provider failed (5xx).
    ServerError,
    /// The provider, or something on the way, gave up waiting.
    Timeout,
    /// An edge network answered in the provider's place (HTML page, empty 502).
    Edge,
    /// The provider's name could not be resolved.
    Dns,
    /// The provider could not be reached.
    Connect,
    /// TLS to the provider failed, its certificate included.
    Tls,
    /// The answer broke off.
    StreamCut,
    /// The answer cannot be read as what it says it is.
    Malformed,
    /// A failure that fits nothing above.
    Other,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [FailureClass; 19] = [
        FailureClass::Authentication,
        FailureClass::Permission,
        FailureClass::NotFound,
        FailureClass::RateLimit,
        FailureClass::Quota,
        FailureClass::ContextLength,
        FailureClass::InvalidRequest,
        FailureClass::ContentPolicy,
        FailureClass::TooLarge,
        FailureClass::Overloaded,
        FailureClass::ServerError,
        FailureClass::Timeout,
        FailureClass::Edge,
        FailureClass::Dns,
        FailureClass::Connect,
        FailureClass::Tls,
        FailureClass::StreamCut,
        FailureClass::Malformed,
        FailureClass::Other,
    ];

    /// The class of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<FailureClass> {
        FailureClass::ALL.into_iter().find(|class| class.as_str() == word)
    }

    /// The HTTP status that says it, in most families.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            FailureClass::ContextLength | FailureClass::InvalidRequest | FailureClass::ContentPolicy => 400,
            FailureClass::Authentication => 401,
            FailureClass::Permission => 403,
            FailureClass::NotFound => 404,
            FailureClass::TooLarge => 413,
            FailureClass::RateLimit | FailureClass::Quota => 429,
            FailureClass::ServerError => 500,
            FailureClass::Overloaded => 503,
            FailureClass::Timeout => 504,
            FailureClass::Edge
            | FailureClass::Dns
            | FailureClass::Connect
            | FailureClass::Tls
            | FailureClass::StreamCut
            | FailureClass::Malformed
            | FailureClass::Other => 502,
        }
    }

    /// The word used in records, metrics, spans and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            FailureClass::Authentication => "authentication",
            FailureClass::Permission => "permission",
            FailureClass::NotFound => "not_found",
            FailureClass::RateLimit => "rate_limit",
            FailureClass::Quota => "quota",
            FailureClass::ContextLength => "context_length",
            FailureClass::InvalidRequest => "invalid_request",
            FailureClass::ContentPolicy => "content_policy",
            FailureClass::TooLarge => "too_large",
            FailureClass::Overloaded => "overloaded",
            FailureClass::ServerError => "server_error",
            FailureClass::Timeout => "timeout",
            FailureClass::Edge => "edge",
            FailureClass::Dns => "dns",
            FailureClass::Connect => "connect",
            FailureClass::Tls => "tls",
            FailureClass::StreamCut => "stream_cut",
            FailureClass::Malformed => "malformed",
            FailureClass::Other => "other",
        }
    }
}

/// A failure as the provider told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub class: FailureClass,
    /// The provider's own code or type, from the documented list of its dialect; `None` if unlisted
    /// (a free text must never become a metric label).
    pub code: Option<&'static str>,
}

/// An error of our own that the app must be told in its provider's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnError<'a> {
    /// HTTP status to answer with.
    pub status: u16,
    /// Its kind.
    pub class: FailureClass,
    /// Plain text for the app's log; begins with `outrigger: `.
    pub message: &'a str,
}
