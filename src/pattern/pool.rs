//! Things by number, of which those that went are used again. As in the crate slab, but without memory it says so.
#![forbid(unsafe_code)]

use std::ops::{Index, IndexMut};

use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Pool<T> {
    entries: Vec<Entry<T>>,
    used: usize,
    /// The first free one, and one more. 0: none.
    free: u32,
}

#[derive(Debug)]
enum Entry<T> {
    Used(T),
    /// The free ones before and behind it, like the first.
    Free {
        before: u32,
        behind: u32,
    },
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), used: 0, free: 0 }
    }
}

impl<T> Pool<T> {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.used
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Afterwards so many calls of [`Pool::insert`] need no memory.
    pub(super) fn reserve(&mut self, count: usize) -> Result<()> {
        if self.entries.capacity() - self.used < count {
            // An eighth more: twice as many would be as much again that nobody needs yet.
            let more = (self.entries.len() / 8).max(count).max(4);
            self.entries.try_reserve_exact(more).map_err(|_| Error::NoMemory)?;
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        self.used += 1;
        let Some(number) = self.free.checked_sub(1) else {
            self.entries.push(Entry::Used(value));
            return (self.entries.len() - 1) as u32;
        };
        self.unlink(number);
        self.entries[number as usize] = Entry::Used(value);
        number
    }

    /// A free one from among the others.
    fn unlink(&mut self, number: u32) {
        let Entry::Free { before, behind } = self.entries[number as usize] else { return };
        match before.checked_sub(1).map(|before| &mut self.entries[before as usize]) {
            Some(Entry::Free { behind: of_before, .. }) => *of_before = behind,
            _ => self.free = behind,
        }
        if let Some(Entry::Free { before: of_behind, .. }) =
            behind.checked_sub(1).map(|behind| &mut self.entries[behind as usize])
        {
            *of_behind = before;
        }
    }

    /// Gives back what is free at the end.
    fn shrink(&mut self) {
        while let Some(Entry::Free { .. }) = self.entries.last() {
            self.unlink((self.entries.len() - 1) as u32);
            self.entries.pop();
        }
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        match self.entries.get(number as usize)? {
            Entry::Used(value) => Some(value),
            Entry::Free { .. } => None,
        }
    }

    /// `None`: it is not there.
    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let entry = self.entries.get_mut(number as usize)?;
        if let Entry::Free { .. } = entry {
            return None;
        }
        let Entry::Used(value) = std::mem::replace(entry, Entry::Free { before: 0, behind: self.free }) else {
            unreachable!()
        };
        if let Some(Entry::Free { before, .. }) =
            self.free.checked_sub(1).map(|first| &mut self.entries[first as usize])
        {
            *before = number + 1;
        }
        self.free = number + 1;
        self.used -= 1;
        self.shrink();
        Some(value)
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(&self.entries).filter_map(|(number, entry)| match entry {
            Entry::Used(value) => Some((number, value)),
            Entry::Free { .. } => None,
        })
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }
}

impl<T> Index<u32> for Pool<T> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        match &self.entries[number as usize] {
            Entry::Used(value) => value,
            Entry::Free { .. } => panic!("there is no {number}"),
        }
    }
}

impl<T> IndexMut<u32> for Pool<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        match &mut self.entries[number as usize] {
            Entry::Used(value) => value,
            Entry::Free { .. } => panic!("there is no {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_has_what_a_map_has(steps in proptest::collection::vec(0..40u32, 0..300)) {
            let mut pool = Pool::default();
            let mut map = BTreeMap::new();
            for (value, number) in steps.into_iter().enumerate() {
                prop_assert_eq!(pool.remove(number), map.remove(&number));
                if number % 2 == 0 {
                    pool.reserve(1).unwrap();
                    prop_assert_eq!(map.insert(pool.insert(value), value), None);
                }
                prop_assert!(pool.iter().map(|(number, &value)| (number, value)).eq(map.clone()));
                prop_assert_eq!((pool.len(), pool.is_empty()), (map.len(), map.is_empty()));
                let end = map.last_key_value().map_or(0, |(&last, _)| last as usize + 1);
                prop_assert!(pool.capacity() <= 4 * end + 8, "what is free at the end is given back");
            }
        }
    }
}
