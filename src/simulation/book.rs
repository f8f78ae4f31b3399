//! What was sent and what has come, and whether the two agree.

use std::collections::BTreeMap;

use crate::sys::simulated::{fail, note, progress};

/// Bytes before the filler: sender, number, length.
const HEAD: usize = 12;

/// A message that says who has sent it and the how many-th it is; the rest follows from that.
pub(super) fn message(sender: u32, number: u32, length: usize) -> Vec<u8> {
    let length = length.max(HEAD);
    let mut bytes = Vec::with_capacity(length);
    for word in [sender, number, length as u32] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    bytes.extend((HEAD..length).map(|at| filler(sender, number, at)));
    bytes
}

fn filler(sender: u32, number: u32, at: usize) -> u8 {
    (sender as usize * 7 + number as usize * 13 + at) as u8
}

/// Who has sent a message and the how many-th it is. Ends the run if not a bit of it is as it was sent.
pub(super) fn read(bytes: &[u8]) -> (u32, u32) {
    let word = |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map(u32::from_be_bytes);
    let (Some(sender), Some(number), Some(length)) = (word(0), word(4), word(8)) else {
        fail(&format!("a message of {} bytes that nobody sent: {bytes:?}", bytes.len()));
    };
    let whole = length as usize == bytes.len()
        && bytes.iter().enumerate().skip(HEAD).all(|(at, byte)| *byte == filler(sender, number, at));
    if !whole {
        fail(&format!("message {number} of sender {sender} has come in another shape: {} bytes", bytes.len()));
    }
    (sender, number)
}

#[derive(Debug, Default)]
struct Entry {
    /// The call that sent it has returned its length.
    accepted: bool,
    /// By receiver.
    got: BTreeMap<u32, u32>,
}

/// The book of one group of sockets.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<(u32, u32), Entry>,
    /// The last number that each receiver has got from each sender.
    last: BTreeMap<(u32, u32), u32>,
}

impl Book {
    /// A call begins that sends this.
    pub(super) fn sends(&mut self, sender: u32, number: u32) {
        self.entries.entry((sender, number)).or_default();
    }

    pub(super) fn accepted(&mut self, sender: u32, number: u32) {
        self.entries.entry((sender, number)).or_default().accepted = true;
        progress();
    }

    /// `ordered`: one connection between the two, and one thread at each end.
    pub(super) fn got(&mut self, receiver: u32, sender: u32, number: u32, ordered: bool) {
        note("has got", [receiver.into(), sender.into(), number.into()]);
        progress();
        let Some(entry) = self.entries.get_mut(&(sender, number)) else {
            fail(&format!("receiver {receiver} got message {number} of sender {sender}, which nobody sent"));
        };
        let count = entry.got.entry(receiver).or_default();
        *count += 1;
        if *count > 1 {
            fail(&format!("receiver {receiver} got message {number} of sender {sender} twice"));
        }
        let last = self.last.insert((receiver, sender), number);
        if let Some(last) = last.filter(|last| ordered && *last >= number) {
            fail(&format!("receiver {receiver} got message {number} of sender {sender} after message {last}"));
        }
    }

    /// Accepted messages that nobody has, where one receiver gets each.
    pub(super) fn missing(&self) -> Vec<(u32, u32)> {
        let lost = self.entries.iter().filter(|(_, entry)| entry.accepted && entry.got.is_empty());
        lost.map(|(id, _)| *id).collect()
    }

    /// What cannot be, once all calls have ended. `once`: only one receiver gets each message.
    pub(super) fn check(&self, once: bool) -> Result<(), String> {
        for ((sender, number), entry) in &self.entries {
            if !entry.accepted && !entry.got.is_empty() {
                return Err(format!("message {number} of sender {sender} was refused, and has come all the same"));
            }
            if once && entry.got.len() > 1 {
                return Err(format!("message {number} of sender {sender} has come to {:?}", entry.got.keys()));
            }
        }
        Ok(())
    }
}
