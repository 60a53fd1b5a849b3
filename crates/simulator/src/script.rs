//! What to answer: the first rule that matches a call decides; without one the answer is good.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Rules, read from the top.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Script(pub Vec<Rule>);

/// Which calls, and how they are answered. A condition that is absent holds for every call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// The provider's id, such as `openai` or `bedrock`.
    pub provider: Option<String>,
    /// The whole path.
    pub path: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
    /// Whether a stream was asked for.
    pub stream: Option<bool>,
    /// Whether it is the handshake of a WebSocket, and not a call.
    pub handshake: bool,
    /// Only the n-th call (from 1) for which all the above hold.
    pub nth: Option<u64>,
    /// Only every n-th call for which all the above hold.
    pub every: Option<u64>,
    /// How to answer.
    pub answer: Answer,
}

/// How a call is answered.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// An error in the provider's own shape.
    pub error: Option<ErrorKind>,
    /// Another status than the answer would have.
    pub status: Option<u16>,
    /// A body as it is, in place of the provider's.
    pub raw_body: Option<String>,
    /// Its content type (`text/html` unless said).
    pub content_type: Option<String>,
    /// Headers beside the provider's own.
    pub headers: BTreeMap<String, String>,
    /// The connection breaks where the head would come.
    pub reset: bool,
    /// Milliseconds before the head.
    pub delay_ms: u64,
    /// Milliseconds between events.
    pub pace_ms: u64,
    /// Every event waits for [`Simulator::release`](crate::Simulator::release).
    pub gated: bool,
    /// Messages, Gemini: the content is refused, under status 200.
    pub refused: Option<Refused>,
    /// The answer's text; one word is one delta.
    pub text: Option<String>,
    /// Numbers to report; computed from the text otherwise.
    pub usage: Option<Usage>,
    /// What the provider itself says that the call cost, dollars as decimal text, where it says so.
    pub reported_cost: Option<String>,
    /// Report no usage at all.
    pub omit_usage: bool,
    /// The model that answers, if another than was asked for.
    pub served_model: Option<String>,
    /// The tier that is served.
    pub served_tier: Option<String>,
    /// End after this many events.
    pub cut_after: Option<usize>,
    /// How it ends then.
    pub cut: Cut,
    /// Half of the next event still comes before that.
    pub cut_within: bool,
    /// Fall silent after this many events: nothing more comes, and no end.
    pub silent_after: Option<usize>,
    /// A frame that is no event of the format, after this many events.
    pub garbage_after: Option<usize>,
    /// An error event under status 200, after this many events; the stream ends there.
    pub error_after: Option<usize>,
    /// Repeat the deltas until the client leaves (at most 100,000 of them).
    pub endless: bool,
    /// Compress where the client accepts gzip.
    pub gzip: bool,
    /// A request with `stream_options` is refused in these words, as by a server that does not know them.
    pub refuse_stream_options: Option<String>,
    /// Realtime: the answer is called off before its end.
    pub cancelled: bool,
    /// Handshake: agree to no compression.
    pub uncompressed: bool,
    /// Handshake: every message is compressed for itself.
    pub no_context_takeover: bool,
    /// Handshake: messages are sent in frames of at most so many bytes.
    pub frame_bytes: Option<usize>,
}

/// How a stream that is cut ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The connection breaks.
    #[default]
    Broken,
    /// The body ends as if it were complete.
    Clean,
}

/// What is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// The prompt: nothing is answered.
    Prompt,
    /// What was answered so far: nothing follows.
    Answer,
}

/// Errors that both providers have, each in its own shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// 401.
    Authentication,
    /// 403.
    Permission,
    /// 404.
    NotFound,
    /// 429, retryable.
    RateLimit,
    /// 429 or 402, not retryable.
    Quota,
    /// 400.
    ContextLength,
    /// 400.
    InvalidRequest,
    /// 413.
    TooLarge,
    /// 503 or 529.
    Overloaded,
    /// 500.
    ServerError,
}

/// Token parts to report, disjoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Prompt tokens that no cache had a part in.
    pub input: u64,
    /// Prompt tokens read from a cache.
    pub cache_read: u64,
    /// Prompt tokens written for the short lifetime.
    pub cache_write_short: u64,
    /// Prompt tokens written for the long lifetime.
    pub cache_write_long: u64,
    /// Visible answer tokens.
    pub output: u64,
    /// Reasoning tokens.
    pub reasoning: u64,
    /// Web searches.
    pub web_searches: u64,
    /// Image prompt tokens.
    pub input_image: u64,
    /// Seconds of sound, where a model counts those.
    pub seconds: u64,
    /// Realtime: audio prompt tokens that no cache had a part in.
    pub input_audio: u64,
    /// Realtime: audio prompt tokens read from a cache.
    pub cache_read_audio: u64,
    /// Realtime: audio answer tokens.
    pub output_audio: u64,
}

impl Usage {
    /// Nothing of any kind.
    pub const ZERO: Usage = Usage {
        input: 0,
        cache_read: 0,
        cache_write_short: 0,
        cache_write_long: 0,
        output: 0,
        reasoning: 0,
        web_searches: 0,
        input_image: 0,
        seconds: 0,
        input_audio: 0,
        cache_read_audio: 0,
        output_audio: 0,
    };
}

/// What a rule looks at.
pub(crate) struct Asked<'a> {
    pub(crate) provider: &'a str,
    pub(crate) path: &'a str,
    pub(crate) model: &'a str,
    pub(crate) stream: bool,
    pub(crate) handshake: bool,
}

impl Rule {
    fn concerns(&self, asked: &Asked<'_>) -> bool {
        self.provider.as_deref().is_none_or(|provider| provider == asked.provider)
            && self.path.as_deref().is_none_or(|path| path == asked.path)
            && self.model.as_deref().is_none_or(|model| model == asked.model)
            && self.stream.is_none_or(|stream| stream == asked.stream)
            && self.handshake == asked.handshake
    }
}

impl Script {
    /// The answer to a call; `seen` counts, per rule, the calls that it concerned.
    pub(crate) fn answer(&self, seen: &mut Vec<u64>, asked: &Asked<'_>) -> Answer {
        seen.resize(self.0.len(), 0);
        let mut found = None;
        for (rule, count) in self.0.iter().zip(seen) {
            if rule.concerns(asked) {
                *count += 1;
                let holds = rule.nth.is_none_or(|nth| nth == *count)
                    && rule.every.is_none_or(|every| every > 0 && count.is_multiple_of(every));
                if holds && found.is_none() {
                    found = Some(rule.answer.clone());
                }
            }
        }
        found.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_rules_count_only_the_calls_they_concern() {
        let script: Script = serde_json::from_value(serde_json::json!([
            {"provider": "openai", "every": 2, "answer": {"error": "server_error"}},
            {"provider": "anthropic", "nth": 1, "answer": {"error": "overloaded"}},
        ]))
        .unwrap();
        let mut seen = Vec::new();
        let mut ask = |provider| {
            script
                .answer(
                    &mut seen,
                    &Asked { provider, path: "/", model: "m", stream: false, handshake: false },
                )
                .error
        };
        let got =
            [ask("openai"), ask("anthropic"), ask("openai"), ask("anthropic"), ask("openai"), ask("openai")];
        let (server, busy) = (Some(ErrorKind::ServerError), Some(ErrorKind::Overloaded));
        assert_eq!(got, [None, busy, server, None, None, server]);
    }

    #[test]
    fn an_unknown_key_in_a_script_is_an_error() {
        assert!(serde_json::from_str::<Script>(r#"[{"answer": {"staus": 500}}]"#).is_err());
    }
}
