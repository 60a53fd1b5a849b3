//! Responses usage as disjoint meters. Written tokens are split by lifetime where the provider says so; hosted tools are
//! counted beside the usage, not in it.

use outrigger_pricing::{Meter, TokenUsage};
use serde::Deserialize;

/// `usage` on the wire.
#[derive(Debug, Deserialize)]
pub(crate) struct ResponsesUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    #[serde(default)]
    input_tokens_details: Option<InputDetails>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
    cache_write_tokens_details: Option<WriteDetails>,
    audio_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WriteDetails {
    ttl_30m_tokens: Option<u64>,
    ttl_12h_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
    audio_tokens: Option<u64>,
}

/// `tool_usage` on the wire, as far as it is billed by the request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ToolUsage {
    web_search: Option<Requests>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Requests {
    num_requests: Option<u64>,
}

impl ToolUsage {
    pub(crate) fn web_searches(&self) -> Option<u64> {
        self.web_search.as_ref().and_then(|tool| tool.num_requests)
    }
}

impl ResponsesUsage {
    /// The meters, or what does not add up.
    pub(crate) fn meters(&self) -> Result<TokenUsage, &'static str> {
        let total_input = self.input_tokens.ok_or("the usage names no input tokens")?;
        let total_output = self.output_tokens.ok_or("the usage names no output tokens")?;
        let part = |part: Option<u64>| part.unwrap_or(0);
        let none = (InputDetails::default(), OutputDetails::default());
        let input = self.input_tokens_details.as_ref().unwrap_or(&none.0);
        let output = self.output_tokens_details.as_ref().unwrap_or(&none.1);
        let written = part(input.cache_write_tokens);
        let long = input.cache_write_tokens_details.as_ref().map_or(0, |split| part(split.ttl_12h_tokens));
        let short = match &input.cache_write_tokens_details {
            Some(split) if part(split.ttl_30m_tokens).checked_add(long) == Some(written) => {
                part(split.ttl_30m_tokens)
            }
            Some(_) => return Err("the usage's cache writes by lifetime differ from their sum"),
            None => written,
        };
        let rest =
            |total: u64, parts: &[u64]| parts.iter().try_fold(total, |left, part| left.checked_sub(*part));
        let (cached, heard) = (part(input.cached_tokens), part(input.audio_tokens));
        let (reasoned, spoken) = (part(output.reasoning_tokens), part(output.audio_tokens));
        Ok(TokenUsage::ZERO
            .with(
                Meter::Input,
                rest(total_input, &[cached, written, heard])
                    .ok_or("the usage's input parts exceed its input")?,
            )
            .with(Meter::CacheRead, cached)
            .with(Meter::CacheWrite30m, short)
            .with(Meter::CacheWrite12h, long)
            .with(Meter::InputAudio, heard)
            .with(
                Meter::Output,
                rest(total_output, &[reasoned, spoken])
                    .ok_or("the usage's output parts exceed its output")?,
            )
            .with(Meter::Reasoning, reasoned)
            .with(Meter::OutputAudio, spoken))
    }
}
