//! Realtime usage as disjoint meters: text, audio and images have prices of their own, cached or not.

use outrigger_pricing::{Meter, TokenUsage};
use serde::Deserialize;

/// `response.usage` on the wire.
#[derive(Debug, Deserialize)]
pub(super) struct RealtimeUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    #[serde(default)]
    input_token_details: Option<InputDetails>,
    #[serde(default)]
    output_token_details: Option<OutputDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    cached_tokens_details: Option<CachedDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CachedDetails {
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    audio_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

impl RealtimeUsage {
    /// The meters. Where the report cannot be split by what it is priced by, it is not guessed.
    pub(super) fn meters(&self) -> Result<TokenUsage, &'static str> {
        let total_input = self.input_tokens.ok_or("the usage names no input tokens")?;
        let total_output = self.output_tokens.ok_or("the usage names no output tokens")?;
        let nothing = (InputDetails::default(), OutputDetails::default());
        let part = |part: Option<u64>| part.unwrap_or(0);
        let input = match &self.input_token_details {
            Some(details) => details,
            None if total_input == 0 => &nothing.0,
            None => return Err("the usage does not tell text from audio"),
        };
        let output = match &self.output_token_details {
            Some(details) => details,
            None if total_output == 0 => &nothing.1,
            None => return Err("the usage does not tell text from audio"),
        };
        let (heard, seen) = (part(input.audio_tokens), part(input.image_tokens));
        let cached = part(input.cached_tokens);
        let (cached_audio, cached_images) = match &input.cached_tokens_details {
            Some(split) => (part(split.audio_tokens), part(split.image_tokens)),
            None if cached == 0 || heard + seen == 0 => (0, 0),
            None => return Err("the usage does not tell cached text from cached audio"),
        };
        let exceeds = "the usage's input parts exceed its input";
        let less =
            |whole: u64, parts: &[u64]| parts.iter().try_fold(whole, |left, part| left.checked_sub(*part));
        let cached_text = less(cached, &[cached_audio, cached_images]).ok_or(exceeds)?;
        let (spoken, reasoned) = (part(output.audio_tokens), part(output.reasoning_tokens));
        Ok(TokenUsage::ZERO
            .with(Meter::Input, less(total_input, &[heard, seen, cached_text]).ok_or(exceeds)?)
            .with(Meter::CacheRead, cached_text)
            .with(Meter::InputAudio, less(heard, &[cached_audio]).ok_or(exceeds)?)
            .with(Meter::CacheReadAudio, cached_audio)
            .with(Meter::InputImage, less(seen, &[cached_images]).ok_or(exceeds)?)
            .with(Meter::CacheReadImage, cached_images)
            .with(
                Meter::Output,
                less(total_output, &[spoken, reasoned])
                    .ok_or("the usage's output parts exceed its output")?,
            )
            .with(Meter::Reasoning, reasoned)
            .with(Meter::OutputAudio, spoken))
    }
}

/// `usage` of a transcription: tokens, or seconds.
#[derive(Debug, Deserialize)]
pub(super) struct TranscriptionUsage {
    r#type: Option<String>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    #[serde(default)]
    input_token_details: Option<InputDetails>,
}

impl TranscriptionUsage {
    /// The meters.
    pub(super) fn meters(&self) -> Result<TokenUsage, &'static str> {
        if self.r#type.as_deref() == Some("duration") {
            return Err("the transcription is billed by the second of audio, which is not priced here");
        }
        let input = self.input_tokens.ok_or("the usage names no input tokens")?;
        let output = self.output_tokens.ok_or("the usage names no output tokens")?;
        let details = self.input_token_details.as_ref().ok_or("the usage does not tell text from audio")?;
        let heard = details.audio_tokens.unwrap_or(0);
        let read = input.checked_sub(heard).ok_or("the usage's input parts exceed its input")?;
        Ok(TokenUsage::ZERO
            .with(Meter::Input, read)
            .with(Meter::InputAudio, heard)
            .with(Meter::Output, output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meters(text: &str) -> Result<TokenUsage, &'static str> {
        serde_json::from_str::<RealtimeUsage>(text).unwrap().meters()
    }

    #[test]
    fn text_and_audio_cached_or_not_are_told_apart() {
        let usage = meters(
            r#"{"total_tokens":1750,"input_tokens":1100,"output_tokens":650,
                "input_token_details":{"text_tokens":100,"audio_tokens":1000,"image_tokens":0,"cached_tokens":460,
                    "cached_tokens_details":{"text_tokens":60,"audio_tokens":400,"image_tokens":0}},
                "output_token_details":{"text_tokens":50,"audio_tokens":600}}"#,
        )
        .unwrap();
        let expected = TokenUsage::ZERO
            .with(Meter::Input, 40)
            .with(Meter::CacheRead, 60)
            .with(Meter::InputAudio, 600)
            .with(Meter::CacheReadAudio, 400)
            .with(Meter::Output, 50)
            .with(Meter::OutputAudio, 600);
        assert_eq!(usage, expected);
    }

    #[test]
    fn what_cannot_be_split_by_price_is_not_guessed() {
        for text in [
            r#"{"input_tokens":10,"output_tokens":0}"#,
            r#"{"input_tokens":10,"output_tokens":5,"input_token_details":{}}"#,
            r#"{"input_tokens":10,"output_tokens":0,"input_token_details":{"audio_tokens":5,"cached_tokens":3}}"#,
            r#"{"input_tokens":10,"output_tokens":0,"input_token_details":{"audio_tokens":11}}"#,
            r#"{"output_tokens":0}"#,
        ] {
            assert!(meters(text).is_err(), "{text}");
        }
        let seen = meters(
            r#"{"input_tokens":30,"output_tokens":0,"input_token_details":{"text_tokens":10,"image_tokens":20,
                "cached_tokens":15,"cached_tokens_details":{"text_tokens":5,"image_tokens":10}}}"#,
        );
        let expected = TokenUsage::ZERO
            .with(Meter::Input, 5)
            .with(Meter::CacheRead, 5)
            .with(Meter::InputImage, 10)
            .with(Meter::CacheReadImage, 10);
        assert_eq!(seen, Ok(expected), "images too");
        assert_eq!(meters(r#"{"input_tokens":0,"output_tokens":0}"#), Ok(TokenUsage::ZERO));
    }
}
