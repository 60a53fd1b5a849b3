//! Chat Completions usage as disjoint meters. On the wire cached and written tokens are inside the prompt, reasoning and
//! rejected predictions inside the completion.

use outrigger_pricing::{Atto, Meter, Tier, TokenUsage};
use serde::Deserialize;

use crate::Reading;

/// `usage` on the wire as OpenAI speaks it. A service whose usage differs brings it into this form first.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChatUsage {
    /// All input, cached and written parts included.
    pub(crate) prompt_tokens: Option<u64>,
    /// All output, reasoning included.
    pub(crate) completion_tokens: Option<u64>,
    /// Parts of the prompt.
    pub(crate) prompt_tokens_details: Option<Details>,
    /// Parts of the completion.
    pub(crate) completion_tokens_details: Option<Details>,
    /// What the service says the call cost; OpenAI itself does not.
    #[serde(skip)]
    pub(crate) cost: Option<Atto>,
    /// What the service bills beside tokens, and tokens that have a meter of their own.
    #[serde(skip)]
    pub(crate) beside: Vec<(Meter, u64)>,
}

/// The parts of either side.
#[derive(Debug, Default, Deserialize, Clone, Copy)]
#[serde(default)]
pub(crate) struct Details {
    pub(crate) cached_tokens: Option<u64>,
    pub(crate) cache_write_tokens: Option<u64>,
    pub(crate) audio_tokens: Option<u64>,
    pub(crate) image_tokens: Option<u64>,
    pub(crate) reasoning_tokens: Option<u64>,
}

impl ChatUsage {
    /// Puts the meters into the reading, and what does not add up.
    pub(crate) fn read(&self, reading: &mut Reading) {
        let Some(prompt) = self.prompt_tokens else {
            reading.usage_fault = Some("the usage names no prompt tokens");
            return;
        };
        // An embedding has none; an answer of zero tokens says so.
        let completion = self.completion_tokens.unwrap_or(0);
        let input = self.prompt_tokens_details.unwrap_or_default();
        let output = self.completion_tokens_details.unwrap_or_default();
        let part = |part: Option<u64>| part.unwrap_or(0);
        let (cached, written) = (part(input.cached_tokens), part(input.cache_write_tokens));
        let (heard, seen) = (part(input.audio_tokens), part(input.image_tokens));
        let (reasoned, spoken) = (part(output.reasoning_tokens), part(output.audio_tokens));
        let mut fault = None;
        let mut rest = |total: u64, parts: &[u64], what: &'static str| {
            parts.iter().try_fold(total, |left, part| left.checked_sub(*part)).unwrap_or_else(|| {
                fault.get_or_insert(what);
                0
            })
        };
        let mut usage = TokenUsage::ZERO
            .with(
                Meter::Input,
                rest(prompt, &[cached, written, heard, seen], "the usage's prompt parts exceed its prompt"),
            )
            .with(Meter::CacheRead, cached)
            .with(Meter::CacheWrite30m, written)
            .with(Meter::InputAudio, heard)
            .with(Meter::InputImage, seen)
            .with(
                Meter::Output,
                rest(completion, &[reasoned, spoken], "the usage's answer parts exceed its answer"),
            )
            .with(Meter::Reasoning, reasoned)
            .with(Meter::OutputAudio, spoken);
        for (meter, count) in &self.beside {
            usage.set(*meter, Some(*count));
        }
        reading.usage = usage;
        reading.usage_final = true;
        reading.usage_fault = fault;
        reading.reported_cost = self.cost.or(reading.reported_cost);
    }
}

/// The word for the tier that was served; `on_demand` is Groq's for the usual one.
pub(crate) fn tier(word: &str) -> Tier {
    match word {
        "default" | "standard" | "auto" | "on_demand" => Tier::Standard,
        "flex" => Tier::Flex,
        "priority" | "fast" => Tier::Priority,
        "ultrafast" => Tier::Ultrafast,
        "batch" => Tier::Batch,
        _ => Tier::Unknown,
    }
}
