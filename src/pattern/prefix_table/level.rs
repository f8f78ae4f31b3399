//! The keys that are this long and less than twice as long. Those that begin alike for that length have one root in a hash
//! table: the only one of them itself, or else a tree of all of them, and of those that have the same hash.
#![forbid(unsafe_code)]

use std::num::NonZero;

use super::Value;
use super::slots::Slots;
use super::tree::Forest;
use crate::error::{Error, Result};

/// So many bytes are told apart by the hash table alone, and a tree has what is behind them. Of more there is a hash, and
/// the tree has all bytes.
const SHORT: usize = size_of::<u64>();

/// In tests there are few, so that long keys have the same.
const HASHES: u64 = if cfg!(test) { 3 } else { u64::MAX };

#[derive(Debug)]
pub(super) struct Level {
    length: usize,
    roots: Slots<Root>,
    trees: Forest,
}

/// As small as it is, four of them with their tags are a cache line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    /// One key has these first bytes and nothing behind them, and they are no more than the hash table tells apart.
    Only(Value),
    /// The number of a tree and one; none where there is nothing.
    Tree(Option<NonZero<u32>>),
}

const _: () = assert!(size_of::<Root>() == 8);

impl Default for Root {
    fn default() -> Self {
        Self::Tree(None)
    }
}

impl Root {
    fn tree(self) -> Option<u32> {
        match self {
            Self::Only(_) => None,
            Self::Tree(number) => Some(number?.get() - 1),
        }
    }
}

impl Level {
    pub(super) fn new(length: usize) -> Self {
        Self { length, roots: Slots::new(length > SHORT), trees: Forest::default() }
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.roots.len() == 0
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.roots.capacity() + self.trees.capacity()
    }

    /// What of a key stands in its tree.
    fn lower<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        if self.length <= SHORT { &key[self.length..] } else { key }
    }

    /// The value that the key had before. On an error all is as it was.
    pub(super) fn insert(&mut self, key: &[u8], value: Value) -> Result<Option<Value>> {
        let (lower, ends) = (self.lower(key), key.len() == self.length);
        let Some(at) = self.find(key) else {
            self.roots.reserve()?;
            let root = if ends && self.length <= SHORT { Root::Only(value) } else { self.plant(lower, value)? };
            self.roots.insert(self.tag(key), root);
            return Ok(None);
        };
        match *self.roots.at(at) {
            Root::Only(before) if ends => {
                *self.roots.at_mut(at) = Root::Only(value);
                Ok(Some(before))
            }
            Root::Only(only) => {
                let root = self.plant(b"", only)?;
                let tree = root.tree().unwrap_or_default();
                if let Err(error) = self.trees.insert(tree, lower, value) {
                    self.trees.remove(tree, b"");
                    return Err(error);
                }
                *self.roots.at_mut(at) = root;
                Ok(None)
            }
            root => match root.tree() {
                Some(tree) => self.trees.insert(tree, lower, value),
                None => Err(Error::NoMemory),
            },
        }
    }

    fn plant(&mut self, key: &[u8], value: Value) -> Result<Root> {
        let number = self.trees.plant(key, value)?;
        Ok(Root::Tree(Some(NonZero::<u32>::MIN.saturating_add(number))))
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<Value> {
        match *self.roots.at(self.find(key)?) {
            Root::Only(value) => (key.len() == self.length).then_some(value),
            root => self.trees.get(root.tree()?, self.lower(key)),
        }
    }

    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut Value> {
        let (at, lower) = (self.find(key)?, self.lower(key));
        match self.roots.at_mut(at) {
            Root::Only(value) => (key.len() == self.length).then_some(value),
            root => self.trees.get_mut(root.tree()?, lower),
        }
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Value> {
        let at = self.find(key)?;
        let value = match *self.roots.at(at) {
            Root::Only(value) => (key.len() == self.length).then_some(value)?,
            root => {
                let tree = root.tree()?;
                let value = self.trees.remove(tree, self.lower(key))?;
                if self.trees.is_there(tree) {
                    return Some(value);
                }
                value
            }
        };
        self.roots.remove(at);
        Some(value)
    }

    /// The values of all keys here that `text` starts with, the shortest first.
    pub(super) fn prefixes<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = Value> {
        let root = if text.len() < self.length { None } else { self.find(text) };
        let root = root.map(|at| *self.roots.at(at));
        let only = root.and_then(|root| if let Root::Only(value) = root { Some(value) } else { None });
        let tree = root.and_then(Root::tree);
        only.into_iter().chain(tree.into_iter().flat_map(|tree| self.trees.prefixes(tree, self.lower(text))))
    }

    /// All keys, in no order, but of each at most so many bytes.
    pub(super) fn each(&self, limit: usize, visit: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut path = Vec::new();
        for (tag, &root) in self.roots.iter() {
            let tag = tag.to_ne_bytes();
            path.clear();
            if self.length <= SHORT {
                let upper = &tag[..self.length.min(limit)];
                path.try_reserve(upper.len()).map_err(|_| Error::NoMemory)?;
                path.extend_from_slice(upper);
            }
            match root.tree() {
                Some(tree) => self.trees.each(tree, &mut path, limit, visit)?,
                None => visit(&path)?,
            }
        }
        Ok(())
    }

    /// Of a key that is long enough. Long ones that have the same hash are in the same tree.
    fn find(&self, key: &[u8]) -> Option<usize> {
        self.roots.find(self.tag(key))
    }

    fn tag(&self, key: &[u8]) -> u64 {
        let upper = &key[..self.length];
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..upper.len()) {
            Some(room) => room.copy_from_slice(upper),
            None => return self.roots.hash(upper) & HASHES,
        }
        u64::from_ne_bytes(bytes)
    }
}
