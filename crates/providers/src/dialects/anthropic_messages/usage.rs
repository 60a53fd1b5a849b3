//! Anthropic usage as disjoint meters: on the wire `input_tokens` is the uncached rest already. A stream reports twice;
//! the later report overlays the earlier one member by member and is never added to it.

use outrigger_pricing::{Meter, Tier, TokenUsage};
use serde::Deserialize;

use crate::Reading;

/// `usage` on the wire; every member may be missing in a later report.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MessagesUsage {
    input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
    server_tool_use: Option<ServerTools>,
    service_tier: Option<String>,
    speed: Option<String>,
    inference_geo: Option<String>,
    iterations: Option<Vec<Iteration>>,
}

#[derive(Debug, Default, Deserialize, Clone, Copy)]
#[serde(default)]
struct CacheCreation {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServerTools {
    web_search_requests: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Iteration {
    r#type: Option<String>,
    model: Option<String>,
    input_tokens: u64,
    cache_read_input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_creation: Option<CacheCreation>,
    output_tokens: u64,
}

impl Iteration {
    /// What a pass adds: the totals hold the message alone.
    fn read(&self, reading: &mut Reading) {
        match self.r#type.as_deref() {
            Some("message") | None => {}
            // Another model answered in its place, and at its price.
            Some("fallback_message") => {
                if self.model.is_some() {
                    reading.model.clone_from(&self.model);
                }
            }
            // The same model made the conversation shorter first.
            Some("compaction") if self.model.is_none() || self.model == reading.model => {
                let written = self.cache_creation.unwrap_or(CacheCreation {
                    ephemeral_5m_input_tokens: Some(self.cache_creation_input_tokens),
                    ephemeral_1h_input_tokens: None,
                });
                for (meter, count) in [
                    (Meter::Input, self.input_tokens),
                    (Meter::CacheRead, self.cache_read_input_tokens),
                    (Meter::CacheWrite5m, written.ephemeral_5m_input_tokens.unwrap_or(0)),
                    (Meter::CacheWrite1h, written.ephemeral_1h_input_tokens.unwrap_or(0)),
                    (Meter::Output, self.output_tokens),
                ] {
                    let sum = reading.usage.get(meter).and_then(|told| told.checked_add(count));
                    reading.usage.set(meter, sum);
                }
            }
            // Billed at another model's price, or not known how.
            Some(_) => {
                reading.usage_fault = Some("the provider ran extra model passes that its totals leave out");
            }
        }
    }
}

impl MessagesUsage {
    /// Lays a later report over this one.
    pub(crate) fn overlay(&mut self, later: MessagesUsage) {
        fn take<T>(slot: &mut Option<T>, later: Option<T>) {
            if later.is_some() {
                *slot = later;
            }
        }
        take(&mut self.input_tokens, later.input_tokens);
        take(&mut self.cache_read_input_tokens, later.cache_read_input_tokens);
        take(&mut self.cache_creation_input_tokens, later.cache_creation_input_tokens);
        take(&mut self.cache_creation, later.cache_creation);
        take(&mut self.output_tokens, later.output_tokens);
        take(&mut self.output_tokens_details, later.output_tokens_details);
        take(&mut self.server_tool_use, later.server_tool_use);
        take(&mut self.service_tier, later.service_tier);
        take(&mut self.speed, later.speed);
        take(&mut self.inference_geo, later.inference_geo);
        take(&mut self.iterations, later.iterations);
    }

    /// Puts meters, tier and region into the reading. Before the final report the answer's count is only a start.
    pub(crate) fn read(&self, reading: &mut Reading, is_final: bool) {
        reading.tier = Some(self.tier());
        reading.tier_word =
            self.speed.clone().filter(|word| word == "fast").or_else(|| self.service_tier.clone());
        reading.resident = self.inference_geo.as_deref() == Some("us");
        match self.meters(is_final) {
            Ok(usage) => {
                reading.usage = usage;
                reading.usage_final = is_final;
            }
            Err(fault) => reading.usage_fault = Some(fault),
        }
        if is_final && reading.usage_final {
            for pass in self.iterations.iter().flatten() {
                pass.read(reading);
            }
        }
    }

    fn meters(&self, is_final: bool) -> Result<TokenUsage, &'static str> {
        let Some(input) = self.input_tokens else { return Err("the usage names no input tokens") };
        let written = self.cache_creation_input_tokens.unwrap_or(0);
        let (short, long) = match self.cache_creation {
            None => (written, 0),
            Some(split) => {
                let (short, long) = (
                    split.ephemeral_5m_input_tokens.unwrap_or(0),
                    split.ephemeral_1h_input_tokens.unwrap_or(0),
                );
                if short.checked_add(long) != Some(written) {
                    return Err("the usage's cache writes by lifetime differ from their sum");
                }
                (short, long)
            }
        };
        let mut usage = TokenUsage::ZERO
            .with(Meter::Input, input)
            .with(Meter::CacheRead, self.cache_read_input_tokens.unwrap_or(0))
            .with(Meter::CacheWrite5m, short)
            .with(Meter::CacheWrite1h, long)
            .with(
                Meter::WebSearch,
                self.server_tool_use.as_ref().and_then(|tools| tools.web_search_requests).unwrap_or(0),
            );
        let thinking = self.output_tokens_details.as_ref().and_then(|details| details.thinking_tokens);
        match (is_final, self.output_tokens, thinking) {
            (false, ..) | (true, None, _) => {
                usage.set(Meter::Output, None);
                usage.set(Meter::Reasoning, None);
            }
            // Not split: the reasoning is somewhere inside the answer's count.
            (true, Some(output), None) => {
                usage.set(Meter::Output, Some(output));
                usage.set(Meter::Reasoning, None);
            }
            (true, Some(output), Some(thinking)) => {
                let visible =
                    output.checked_sub(thinking).ok_or("the usage's thinking exceeds its output")?;
                usage.set(Meter::Output, Some(visible));
                usage.set(Meter::Reasoning, Some(thinking));
            }
        }
        Ok(usage)
    }

    fn tier(&self) -> Tier {
        match (self.speed.as_deref(), self.service_tier.as_deref()) {
            (Some("fast"), _) => Tier::Fast,
            (_, None | Some("standard")) => Tier::Standard,
            (_, Some("batch")) => Tier::Batch,
            // Its priority tier is sold by contract and has no published price; a new word has none either.
            (_, Some(_)) => Tier::Unknown,
        }
    }

    /// Whether the report counts the answer.
    pub(crate) const fn counts_answer(&self) -> bool {
        self.output_tokens.is_some()
    }
}
