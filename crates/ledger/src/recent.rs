//! What was seen of late, bounded in number and age. Once per call.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::Timestamp;

/// A table that forgets the oldest. Memory grows with use, up to the bound that [`forget`](Recent::forget) is given.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    known: HashMap<K, (V, Timestamp)>,
    /// In the order of their coming; a key that came again stands here twice.
    order: VecDeque<(K, Timestamp)>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Recent<K, V> {
        Recent { known: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.known.get(key).map(|(value, _)| value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V, at: Timestamp) {
        self.known.insert(key, (value, at));
        self.order.push_back((key, at));
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.known.remove(key).map(|(value, _)| value)
    }

    /// Forgets what came before all but the last `most`, and what is older than `age` nanoseconds.
    pub(crate) fn forget(&mut self, now: Timestamp, most: usize, age: u64) {
        while let Some(&(key, at)) = self.order.front() {
            if self.order.len() <= most && now.since(at) <= age {
                break;
            }
            self.order.pop_front();
            // It may have come again since.
            if self.known.get(&key).is_some_and(|(_, last)| *last == at) {
                self.known.remove(&key);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.known.len().max(self.order.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_or_too_much_is_forgotten_and_what_came_again_is_not() {
        let mut recent = Recent::default();
        for second in 0..10u64 {
            recent.insert(second % 4, second, Timestamp(second));
            recent.forget(Timestamp(second), 6, 100);
            assert!(recent.len() <= 6);
        }
        assert_eq!((0..4).map(|key| recent.get(&key).copied()).collect::<Vec<_>>(), [8, 9, 6, 7].map(Some));
        recent.forget(Timestamp(107), 6, 100);
        assert_eq!(
            (0..4).map(|key| recent.get(&key).copied()).collect::<Vec<_>>(),
            [Some(8), Some(9), None, Some(7)]
        );
        assert_eq!(recent.remove(&0), Some(8));
        recent.forget(Timestamp(1000), 6, 100);
        assert_eq!(recent.len(), 0);
    }
}
