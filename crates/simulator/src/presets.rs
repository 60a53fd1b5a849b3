//! Ready-made scripts.

use crate::Config;
use crate::script::{Answer, ErrorKind, Rule, Script, Usage};

/// The key that the storm's providers accept.
pub const STORM_KEY: &str = "sk-demo-harbour-pilot-4711";

/// Fair weather with one squall: every second chat call to OpenAI's `gpt-5-mini` answers 500, every other key than
/// [`STORM_KEY`] is refused, and the rest is well, with cached and reasoning tokens among the usage.
#[must_use]
pub fn storm() -> Config {
    let squall = Rule {
        provider: Some("openai".to_owned()),
        path: Some("/v1/chat/completions".to_owned()),
        model: Some("gpt-5-mini".to_owned()),
        every: Some(2),
        answer: Answer { error: Some(ErrorKind::ServerError), ..Answer::default() },
        ..Rule::default()
    };
    let well = |provider: &str, usage: Usage| Rule {
        provider: Some(provider.to_owned()),
        answer: Answer { usage: Some(usage), gzip: true, pace_ms: 5, ..Answer::default() },
        ..Rule::default()
    };
    let openai = Usage { input: 1808, cache_read: 2048, output: 210, reasoning: 64, ..Usage::default() };
    let anthropic =
        Usage { input: 320, cache_read: 4096, cache_write_short: 512, output: 180, ..Usage::default() };
    Config {
        valid_keys: vec![STORM_KEY.to_owned()],
        script: Script(vec![squall, well("openai", openai), well("anthropic", anthropic)]),
        ..Config::default()
    }
}
