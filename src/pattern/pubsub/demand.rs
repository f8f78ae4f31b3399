//! What subscribers want, as a publisher tells a device that asks upstream in their place.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::Result;

/// A prefix of messages.
pub(super) type Topic = Arc<[u8]>;

/// Names one direction of an `nn_device` among all.
pub(crate) type DeviceId = u64;

/// What is wanted, or what has changed about that.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    /// It is all there is: what was told before is to be forgotten.
    pub(super) whole: bool,
    /// Somebody cannot say what it wants, and gets everything.
    pub(super) everything: bool,
    /// Topics, and whether they are wanted.
    pub(super) topics: Vec<(Topic, bool)>,
}

/// So many changes are noted one by one. Behind more of them it is shorter to tell everything again.
const CHANGES: usize = 64 * 1024;

/// What has changed since a device last asked.
#[derive(Debug)]
pub(super) struct DemandLog {
    /// More than was noted.
    overrun: bool,
    changed: BTreeSet<Topic>,
    /// As it was told.
    everything: bool,
}

impl DemandLog {
    /// Nothing was told so far.
    pub(super) fn new() -> Self {
        Self { overrun: true, changed: BTreeSet::new(), everything: false }
    }

    /// Whether this topic is wanted may have changed.
    pub(super) fn note(&mut self, topic: &Topic) {
        if self.overrun {
            return;
        }
        self.changed.insert(Arc::clone(topic));
        if self.changed.len() > CHANGES {
            self.overrun = true;
            self.changed.clear();
        }
    }

    pub(super) fn has_news(&self, everything: bool) -> bool {
        self.overrun || !self.changed.is_empty() || self.everything != everything
    }

    /// What is to be told: `all` has every topic that is wanted, and `wants` knows them one by one.
    pub(super) fn tell(
        &mut self,
        everything: bool,
        all: impl FnOnce() -> Result<Vec<(Topic, bool)>>,
        wants: impl Fn(&Topic) -> bool,
    ) -> Demand {
        self.everything = everything;
        let changed = std::mem::take(&mut self.changed);
        if self.overrun {
            let all = all();
            // Without memory for all of them it asks for everything meanwhile.
            self.overrun = all.is_err();
            let everything = everything || all.is_err();
            return Demand { whole: true, everything, topics: all.unwrap_or_default() };
        }
        let topics = changed.into_iter().map(|topic| (Arc::clone(&topic), wants(&topic))).collect();
        Demand { whole: false, everything, topics }
    }
}
