//! Framing of tcp and ipc: a 64-bit big-endian length, on ipc behind one byte that says "a message".
#![forbid(unsafe_code)]

use super::{FrameHead, Violation};

/// The only message type ipc knows.
const MESSAGE: u8 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LengthPrefix {
    /// tcp: the length alone.
    Plain,
    /// ipc: the type byte, then the length.
    Typed,
}

impl LengthPrefix {
    pub(crate) fn head_len(self) -> usize {
        match self {
            Self::Plain => 8,
            Self::Typed => 9,
        }
    }

    /// Writes the prefix of a frame into `out`, of which it takes [`LengthPrefix::head_len`] bytes.
    #[inline]
    pub(crate) fn encode(self, payload: usize, out: &mut [u8; 14]) -> usize {
        let length = (payload as u64).to_be_bytes();
        match self {
            Self::Plain => {
                out[..8].copy_from_slice(&length);
                8
            }
            Self::Typed => {
                out[0] = MESSAGE;
                out[1..9].copy_from_slice(&length);
                9
            }
        }
    }

    /// Reads a prefix; `None` asks for more bytes.
    #[inline]
    pub(crate) fn decode(self, bytes: &[u8]) -> Result<Option<FrameHead>, Violation> {
        let length = match self {
            Self::Plain => bytes,
            Self::Typed => match bytes.split_first() {
                None => return Ok(None),
                Some((&MESSAGE, rest)) => rest,
                Some(_) => return Err(Violation("A frame is of an unknown kind.")),
            },
        };
        let Some(length) = length.first_chunk::<8>() else { return Ok(None) };
        Ok(Some(FrameHead { head: self.head_len(), payload: u64::from_be_bytes(*length) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ipc_frames_start_with_the_type_byte() {
        let mut out = [0; 14];
        assert_eq!(LengthPrefix::Typed.encode(3, &mut out), 9);
        assert_eq!(out[..9], [1, 0, 0, 0, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn another_type_byte_is_a_violation_at_once() {
        assert_eq!(LengthPrefix::Typed.decode(&[2]), Err(Violation("A frame is of an unknown kind.")));
        assert_eq!(LengthPrefix::Typed.decode(&[0, 0]), Err(Violation("A frame is of an unknown kind.")));
    }

    #[test]
    fn a_part_of_a_prefix_asks_for_more() {
        for len in 0..8 {
            assert_eq!(LengthPrefix::Plain.decode(&[0; 8][..len]), Ok(None));
        }
    }

    proptest! {
        #[test]
        fn every_length_survives_the_round_trip(payload: u32, typed: bool) {
            let codec = if typed { LengthPrefix::Typed } else { LengthPrefix::Plain };
            let mut out = [0; 14];
            let head = codec.encode(payload as usize, &mut out);
            prop_assert_eq!(codec.decode(&out[..head]), Ok(Some(FrameHead { head, payload: u64::from(payload) })));
        }

        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>) {
            let _ = LengthPrefix::Plain.decode(&bytes);
            let _ = LengthPrefix::Typed.decode(&bytes);
        }
    }
}
