//! Patterns with `*` for any run of characters. Per call: no allocation.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    written: Box<str>,
    /// What stands between the stars; one part: no star at all.
    parts: Box<[Box<str>]>,
}

impl Glob {
    pub(crate) fn new(written: &str) -> Glob {
        Glob { written: written.into(), parts: written.split('*').map(Into::into).collect() }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.written
    }

    /// The text, where the pattern is one.
    pub(crate) fn exact(&self) -> Option<&str> {
        (self.parts.len() == 1).then_some(&*self.written)
    }

    pub(crate) fn holds(&self, text: &str) -> bool {
        let [first, between @ .., last] = &*self.parts else {
            return self.parts.first().is_some_and(|only| **only == *text);
        };
        // An empty part is not compared: reading nothing at no address costs some processors ten times the rest.
        let begins = if first.is_empty() { Some(text) } else { text.strip_prefix(&**first) };
        let Some(mut rest) = begins else { return false };
        for part in between {
            let Some(at) = rest.find(&**part) else { return false };
            rest = &rest[at + part.len()..];
        }
        last.is_empty() || rest.ends_with(&**last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By trying every split.
    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=text.len()).any(|at| slow(rest, &text[at..])),
            (Some((byte, rest)), Some((first, text))) => byte == first && slow(rest, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_trying_every_split(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(Glob::new(&pattern).holds(&text), slow(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
