//! Reads a Converse answer. A stream's events are told by a header, and deltas are not looked into. Usage comes last.

use http::HeaderMap;
use outrigger_pricing::{Meter, Tier, TokenUsage};
use serde::Deserialize;

use crate::dialects::answer::{Answer, Framing, Look, Told, usage_at};
use crate::dialects::aws_errors;
use crate::framing::{EventStreamMessage, JsonScan, Path};
use crate::media::Media;
use crate::{Reading, StreamEnd};

const WHOLE: &[Path] = &[EVENT[0], EVENT[1], EVENT[2], aws_errors::MESSAGE[0], aws_errors::MESSAGE[1]];

const EVENT: &[Path] = &[&["stopReason"], &["usage"], &["serviceTier", "type"]];

/// `usage` on the wire: the input is the uncached rest already. Reasoning is somewhere inside the output.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ConverseUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    cache_details: Vec<CacheDetail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CacheDetail {
    ttl: Option<String>,
    input_tokens: Option<u64>,
}

/// The answer.
pub(super) struct ConverseAnswer {
    /// The header that names an error.
    headers: HeaderMap,
}

impl ConverseAnswer {
    pub(super) fn new(headers: &HeaderMap) -> ConverseAnswer {
        ConverseAnswer { headers: aws_errors::kept(headers) }
    }
}

impl Answer for ConverseAnswer {
    fn framing(media: Media) -> Option<Framing> {
        aws_errors::framing(media)
    }

    fn whole_paths(&self) -> &'static [Path] {
        WHOLE
    }

    fn event_paths(&self) -> &'static [Path] {
        EVENT
    }

    fn whole(&mut self, scan: &JsonScan, told: &mut Told) {
        let reading = &mut told.reading;
        reading.finish_reasons = scan.read(EVENT[0]).into_iter().collect();
        note_usage(scan, reading);
        note_tier(scan, reading);
        aws_errors::note_body(reading, scan, &self.headers);
    }

    fn look(&mut self, kind: &[u8], _data: Option<&[u8]>, _told: &mut Told) -> Look {
        match kind {
            b"contentBlockDelta" => Look::Content,
            b"messageStop" | b"metadata" => Look::Read,
            _ => Look::Skip,
        }
    }

    fn event(&mut self, kind: &str, scan: &JsonScan, told: &mut Told) {
        let reading = &mut told.reading;
        if kind == "messageStop" {
            reading.finish_reasons = scan.read(EVENT[0]).into_iter().collect();
        } else {
            note_usage(scan, reading);
            note_tier(scan, reading);
            reading.end = StreamEnd::Complete;
        }
    }

    fn exception(&mut self, message: &EventStreamMessage<'_>, told: &mut Told) {
        aws_errors::note_exception(message, told);
    }
}

fn note_tier(scan: &JsonScan, reading: &mut Reading) {
    if let Some(word) = scan.read::<String>(EVENT[2]) {
        reading.tier = Some(tier(&word));
        reading.tier_word = Some(word);
    }
}

/// Bedrock's word for the tier it served. What was reserved is paid for by the hour.
fn tier(word: &str) -> Tier {
    match word {
        "default" | "standard" => Tier::Standard,
        "flex" => Tier::Flex,
        "priority" => Tier::Priority,
        "reserved" => Tier::Provisioned,
        _ => Tier::Unknown,
    }
}

fn note_usage(scan: &JsonScan, reading: &mut Reading) {
    if let Some(usage) = usage_at::<ConverseUsage>(scan, EVENT[1], reading) {
        usage.read(reading);
    }
}

impl ConverseUsage {
    fn read(&self, reading: &mut Reading) {
        let (Some(input), Some(output)) = (self.input_tokens, self.output_tokens) else {
            reading.usage_fault = Some("the usage lacks a total");
            return;
        };
        let written = self.cache_write_input_tokens.unwrap_or(0);
        let lasting = |long: bool| {
            let of = self.cache_details.iter().filter(|one| (one.ttl.as_deref() == Some("1h")) == long);
            of.fold(0u64, |sum, one| sum.saturating_add(one.input_tokens.unwrap_or(0)))
        };
        // Without a split everything is kept for the short while.
        let (short, long) =
            if self.cache_details.is_empty() { (written, 0) } else { (lasting(false), lasting(true)) };
        reading.usage_fault = (short.checked_add(long) != Some(written))
            .then_some("the usage's cache writes by lifetime differ from their sum");
        let mut usage = TokenUsage::ZERO
            .with(Meter::Input, input)
            .with(Meter::CacheRead, self.cache_read_input_tokens.unwrap_or(0))
            .with(Meter::CacheWrite5m, short)
            .with(Meter::CacheWrite1h, long)
            .with(Meter::Output, output);
        usage.set(Meter::Reasoning, None);
        reading.usage = usage;
        reading.usage_final = true;
    }
}
