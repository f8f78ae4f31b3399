//! What is written at an edge of a tree: bytes that are few for the most part, in 8 bytes.
#![forbid(unsafe_code)]

use crate::error::{Error, Result};
use crate::pattern::pool::Pool;

const SHORT: usize = 6;

/// Where it is long, [`Labels`] has the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Label {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(u32),
}

const _: () = assert!(size_of::<Label>() == 8);

#[derive(Debug, Default)]
pub(super) struct Labels {
    long: Pool<Box<[u8]>>,
}

/// A label that is still to be written.
#[derive(Debug)]
pub(super) enum Draft {
    Short(Label),
    Long(Box<[u8]>),
}

impl Draft {
    /// One behind the other. Keys are as long as applications and peers choose.
    pub(super) fn joined(front: &[u8], back: &[u8]) -> Result<Self> {
        let length = front.len() + back.len();
        if length > SHORT {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(length).map_err(|_| Error::NoMemory)?;
            bytes.extend_from_slice(front);
            bytes.extend_from_slice(back);
            return Ok(Self::Long(bytes.into()));
        }
        let mut bytes = [0; SHORT];
        bytes[..front.len()].copy_from_slice(front);
        bytes[front.len()..length].copy_from_slice(back);
        Ok(Self::Short(Label::Short { length: length as u8, bytes }))
    }

    pub(super) fn of(bytes: &[u8]) -> Result<Self> {
        Self::joined(bytes, b"")
    }
}

impl Labels {
    /// Afterwards so many calls of [`Labels::write`] need no memory.
    pub(super) fn reserve(&mut self, count: usize) -> Result<()> {
        self.long.reserve(count)
    }

    pub(super) fn write(&mut self, draft: Draft) -> Label {
        match draft {
            Draft::Short(label) => label,
            Draft::Long(bytes) => Label::Long(self.long.insert(bytes)),
        }
    }

    pub(super) fn erase(&mut self, label: Label) {
        if let Label::Long(number) = label {
            self.long.remove(number);
        }
    }

    pub(super) fn bytes<'a>(&'a self, label: &'a Label) -> &'a [u8] {
        match label {
            Label::Short { length, bytes } => &bytes[..usize::from(*length)],
            Label::Long(number) => &self.long[*number],
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.long.is_empty()
    }
}
