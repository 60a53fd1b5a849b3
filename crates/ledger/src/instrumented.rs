//! Whether the app's own SDK makes a GenAI span for a call, as far as that shows on the wire. Per call.

use http::HeaderMap;
use http::header::USER_AGENT;

/// What makes a GenAI span of its own, with the call's tokens on it, and sends that span's context along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Instrumented {
    /// Anthropic's SDKs do so by themselves as soon as the app has a tracer provider.
    AnthropicSdk,
}

impl Instrumented {
    /// All of them.
    pub const ALL: [Instrumented; 1] = [Instrumented::AnthropicSdk];

    /// The word used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Instrumented::AnthropicSdk => "anthropic_sdk",
        }
    }

    /// Who made the span that a request with these headers names as its parent, where that can be known. Instrumentation that is
    /// patched into an SDK leaves no mark.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Instrumented> {
        // `AsyncAnthropic/Python 2.13.0`, `Anthropic/JS 1.13.0`, `AnthropicBedrock/Python 2.13.0`
        let (product, version) = headers.get(USER_AGENT)?.to_str().ok()?.split_once(' ')?;
        let (class, language) = product.split_once('/')?;
        // The first versions that make spans.
        let since = match language {
            "Python" => (1, 14),
            "JS" => (0, 134),
            _ => return None,
        };
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
        let version = (numbers.next()??, numbers.next()??);
        (class.contains("Anthropic") && version >= since).then_some(Instrumented::AnthropicSdk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_that_make_spans_are_known_by_their_user_agent() {
        for (agent, expected) in [
            ("Anthropic/Python 2.13.0", true),
            ("AsyncAnthropicVertex/Python 1.14.0", true),
            ("Anthropic/JS 0.134.0", true),
            ("Anthropic/Python 1.13.9", false),
            ("Anthropic/JS 0.133.0", false),
            ("Anthropic/Go 1.14.0", false),
            ("OpenAI/Python 3.57.0", false),
            ("Anthropic/Python two", false),
            ("curl/8.0", false),
        ] {
            let headers = [(USER_AGENT, agent.parse().unwrap())].into_iter().collect();
            assert_eq!(Instrumented::of(&headers).is_some(), expected, "{agent}");
        }
    }
}
