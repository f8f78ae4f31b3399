//! Byte strings that are short for the most part, in 24 bytes.
#![forbid(unsafe_code)]

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

const SHORT: usize = 22;

#[derive(Debug)]
pub(super) enum ShortBytes {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<[u8]>),
}

const _: () = assert!(size_of::<ShortBytes>() == 24);

impl From<&[u8]> for ShortBytes {
    fn from(from: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..from.len()) {
            Some(room) => room.copy_from_slice(from),
            None => return Self::Long(from.into()),
        }
        Self::Short { length: from.len() as u8, bytes }
    }
}

impl std::ops::Deref for ShortBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(bytes) => bytes,
        }
    }
}

// As a slice does, so that one finds it in a map.

impl Borrow<[u8]> for ShortBytes {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl Hash for ShortBytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl PartialEq for ShortBytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for ShortBytes {}
