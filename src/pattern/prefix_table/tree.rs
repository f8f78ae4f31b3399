//! Values by byte string, found by all the keys that a given string starts with, in many trees that share their memory.
//!
//! Radix trees. What a look-up costs depends on the length of the string and not on the number of keys. Keys come from
//! peers, so nothing here recurses. Most keys end at a leaf, and a leaf is one edge of 16 bytes beside its neighbours.
#![forbid(unsafe_code)]

use std::num::NonZero;

use super::Value;
use super::label::{Draft, Label, Labels};
use crate::error::{Error, Result};
use crate::pattern::pool::Pool;

#[derive(Debug, Default)]
pub(super) struct Forest {
    /// The edge that leads to the root of each tree.
    roots: Pool<Edge>,
    branches: Pool<Branch>,
    labels: Labels,
}

/// A way on, and what there is at its end.
#[derive(Debug, Clone, Copy)]
struct Edge {
    value: Option<Value>,
    /// The number of the branch and one.
    branch: Option<NonZero<u32>>,
    /// All keys below have it. It is empty at most above a root.
    label: Label,
}

const _: () = assert!(size_of::<Edge>() == 16);

/// The ways to go on.
#[derive(Debug, Default)]
struct Branch {
    /// A bit for each byte that one of them begins with.
    firsts: [u64; 4],
    /// How many there are before each of those words.
    before: [u8; 4],
    /// In the order of their first bytes, which all differ.
    edges: Vec<Edge>,
}

/// Where an edge is.
#[derive(Debug, Clone, Copy)]
enum Place {
    Root(u32),
    Branch(u32, usize),
}

fn common(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

impl Edge {
    fn branch(&self) -> Option<u32> {
        self.branch.map(|number| number.get() - 1)
    }

    fn set_branch(&mut self, number: u32) {
        self.branch = Some(NonZero::<u32>::MIN.saturating_add(number));
    }
}

impl Forest {
    /// The number of a new tree with one key.
    pub(super) fn plant(&mut self, key: &[u8], value: Value) -> Result<u32> {
        let label = Draft::of(key)?;
        self.labels.reserve(1)?;
        self.roots.reserve(1)?;
        let label = self.labels.write(label);
        Ok(self.roots.insert(Edge { value: Some(value), branch: None, label }))
    }

    /// The value that the key had before. On an error the tree is as it was.
    pub(super) fn insert(&mut self, tree: u32, key: &[u8], value: Value) -> Result<Option<Value>> {
        let (mut place, mut rest) = (Place::Root(tree), key);
        loop {
            let edge = self.edge(place);
            let label = self.labels.bytes(&edge.label);
            let shared = common(label, rest);
            if shared < label.len() {
                return self.fork(place, shared, &rest[shared..], value).map(|()| None);
            }
            rest = &rest[shared..];
            let Some(&first) = rest.first() else { return Ok(self.edge_mut(place).value.replace(value)) };
            match edge.branch().map(|branch| (branch, self.branches[branch].find(first))) {
                Some((branch, Some(at))) => place = Place::Branch(branch, at),
                Some((branch, None)) => return self.sprout(branch, rest, value).map(|()| None),
                None => return self.branch_off(place, rest, value).map(|()| None),
            }
        }
    }

    /// One more edge.
    fn sprout(&mut self, branch: u32, rest: &[u8], value: Value) -> Result<()> {
        let label = Draft::of(rest)?;
        self.labels.reserve(1)?;
        self.branches[branch].reserve()?;
        let label = self.labels.write(label);
        self.branches[branch].insert(rest[0], Edge { value: Some(value), branch: None, label });
        Ok(())
    }

    /// The first edge behind this one.
    fn branch_off(&mut self, place: Place, rest: &[u8], value: Value) -> Result<()> {
        self.branches.reserve(1)?;
        let branch = self.branches.insert(Branch::default());
        if let Err(error) = self.sprout(branch, rest, value) {
            self.branches.remove(branch);
            return Err(error);
        }
        self.edge_mut(place).set_branch(branch);
        Ok(())
    }

    /// Cuts an edge after so many bytes, and puts the value with the rest of its key there.
    fn fork(&mut self, place: Place, length: usize, rest: &[u8], value: Value) -> Result<()> {
        let edge = *self.edge(place);
        let (upper, lower) = self.labels.bytes(&edge.label).split_at(length);
        let first = lower[0];
        let (upper, lower) = (Draft::of(upper)?, Draft::of(lower)?);
        let side = if rest.is_empty() { None } else { Some(Draft::of(rest)?) };
        self.labels.reserve(3)?;
        self.branches.reserve(1)?;
        let mut branch = Branch::default();
        branch.edges.try_reserve_exact(1 + usize::from(side.is_some())).map_err(|_| Error::NoMemory)?;

        self.labels.erase(edge.label);
        let (upper, lower) = (self.labels.write(upper), self.labels.write(lower));
        branch.insert(first, Edge { label: lower, ..edge });
        if let Some(side) = side {
            let label = self.labels.write(side);
            branch.insert(rest[0], Edge { value: Some(value), branch: None, label });
        }
        let branch = self.branches.insert(branch);
        let value = rest.is_empty().then_some(value);
        let mut edge = Edge { value, branch: None, label: upper };
        edge.set_branch(branch);
        *self.edge_mut(place) = edge;
        Ok(())
    }

    pub(super) fn get(&self, tree: u32, key: &[u8]) -> Option<Value> {
        let (place, _) = self.find(tree, key)?;
        self.edge(place).value
    }

    pub(super) fn get_mut(&mut self, tree: u32, key: &[u8]) -> Option<&mut Value> {
        let (place, _) = self.find(tree, key)?;
        self.edge_mut(place).value.as_mut()
    }

    /// Takes out the value of exactly this key, and with the last one the tree.
    pub(super) fn remove(&mut self, tree: u32, key: &[u8]) -> Option<Value> {
        let (place, edges) = self.find(tree, key)?;
        let value = self.edge_mut(place).value.take()?;
        for above in (0..edges).rev() {
            let (place, rest) = self.descend(tree, key, above)?;
            let edge = self.edge(place);
            if edge.value.is_some() || edge.branch.is_some() {
                self.join(place);
                return Some(value);
            }
            // Nothing is there any more, and on the edge above there is perhaps one way left, or, where there was no memory
            // to join what was before and behind it, none.
            self.labels.erase(edge.label);
            match place {
                Place::Root(tree) => drop(self.roots.remove(tree)),
                Place::Branch(branch, _) => {
                    let (parent, _) = self.descend(tree, key, above - 1)?;
                    self.branches[branch].remove(*rest.first()?);
                    if self.branches[branch].edges.is_empty() {
                        self.branches.remove(branch);
                        self.edge_mut(parent).branch = None;
                    }
                }
            }
        }
        Some(value)
    }

    /// The opposite of a fork, where nothing ends at the edge and there is one way to go on. Without memory it stays as it
    /// is, which is no error.
    fn join(&mut self, place: Place) {
        let edge = *self.edge(place);
        if edge.value.is_none()
            && let Some(branch) = edge.branch()
            && let [below] = self.branches[branch].edges[..]
            && let Ok(label) = Draft::joined(self.labels.bytes(&edge.label), self.labels.bytes(&below.label))
            && self.labels.reserve(1).is_ok()
        {
            self.labels.erase(edge.label);
            self.labels.erase(below.label);
            let label = self.labels.write(label);
            self.branches.remove(branch);
            *self.edge_mut(place) = Edge { label, ..below };
        }
    }

    /// Whether its last key was not taken out.
    pub(super) fn is_there(&self, tree: u32) -> bool {
        self.roots.get(tree).is_some()
    }

    /// All keys in their order, but of each at most so many bytes, `path` in front. It is as before afterwards.
    pub(super) fn each(
        &self,
        tree: u32,
        path: &mut Vec<u8>,
        limit: usize,
        visit: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let start = path.len();
        let mut open: Vec<_> = Vec::new();
        open.try_reserve(1).map_err(|_| Error::NoMemory)?;
        open.push((start, std::slice::from_ref(&self.roots[tree]).iter()));
        while let Some((length, edges)) = open.last_mut() {
            path.truncate(*length);
            let Some(edge) = edges.next() else {
                open.pop();
                continue;
            };
            let label = self.labels.bytes(&edge.label);
            let room = limit.saturating_sub(path.len()).min(label.len());
            path.try_reserve(room).map_err(|_| Error::NoMemory)?;
            path.extend_from_slice(&label[..room]);
            if edge.value.is_some() {
                visit(path)?;
            }
            open.try_reserve(1).map_err(|_| Error::NoMemory)?;
            open.extend(edge.branch().map(|branch| (path.len(), self.branches[branch].edges.iter())));
        }
        path.truncate(start);
        Ok(())
    }

    /// The values of all keys that `text` starts with, the shortest first.
    pub(super) fn prefixes<'a>(&'a self, tree: u32, text: &'a [u8]) -> impl Iterator<Item = Value> {
        let mut next = self.enter(&self.roots[tree], text);
        std::iter::from_fn(move || {
            loop {
                let (edge, rest) = next?;
                next = self.below(edge, rest).and_then(|(_, edge)| self.enter(edge, rest));
                if edge.value.is_some() {
                    return edge.value;
                }
            }
        })
    }

    /// The edge, and what of `text` is behind it. None: `text` does not go all along it.
    fn enter<'a, 't>(&'a self, edge: &'a Edge, text: &'t [u8]) -> Option<(&'a Edge, &'t [u8])> {
        Some((edge, text.strip_prefix(self.labels.bytes(&edge.label))?))
    }

    /// The next edge on the way of `text`, and where it is.
    fn below(&self, edge: &Edge, text: &[u8]) -> Option<(Place, &Edge)> {
        let number = edge.branch()?;
        let branch = &self.branches[number];
        let at = branch.find(*text.first()?)?;
        Some((Place::Branch(number, at), &branch.edges[at]))
    }

    /// The edge at whose end exactly this key is, and how many there are on the way, with itself.
    fn find(&self, tree: u32, key: &[u8]) -> Option<(Place, usize)> {
        let (mut place, mut count) = (Place::Root(tree), 1);
        let (mut edge, mut rest) = self.enter(&self.roots[tree], key)?;
        while !rest.is_empty() {
            let (below, next) = self.below(edge, rest)?;
            (edge, rest) = self.enter(next, rest)?;
            (place, count) = (below, count + 1);
        }
        Some((place, count))
    }

    /// The edge behind so many others on the way of `key`, and what of that it begins with.
    fn descend<'k>(&self, tree: u32, key: &'k [u8], edges: usize) -> Option<(Place, &'k [u8])> {
        (0..edges).try_fold((Place::Root(tree), key), |(place, text), _| {
            let (edge, rest) = self.enter(self.edge(place), text)?;
            let (place, _) = self.below(edge, rest)?;
            Some((place, rest))
        })
    }

    fn edge(&self, place: Place) -> &Edge {
        match place {
            Place::Root(tree) => &self.roots[tree],
            Place::Branch(branch, at) => &self.branches[branch].edges[at],
        }
    }

    fn edge_mut(&mut self, place: Place) -> &mut Edge {
        match place {
            Place::Root(tree) => &mut self.roots[tree],
            Place::Branch(branch, at) => &mut self.branches[branch].edges[at],
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.roots.capacity() + self.branches.capacity()
    }
}

impl Branch {
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

    /// Afterwards [`Branch::insert`] needs no memory. Room for twice as many would double the memory of the tree.
    fn reserve(&mut self) -> Result<()> {
        if self.edges.len() < self.edges.capacity() {
            return Ok(());
        }
        let more = if self.edges.is_empty() { 1 } else { (self.edges.len() / 8).max(2) };
        self.edges.try_reserve_exact(more).map_err(|_| Error::NoMemory)
    }

    fn insert(&mut self, first: u8, edge: Edge) {
        let place = self.place(first);
        let (word, after) = (usize::from(first >> 6), usize::from(first >> 6) + 1);
        self.firsts[word] |= 1 << (first & 63);
        self.before[after..].iter_mut().for_each(|before| *before += 1);
        self.edges.insert(place, edge);
    }

    fn remove(&mut self, first: u8) {
        let Some(place) = self.find(first) else { return };
        let (word, after) = (usize::from(first >> 6), usize::from(first >> 6) + 1);
        self.firsts[word] &= !(1 << (first & 63));
        self.before[after..].iter_mut().for_each(|before| *before -= 1);
        self.edges.remove(place);
        if self.edges.len() < self.edges.capacity() / 2 {
            self.edges.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A tree with these keys, each with its place in the list and one.
    fn tree(keys: &[&[u8]]) -> (Forest, u32) {
        let mut forest = Forest::default();
        let tree = forest.plant(keys[0], value(1)).unwrap();
        for (number, key) in (2..).zip(&keys[1..]) {
            forest.insert(tree, key, value(number)).unwrap();
        }
        (forest, tree)
    }

    fn value(number: u32) -> Value {
        Value::new(number).unwrap()
    }

    fn found(forest: &Forest, tree: u32, text: &[u8]) -> Vec<u32> {
        forest.prefixes(tree, text).map(Value::get).collect()
    }

    fn edges(forest: &Forest) -> usize {
        forest.roots.len() + forest.branches.iter().map(|(_, branch)| branch.edges.len()).sum::<usize>()
    }

    fn is_empty(forest: &Forest) -> bool {
        forest.roots.is_empty() && forest.branches.is_empty() && forest.labels.is_empty()
    }

    #[test]
    fn a_key_matches_what_starts_with_it() {
        let (forest, tree) = tree(&[b"abc", b"abd"]);
        assert_eq!((found(&forest, tree, b"abc"), found(&forest, tree, b"abdx")), (vec![1], vec![2]));
        for stranger in [&b"ab"[..], b"abe", b"", b"xabc"] {
            assert!(found(&forest, tree, stranger).is_empty());
        }
    }

    #[test]
    fn keys_are_bytes_of_any_value() {
        let (forest, tree) = tree(&[b"a\0b", b"\xff"]);
        assert_eq!((found(&forest, tree, b"a\0b\0"), found(&forest, tree, b"\xff")), (vec![1], vec![2]));
        assert!(found(&forest, tree, b"a\0c").is_empty());
    }

    #[test]
    fn a_branch_goes_on_with_any_byte() {
        let keys: Vec<[u8; 2]> = (0..=255).rev().map(|last| [7, last]).collect();
        let slices: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let (mut forest, tree) = tree(&slices);
        let number = |key: &[u8; 2]| 256 - u32::from(key[1]);
        for key in &keys {
            assert_eq!(found(&forest, tree, key), [number(key)]);
        }
        for key in keys.iter().step_by(3) {
            assert_eq!(forest.remove(tree, key), Some(value(number(key))));
        }
        let left: Vec<_> = keys.iter().filter_map(|key| forest.get(tree, key)).map(Value::get).collect();
        assert_eq!(left, (1..=256).filter(|number| number % 3 != 1).collect::<Vec<_>>());
    }

    #[test]
    fn only_an_exact_key_can_be_removed() {
        let (mut forest, tree) = tree(&[b"abc", b"abd"]);
        for stranger in [&b""[..], b"a", b"ab", b"abcd", b"x"] {
            assert_eq!(forest.remove(tree, stranger), None);
        }
        assert_eq!(forest.remove(tree, b"abc"), Some(value(1)));
        assert_eq!((found(&forest, tree, b"abc"), found(&forest, tree, b"abd")), (vec![], vec![2]));
        assert_eq!(edges(&forest), 1, "what is left is one edge");
        assert!(forest.is_there(tree));
        assert_eq!(forest.remove(tree, b"abd"), Some(value(2)));
        assert!(!forest.is_there(tree) && is_empty(&forest));
    }

    #[test]
    fn every_key_on_the_way_is_found() {
        let (forest, tree) = tree(&[b"", b"a", b"abc", b"abcdef", b"b"]);
        assert_eq!(found(&forest, tree, b"abcde"), [1, 2, 3]);
    }

    #[test]
    fn a_long_chain_takes_no_stack() {
        let chain = || {
            let key = [b'a'; 3000];
            let keys: Vec<&[u8]> = (0..=key.len()).map(|length| &key[..length]).collect();
            let (mut forest, tree) = tree(&keys);
            assert_eq!(forest.prefixes(tree, &key).count(), key.len() + 1);
            for key in keys.iter().step_by(2) {
                assert_eq!(forest.remove(tree, key), Some(value(key.len() as u32 + 1)));
            }
        };
        std::thread::Builder::new().stack_size(64 * 1024).spawn(chain).unwrap().join().unwrap();
    }

    proptest! {
        /// Two trees in one forest, so that each meets what the other has left.
        #[test]
        fn it_finds_what_a_list_of_keys_finds(
            steps in proptest::collection::vec((any::<bool>(), any::<bool>(), "[ab]{0,5}|[ab]{0,2}(long){4}[ab]{0,2}"), 0..80),
            texts in proptest::collection::vec("[ab]{0,7}|[ab]{0,2}(long){4}[ab]{0,3}", 1..20),
        ) {
            let mut forest = Forest::default();
            let mut trees = [None; 2];
            let mut lists = [(); 2].map(|()| BTreeMap::<String, Value>::new());
            for (number, (which, add, key)) in (1..).zip(steps) {
                let (tree, list) = (&mut trees[usize::from(which)], &mut lists[usize::from(which)]);
                match *tree {
                    None if add => {
                        *tree = Some(forest.plant(key.as_bytes(), value(number)).unwrap());
                        list.insert(key, value(number));
                    }
                    None => {}
                    Some(tree) if add => {
                        prop_assert_eq!(forest.insert(tree, key.as_bytes(), value(number)), Ok(list.insert(key, value(number))));
                    }
                    Some(there) => {
                        prop_assert_eq!(forest.remove(there, key.as_bytes()), list.remove(&key));
                        prop_assert_eq!(forest.is_there(there), !list.is_empty());
                        *tree = Some(there).filter(|_| !list.is_empty());
                    }
                }
                prop_assert!(edges(&forest) <= 2 * (lists[0].len() + lists[1].len()));
                prop_assert_eq!(is_empty(&forest), lists.iter().all(BTreeMap::is_empty));
                for (tree, list) in trees.iter().zip(&lists).filter_map(|(tree, list)| Some(((*tree)?, list))) {
                    let mut keys = Vec::new();
                    let visited = forest.each(tree, &mut b">".to_vec(), 6, &mut |key| {
                        keys.push(key.to_vec());
                        Ok(())
                    });
                    prop_assert_eq!(visited, Ok(()));
                    let cut = |key: &String| [b">", &key.as_bytes()[..key.len().min(5)]].concat();
                    prop_assert_eq!(keys, list.keys().map(cut).collect::<Vec<_>>());
                    for text in &texts {
                        let expected: Vec<Value> = list.iter().filter(|(key, _)| text.starts_with(key.as_str())).map(|(_, &value)| value).collect();
                        prop_assert_eq!(forest.prefixes(tree, text.as_bytes()).collect::<Vec<_>>(), expected);
                        prop_assert_eq!(forest.get(tree, text.as_bytes()), list.get(text.as_str()).copied());
                        prop_assert_eq!(forest.get_mut(tree, text.as_bytes()).copied(), list.get(text.as_str()).copied());
                    }
                }
            }
        }
    }
}
