//! Cheap looks at an event's JSON text, so that only the few events that matter are parsed. Per frame: no allocation.
//!
//! Inside a JSON string a quote is escaped, so `"usage"` with plain quotes can only be a key or a whole string value.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// A member name to look for.
pub(crate) struct Mark(LazyLock<Finder<'static>>);

impl Mark {
    pub(crate) const fn new(finder: fn() -> Finder<'static>) -> Mark {
        Mark(LazyLock::new(finder))
    }

    /// Whether the name stands in `text` at all.
    pub(crate) fn stands_in(&self, text: &[u8]) -> bool {
        self.0.find(text).is_some()
    }

    /// Whether the name stands in `text` with a value that is not `null`.
    pub(crate) fn has_value(&self, text: &[u8]) -> bool {
        self.values(text).any(|value| value.first() != Some(&b'n'))
    }

    /// The same, or whether it stands there as a whole value.
    pub(crate) fn stands(&self, text: &[u8]) -> bool {
        let length = self.0.needle().len();
        self.0.find_iter(text).any(|at| {
            let after = text[at + length..].trim_ascii_start();
            after
                .strip_prefix(b":")
                .is_none_or(|value| value.trim_ascii_start().first().is_some_and(|first| *first != b'n'))
        })
    }

    /// What follows the name and its colon, wherever in `text` it stands; at least a byte.
    pub(crate) fn values<'a>(&self, text: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let length = self.0.needle().len();
        self.0.find_iter(text).filter_map(move |at| {
            let after = text[at + length..].trim_ascii_start();
            Some(after.strip_prefix(b":")?.trim_ascii_start()).filter(|value| !value.is_empty())
        })
    }
}

/// Whether an event's data can be a JSON object at all: two looks at most events instead of a parse.
pub(crate) fn is_object(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    data.first() == Some(&b'{') && data.last() == Some(&b'}')
}

pub(crate) static USAGE: Mark = Mark::new(|| Finder::new("\"usage\""));
pub(crate) static FINISH_REASON: Mark = Mark::new(|| Finder::new("\"finish_reason\""));
pub(crate) static ERROR: Mark = Mark::new(|| Finder::new("\"error\""));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_and_null_or_quoted_text_does_not() {
        assert!(USAGE.has_value(br#"{"usage" : {"a":1}}"#));
        assert!(USAGE.has_value(br#"{"a":{"usage":null},"usage":{}}"#));
        assert!(!USAGE.has_value(br#"{"usage":null}"#));
        assert!(!USAGE.has_value(br#"{"content":"\"usage\": {}"}"#));
        assert!(ERROR.stands(br#"{"object":"error","message":"x"}"#) && ERROR.stands(br#"{"error":{}}"#));
        assert!(!ERROR.stands(br#"{"error":null}"#) && !ERROR.stands(br#"{"content":"\"error\""}"#));
        assert!(FINISH_REASON.has_value(br#"{"finish_reason":"stop"}"#));
    }
}
