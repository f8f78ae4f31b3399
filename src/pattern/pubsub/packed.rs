//! Topics in order, packed: for the time of telling them, beside those that are kept.
#![forbid(unsafe_code)]

use super::frame::cut;
use crate::error::{Error, Result};

#[derive(Debug, Default)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    /// Where each starts, and how long it is.
    places: Vec<(usize, u16)>,
    /// The first of them.
    next: usize,
}

impl Packed {
    /// A topic as it travels.
    pub(super) fn push(&mut self, topic: &[u8]) -> Result<()> {
        let topic = cut(topic);
        self.places.try_reserve(1).map_err(|_| Error::NoMemory)?;
        self.bytes.try_reserve(topic.len()).map_err(|_| Error::NoMemory)?;
        self.places.push((self.bytes.len(), topic.len() as u16));
        self.bytes.extend_from_slice(topic);
        Ok(())
    }

    /// In order, each once.
    pub(super) fn sort(&mut self) {
        let topic = |&(start, length): &(usize, u16)| &self.bytes[start..][..usize::from(length)];
        self.places.sort_unstable_by(|left, right| topic(left).cmp(topic(right)));
        self.places.dedup_by(|left, right| topic(left) == topic(right));
    }

    pub(super) fn first(&self) -> Option<&[u8]> {
        let &(start, length) = self.places.get(self.next)?;
        Some(&self.bytes[start..][..usize::from(length)])
    }

    /// Takes the first away, and with the last one all memory.
    pub(super) fn advance(&mut self) {
        self.next += 1;
        if self.next >= self.places.len() {
            *self = Self::default();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.next
    }
}
