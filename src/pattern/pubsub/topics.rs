//! A set of topics: in order, and to look up all that a message begins with.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::demand::Topic;
use crate::pattern::prefix_table::PrefixTable;

#[derive(Debug)]
pub(super) struct Topics<V> {
    sorted: BTreeMap<Topic, V>,
    prefixes: PrefixTable<()>,
}

impl<V> Default for Topics<V> {
    fn default() -> Self {
        Self { sorted: BTreeMap::new(), prefixes: PrefixTable::default() }
    }
}

impl<V> Topics<V> {
    pub(super) fn insert(&mut self, topic: &Topic, value: V) {
        self.prefixes.insert(topic, ());
        self.sorted.insert(Arc::clone(topic), value);
    }

    pub(super) fn remove(&mut self, topic: &[u8]) {
        self.prefixes.remove(topic);
        self.sorted.remove(topic);
    }

    pub(super) fn contains(&self, topic: &[u8]) -> bool {
        self.sorted.contains_key(topic)
    }

    pub(super) fn get_mut(&mut self, topic: &[u8]) -> Option<&mut V> {
        self.sorted.get_mut(topic)
    }

    /// Those that start with `prefix`.
    pub(super) fn below(&self, prefix: &[u8]) -> impl Iterator<Item = &Topic> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        self.sorted.range::<[u8], _>(from).map(|(topic, _)| topic).take_while(move |topic| topic.starts_with(prefix))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.sorted.keys()
    }

    /// Whether one of them is what `message` starts with.
    pub(super) fn matches(&self, message: &[u8]) -> bool {
        self.prefixes.matches(message)
    }
}
