//! Values by byte string, found by all the keys that a given string starts with.
//!
//! A radix tree. What a look-up costs depends on the length of the string and not on the number of keys. Keys come from
//! peers, so nothing here recurses.
#![forbid(unsafe_code)]

use super::short_bytes::ShortBytes;
use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct PrefixTree<V> {
    root: Node<V>,
}

/// What there is at the end of a string.
#[derive(Debug)]
struct Node<V> {
    value: Option<V>,
    branch: Option<Box<Branch<V>>>,
}

/// The ways to go on.
#[derive(Debug)]
struct Branch<V> {
    /// A bit for each byte that one of them begins with.
    firsts: [u64; 4],
    /// How many there are before each of those words.
    before: [u8; 4],
    /// In the order of their first bytes, which all differ.
    edges: Vec<Edge<V>>,
}

#[derive(Debug)]
struct Edge<V> {
    /// All keys below have them. At least one.
    bytes: ShortBytes,
    node: Node<V>,
}

impl<V> Default for PrefixTree<V> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<V> Default for Node<V> {
    fn default() -> Self {
        Self { value: None, branch: None }
    }
}

impl<V> Default for Branch<V> {
    fn default() -> Self {
        Self { firsts: [0; 4], before: [0; 4], edges: Vec::new() }
    }
}

/// One node after another, as a long chain of them would be dropped in as many calls.
impl<V> Drop for PrefixTree<V> {
    fn drop(&mut self) {
        let mut open: Vec<Box<Branch<V>>> = self.root.branch.take().into_iter().collect();
        while let Some(branch) = open.pop() {
            open.extend(branch.edges.into_iter().filter_map(|edge| edge.node.branch));
        }
    }
}

fn common(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

impl<V> PrefixTree<V> {
    pub(super) fn is_empty(&self) -> bool {
        self.root.value.is_none() && self.root.branch.is_none()
    }

    /// The value that the key had before. On an error the tree is as it was.
    pub(super) fn insert(&mut self, key: &[u8], value: V) -> Result<Option<V>> {
        let mut node = &mut self.root;
        let mut rest = key;
        while let Some(&first) = rest.first() {
            match node.branch.as_ref().and_then(|branch| branch.find(first)) {
                None => {
                    let bytes = rest.try_into()?;
                    let branch = match &mut node.branch {
                        Some(branch) => {
                            branch.reserve()?;
                            branch
                        }
                        none => none.insert(Box::default()),
                    };
                    branch.insert(Edge { bytes, node: Node { value: Some(value), branch: None } });
                    return Ok(None);
                }
                Some(place) => {
                    let Some(branch) = &mut node.branch else { unreachable!() };
                    let edge = &mut branch.edges[place];
                    let shared = common(&edge.bytes, rest);
                    if shared < edge.bytes.len() {
                        return edge.fork(shared, &rest[shared..], value).map(|()| None);
                    }
                    node = &mut edge.node;
                    rest = &rest[shared..];
                }
            }
        }
        Ok(node.value.replace(value))
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&V> {
        let (mut node, mut rest) = (&self.root, key);
        while !rest.is_empty() {
            (node, rest) = node.below(rest)?;
        }
        node.value.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let (mut node, mut rest) = (&mut self.root, key);
        while !rest.is_empty() {
            (node, rest) = node.below_mut(rest)?;
        }
        node.value.as_mut()
    }

    /// Takes out the value of exactly this key.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<V> {
        self.get(key)?;
        let edges = self.path(key).count() - 1;
        let (node, _) = self.descend(key, edges)?;
        let value = node.value.take();
        for above in (0..edges).rev() {
            let (node, rest) = self.descend(key, above)?;
            let edge = node.edge_mut(rest)?;
            if edge.node.value.is_some() || edge.node.branch.is_some() {
                edge.join();
                break;
            }
            // Nothing is there any more, and from the node above there is perhaps one way left, or, where there was no
            // memory to join what was before and behind it, none.
            node.cut(*rest.first()?);
        }
        value
    }

    /// All keys in their order, but of each at most so many bytes, `path` in front. It is as before afterwards.
    pub(super) fn each<'t>(
        &'t self,
        path: &mut Vec<u8>,
        limit: usize,
        visit: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let start = path.len();
        if self.root.value.is_some() {
            visit(path)?;
        }
        let branch = |node: &'t Node<V>| node.branch.as_ref().map(|branch| branch.edges.iter());
        let mut open: Vec<_> = branch(&self.root).map(|edges| (start, edges)).into_iter().collect();
        while let Some((length, edges)) = open.last_mut() {
            path.truncate(*length);
            let Some(edge) = edges.next() else {
                open.pop();
                continue;
            };
            let room = limit.saturating_sub(path.len()).min(edge.bytes.len());
            path.try_reserve(room).map_err(|_| Error::NoMemory)?;
            path.extend_from_slice(&edge.bytes[..room]);
            if edge.node.value.is_some() {
                visit(path)?;
            }
            open.try_reserve(1).map_err(|_| Error::NoMemory)?;
            open.extend(branch(&edge.node).map(|edges| (path.len(), edges)));
        }
        path.truncate(start);
        Ok(())
    }

    /// So many edges down on the way of `key`.
    fn descend<'k>(&mut self, key: &'k [u8], edges: usize) -> Option<(&mut Node<V>, &'k [u8])> {
        (0..edges).try_fold((&mut self.root, key), |(node, rest), _| node.below_mut(rest))
    }

    /// The values of all keys that `text` starts with, the shortest first.
    pub(super) fn prefixes<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = &'a V> {
        self.path(text).filter_map(|node| node.value.as_ref())
    }

    /// The nodes at whose ends `text` comes by, from the root on.
    fn path<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = &'a Node<V>> {
        let mut next = Some((&self.root, text));
        std::iter::from_fn(move || {
            let (node, rest) = next?;
            next = node.below(rest);
            Some(node)
        })
    }
}

impl<V> Node<V> {
    /// The next node on the way of `text`, and what of it is behind that.
    fn below<'t>(&self, text: &'t [u8]) -> Option<(&Self, &'t [u8])> {
        let branch = self.branch.as_ref()?;
        let edge = &branch.edges[branch.find(*text.first()?)?];
        Some((&edge.node, text.strip_prefix(&*edge.bytes)?))
    }

    fn below_mut<'t>(&mut self, text: &'t [u8]) -> Option<(&mut Self, &'t [u8])> {
        let edge = self.edge_mut(text)?;
        Some((&mut edge.node, text.strip_prefix(&*edge.bytes)?))
    }

    fn edge_mut(&mut self, text: &[u8]) -> Option<&mut Edge<V>> {
        let branch = self.branch.as_mut()?;
        let place = branch.find(*text.first()?)?;
        branch.edges.get_mut(place)
    }

    /// Removes the edge that begins with this byte.
    fn cut(&mut self, first: u8) {
        if let Some(branch) = &mut self.branch {
            branch.remove(first);
        }
        self.branch.take_if(|branch| branch.edges.is_empty());
    }
}

impl<V> Edge<V> {
    /// Puts a node in between, and behind that the value with the rest of its key.
    fn fork(&mut self, length: usize, rest: &[u8], value: V) -> Result<()> {
        let (upper, lower) = self.bytes.split_at(length);
        let (upper, lower, rest) = (upper.try_into()?, lower.try_into()?, ShortBytes::try_from(rest)?);
        self.bytes = upper;
        let mut branch = Box::<Branch<V>>::default();
        branch.insert(Self { bytes: lower, node: std::mem::take(&mut self.node) });
        if rest.is_empty() {
            self.node.value = Some(value);
        } else {
            branch.insert(Self { bytes: rest, node: Node { value: Some(value), branch: None } });
        }
        self.node.branch = Some(branch);
        Ok(())
    }

    /// The opposite, where nothing ends at the node and there is one way to go on. Without memory it stays as it is, which
    /// is no error.
    fn join(&mut self) {
        if self.node.value.is_none()
            && let Some(branch) = &mut self.node.branch
            && let [below] = &mut branch.edges[..]
            && let Ok(bytes) = ShortBytes::joined(&self.bytes, &below.bytes)
        {
            self.bytes = bytes;
            self.node = std::mem::take(&mut below.node);
        }
    }
}

impl<V> Branch<V> {
    fn find(&self, first: u8) -> Option<usize> {
        let word = self.firsts[usize::from(first >> 6)];
        (word >> (first & 63) & 1 == 1).then(|| self.place(first))
    }

    /// Where an edge that begins with this byte has to be.
    fn place(&self, first: u8) -> usize {
        let at = usize::from(first >> 6);
        let lower = self.firsts[at] & ((1 << (first & 63)) - 1);
        usize::from(self.before[at]) + lower.count_ones() as usize
    }

    /// Afterwards [`Branch::insert`] needs no memory. Room for more than there are would double the memory of the tree.
    fn reserve(&mut self) -> Result<()> {
        self.edges.try_reserve_exact(1).map_err(|_| Error::NoMemory)
    }

    fn insert(&mut self, edge: Edge<V>) {
        let first = edge.bytes[0];
        let place = self.place(first);
        let (word, after) = (usize::from(first >> 6), usize::from(first >> 6) + 1);
        self.firsts[word] |= 1 << (first & 63);
        self.before[after..].iter_mut().for_each(|before| *before += 1);
        self.edges.reserve_exact(1);
        self.edges.insert(place, edge);
    }

    fn remove(&mut self, first: u8) {
        let Some(place) = self.find(first) else { return };
        let (word, after) = (usize::from(first >> 6), usize::from(first >> 6) + 1);
        self.firsts[word] &= !(1 << (first & 63));
        self.before[after..].iter_mut().for_each(|before| *before -= 1);
        self.edges.remove(place);
        self.edges.shrink_to_fit();
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
            tree.insert(key, 1).unwrap();
        }
        tree
    }

    fn matches(tree: &PrefixTree<usize>, text: &[u8]) -> bool {
        tree.prefixes(text).next().is_some()
    }

    fn nodes<V>(tree: &PrefixTree<V>) -> usize {
        let (mut count, mut open) = (0, vec![&tree.root]);
        while let Some(node) = open.pop() {
            count += 1;
            open.extend(node.branch.iter().flat_map(|branch| &branch.edges).map(|edge| &edge.node));
        }
        count
    }

    #[test]
    fn a_key_matches_what_starts_with_it() {
        let tree = tree(&[b"abc", b"abd"]);
        assert!(matches(&tree, b"abc") && matches(&tree, b"abdx"));
        for stranger in [&b"ab"[..], b"abe", b"", b"xabc"] {
            assert!(!matches(&tree, stranger));
        }
    }

    #[test]
    fn the_empty_key_matches_everything() {
        let tree = tree(&[b""]);
        assert!(matches(&tree, b"") && matches(&tree, b"anything"));
        assert!(!matches(&PrefixTree::default(), b""));
    }

    #[test]
    fn keys_are_bytes_of_any_value() {
        let tree = tree(&[b"a\0b", b"\xff"]);
        assert!(matches(&tree, b"a\0b\0") && matches(&tree, b"\xff") && !matches(&tree, b"a\0c"));
    }

    #[test]
    fn a_node_goes_on_with_any_byte() {
        let mut tree = PrefixTree::default();
        let keys: Vec<[u8; 2]> = (0..=255).rev().map(|last| [7, last]).collect();
        for key in &keys {
            tree.insert(key, usize::from(key[1])).unwrap();
        }
        for key in &keys {
            assert_eq!(tree.prefixes(key).copied().collect::<Vec<_>>(), [usize::from(key[1])]);
        }
        for key in keys.iter().step_by(3) {
            assert_eq!(tree.remove(key), Some(usize::from(key[1])));
        }
        let left: Vec<_> = keys.iter().filter_map(|key| tree.get(key)).copied().collect();
        assert_eq!(left, (0..=255).rev().filter(|last| last % 3 != 0).collect::<Vec<_>>());
    }

    #[test]
    fn only_an_exact_key_can_be_removed() {
        let mut tree = tree(&[b"abc", b"abd"]);
        for stranger in [&b""[..], b"a", b"ab", b"abcd", b"x"] {
            assert_eq!(tree.remove(stranger), None);
        }
        assert_eq!(tree.remove(b"abc"), Some(1));
        assert!(!matches(&tree, b"abc") && matches(&tree, b"abd"));
        assert_eq!(nodes(&tree), 2, "what is left is one branch");
        assert!(!tree.is_empty());
        assert_eq!(tree.remove(b"abd"), Some(1));
        assert_eq!(nodes(&tree), 1);
        assert!(tree.is_empty());
    }

    #[test]
    fn every_key_on_the_way_is_found() {
        let mut tree = PrefixTree::default();
        for key in ["", "a", "abc", "abcdef", "b"] {
            tree.insert(key.as_bytes(), key).unwrap();
        }
        assert_eq!(tree.prefixes(b"abcde").copied().collect::<Vec<_>>(), ["", "a", "abc"]);
    }

    #[test]
    fn a_long_chain_takes_no_stack() {
        let chain = || {
            let key = [b'a'; 3000];
            let mut tree = PrefixTree::default();
            for length in 0..=key.len() {
                tree.insert(&key[..length], length).unwrap();
            }
            assert_eq!(tree.prefixes(&key).count(), key.len() + 1);
            for length in (0..key.len()).step_by(2) {
                assert_eq!(tree.remove(&key[..length]), Some(length));
            }
        };
        std::thread::Builder::new().stack_size(64 * 1024).spawn(chain).unwrap().join().unwrap();
    }

    proptest! {
        #[test]
        fn it_finds_what_a_list_of_keys_finds(
            steps in proptest::collection::vec((any::<bool>(), "[ab]{0,5}|[ab]{0,2}(long){4}[ab]{0,2}"), 0..80),
            texts in proptest::collection::vec("[ab]{0,7}|[ab]{0,2}(long){4}[ab]{0,3}", 1..20),
        ) {
            let mut tree = PrefixTree::<u32>::default();
            let mut list = BTreeMap::<String, u32>::new();
            for (number, (add, key)) in (0..).zip(steps) {
                if add {
                    prop_assert_eq!(tree.insert(key.as_bytes(), number), Ok(list.insert(key, number)));
                } else {
                    prop_assert_eq!(tree.remove(key.as_bytes()), list.remove(&key));
                }
                prop_assert!(nodes(&tree) <= 2 * list.len() + 1);
                prop_assert_eq!(tree.is_empty(), list.is_empty());
                let mut keys = Vec::new();
                let visited = tree.each(&mut b">".to_vec(), 6, &mut |key| {
                    keys.push(key.to_vec());
                    Ok(())
                });
                prop_assert_eq!(visited, Ok(()));
                let cut = |key: &String| [b">", &key.as_bytes()[..key.len().min(5)]].concat();
                prop_assert_eq!(keys, list.keys().map(cut).collect::<Vec<_>>());
                for text in &texts {
                    let found: Vec<u32> = tree.prefixes(text.as_bytes()).copied().collect();
                    let expected: Vec<u32> = list.iter().filter(|(key, _)| text.starts_with(key.as_str())).map(|(_, &value)| value).collect();
                    prop_assert_eq!(found, expected);
                    prop_assert_eq!(tree.get(text.as_bytes()), list.get(text.as_str()));
                    prop_assert_eq!(tree.get_mut(text.as_bytes()), list.get_mut(text.as_str()));
                }
            }
        }
    }
}
