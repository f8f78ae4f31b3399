//! The keys that are this long and less than twice as long. Those that begin alike for that length have one root in a hash
//! table: the only one of them itself, or else a tree of what is behind.
#![forbid(unsafe_code)]

use std::num::NonZero;

use super::short_bytes::long;
use super::slots::Slots;
use super::tree::PrefixTree;
use crate::error::{Error, Result};
use crate::pattern::pool::Pool;

/// So many bytes are told apart by the hash table alone. Of more it has a hash, and the tree has the bytes.
const SHORT: usize = size_of::<u64>();

/// In tests there are few, so that long keys have the same.
const HASHES: u64 = if cfg!(test) { 3 } else { u64::MAX };

#[derive(Debug)]
pub(super) struct Level<V> {
    length: usize,
    roots: Slots<Root<V>>,
    trees: Pool<Tree<V>>,
}

/// As small as it is, four of them with their tags are a cache line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root<V> {
    /// One key has these first bytes and nothing behind them, and they are no more than the hash table tells apart.
    Only(V),
    /// The number of a tree and one; none where there is nothing.
    Tree(Option<NonZero<u32>>),
}

const _: () = assert!(size_of::<Root<(NonZero<u32>, u32)>>() == 8);

#[derive(Debug)]
struct Tree<V> {
    /// What is above, if that is long.
    upper: Box<[u8]>,
    lower: PrefixTree<V>,
}

impl<V> Default for Root<V> {
    fn default() -> Self {
        Self::Tree(None)
    }
}

impl<V> Root<V> {
    fn tree(&self) -> Option<u32> {
        match self {
            Self::Only(_) => None,
            Self::Tree(number) => Some(number.as_ref()?.get() - 1),
        }
    }
}

impl<V: Copy + PartialEq> Level<V> {
    pub(super) fn new(length: usize) -> Self {
        Self { length, roots: Slots::default(), trees: Pool::default() }
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

    /// The value that the key had before. On an error all is as it was.
    pub(super) fn insert(&mut self, key: &[u8], value: V) -> Result<Option<V>> {
        let (upper, lower) = key.split_at(self.length);
        let at = self.find(upper);
        let root = at.map(|at| *self.roots.at(at));
        if let Some(tree) = root.as_ref().and_then(Root::tree) {
            return self.trees[tree].lower.insert(lower, value);
        }
        if at.is_none() {
            self.roots.reserve()?;
        }
        let (root, before) = match root {
            Some(Root::Only(before)) if lower.is_empty() => (Root::Only(value), Some(before)),
            None if lower.is_empty() && self.length <= SHORT => (Root::Only(value), None),
            root => (self.plant(upper, root, lower, value)?, None),
        };
        match at {
            Some(at) => *self.roots.at_mut(at) = root,
            None => self.roots.insert(self.tag(upper), root),
        }
        Ok(before)
    }

    /// A tree with this value, and with the only one that there was.
    fn plant(&mut self, upper: &[u8], only: Option<Root<V>>, lower: &[u8], value: V) -> Result<Root<V>> {
        let mut tree = PrefixTree::default();
        if let Some(Root::Only(value)) = only {
            tree.insert(b"", value)?;
        }
        tree.insert(lower, value)?;
        let upper = if self.length <= SHORT { Box::default() } else { long(upper, b"")? };
        self.trees.reserve()?;
        let number = self.trees.insert(Tree { upper, lower: tree });
        Ok(Root::Tree(Some(NonZero::<u32>::MIN.saturating_add(number))))
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<V> {
        let (upper, lower) = key.split_at(self.length);
        match self.roots.at(self.find(upper)?) {
            Root::Only(value) => lower.is_empty().then_some(*value),
            root => self.trees[root.tree()?].lower.get(lower).copied(),
        }
    }

    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let (upper, lower) = key.split_at(self.length);
        let at = self.find(upper)?;
        match self.roots.at_mut(at) {
            Root::Only(value) => lower.is_empty().then_some(value),
            root => {
                let tree = root.tree()?;
                self.trees[tree].lower.get_mut(lower)
            }
        }
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<V> {
        let (upper, lower) = key.split_at(self.length);
        let at = self.find(upper)?;
        let value = match *self.roots.at(at) {
            Root::Only(value) => lower.is_empty().then_some(value)?,
            root => {
                let number = root.tree()?;
                let tree = &mut self.trees[number].lower;
                let value = tree.remove(lower)?;
                if !tree.is_empty() {
                    return Some(value);
                }
                self.trees.remove(number);
                value
            }
        };
        self.roots.remove(at);
        Some(value)
    }

    /// The values of all keys here that `text` starts with, the shortest first.
    pub(super) fn prefixes<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = V> {
        let found = text.split_at_checked(self.length);
        let found = found.and_then(|(upper, lower)| Some((self.roots.at(self.find(upper)?), lower)));
        let only = found.and_then(|(root, _)| if let Root::Only(value) = root { Some(*value) } else { None });
        let tree = found.and_then(|(root, lower)| Some((root.tree()?, lower)));
        let lower = tree.into_iter().flat_map(|(tree, lower)| self.trees[tree].lower.prefixes(lower));
        only.into_iter().chain(lower.copied())
    }

    /// All keys, in no order, but of each at most so many bytes.
    pub(super) fn each(&self, limit: usize, visit: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut path = Vec::new();
        for (tag, root) in self.roots.iter() {
            let tag = tag.to_ne_bytes();
            let tree = root.tree().map(|tree| &self.trees[tree]);
            let upper = tag.get(..self.length).or(tree.map(|tree| &*tree.upper)).unwrap_or_default();
            let upper = &upper[..upper.len().min(limit)];
            path.clear();
            path.try_reserve(upper.len()).map_err(|_| Error::NoMemory)?;
            path.extend_from_slice(upper);
            match tree {
                Some(tree) => tree.lower.each(&mut path, limit, visit)?,
                None => visit(&path)?,
            }
        }
        Ok(())
    }

    fn find(&self, upper: &[u8]) -> Option<usize> {
        let has_those_bytes = |root: &Root<V>| root.tree().is_some_and(|tree| *self.trees[tree].upper == *upper);
        self.roots.find(self.tag(upper), |root| self.length <= SHORT || has_those_bytes(root))
    }

    fn tag(&self, upper: &[u8]) -> u64 {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..upper.len()) {
            Some(room) => room.copy_from_slice(upper),
            None => return self.roots.hash(upper) & HASHES,
        }
        u64::from_ne_bytes(bytes)
    }
}
