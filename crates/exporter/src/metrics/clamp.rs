//! Keeps labels few: words that an app or a provider chooses may become at most so many label values.

use std::collections::HashSet;
use std::sync::Arc;

/// What stands for every word past the limit.
pub(super) const OTHER: &str = "_other";
/// Longer words are no names.
const LONGEST: usize = 128;

/// A set of words that stops growing.
#[derive(Debug)]
pub(super) struct Clamp {
    known: HashSet<Arc<str>>,
    limit: usize,
    other: Arc<str>,
}

impl Clamp {
    pub(super) fn new(limit: usize) -> Clamp {
        Clamp { known: HashSet::new(), limit, other: OTHER.into() }
    }

    /// The word itself while there is room for it, else [`OTHER`]. Known words cost no allocation.
    pub(super) fn word(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.known.get(word) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.limit || word.len() > LONGEST {
            return Arc::clone(&self.other);
        }
        let word: Arc<str> = word.into();
        self.known.insert(Arc::clone(&word));
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_past_the_limit_share_one_label() {
        let mut clamp = Clamp::new(2);
        assert_eq!(&*clamp.word("a"), "a");
        assert_eq!(&*clamp.word(&"x".repeat(LONGEST + 1)), OTHER);
        assert_eq!(&*clamp.word("b"), "b");
        assert_eq!(&*clamp.word("c"), OTHER);
        assert_eq!(&*clamp.word("a"), "a");
    }
}
