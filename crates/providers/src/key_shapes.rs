//! How keys look of which nobody makes anything else: what begins so and goes on so long is taken out wherever it turns up. Per text of a
//! record, some ten times a call: no allocation unless something is found.

use std::borrow::Cow;

/// What stands in the place of a key.
pub const REDACTED_KEY: &str = "[redacted:key]";

/// One way in which keys look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyShape {
    /// How they begin.
    pub begins: &'static str,
    /// How many characters follow at least.
    pub least: usize,
    /// Whether `-` and `_` are among these, beside letters and digits.
    pub wide: bool,
    /// Whether words end so (`task-`): then it is none behind a letter or a digit.
    pub ends_words: bool,
}

const fn plain(begins: &'static str, least: usize) -> KeyShape {
    KeyShape { begins, least, wide: false, ends_words: false }
}

const fn wide(begins: &'static str, least: usize) -> KeyShape {
    KeyShape { wide: true, ..plain(begins, least) }
}

/// Keys of providers, of clouds and of code hosts.
pub const KEY_SHAPES: [KeyShape; 27] = [
    // OpenAI, Anthropic, OpenRouter, DeepSeek and many others.
    KeyShape { ends_words: true, ..wide("sk-", 16) },
    plain("sk_live_", 16),
    plain("sk_test_", 16),
    // Google
    wide("AIza", 30),
    wide("AQ.", 20),
    plain("gsk_", 20),
    plain("xai-", 20),
    plain("pplx-", 20),
    plain("hf_", 20),
    plain("r8_", 20),
    wide("nvapi-", 20),
    plain("fw_", 20),
    plain("csk-", 20),
    wide("tgp_v1_", 20),
    // AWS, and its keys for Bedrock
    plain("AKIA", 16),
    plain("ASIA", 16),
    plain("ABSK", 40),
    plain("ghp_", 20),
    plain("gho_", 20),
    plain("ghs_", 20),
    plain("ghr_", 20),
    plain("ghu_", 20),
    wide("github_pat_", 20),
    wide("glpat-", 20),
    wide("xoxb-", 10),
    wide("xoxp-", 10),
    wide("xoxa-", 10),
];

/// Bytes of the shortest key.
const SHORTEST: usize = 15;

impl KeyShape {
    /// Bytes of a key that a text begins with.
    fn length(&self, text: &str) -> Option<usize> {
        let rest = text.strip_prefix(self.begins)?;
        let follows = |byte: &u8| byte.is_ascii_alphanumeric() || self.wide && matches!(byte, b'-' | b'_');
        let length = rest.bytes().take_while(follows).count();
        (length >= self.least).then_some(self.begins.len() + length)
    }
}

/// A text with [`REDACTED_KEY`] in the place of each key that no letter or digit stands before.
#[must_use]
pub fn without_keys(text: &str) -> Cow<'_, str> {
    let parts = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.');
    let (mut clean, mut copied, mut begin) = (String::new(), 0, 0);
    for run in text.split_inclusive(parts) {
        let end = begin + run.trim_end_matches(parts).len();
        let mut at = begin;
        while at + SHORTEST <= end {
            let within = at > begin && text.as_bytes()[at - 1].is_ascii_alphanumeric();
            let found =
                if within { None } else { KEY_SHAPES.iter().find_map(|shape| shape.length(&text[at..])) };
            match found {
                Some(length) => {
                    clean.push_str(&text[copied..at]);
                    clean.push_str(REDACTED_KEY);
                    at += length;
                    copied = at;
                }
                None => at += 1,
            }
        }
        begin += run.len();
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[copied..]);
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_key_is_shorter_than_the_shortest() {
        assert!(KEY_SHAPES.iter().all(|shape| shape.begins.len() + shape.least >= SHORTEST));
    }

    #[test]
    fn names_of_models_and_ids_stay() {
        for text in [
            "gpt-4o-mini-2024-07-18",
            "claude-sonnet-5-5-20260922",
            "ft:gpt-4o-mini-2024-07-18:acme-harbour:task-force-for-planning:AbCdEf12",
            "perplexity/pplx-70b-online",
            "xai-grok-4-fast-non-reasoning",
            "meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
            "chatcmpl-BQ9aZ0123456789abcdefghijklmn",
            "msg_01XFDUDYJgAACzvnptvVoYEL",
            "/v1beta/models/gemini-3-flash-preview:streamGenerateContent",
        ] {
            assert_eq!(without_keys(text), text);
        }
    }

    proptest! {
        #[test]
        fn a_key_of_every_shape_goes_wherever_it_stands(
            shape in prop::sample::select(&KEY_SHAPES[..]),
            rest in "[A-Za-z0-9]{40,60}",
            before in "([a-zé/ :=\"-]{0,20}[é/ :=\"._-])?",
            after in "([é/ :=\"][a-zé/ :=\"-]{0,20})?",
        ) {
            let key = format!("{}{rest}", shape.begins);
            let text = format!("{before}{key} {key}{after}");
            let clean = without_keys(&text);
            prop_assert!(!clean.contains(&rest), "{clean}");
            prop_assert!(clean.starts_with(&before) && clean.contains(REDACTED_KEY), "{clean}");
        }

        #[test]
        fn any_text_is_borne(text in "\\PC{0,200}") {
            let clean = without_keys(&text);
            prop_assert!(clean == text || clean.contains(REDACTED_KEY));
        }
    }
}
