//! Byte strings that are short for the most part, in 24 bytes.
#![forbid(unsafe_code)]

use crate::error::{Error, Result};

const SHORT: usize = 22;

#[derive(Debug)]
pub(in crate::pattern) enum ShortBytes {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<[u8]>),
}

const _: () = assert!(size_of::<ShortBytes>() == 24);

impl TryFrom<&[u8]> for ShortBytes {
    type Error = Error;

    fn try_from(from: &[u8]) -> Result<Self> {
        Self::joined(from, b"")
    }
}

impl ShortBytes {
    /// One behind the other.
    pub(super) fn joined(front: &[u8], back: &[u8]) -> Result<Self> {
        let length = front.len() + back.len();
        if length > SHORT {
            return long(front, back).map(Self::Long);
        }
        let mut bytes = [0; SHORT];
        bytes[..front.len()].copy_from_slice(front);
        bytes[front.len()..length].copy_from_slice(back);
        Ok(Self::Short { length: length as u8, bytes })
    }
}

/// Keys are as long as applications and peers choose.
pub(super) fn long(front: &[u8], back: &[u8]) -> Result<Box<[u8]>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(front.len() + back.len()).map_err(|_| Error::NoMemory)?;
    bytes.extend_from_slice(front);
    bytes.extend_from_slice(back);
    Ok(bytes.into())
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
