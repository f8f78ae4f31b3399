//! A list of topics in little memory, to go through once: of each only what differs from the one before is there.
#![forbid(unsafe_code)]

use super::frame::TOPIC_MAX;
use crate::error::{Error, Result};

/// A length up to this takes one byte, a longer one two.
const ONE_BYTE: usize = 0x7f;

const _: () = assert!(TOPIC_MAX <= ONE_BYTE << 8 | 0xff);

/// The two lengths of an entry, at most.
const LENGTHS: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Packed {
    /// Of each topic: how many bytes it begins with like the one before, how many are behind those, and these.
    bytes: Vec<u8>,
    count: usize,
    last: Vec<u8>,
}

/// The same while somebody goes through it. It takes no more memory.
#[derive(Debug)]
pub(super) struct Unpacked {
    bytes: Vec<u8>,
    count: usize,
    /// The first of those that are left, and how many there are.
    first: Vec<u8>,
    left: usize,
    /// Behind the first.
    at: usize,
}

impl Packed {
    /// A topic as it travels. On an error all is as it was.
    pub(super) fn push(&mut self, topic: &[u8]) -> Result<()> {
        let shared = self.last.iter().zip(topic).take_while(|(last, new)| last == new).count();
        let rest = &topic[shared..];
        let room = LENGTHS + rest.len();
        if self.bytes.capacity() - self.bytes.len() < room {
            // An eighth more: twice as many would be as much again that nobody needs yet.
            let more = room.max(self.bytes.len() / 8);
            self.bytes.try_reserve_exact(more).map_err(|_| Error::NoMemory)?;
        }
        self.last.try_reserve_exact(rest.len()).map_err(|_| Error::NoMemory)?;
        self.write(shared);
        self.write(rest.len());
        self.bytes.extend_from_slice(rest);
        self.last.truncate(shared);
        self.last.extend_from_slice(rest);
        self.count += 1;
        Ok(())
    }

    fn write(&mut self, length: usize) {
        if length > ONE_BYTE {
            self.bytes.push((length >> 8) as u8 | 0x80);
        }
        self.bytes.push(length as u8);
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn unpack(self) -> Unpacked {
        let Self { bytes, count, last: first } = self;
        let mut unpacked = Unpacked { bytes, count, first, left: count, at: 0 };
        unpacked.read();
        unpacked
    }
}

impl Unpacked {
    pub(super) fn first(&self) -> Option<&[u8]> {
        (self.left > 0).then_some(&self.first[..])
    }

    /// Takes the first away, and with the last one all memory.
    pub(super) fn advance(&mut self) {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            *self = Packed::default().unpack();
        } else {
            self.read();
        }
    }

    /// The whole again, from any but the last on.
    pub(super) fn repack(mut self) -> Packed {
        while self.left > 1 {
            self.advance();
        }
        Packed { bytes: self.bytes, count: self.count, last: self.first }
    }

    fn read(&mut self) {
        if self.left == 0 {
            return;
        }
        let shared = self.length();
        let rest = self.length();
        self.first.truncate(shared);
        self.first.extend_from_slice(&self.bytes[self.at..][..rest]);
        self.at += rest;
    }

    fn length(&mut self) -> usize {
        let first = usize::from(self.bytes[self.at]);
        self.at += 1;
        if first <= ONE_BYTE {
            return first;
        }
        let second = usize::from(self.bytes[self.at]);
        self.at += 1;
        (first & ONE_BYTE) << 8 | second
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.left
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(topics: &[Vec<u8>]) -> Packed {
        let mut packed = Packed::default();
        topics.iter().for_each(|topic| packed.push(topic).unwrap());
        packed
    }

    fn rest(mut unpacked: Unpacked) -> Vec<Vec<u8>> {
        let mut topics = Vec::new();
        while let Some(topic) = unpacked.first() {
            topics.push(topic.to_vec());
            assert!(topics.len() <= 1000);
            unpacked.advance();
        }
        topics
    }

    #[test]
    fn topics_that_begin_alike_take_a_few_bytes_each() {
        let topics: Vec<_> = (0..10_000).map(|number| format!("quotes/NYSE/{number:05}").into_bytes()).collect();
        let packed = packed(&topics);
        assert!(packed.bytes.capacity() < 5 * topics.len(), "{}", packed.bytes.capacity());
    }

    #[test]
    fn the_last_one_takes_the_memory_along() {
        let mut unpacked = packed(&[vec![1; TOPIC_MAX], vec![2; TOPIC_MAX]]).unpack();
        unpacked.advance();
        assert_eq!(unpacked.first(), Some(&[2; TOPIC_MAX][..]));
        unpacked.advance();
        assert_eq!((unpacked.first(), unpacked.bytes.capacity()), (None, 0));
        unpacked.advance();
        assert_eq!(unpacked.len(), 0);
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(
            topics in proptest::collection::vec("[ab]{0,5}|(long){30,40}[ab]{0,200}", 0..50),
            advance in 0..50usize,
        ) {
            let topics: Vec<_> = topics.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(packed(&topics).len(), topics.len());
            prop_assert_eq!(&rest(packed(&topics).unpack()), &topics);
            let mut unpacked = packed(&topics).unpack();
            for _ in 0..advance.min(topics.len().saturating_sub(1)) {
                unpacked.advance();
            }
            let mut again = unpacked.repack();
            again.push(b"more").unwrap();
            let expected: Vec<_> = topics.into_iter().chain([b"more".to_vec()]).collect();
            prop_assert_eq!(rest(again.unpack()), expected);
        }
    }
}
