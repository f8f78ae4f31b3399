//! The sending end of a connection on which large messages go by reference: what the peer knows, what it has, and what it has
//! not taken yet.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::{LENT_MAX, SEGMENTS_MAX};
use crate::codec::reference::{Frame, Loan};
use crate::message::shared::{Block, FIRST_SLOT, Handed, Hold, SLOTS, TAKEN, WANTED, pool};
use crate::sys::shared_memory::{PAGE, Page, Segment};

/// What has to be done for a large message.
#[derive(Debug)]
pub(crate) enum Step {
    /// It goes as it is.
    Copy,
    /// It goes as it is, behind a frame that prepares for later ones.
    Tell(Frame),
    /// The same, with a descriptor.
    Hand(Frame, Handed),
    /// This takes its place.
    Lend(Frame),
}

/// How far the peer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There was no large message yet.
    Quiet,
    /// The peer was asked to take descriptors.
    Asked,
    /// It does.
    Ready,
    /// It was handed the page.
    Handed,
    /// It has mapped it.
    Open,
    /// It cannot, or we cannot.
    Shut,
}

#[derive(Debug)]
struct Known {
    segment: Arc<Segment>,
    number: u32,
    mapped: bool,
}

#[derive(Debug)]
struct Lent {
    hold: Arc<Hold>,
    number: u32,
    bytes: usize,
}

/// The number of the page among what is handed over; segments follow.
const PAGE_NUMBER: u32 = 0;

#[derive(Debug)]
pub(crate) struct Lending {
    phase: Phase,
    page: Option<Page>,
    known: Vec<Known>,
    last: u32,
    /// By slot.
    lent: Vec<Option<Lent>>,
    /// Slots in use, the oldest loan first, and those that are free.
    order: VecDeque<usize>,
    free: Vec<usize>,
    loans: u32,
    /// Bytes of all that is lent.
    bytes: usize,
    /// Bytes of each message that the peer has not taken yet, and their sum.
    untaken: VecDeque<usize>,
    transit: usize,
    /// Messages that it has taken.
    taken: u32,
    /// Bytes from which messages go this way, and of messages that may be untaken.
    min: usize,
    most: usize,
    full: bool,
    /// Messages that have gone this way.
    messages: u64,
    /// Answers of ours that the peer may not have read.
    told: u32,
}

impl Lending {
    pub(crate) fn new(min: usize, most: usize) -> Self {
        Self {
            phase: Phase::Quiet,
            page: None,
            known: Vec::new(),
            last: PAGE_NUMBER,
            lent: Vec::new(),
            order: VecDeque::new(),
            free: Vec::new(),
            loans: 0,
            bytes: 0,
            untaken: VecDeque::new(),
            transit: 0,
            taken: 0,
            min,
            most,
            full: false,
            messages: 0,
            told: 0,
        }
    }

    /// Bytes from which messages go by reference.
    pub(crate) fn min(&self) -> usize {
        self.min
    }

    /// Whether messages had better lie in blocks.
    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether the peer has to take some messages before there are more.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Whether the peer may be told something: of one that does not read what it has asked for there is an end. `quiet`: it has read
    /// everything.
    pub(crate) fn may_tell(&mut self, quiet: bool) -> bool {
        /// One that keeps the rules has one question at a time, and one for each segment.
        const ANSWERS: u32 = 1024;
        self.told = if quiet { 1 } else { self.told + 1 };
        self.told <= ANSWERS
    }

    /// Messages that have gone this way.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// Blocks that are lent, and their bytes.
    pub(crate) fn lent(&mut self) -> (usize, usize) {
        self.take_back();
        (self.order.len(), self.bytes)
    }

    /// What to do for a message. `block`: where it lies, if it does in shared memory. `header` goes along with it.
    pub(crate) fn step(&mut self, block: Option<&Block>, header: &[u8]) -> Step {
        match self.phase {
            Phase::Quiet => {
                self.phase = Phase::Asked;
                Step::Tell(Frame::ask())
            }
            Phase::Ready => match Page::create() {
                Ok((page, descriptor)) => {
                    self.page = Some(page);
                    self.phase = Phase::Handed;
                    Step::Hand(Frame::memory(PAGE_NUMBER, PAGE as u64), Handed::Page(descriptor))
                }
                Err(_) => {
                    self.phase = Phase::Shut;
                    Step::Copy
                }
            },
            Phase::Open => self.lend(block, header),
            Phase::Asked | Phase::Handed | Phase::Shut => Step::Copy,
        }
    }

    fn lend(&mut self, block: Option<&Block>, header: &[u8]) -> Step {
        let Some(block) = block.filter(|block| header.len() <= Frame::HEADER_MAX && block.can_be_lent()) else {
            return Step::Copy;
        };
        let hold = block.hold();
        let (offset, length) = block.place();
        let number = match self.known.iter().find(|known| Arc::ptr_eq(&known.segment, &hold.segment)) {
            Some(known) if known.mapped => known.number,
            Some(_) => return Step::Copy,
            None => return self.introduce(&hold.segment),
        };
        self.take_back();
        if self.full || self.bytes + hold.capacity > LENT_MAX {
            return Step::Copy;
        }
        // Its reader may hand a block to its program, which has it for itself then.
        if !block.is_alone() && self.lent.iter().flatten().any(|lent| Arc::ptr_eq(&lent.hold, hold)) {
            return Step::Copy;
        }
        let Some(slot) = self.free_slot() else { return Step::Copy };
        self.loans = self.loans.wrapping_add(1);
        if self.loans == 0 {
            // What a fresh page says of every slot.
            self.loans = 1;
        }
        let lent = Lent { hold: Arc::clone(hold), number: self.loans, bytes: hold.capacity };
        self.bytes += lent.bytes;
        self.lent[slot] = Some(lent);
        self.order.push_back(slot);
        self.untaken.push_back(length);
        self.transit += length;
        self.messages += 1;
        if self.transit >= self.most {
            self.look();
        }
        let loan = Loan {
            slot: slot as u32,
            number: self.loans,
            segment: number,
            offset: offset as u64,
            length: length as u64,
        };
        Step::Lend(Frame::reference(loan, header))
    }

    fn introduce(&mut self, segment: &Arc<Segment>) -> Step {
        // Segments that nobody else has any more hold nothing that could be sent.
        if let Some(gone) = self.known.iter().position(|known| Arc::strong_count(&known.segment) == 1) {
            let gone = self.known.swap_remove(gone);
            return Step::Tell(Frame::forget(gone.number));
        }
        if self.known.len() >= SEGMENTS_MAX {
            return Step::Copy;
        }
        self.last += 1;
        let known = Known { segment: Arc::clone(segment), number: self.last, mapped: false };
        self.known.push(known);
        Step::Hand(Frame::memory(self.last, segment.len() as u64), Handed::Segment(Arc::clone(segment)))
    }

    fn free_slot(&mut self) -> Option<usize> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        if self.lent.len() >= SLOTS {
            return None;
        }
        self.lent.push(None);
        Some(self.lent.len() - 1)
    }

    /// Looks which blocks were given back: usually the oldest. Of those that were not it looks at some more: a program may keep
    /// what it has.
    fn take_back(&mut self) {
        const KEPT: usize = 8;
        let Some(page) = &self.page else { return };
        for _ in 0..KEPT {
            while let Some(&slot) = self.order.front() {
                if self.lent[slot].as_ref().is_some_and(|lent| !is_back(page, slot, lent.number)) {
                    break;
                }
                self.order.pop_front();
                self.free.push(slot);
                if let Some(lent) = self.lent[slot].take() {
                    self.bytes -= lent.bytes;
                }
            }
            // The others have their turn next time.
            let Some(kept) = self.order.pop_front() else { return };
            self.order.push_back(kept);
        }
    }

    /// Subtracts what the peer has taken from what is in transit. Asks for a `taken` frame while too much is.
    fn look(&mut self) {
        let Some(page) = &self.page else { return };
        loop {
            let taken = page.word(TAKEN).load(Ordering::Acquire);
            // No more than there are, whatever it says.
            let count = (taken.wrapping_sub(self.taken) as usize).min(self.untaken.len());
            for bytes in self.untaken.drain(..count) {
                self.transit -= bytes;
            }
            self.taken = self.taken.wrapping_add(count as u32);
            self.full = self.transit >= self.most;
            if !self.full {
                return;
            }
            // Half of it taken is soon enough: then there is work for both.
            let mut rest = self.transit;
            let enough = self.untaken.iter().take_while(|bytes| {
                let goes_on = rest > self.most / 2;
                rest -= **bytes;
                goes_on
            });
            let wanted = self.taken.wrapping_add(enough.count() as u32);
            page.word(WANTED).store(if wanted == 0 { 1 } else { wanted }, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if page.word(TAKEN).load(Ordering::Acquire) == taken {
                return;
            }
        }
    }

    /// The peer has answered. False: nothing of the kind was asked.
    pub(crate) fn hear_ready(&mut self) -> bool {
        let asked = self.phase == Phase::Asked;
        if asked {
            self.phase = Phase::Ready;
        }
        asked
    }

    pub(crate) fn hear_mapped(&mut self, number: u32, done: bool) -> bool {
        if number == PAGE_NUMBER {
            let handed = self.phase == Phase::Handed;
            if handed {
                self.phase = if done { Phase::Open } else { Phase::Shut };
            }
            if handed && done {
                pool::serve(self.min);
            }
            return handed;
        }
        let Some(known) = self.known.iter_mut().find(|known| known.number == number) else { return true };
        known.mapped = done;
        true
    }

    /// The peer reports that its program has taken messages.
    pub(crate) fn hear_taken(&mut self) {
        self.look();
    }
}

fn is_back(page: &Page, slot: usize, number: u32) -> bool {
    page.word(FIRST_SLOT + slot).load(Ordering::Acquire) == number
}

impl Drop for Lending {
    /// The connection is over. What the peer still has it may go on reading.
    fn drop(&mut self) {
        let Some(page) = &self.page else { return };
        for (slot, lent) in self.lent.iter().enumerate() {
            if let Some(lent) = lent
                && !is_back(page, slot, lent.number)
            {
                pool::abandon(&lent.hold);
            }
        }
    }
}

#[cfg(all(test, shared_memory))]
mod tests {
    use super::*;
    use crate::codec::reference::{Said, decode};
    use crate::message::Header;
    use crate::transport::sharing::Borrowing;

    const SIZE: usize = 300_000;

    /// Both ends of a connection, and what is on its way between them.
    struct Ends {
        lending: Lending,
        borrowing: Borrowing,
    }

    impl Ends {
        fn new(most: usize) -> Self {
            let mut ends = Self { lending: Lending::new(SIZE, most), borrowing: Borrowing::default() };
            assert!(matches!(ends.lending.step(None, b""), Step::Tell(_)));
            assert!(matches!(ends.lending.step(None, b""), Step::Copy), "it has not answered");
            assert!(ends.lending.hear_ready() && !ends.lending.hear_ready());
            let page = ends.lending.step(None, b"");
            ends.map(&page);
            assert!(ends.lending.is_open());
            ends
        }

        fn map(&mut self, step: &Step) {
            let Step::Hand(frame, handed) = step else { panic!("{step:?}") };
            let Ok(Some((Said::Memory { number, length }, _))) = decode(frame.as_slice()) else { panic!("{frame:?}") };
            assert!(self.borrowing.map(number, length, Some(handed.descriptor().duplicate())));
            assert!(self.lending.hear_mapped(number, true));
        }

        fn lend(&mut self, block: &Block) -> Option<Block> {
            let frame = loop {
                match self.lending.step(Some(block), b"") {
                    Step::Lend(frame) => break frame,
                    Step::Copy => return None,
                    // Of a segment that another test has done with.
                    Step::Tell(_) => {}
                    step @ Step::Hand(..) => self.map(&step),
                }
            };
            let Ok(Some((Said::Reference(loan, header), _))) = decode(frame.as_slice()) else { panic!("{frame:?}") };
            assert_eq!(header, b"");
            Some(self.borrowing.resolve(&loan, b"").unwrap())
        }
    }

    fn block(seed: u8) -> Block {
        pool::copy_of(&vec![seed; SIZE]).unwrap()
    }

    #[test]
    fn a_block_is_read_where_it_lies_and_comes_back() {
        let mut ends = Ends::new(usize::MAX);
        for seed in 0..200 {
            let own = block(seed);
            let theirs = ends.lend(&own).unwrap();
            drop(own);
            assert_eq!(theirs.as_slice(), vec![seed; SIZE]);
            assert_eq!(ends.lending.lent().0, 1);
            drop(theirs);
            assert_eq!(ends.lending.lent(), (0, 0));
        }
        assert_eq!(ends.lending.messages(), 200);
    }

    #[test]
    fn a_block_is_lent_once_at_a_time_and_a_header_is_no_part_of_it() {
        let mut ends = Ends::new(usize::MAX);
        let own = block(1);
        let theirs = ends.lend(&own).unwrap();
        assert!(ends.lend(&own).is_none(), "its reader has it for itself");
        drop(theirs);
        let theirs = ends.lend(&own).unwrap();
        assert!(matches!(ends.lending.step(Some(&block(2)), &[0; Frame::HEADER_MAX + 1]), Step::Copy));
        // What came with a header in front of it is sent on as a copy.
        let (segment, offset) = (Arc::clone(&theirs.hold().segment), theirs.place().0);
        let hold = Hold::new(segment, offset, SIZE, crate::message::shared::Origin::Own);
        let headed = std::mem::ManuallyDrop::new(Block::new(hold, SIZE, Header::from_slice(b"head")));
        assert!(!headed.can_be_lent());
    }

    #[test]
    fn what_is_not_taken_is_bounded_and_who_waits_is_told_at_half() {
        let mut ends = Ends::new(4 * SIZE);
        let mut theirs = VecDeque::new();
        while !ends.lending.is_full() {
            theirs.push_back(ends.lend(&block(3)).unwrap());
        }
        assert_eq!(theirs.len(), 4);
        let told: Vec<bool> = theirs.iter().map(Block::is_taken).collect();
        assert_eq!(told, [false, true, false, false]);
        ends.lending.hear_taken();
        assert!(!ends.lending.is_full());
    }

    #[test]
    fn a_reader_cannot_give_back_what_it_was_not_lent() {
        let mut ends = Ends::new(usize::MAX);
        let theirs = ends.lend(&block(4)).unwrap();
        let page = ends.lending.page.as_ref().unwrap();
        for slot in 0..SLOTS {
            page.word(FIRST_SLOT + slot).store(99, Ordering::Relaxed);
        }
        page.word(TAKEN).store(u32::MAX, Ordering::Relaxed);
        ends.lending.hear_taken();
        assert_eq!(ends.lending.lent().0, 1, "its number is another one");
        drop(theirs);
        assert_eq!(ends.lending.lent().0, 0);
    }

    #[test]
    fn what_a_dead_reader_has_is_not_used_again() {
        let mut ends = Ends::new(usize::MAX);
        let own = block(5);
        let theirs = ends.lend(&own).unwrap();
        drop(own);
        // It has died, and gives nothing back.
        let theirs = std::mem::ManuallyDrop::new(theirs);
        drop(ends);
        // As many as there are in two segments.
        let others: Vec<Block> = (0..50).map(|_| block(6)).collect();
        assert_eq!(theirs.as_slice(), vec![5; SIZE]);
        drop(others);
    }

    #[test]
    fn what_its_reader_keeps_keeps_the_memory_after_the_connection() {
        let mut ends = Ends::new(usize::MAX);
        let theirs = ends.lend(&block(7)).unwrap();
        drop(ends);
        assert_eq!(theirs.as_slice(), vec![7; SIZE]);
    }
}
