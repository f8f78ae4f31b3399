//! The keys that are this long and less than twice as long. Those that begin alike for that length have one root in a hash
//! table: the only one of them itself, or else a tree of what is behind.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};
use std::num::NonZero;

use slab::Slab;

use super::slots::Slots;
use super::tree::PrefixTree;

/// So many bytes are told apart by the hash table alone. Of more it has a hash, and the tree has the bytes.
const SHORT: usize = size_of::<u64>();

/// In tests there are few, so that long keys have the same.
const HASHES: u64 = if cfg!(test) { 3 } else { u64::MAX };

#[derive(Debug)]
pub(super) struct Level<V> {
    length: usize,
    roots: Slots<Root<V>>,
    trees: Slab<Tree<V>>,
    hasher: RandomState,
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
    fn tree(&self) -> Option<usize> {
        match self {
            Self::Only(_) => None,
            Self::Tree(number) => Some(number.as_ref()?.get() as usize - 1),
        }
    }
}

impl<V: Copy + PartialEq> Level<V> {
    pub(super) fn new(length: usize) -> Self {
        Self { length, roots: Slots::default(), trees: Slab::new(), hasher: RandomState::new() }
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

    pub(super) fn insert(&mut self, key: &[u8], value: V) -> Option<V> {
        let (upper, lower) = key.split_at(self.length);
        let at = self.find(upper);
        let root = at.map(|at| self.roots.at_mut(at));
        if lower.is_empty() && self.length <= SHORT {
            match root {
                Some(Root::Only(before)) => return Some(std::mem::replace(before, value)),
                Some(Root::Tree(_)) => {}
                None => {
                    self.roots.insert(self.tag(upper), Root::Only(value));
                    return None;
                }
            }
        }
        let tree = self.tree_at(at, upper);
        self.trees[tree].lower.insert(lower, value)
    }

    /// The tree at a root, which is made if there is none. The number of it.
    fn tree_at(&mut self, at: Option<usize>, upper: &[u8]) -> usize {
        let root = at.map(|at| *self.roots.at(at));
        if let Some(tree) = root.as_ref().and_then(Root::tree) {
            return tree;
        }
        let mut lower = PrefixTree::default();
        if let Some(Root::Only(value)) = root {
            lower.insert(b"", value);
        }
        let number =
            self.trees.insert(Tree { upper: if self.length <= SHORT { Box::default() } else { upper.into() }, lower });
        let root = Root::Tree(Some(NonZero::<u32>::MIN.saturating_add(number as u32)));
        match at {
            Some(at) => *self.roots.at_mut(at) = root,
            None => self.roots.insert(self.tag(upper), root),
        }
        number
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<V> {
        let (upper, lower) = key.split_at(self.length);
        match self.roots.at(self.find(upper)?) {
            Root::Only(value) => lower.is_empty().then_some(*value),
            root => self.trees[root.tree()?].lower.get(lower).copied(),
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
                if self.trees.is_empty() {
                    self.trees = Slab::new();
                }
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

    fn find(&self, upper: &[u8]) -> Option<usize> {
        let has_those_bytes = |root: &Root<V>| root.tree().is_some_and(|tree| *self.trees[tree].upper == *upper);
        self.roots.find(self.tag(upper), |root| self.length <= SHORT || has_those_bytes(root))
    }

    fn tag(&self, upper: &[u8]) -> u64 {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..upper.len()) {
            Some(room) => room.copy_from_slice(upper),
            None => return self.hasher.hash_one(upper) & HASHES,
        }
        u64::from_ne_bytes(bytes)
    }
}
