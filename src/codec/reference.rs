//! The frames of a connection on which large messages go by reference (docs/shared-memory.md). Each begins as a message of ipc does:
//! a byte that says what it is, and the length of the rest in 64 bits. Numbers are big-endian.
#![forbid(unsafe_code)]

use arrayvec::ArrayVec;

use super::Violation;

/// Kinds of frames (docs/shared-memory.md), beside 1, which is a message of ipc.
const ASK: u8 = 2;
const READY: u8 = 3;
const MEMORY: u8 = 4;
const MAPPED: u8 = 5;
const REFERENCE: u8 = 6;
const TAKEN: u8 = 7;
const FORGET: u8 = 8;

/// Bytes of the kind and of the length.
const HEAD: usize = 9;

/// Bytes of a reference before the header of its message: three numbers of 32 bits and two of 64.
const LOAN: usize = 28;

/// Bytes of the longest header that goes along: 255 hops, which is the most that NN_MAXTTL allows, and the id below them, of four each.
const HEADER_MAX: usize = 1024;

/// A frame, but for the header that follows a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame(ArrayVec<u8, { HEAD + LOAN }>);

/// A block that is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loan {
    /// Where on the page it is given back, and as what.
    pub slot: u32,
    pub number: u32,
    /// Where it lies.
    pub segment: u32,
    pub offset: u64,
    pub length: u64,
}

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// Large messages wait: will you take descriptors?
    Ask,
    /// From now on.
    Ready,
    /// This memory has this number. Its descriptor comes with the frame's first byte.
    Memory { number: u32, length: u64 },
    /// It is mapped, or cannot be.
    Mapped { number: u32, done: bool },
    /// A message, with its header.
    Reference(Loan, &'a [u8]),
    /// As many messages were taken as was wanted.
    Taken,
    /// This memory is not used again.
    Forget { number: u32 },
}

impl Frame {
    pub(crate) const HEADER_MAX: usize = HEADER_MAX;

    fn new(kind: u8, parts: &[&[u8]], behind: usize) -> Self {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut frame = ArrayVec::new();
        frame.push(kind);
        frame.extend(((length + behind) as u64).to_be_bytes());
        parts.iter().for_each(|part| frame.extend(part.iter().copied()));
        Self(frame)
    }

    pub(crate) fn ask() -> Self {
        Self::new(ASK, &[], 0)
    }

    pub(crate) fn ready() -> Self {
        Self::new(READY, &[], 0)
    }

    pub(crate) fn memory(number: u32, length: u64) -> Self {
        Self::new(MEMORY, &[&number.to_be_bytes(), &length.to_be_bytes()], 0)
    }

    pub(crate) fn mapped(number: u32, done: bool) -> Self {
        Self::new(MAPPED, &[&number.to_be_bytes(), &[u8::from(done)]], 0)
    }

    /// The header follows.
    pub(crate) fn reference(loan: Loan, header: &[u8]) -> Self {
        let Loan { slot, number, segment, offset, length } = loan;
        let [slot, number, segment] = [slot, number, segment].map(u32::to_be_bytes);
        let [offset, length] = [offset, length].map(u64::to_be_bytes);
        Self::new(REFERENCE, &[&slot, &number, &segment, &offset, &length], header.len())
    }

    pub(crate) fn taken() -> Self {
        Self::new(TAKEN, &[], 0)
    }

    pub(crate) fn forget(number: u32) -> Self {
        Self::new(FORGET, &[&number.to_be_bytes()], 0)
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

const UNKNOWN: Violation = Violation("A frame is of an unknown kind.");
const LENGTH: Violation = Violation("A frame about memory has a wrong length.");

/// Reads a frame that is no message, and says how long it is. `None` asks for more bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Said<'_>, usize)>, Violation> {
    let Some((&kind, rest)) = bytes.split_first() else { return Ok(None) };
    if !(ASK..=FORGET).contains(&kind) {
        return Err(UNKNOWN);
    }
    let Some((length, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
    let length = usize::try_from(u64::from_be_bytes(*length)).map_err(|_| LENGTH)?;
    let fits = match kind {
        ASK | READY | TAKEN => length == 0,
        MEMORY => length == 12,
        MAPPED => length == 5,
        FORGET => length == 4,
        _ => (LOAN..=LOAN + HEADER_MAX).contains(&length),
    };
    if !fits {
        return Err(LENGTH);
    }
    let Some(payload) = rest.get(..length) else { return Ok(None) };
    let mut reader = Reader(payload);
    let said = match kind {
        ASK => Said::Ask,
        READY => Said::Ready,
        TAKEN => Said::Taken,
        MEMORY => Said::Memory { number: reader.word(), length: reader.long() },
        MAPPED => Said::Mapped { number: reader.word(), done: payload[4] == 1 },
        FORGET => Said::Forget { number: reader.word() },
        _ => {
            let (slot, number, segment) = (reader.word(), reader.word(), reader.word());
            let (offset, length) = (reader.long(), reader.long());
            Said::Reference(Loan { slot, number, segment, offset, length }, reader.0)
        }
    };
    Ok(Some((said, HEAD + length)))
}

/// Of a payload whose length is right.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let Some((bytes, rest)) = self.0.split_first_chunk::<N>() else { return [0; N] };
        self.0 = rest;
        *bytes
    }

    fn word(&mut self) -> u32 {
        u32::from_be_bytes(self.bytes())
    }

    fn long(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_are_as_the_page_says() {
        assert_eq!(Frame::ask().as_slice(), [2, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Frame::ready().as_slice(), [3, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Frame::memory(1, 258).as_slice(), *b"\x04\0\0\0\0\0\0\0\x0c\0\0\0\x01\0\0\0\0\0\0\x01\x02");
        assert_eq!(Frame::mapped(1, true).as_slice(), *b"\x05\0\0\0\0\0\0\0\x05\0\0\0\x01\x01");
        assert_eq!(Frame::taken().as_slice(), [7, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Frame::forget(9).as_slice(), *b"\x08\0\0\0\0\0\0\0\x04\0\0\0\x09");
        let loan = Loan { slot: 1, number: 2, segment: 3, offset: 4, length: 5 };
        assert_eq!(
            Frame::reference(loan, b"head").as_slice(),
            *b"\x06\0\0\0\0\0\0\0\x20\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x05"
        );
    }

    #[test]
    fn a_wrong_length_is_a_violation_at_once() {
        for kind in ASK..=FORGET {
            let mut frame = vec![kind];
            frame.extend_from_slice(&2000_u64.to_be_bytes());
            assert_eq!(decode(&frame), Err(LENGTH), "{kind}");
        }
        for kind in [0, 1, 9, 255] {
            assert_eq!(decode(&[kind]), Err(UNKNOWN));
        }
    }

    proptest! {
        #[test]
        fn references_survive_the_round_trip(slot: u32, number: u32, segment: u32, offset: u64, length: u64, header in proptest::collection::vec(any::<u8>(), 0..=HEADER_MAX)) {
            let loan = Loan { slot, number, segment, offset, length };
            let bytes = [Frame::reference(loan, &header).as_slice(), &header].concat();
            prop_assert_eq!(decode(&bytes), Ok(Some((Said::Reference(loan, &header), bytes.len()))));
            prop_assert_eq!(decode(&bytes[..bytes.len() - 1]), Ok(None));
        }

        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
