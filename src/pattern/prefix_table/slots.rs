//! A hash table of small values, laid out for the memory: what a search looks at is mostly one cache line. Its hash has
//! a random key, so that nobody outside can choose keys that collide.
#![forbid(unsafe_code)]

use std::hash::{DefaultHasher, Hasher};

use crate::error::{Error, Result};
use crate::sys::random;

/// In a cache line, where they take 16 bytes each.
const WAYS: usize = 4;

/// So many lines are searched as fast as a tag is hashed.
const FEW: usize = 2;

/// One value for each tag. The default value is that of a free slot.
#[derive(Debug)]
pub(super) struct Slots<T> {
    lines: Box<[Line<T>]>,
    used: usize,
    /// Tags are hashes themselves, of what is longer than a tag.
    hashed: bool,
    /// With a key behind it. std's own keys are no secret from a forked child, nor its from the parent.
    hasher: DefaultHasher,
}

#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Line<T>([Slot<T>; WAYS]);

#[derive(Debug, Clone, Copy, Default)]
struct Slot<T> {
    tag: u64,
    value: T,
}

const _: () = assert!(size_of::<Line<u64>>() == 64);

impl<T: Copy + Default + PartialEq> Slots<T> {
    /// `hashed`: all tags come from [`Slots::hash`].
    pub(super) fn new(hashed: bool) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&random::<16>());
        Self { lines: Box::default(), used: 0, hashed, hasher }
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    pub(super) fn capacity(&self) -> usize {
        self.lines.len() * WAYS
    }

    /// The place of the value with this tag.
    pub(super) fn find(&self, tag: u64) -> Option<usize> {
        if self.used == 0 {
            return None;
        }
        let mut at = self.home(tag);
        while !self.is_free(at) {
            if self.slot(at).tag == tag {
                return Some(at);
            }
            at = self.behind(at);
        }
        None
    }

    pub(super) fn at(&self, at: usize) -> &T {
        &self.slot(at).value
    }

    pub(super) fn at_mut(&mut self, at: usize) -> &mut T {
        &mut self.slot_mut(at).value
    }

    pub(super) fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.clone();
        hasher.write(bytes);
        hasher.finish()
    }

    /// All tags and values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let slots = self.lines.iter().flat_map(|line| &line.0);
        slots.filter(|slot| slot.value != T::default()).map(|slot| (slot.tag, &slot.value))
    }

    /// Afterwards [`Slots::insert`] needs no memory.
    pub(super) fn reserve(&mut self) -> Result<()> {
        if self.used >= self.capacity() * 3 / 4 {
            self.resize((self.used * 5 / 3).max(WAYS))?;
        }
        Ok(())
    }

    /// One more, with another tag, which is not the default, and for which room was reserved.
    pub(super) fn insert(&mut self, tag: u64, value: T) {
        self.used += 1;
        self.place(Slot { tag, value });
    }

    pub(super) fn remove(&mut self, at: usize) {
        let (mut hole, mut next) = (at, self.behind(at));
        // From a value's first place to where it is there must be no free slot.
        while !self.is_free(next) {
            let home = self.home(self.slot(next).tag);
            if self.steps(home, next) >= self.steps(hole, next) {
                *self.slot_mut(hole) = *self.slot(next);
                hole = next;
            }
            next = self.behind(next);
        }
        *self.slot_mut(hole) = Slot::default();
        self.used -= 1;
        if self.used < self.capacity() / 4 {
            // Without memory it stays as large as it is.
            let _ = self.resize(self.used * 2);
        }
    }

    /// Makes room for so many.
    fn resize(&mut self, room: usize) -> Result<()> {
        let count = room.div_ceil(WAYS) + 1;
        let mut lines = Vec::new();
        lines.try_reserve_exact(count).map_err(|_| Error::NoMemory)?;
        lines.resize(count, Line::default());
        for slot in std::mem::replace(&mut self.lines, lines.into()).iter().flat_map(|line| &line.0) {
            if slot.value != T::default() {
                self.place(*slot);
            }
        }
        Ok(())
    }

    fn place(&mut self, slot: Slot<T>) {
        let mut at = self.home(slot.tag);
        while !self.is_free(at) {
            at = self.behind(at);
        }
        *self.slot_mut(at) = slot;
    }

    /// The first place to look at.
    fn home(&self, tag: u64) -> usize {
        if self.lines.len() <= FEW {
            return 0;
        }
        let hash = if self.hashed { tag } else { self.hash(&tag.to_ne_bytes()) };
        ((u128::from(hash) * self.lines.len() as u128) >> 64) as usize * WAYS
    }

    fn behind(&self, at: usize) -> usize {
        if at + 1 < self.capacity() { at + 1 } else { 0 }
    }

    fn steps(&self, from: usize, to: usize) -> usize {
        if from <= to { to - from } else { to + self.capacity() - from }
    }

    fn is_free(&self, at: usize) -> bool {
        self.slot(at).value == T::default()
    }

    fn slot(&self, at: usize) -> &Slot<T> {
        &self.lines[at / WAYS].0[at % WAYS]
    }

    fn slot_mut(&mut self, at: usize) -> &mut Slot<T> {
        &mut self.lines[at / WAYS].0[at % WAYS]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_has_what_a_map_has(steps in proptest::collection::vec((0..60u64, 1..4u8), 0..300)) {
            let mut slots = Slots::<u8>::new(false);
            let mut map = BTreeMap::<u64, u8>::new();
            for (tag, value) in steps {
                if let Some(at) = slots.find(tag) {
                    slots.remove(at);
                    map.remove(&tag);
                } else {
                    slots.reserve().unwrap();
                    slots.insert(tag, value);
                    map.insert(tag, value);
                }
                prop_assert_eq!(slots.len(), map.len());
                prop_assert!(map.len() < slots.capacity() && slots.capacity() <= 4 * map.len() + 2 * WAYS);
                for tag in 0..60 {
                    prop_assert_eq!(slots.find(tag).map(|at| *slots.at(at)), map.get(&tag).copied());
                }
            }
        }
    }
}
