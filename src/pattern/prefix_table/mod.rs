//! Values by byte string, found by all the keys that a given string starts with, in any number of keys at about the cost of
//! one.
//!
//! A look-up among many keys is mostly waiting for memory, and a tree makes it wait at each branch. So a key is cut at the
//! greatest power of two in its length: what is before it is looked up in a hash table, which mostly waits once, and only
//! what is behind it in a tree. There are as many tables as there are such powers: few where keys are of similar length, and
//! never more than the logarithm of the longest, whatever keys peers choose.
#![forbid(unsafe_code)]

mod label;
mod level;
mod slots;
mod tree;

use std::num::NonZero;

use smallvec::SmallVec;

use crate::error::{Error, Result};
use level::Level;

/// What a key stands for. With 0 left over, a key without one takes no more memory.
pub(super) type Value = NonZero<u32>;

#[derive(Debug, Default)]
pub(super) struct PrefixTable {
    /// Of the empty key, which many have alone: it needs no search.
    empty: Option<Value>,
    /// By length. Most have one.
    levels: SmallVec<[Level; 1]>,
}

impl PrefixTable {
    /// The level that a key of that length is in, or where it has to be. None: the key is empty.
    fn level(&self, length: usize) -> Option<std::result::Result<usize, usize>> {
        let length = 1 << length.checked_ilog2()?;
        Some(self.levels.binary_search_by_key(&length, Level::length))
    }

    /// The value that the key had before. On an error all is as it was.
    pub(super) fn insert(&mut self, key: &[u8], value: Value) -> Result<Option<Value>> {
        match self.level(key.len()) {
            None => Ok(self.empty.replace(value)),
            Some(Ok(at)) => self.levels[at].insert(key, value),
            Some(Err(at)) => {
                let mut level = Level::new(1 << key.len().ilog2());
                level.insert(key, value)?;
                self.levels.try_reserve(1).map_err(|_| Error::NoMemory)?;
                self.levels.insert(at, level);
                Ok(None)
            }
        }
    }

    /// All keys, in no order, but of each at most so many bytes.
    pub(super) fn each(&self, limit: usize, mut visit: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if self.empty.is_some() {
            visit(b"")?;
        }
        self.levels.iter().try_for_each(|level| level.each(limit, &mut visit))
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<Value> {
        let Some(level) = self.level(key.len()) else { return self.empty };
        self.levels[level.ok()?].get(key)
    }

    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut Value> {
        let Some(level) = self.level(key.len()) else { return self.empty.as_mut() };
        self.levels[level.ok()?].get_mut(key)
    }

    /// Takes out the value of exactly this key.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Value> {
        let Some(level) = self.level(key.len()) else { return self.empty.take() };
        let at = level.ok()?;
        let value = self.levels[at].remove(key)?;
        if self.levels[at].is_empty() {
            self.levels.remove(at);
        }
        Some(value)
    }

    /// Whether some key is what `text` starts with.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        self.prefixes(text).next().is_some()
    }

    /// The values of all keys that `text` starts with, the shortest first.
    pub(super) fn prefixes<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = Value> {
        self.empty.into_iter().chain(self.levels.iter().flat_map(|level| level.prefixes(text)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn value(number: usize) -> Value {
        Value::MIN.saturating_add(number as u32)
    }

    #[test]
    fn every_key_on_the_way_is_found_the_shortest_first() {
        let text: Vec<u8> = (0..70).collect();
        let mut table = PrefixTable::default();
        for length in (0..text.len()).rev() {
            table.insert(&text[..length], value(length)).unwrap();
        }
        assert!(table.prefixes(&text[..50]).eq((0..=50).map(value)));
        assert_eq!(table.levels.len(), 7, "1, 2, 4 and so on to 64");
    }

    #[test]
    fn of_what_was_removed_nothing_is_kept() {
        let mut table = PrefixTable::default();
        let keys: Vec<_> = (0..10_000).map(|number| format!("{number:08}")).collect();
        for (number, key) in keys.iter().enumerate() {
            table.insert(key.as_bytes(), value(number)).unwrap();
        }
        for (number, key) in keys.iter().enumerate().skip(1) {
            assert_eq!(table.remove(key.as_bytes()), Some(value(number)));
            assert_eq!(table.remove(key.as_bytes()), None);
        }
        assert!(table.levels[0].capacity() < 100);
        assert!(table.matches(b"00000000 and more"));
        assert_eq!(table.remove(b"00000000"), Some(value(0)));
        assert!(table.levels.is_empty());
    }

    proptest! {
        #[test]
        fn it_finds_what_a_list_of_keys_finds(
            steps in proptest::collection::vec((any::<bool>(), "[ab]{0,9}|[ab]{0,2}(long){4}[ab]{0,2}"), 0..80),
            texts in proptest::collection::vec("[ab]{0,11}|[ab]{0,2}(long){4}[ab]{0,3}", 1..20),
        ) {
            let mut table = PrefixTable::default();
            let mut list = BTreeMap::<String, Value>::new();
            for (number, (add, key)) in (0..).zip(steps) {
                let number = value(number);
                if add {
                    prop_assert_eq!(table.insert(key.as_bytes(), number), Ok(list.insert(key, number)));
                } else {
                    prop_assert_eq!(table.remove(key.as_bytes()), list.remove(&key));
                }
                prop_assert_eq!(table.empty.is_none() && table.levels.is_empty(), list.is_empty());
                let mut keys = Vec::new();
                let visited = table.each(9, |key| {
                    keys.push(key.to_vec());
                    Ok(())
                });
                prop_assert_eq!(visited, Ok(()));
                keys.sort();
                let cut = |key: &String| key.as_bytes()[..key.len().min(9)].to_vec();
                prop_assert_eq!(keys, list.keys().map(cut).collect::<Vec<_>>());
                for text in &texts {
                    let found: Vec<Value> = table.prefixes(text.as_bytes()).collect();
                    let expected: Vec<Value> = list.iter().filter(|(key, _)| text.starts_with(key.as_str())).map(|(_, &value)| value).collect();
                    prop_assert_eq!(table.matches(text.as_bytes()), !expected.is_empty());
                    prop_assert_eq!(found, expected);
                    prop_assert_eq!(table.get(text.as_bytes()), list.get(text.as_str()).copied());
                    prop_assert_eq!(table.get_mut(text.as_bytes()), list.get_mut(text.as_str()));
                }
            }
        }
    }
}
