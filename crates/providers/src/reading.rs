//! What a meter read from one response.

use outrigger_pricing::{Atto, Tier, TokenUsage};

use crate::Failure;

/// How far a response came, by its own format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamEnd {
    /// The format's terminal element has not been seen.
    #[default]
    Open,
    /// The answer is complete by the rules of its format.
    Complete,
    /// The provider says that the answer was called off, by the app or for its sake, and reports what it came to.
    Cancelled,
}

/// What a response said of itself. Everything is optional: a provider may leave it out, a stream may break off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The response's id.
    pub response_id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// The tier that was served, where the response names one.
    pub tier: Option<Tier>,
    /// The provider's own word for the tier.
    pub tier_word: Option<String>,
    /// The provider's word for the configuration that answered (OpenAI).
    pub system_fingerprint: Option<String>,
    /// Whether the response names a processing region that carries an uplift.
    pub resident: bool,
    /// The provider's own finish words, one per choice.
    pub finish_reasons: Vec<String>,
    /// Counts as far as reported; unknown meters stay unknown.
    pub usage: TokenUsage,
    /// Whether the provider's usage report was complete (its final one), so that the counts are exact.
    pub usage_final: bool,
    /// An inconsistency in the report (parts above totals), in plain words.
    pub usage_fault: Option<&'static str>,
    /// What the provider says the call cost, in dollars. It is the charge, and ours the check.
    pub reported_cost: Option<Atto>,
    /// An error inside a response, also one under status 200.
    pub failure: Option<Failure>,
    /// The provider's error message, cut to 500 bytes and free of secrets; for the log and span, never a label.
    pub failure_message: Option<String>,
    /// How far the answer came.
    pub end: StreamEnd,
    /// What could not be understood, in plain words; the meter then stopped watching.
    pub stumbled: Option<&'static str>,
}

impl Default for Reading {
    fn default() -> Self {
        Reading {
            response_id: None,
            model: None,
            tier: None,
            tier_word: None,
            system_fingerprint: None,
            resident: false,
            finish_reasons: Vec::new(),
            usage: TokenUsage::UNKNOWN,
            usage_final: false,
            usage_fault: None,
            reported_cost: None,
            failure: None,
            failure_message: None,
            end: StreamEnd::Open,
            stumbled: None,
        }
    }
}
