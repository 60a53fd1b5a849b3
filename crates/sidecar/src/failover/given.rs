//! Answers that a backup gave: a call that goes on with one by its id is led to whoever keeps it, or told that nobody does. Per
//! answer of a backup in a format whose answers are kept, and per call that names one; one thread, no lock.

use std::cell::RefCell;
use std::sync::Arc;

use lru::LruCache;
use outrigger_rules::Target;

/// Ids that are remembered; past them the one that nobody has named for longest is forgotten, and a call that names it goes where
/// the app addresses it.
const IDS: usize = 2048;
/// Bytes of an id; a longer one is not remembered.
const LONGEST: usize = 128;

/// Who gave an answer.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) by: Arc<Target>,
    /// Whether it is known there by the id that the app has: not where it was said anew, under an id of ours.
    pub(crate) is_kept: bool,
}

/// What backups gave, by the ids that the app has.
pub(crate) struct Gifts(RefCell<LruCache<Box<str>, Given>>);

impl Default for Gifts {
    fn default() -> Gifts {
        // Most sidecars never need its room.
        Gifts(RefCell::new(LruCache::unbounded()))
    }
}

impl Gifts {
    pub(crate) fn note(&self, id: &str, given: Given) {
        if id.is_empty() || id.len() > LONGEST {
            return;
        }
        let mut by_id = self.0.borrow_mut();
        by_id.put(id.into(), given);
        if by_id.len() > IDS {
            by_id.pop_lru();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Who gave this answer, if it was a backup and that is remembered.
    pub(crate) fn of(&self, id: &str) -> Option<Given> {
        self.0.borrow_mut().get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn the_ids_that_were_named_of_late_are_remembered_and_no_more_than_have_room() {
        let policy = testing::policy(
            "version: 1\nbackups:\n  b: { provider: openai, credential: { file: b } }\n\
             rules:\n  - { name: r, match: {}, failover: { to: [b] } }\n",
        );
        let gifts = Gifts::default();
        assert!(gifts.is_empty());
        let given = |is_kept| Given { by: Arc::clone(&policy.targets[0]), is_kept };
        for at in 0..=IDS {
            gifts.note(&format!("resp_{at}"), given(true));
            gifts.note(&format!("resp_{at}"), given(false));
        }
        gifts.note(&"r".repeat(LONGEST + 1), given(true));
        gifts.note("", given(true));
        let kept = |id: &str| gifts.of(id).map(|given| given.is_kept);
        assert_eq!(
            (kept("resp_0"), kept("resp_1"), kept(&format!("resp_{IDS}"))),
            (None, Some(false), Some(false))
        );
        assert!(!gifts.is_empty());
        gifts.note("resp_new", given(true));
        assert_eq!((kept("resp_1"), kept("resp_2")), (Some(false), None), "what was named of late stays");
        assert_eq!(gifts.0.borrow().len(), IDS);
    }
}
