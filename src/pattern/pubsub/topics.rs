//! A set of topics: in order, and to look up all that a message begins with.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use super::demand::Topic;
use crate::pattern::prefix_table::{PrefixTable, Value};

#[derive(Debug)]
pub(super) struct Topics {
    sorted: BTreeSet<Topic>,
    /// `None`: there was no memory for it.
    prefixes: Option<PrefixTable>,
}

impl Default for Topics {
    fn default() -> Self {
        Self { sorted: BTreeSet::new(), prefixes: Some(PrefixTable::default()) }
    }
}

/// Those that start with `prefix`.
pub(super) fn below<'a>(topics: &'a BTreeSet<Topic>, prefix: &'a [u8]) -> impl Iterator<Item = &'a Topic> {
    let from = (Bound::Included(prefix), Bound::Unbounded);
    topics.range::<[u8], _>(from).take_while(move |topic| topic.starts_with(prefix))
}

impl Topics {
    pub(super) fn insert(&mut self, topic: &Topic) {
        self.prefixes.take_if(|prefixes| prefixes.insert(topic, Value::MIN).is_err());
        self.sorted.insert(Arc::clone(topic));
    }

    pub(super) fn remove(&mut self, topic: &[u8]) {
        if let Some(prefixes) = &mut self.prefixes {
            prefixes.remove(topic);
        }
        self.sorted.remove(topic);
    }

    pub(super) fn contains(&self, topic: &[u8]) -> bool {
        self.sorted.contains(topic)
    }

    pub(super) fn sorted(&self) -> &BTreeSet<Topic> {
        &self.sorted
    }

    /// Whether one of them is what `message` starts with.
    pub(super) fn matches(&self, message: &[u8]) -> bool {
        match &self.prefixes {
            Some(prefixes) => prefixes.matches(message),
            None => (0..=message.len()).any(|length| self.sorted.contains(&message[..length])),
        }
    }
}
