//! Things by number, of which those that went are used again. As in the crate slab, but without memory it says so.
#![forbid(unsafe_code)]

use std::ops::{Index, IndexMut};

use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Pool<T> {
    entries: Vec<Entry<T>>,
    used: usize,
    /// The first free one, and one more; each knows the next like that. 0: none.
    free: u32,
}

#[derive(Debug)]
enum Entry<T> {
    Used(T),
    Free(u32),
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), used: 0, free: 0 }
    }
}

impl<T> Pool<T> {
    pub(super) fn len(&self) -> usize {
        self.used
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Afterwards [`Pool::insert`] needs no memory.
    pub(super) fn reserve(&mut self) -> Result<()> {
        if self.free == 0 && self.entries.len() == self.entries.capacity() {
            // A quarter more: twice as many would be as much again that nobody needs yet.
            let more = (self.entries.len() / 4).max(4);
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
        if let Entry::Free(next) = std::mem::replace(&mut self.entries[number as usize], Entry::Used(value)) {
            self.free = next;
        }
        number
    }

    /// `None`: it is not there. With the last one all memory goes.
    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let entry = self.entries.get_mut(number as usize)?;
        match std::mem::replace(entry, Entry::Free(self.free)) {
            Entry::Used(value) => {
                self.free = number + 1;
                self.used -= 1;
                if self.used == 0 {
                    *self = Self::default();
                }
                Some(value)
            }
            free => {
                *entry = free;
                None
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(&self.entries).filter_map(|(number, entry)| match entry {
            Entry::Used(value) => Some((number, value)),
            Entry::Free(_) => None,
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
            Entry::Free(_) => panic!("there is no {number}"),
        }
    }
}

impl<T> IndexMut<u32> for Pool<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        match &mut self.entries[number as usize] {
            Entry::Used(value) => value,
            Entry::Free(_) => panic!("there is no {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_and_the_last_takes_the_memory_along() {
        let mut pool = Pool::default();
        for number in 0..10 {
            pool.reserve().unwrap();
            assert_eq!(pool.insert(number), number);
        }
        assert_eq!((pool.remove(3), pool.remove(3), pool.remove(7), pool.remove(10)), (Some(3), None, Some(7), None));
        assert_eq!((pool.insert(70), pool.insert(30), pool.insert(10)), (7, 3, 10));
        assert_eq!((pool[3], pool[7], pool.len()), (30, 70, 11));
        assert!(pool.iter().map(|(_, &value)| value).eq([0, 1, 2, 30, 4, 5, 6, 70, 8, 9, 10]));
        for number in 0..11 {
            pool.remove(number);
        }
        assert!(pool.is_empty() && pool.capacity() == 0);
    }
}
