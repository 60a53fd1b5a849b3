//! Chat Completions usage as disjoint meters. On the wire cached and written tokens are inside the prompt, reasoning and
//! rejected predictions inside the completion.

use outrigger_pricing::{Meter, Tier, TokenUsage};
use serde::Deserialize;

/// `usage` on the wire. Unknown members are left to the provider.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
    #[serde(default)]
    completion_tokens_details: Option<Details>,
}

/// The parts of either side.
#[derive(Debug, Default, Deserialize, Clone, Copy)]
#[serde(default)]
struct Details {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

impl ChatUsage {
    /// The meters, or what does not add up.
    pub(crate) fn meters(&self) -> Result<TokenUsage, &'static str> {
        let prompt = self.prompt_tokens.ok_or("the usage names no prompt tokens")?;
        // An embedding-like answer has none; an answer of zero tokens says so.
        let completion = self.completion_tokens.unwrap_or(0);
        let input = self.prompt_tokens_details.unwrap_or_default();
        let output = self.completion_tokens_details.unwrap_or_default();
        let part = |part: Option<u64>| part.unwrap_or(0);
        let (cached, written, heard) =
            (part(input.cached_tokens), part(input.cache_write_tokens), part(input.audio_tokens));
        let (reasoned, spoken) = (part(output.reasoning_tokens), part(output.audio_tokens));
        let rest =
            |total: u64, parts: &[u64]| parts.iter().try_fold(total, |left, part| left.checked_sub(*part));
        Ok(TokenUsage::ZERO
            .with(
                Meter::Input,
                rest(prompt, &[cached, written, heard])
                    .ok_or("the usage's prompt parts exceed its prompt")?,
            )
            .with(Meter::CacheRead, cached)
            .with(Meter::CacheWrite30m, written)
            .with(Meter::InputAudio, heard)
            .with(
                Meter::Output,
                rest(completion, &[reasoned, spoken]).ok_or("the usage's answer parts exceed its answer")?,
            )
            .with(Meter::Reasoning, reasoned)
            .with(Meter::OutputAudio, spoken))
    }
}

/// OpenAI's word for the tier it served.
pub(crate) fn tier(word: &str) -> Tier {
    match word {
        "default" | "standard" | "auto" => Tier::Standard,
        "flex" => Tier::Flex,
        "priority" | "fast" => Tier::Priority,
        "ultrafast" => Tier::Ultrafast,
        "batch" => Tier::Batch,
        _ => Tier::Unknown,
    }
}
