//! Reads a Converse answer as it passes. Per frame: a stream's events are told by a header, and deltas are not looked
//! into. Usage comes last.

use http::HeaderMap;
use outrigger_pricing::{Meter, Tier, TokenUsage};
use serde::Deserialize;

use crate::dialects::aws_errors;
use crate::framing::{EventStreamMessage, EventStreamSplitter, JsonScan, Path};
use crate::media::{Media, media};
use crate::{Reading, ResponseMeter, StreamEnd};

const WHOLE: &[Path] =
    &[&["stopReason"], &["usage"], &["serviceTier", "type"], aws_errors::MESSAGE[0], aws_errors::MESSAGE[1]];

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop {
    stop_reason: String,
}

/// The meter.
pub(super) struct ConverseMeter {
    form: Form,
    /// The header that names an error.
    headers: HeaderMap,
    stream: StreamState,
}

enum Form {
    Stream(EventStreamSplitter),
    Whole(Box<JsonScan>),
    Other,
}

#[derive(Default)]
struct StreamState {
    reading: Reading,
    content_seen: bool,
    content_now: bool,
}

impl ConverseMeter {
    pub(super) fn new(headers: &HeaderMap) -> ConverseMeter {
        let form = match media(headers) {
            Media::AwsEvents => Form::Stream(EventStreamSplitter::default()),
            Media::Json => Form::Whole(Box::new(JsonScan::new(WHOLE))),
            Media::EventStream | Media::Lines | Media::Other => Form::Other,
        };
        ConverseMeter { form, headers: aws_errors::kept(headers), stream: StreamState::default() }
    }
}

impl ResponseMeter for ConverseMeter {
    fn chunk(&mut self, bytes: &[u8]) -> bool {
        match &mut self.form {
            Form::Stream(splitter) => {
                let stream = &mut self.stream;
                splitter.push(bytes, &mut |message| stream.message(&message));
                std::mem::take(&mut stream.content_now)
            }
            Form::Whole(scan) => {
                scan.push(bytes);
                false
            }
            Form::Other => false,
        }
    }

    fn finish(&mut self) -> Reading {
        let mut reading = std::mem::take(&mut self.stream.reading);
        match &self.form {
            Form::Stream(splitter) => {
                if splitter.skipped() > 0 && !reading.usage_final {
                    reading.stumbled.get_or_insert("a message was too long to read");
                }
                reading.stumbled = splitter.broken().or(reading.stumbled);
            }
            Form::Whole(scan) => {
                reading.finish_reasons = scan.read(&["stopReason"]).into_iter().collect();
                if let Some(usage) = scan.value(&["usage"]) {
                    note_usage(&mut reading, usage);
                }
                note_tier(&mut reading, scan.read(&["serviceTier", "type"]));
                aws_errors::note_body(&mut reading, scan, &self.headers);
                if scan.is_whole() {
                    reading.end = StreamEnd::Complete;
                } else {
                    reading.stumbled = Some("the body is not whole JSON");
                }
            }
            Form::Other => reading.stumbled = Some("the body is not of the API's type"),
        }
        reading
    }
}

impl StreamState {
    fn message(&mut self, message: &EventStreamMessage<'_>) {
        match message.header(":event-type") {
            Some("contentBlockDelta") => {
                self.content_now |= !self.content_seen;
                self.content_seen = true;
            }
            Some("messageStop") => match serde_json::from_slice::<MessageStop>(message.payload) {
                Ok(stop) => self.reading.finish_reasons = vec![stop.stop_reason],
                Err(_) => self.stumble("the message's end could not be read"),
            },
            Some("metadata") => {
                let mut scan = JsonScan::new(WHOLE);
                scan.push(message.payload);
                if let Some(usage) = scan.value(&["usage"]) {
                    note_usage(&mut self.reading, usage);
                }
                note_tier(&mut self.reading, scan.read(&["serviceTier", "type"]));
                if scan.is_whole() {
                    self.reading.end = StreamEnd::Complete;
                } else {
                    self.stumble("the message's metadata is not whole JSON");
                }
            }
            Some(_) => {}
            None => {
                if !aws_errors::note_exception(&mut self.reading, message) {
                    self.stumble("a message is neither an event nor an exception");
                }
            }
        }
    }

    fn stumble(&mut self, reason: &'static str) {
        self.reading.stumbled.get_or_insert(reason);
    }
}

fn note_tier(reading: &mut Reading, word: Option<String>) {
    if let Some(word) = word {
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

fn note_usage(reading: &mut Reading, raw: &[u8]) {
    match serde_json::from_slice::<ConverseUsage>(raw) {
        Ok(usage) => usage.read(reading),
        Err(_) => reading.usage_fault = Some("the usage could not be read"),
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
