//! Values by byte string, found by all the keys that a given string starts with.
//!
//! A radix tree: a node holds the bytes that all keys below it go on with. What a look-up costs depends on the length of
//! the string and not on the number of keys.
#![forbid(unsafe_code)]

use slab::Slab;
use smallvec::SmallVec;

#[derive(Debug)]
pub(super) struct PrefixTree<V> {
    nodes: Slab<Node<V>>,
    root: usize,
}

/// In one piece for most keys there are: in a large tree each piece is a wait for memory.
#[derive(Debug)]
struct Node<V> {
    /// Follows what the nodes above have. Empty at the root only.
    bytes: SmallVec<[u8; 16]>,
    value: Option<V>,
    /// Sorted by the first of their bytes, which all differ.
    children: SmallVec<[(u8, u32); 10]>,
}

impl<V> Node<V> {
    fn new(bytes: &[u8], value: Option<V>) -> Self {
        Self { bytes: bytes.into(), value, children: SmallVec::new() }
    }

    fn child(&self, first: u8) -> Result<usize, usize> {
        self.children.binary_search_by_key(&first, |&(byte, _)| byte)
    }
}

impl<V> Default for PrefixTree<V> {
    fn default() -> Self {
        let mut nodes = Slab::new();
        let root = nodes.insert(Node::new(b"", None));
        Self { nodes, root }
    }
}

fn common(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

impl<V> PrefixTree<V> {
    /// The value of exactly this key, made if there is none.
    pub(super) fn entry(&mut self, key: &[u8]) -> &mut V
    where
        V: Default,
    {
        let mut at = self.root;
        let mut rest = key;
        while let Some(&first) = rest.first() {
            match self.nodes[at].child(first) {
                Err(place) => {
                    let leaf = self.nodes.insert(Node::new(rest, None));
                    self.nodes[at].children.insert(place, (first, leaf as u32));
                    at = leaf;
                    rest = b"";
                }
                Ok(place) => {
                    let below = self.nodes[at].children[place].1 as usize;
                    let shared = common(&self.nodes[below].bytes, rest);
                    if shared < self.nodes[below].bytes.len() {
                        self.split(below, shared);
                    }
                    rest = &rest[shared..];
                    at = below;
                }
            }
        }
        self.nodes[at].value.get_or_insert_default()
    }

    /// Cuts a node's bytes in two. The upper half stays where it is.
    fn split(&mut self, at: usize, length: usize) {
        let node = &mut self.nodes[at];
        let upper = node.bytes[..length].into();
        let lower: SmallVec<_> = node.bytes[length..].into();
        let first = lower[0];
        let below = Node { bytes: lower, value: node.value.take(), children: std::mem::take(&mut node.children) };
        node.bytes = upper;
        let below = self.nodes.insert(below);
        self.nodes[at].children.push((first, below as u32));
    }

    /// The nodes that lead to exactly this key, with the root.
    fn path(&self, key: &[u8]) -> Option<Vec<usize>> {
        let mut path = vec![self.root];
        let mut at = self.root;
        let mut rest = key;
        while let Some(&first) = rest.first() {
            let place = self.nodes[at].child(first).ok()?;
            at = self.nodes[at].children[place].1 as usize;
            rest = rest.strip_prefix(&*self.nodes[at].bytes)?;
            path.push(at);
        }
        Some(path)
    }

    /// The node in which this key ends, and how many of the node's bytes are behind it.
    fn find(&self, key: &[u8]) -> Option<(usize, usize)> {
        let mut at = self.root;
        let mut rest = key;
        while let Some(&first) = rest.first() {
            let place = self.nodes[at].child(first).ok()?;
            at = self.nodes[at].children[place].1 as usize;
            let bytes = &*self.nodes[at].bytes;
            match rest.strip_prefix(bytes) {
                Some(behind) => rest = behind,
                None => return bytes.starts_with(rest).then(|| (at, bytes.len() - rest.len())),
            }
        }
        Some((at, 0))
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&V> {
        match self.find(key)? {
            (at, 0) => self.nodes[at].value.as_ref(),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        match self.find(key)? {
            (at, 0) => self.nodes[at].value.as_mut(),
            _ => None,
        }
    }

    /// The values of all keys, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.nodes.iter().filter_map(|(_, node)| node.value.as_ref())
    }

    /// The values of all keys that start with `prefix`, in no order.
    pub(super) fn below(&self, prefix: &[u8]) -> impl Iterator<Item = &V> {
        let mut open: Vec<usize> = self.find(prefix).map(|(at, _)| at).into_iter().collect();
        std::iter::from_fn(move || {
            while let Some(at) = open.pop() {
                let node = &self.nodes[at];
                open.extend(node.children.iter().map(|&(_, below)| below as usize));
                if node.value.is_some() {
                    return node.value.as_ref();
                }
            }
            None
        })
    }

    /// Takes out the value of exactly this key.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<V> {
        let path = self.path(key)?;
        let value = self.nodes[*path.last()?].value.take()?;
        // The last node may hold nothing any more, and the one above it nothing but one child.
        for &at in path.iter().skip(1).rev().take(2) {
            self.tidy(at, &path);
        }
        Some(value)
    }

    /// Removes a node without value and children; joins one without value to its only child.
    fn tidy(&mut self, at: usize, path: &[usize]) {
        let node = &self.nodes[at];
        if node.value.is_some() {
            return;
        }
        match node.children[..] {
            [] => {
                let first = node.bytes[0];
                let above = path.iter().position(|&other| other == at).map(|place| path[place - 1]);
                if let Some(above) = above {
                    self.nodes[above].children.retain(|&mut (byte, _)| byte != first);
                }
                self.nodes.remove(at);
            }
            [(_, below)] => {
                let below = self.nodes.remove(below as usize);
                let node = &mut self.nodes[at];
                node.bytes.extend_from_slice(&below.bytes);
                node.value = below.value;
                node.children = below.children;
            }
            _ => {}
        }
    }

    /// Whether some key is what `text` starts with.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        self.prefixes(text).next().is_some()
    }

    /// The values of all keys that `text` starts with, the shortest first.
    pub(super) fn prefixes<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = &'a V> {
        let mut next = Some((self.root, text));
        std::iter::from_fn(move || {
            while let Some((at, rest)) = next {
                let node = &self.nodes[at];
                next = rest.first().and_then(|&first| {
                    let below = node.children[node.child(first).ok()?].1 as usize;
                    Some((below, rest.strip_prefix(&*self.nodes[below].bytes)?))
                });
                if node.value.is_some() {
                    return node.value.as_ref();
                }
            }
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn tree(keys: &[&[u8]]) -> PrefixTree<usize> {
        let mut tree = PrefixTree::default();
        for key in keys {
            *tree.entry(key) += 1;
        }
        tree
    }

    #[test]
    fn a_key_matches_what_starts_with_it() {
        let tree = tree(&[b"abc", b"abd"]);
        assert!(tree.matches(b"abc") && tree.matches(b"abdx"));
        assert!(!tree.matches(b"ab") && !tree.matches(b"abe") && !tree.matches(b"") && !tree.matches(b"xabc"));
    }

    #[test]
    fn the_empty_key_matches_everything() {
        let tree = tree(&[b""]);
        assert!(tree.matches(b"") && tree.matches(b"anything"));
        assert!(!PrefixTree::<()>::default().matches(b""));
    }

    #[test]
    fn keys_are_bytes_of_any_value() {
        let tree = tree(&[b"a\0b", b"\xff"]);
        assert!(tree.matches(b"a\0b\0") && tree.matches(b"\xff") && !tree.matches(b"a\0c"));
    }

    #[test]
    fn only_an_exact_key_can_be_removed() {
        let mut tree = tree(&[b"abc", b"abd"]);
        for stranger in [&b""[..], b"a", b"ab", b"abcd", b"x"] {
            assert_eq!(tree.remove(stranger), None);
        }
        assert_eq!(tree.remove(b"abc"), Some(1));
        assert!(!tree.matches(b"abc") && tree.matches(b"abd"));
        assert_eq!(tree.nodes.len(), 2, "what is left is one branch");
        assert_eq!(tree.remove(b"abd"), Some(1));
        assert_eq!(tree.nodes.len(), 1);
    }

    #[test]
    fn every_key_on_the_way_is_found() {
        let mut tree = PrefixTree::default();
        for key in ["", "a", "abc", "abcdef", "b"] {
            *tree.entry(key.as_bytes()) = key;
        }
        assert_eq!(tree.prefixes(b"abcde").copied().collect::<Vec<_>>(), ["", "a", "abc"]);
    }

    proptest! {
        #[test]
        fn it_finds_what_a_list_of_keys_finds(steps in proptest::collection::vec((any::<bool>(), "[ab]{0,5}"), 0..80), texts in proptest::collection::vec("[ab]{0,7}", 1..20)) {
            let mut tree = PrefixTree::<u32>::default();
            let mut list = BTreeMap::<String, u32>::new();
            for (add, key) in steps {
                if add {
                    *tree.entry(key.as_bytes()) += 1;
                    *list.entry(key).or_default() += 1;
                } else {
                    prop_assert_eq!(tree.remove(key.as_bytes()), list.remove(&key));
                }
                prop_assert!(tree.nodes.len() <= 2 * list.len() + 1);
                for text in &texts {
                    let found: Vec<u32> = tree.prefixes(text.as_bytes()).copied().collect();
                    let expected: Vec<u32> = list.iter().filter(|(key, _)| text.starts_with(key.as_str())).map(|(_, &value)| value).collect();
                    prop_assert_eq!(found, expected);
                    prop_assert_eq!(tree.get_mut(text.as_bytes()).copied(), list.get(text.as_str()).copied());
                    prop_assert_eq!(tree.get(text.as_bytes()), list.get(text.as_str()));
                    let mut below: Vec<u32> = tree.below(text.as_bytes()).copied().collect();
                    let mut expected: Vec<u32> = list.iter().filter(|(key, _)| key.starts_with(text.as_str())).map(|(_, &value)| value).collect();
                    below.sort_unstable();
                    expected.sort_unstable();
                    prop_assert_eq!(below, expected);
                }
            }
        }
    }
}
