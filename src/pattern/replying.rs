//! REP and RESPONDENT: who answers to where a question came from. The two differ only in who may ask.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::time::Instant;

use super::routing::fair_queue::FairQueue;
use super::{Pattern, Pipes, Priorities, Refused, backtrace};
use crate::error::{Error, Result};
use crate::message::{Header, Message, Outgoing};
use crate::pipe::PipeId;

/// Cooked: one question at a time.
#[derive(Debug)]
pub(super) struct Replier {
    askers: FairQueue,
    max_hops: u8,
    /// Where the present question came from, and the way back from there.
    question: Option<(PipeId, Header)>,
}

impl Default for Replier {
    fn default() -> Self {
        Self { askers: FairQueue::default(), max_hops: u8::MAX, question: None }
    }
}

impl Pattern for Replier {
    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused> {
        self.askers.add(pipe, priorities);
        Ok(())
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.askers.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.askers.readable(pipe);
    }

    /// An answer whose way back is gone or full is dropped: the asker asks again.
    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        let (pipe, way_back) = self.question.as_ref().ok_or(Error::WrongState)?;
        if !message.header.is_empty() {
            return Err(Error::Invalid);
        }
        message.header.extend_from_slice(way_back);
        if pipes.send(*pipe, message, true) == Err(Error::NoMemory) {
            message.header.clear();
            return Err(Error::NoMemory);
        }
        self.question = None;
        Ok(())
    }

    /// The next question. The one before is forgotten, whatever comes.
    fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        self.question = None;
        while let Some(pipe) = self.askers.recv(message, pipes) {
            if backtrace::take_all(message, self.max_hops) {
                self.question = Some((pipe, std::mem::take(&mut message.header)));
                return Ok(());
            }
        }
        Err(Error::WouldBlock)
    }

    fn can_send(&self) -> bool {
        self.question.is_some()
    }

    fn can_recv(&self) -> bool {
        self.askers.can_recv()
    }

    fn set_max_hops(&mut self, max: u8) {
        self.max_hops = max;
    }
}

/// Raw: the way back travels with the message, its first word the key of a pipe.
#[derive(Debug)]
pub(super) struct XReplier {
    askers: FairQueue,
    max_hops: u8,
    next_key: u32,
    pipes: HashMap<u32, PipeId>,
    /// By the pipe's slot.
    keys: Vec<Option<u32>>,
}

impl XReplier {
    pub(super) fn new(first_key: u32) -> Self {
        let next_key = first_key & !backtrace::BOTTOM;
        Self { askers: FairQueue::default(), max_hops: u8::MAX, next_key, pipes: HashMap::new(), keys: Vec::new() }
    }
}

impl Pattern for XReplier {
    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused> {
        self.askers.add(pipe, priorities);
        while self.pipes.contains_key(&self.next_key) {
            self.next_key = (self.next_key + 1) & !backtrace::BOTTOM;
        }
        self.pipes.insert(self.next_key, pipe);
        let slot = pipe.slot as usize;
        if slot >= self.keys.len() {
            self.keys.resize(slot + 1, None);
        }
        self.keys[slot] = Some(self.next_key);
        self.next_key = (self.next_key + 1) & !backtrace::BOTTOM;
        Ok(())
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.askers.remove(pipe);
        if let Some(key) = self.keys.get_mut(pipe.slot as usize).and_then(Option::take) {
            self.pipes.remove(&key);
        }
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.askers.readable(pipe);
    }

    /// To the pipe that the header's first word names, which stays here. Nobody there, or no room: it is dropped.
    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        let key = backtrace::first_word(&message.header);
        let Some(&pipe) = key.and_then(|key| self.pipes.get(&key)) else { return Ok(()) };
        let header = message.header.clone();
        message.header.drain(..backtrace::WORD);
        if pipes.send(pipe, message, true) == Err(Error::NoMemory) {
            message.header = header;
            return Err(Error::NoMemory);
        }
        Ok(())
    }

    fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        while let Some(pipe) = self.askers.recv(message, pipes) {
            let Some(Some(key)) = self.keys.get(pipe.slot as usize) else { continue };
            if backtrace::take_all(message, self.max_hops) {
                message.header.insert_from_slice(0, &key.to_be_bytes());
                return Ok(());
            }
        }
        Err(Error::WouldBlock)
    }

    fn can_send(&self) -> bool {
        true
    }

    fn can_recv(&self) -> bool {
        self.askers.can_recv()
    }

    fn set_max_hops(&mut self, max: u8) {
        self.max_hops = max;
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{A, B, C, Harness, with_priority};
    use super::*;

    fn replier() -> Harness<Replier> {
        let mut rep = Harness::of(Replier::default());
        rep.pattern.set_max_hops(8);
        rep.connect_all(&[A, B]);
        rep
    }

    const FROM_A: &[u8] = b"\x80\0\0\x01question";

    #[test]
    fn an_answer_goes_where_its_question_came_from() {
        let mut rep = replier();
        rep.arrive(B, FROM_A);
        assert_eq!(rep.body(), b"question");
        assert!(rep.pattern.can_send());
        rep.send(b"answer").unwrap();
        assert_eq!(rep.last(), (B, b"\x80\0\0\x01answer".to_vec()));
        assert!(!rep.pattern.can_send());
    }

    #[test]
    fn the_whole_backtrace_goes_back() {
        let mut rep = replier();
        rep.arrive(A, b"\0\0\0\x05\0\0\0\x06\x80\0\0\x01q");
        assert_eq!(rep.body(), b"q");
        rep.send(b"a").unwrap();
        assert_eq!(rep.last().1, b"\0\0\0\x05\0\0\0\x06\x80\0\0\x01a");
    }

    #[test]
    fn nothing_can_be_answered_before_it_was_asked_or_twice() {
        let mut rep = replier();
        assert_eq!(rep.send(b"a"), Err(Error::WrongState));
        assert_eq!(rep.recv(), Err(Error::WouldBlock));
        rep.arrive(A, FROM_A);
        assert!(rep.pattern.can_recv() && !rep.pattern.can_send());
        rep.body();
        rep.send(b"a").unwrap();
        assert_eq!(rep.send(b"a"), Err(Error::WrongState));
    }

    #[test]
    fn receiving_again_forgets_the_question() {
        let mut rep = replier();
        rep.arrive(A, FROM_A);
        rep.body();
        assert_eq!(rep.recv(), Err(Error::WouldBlock));
        assert_eq!(rep.send(b"a"), Err(Error::WrongState));
        rep.arrive(A, FROM_A);
        rep.arrive(B, b"\x80\0\0\x02second");
        rep.body();
        assert_eq!(rep.body(), b"second");
        rep.send(b"a").unwrap();
        assert_eq!(rep.last(), (B, b"\x80\0\0\x02a".to_vec()));
    }

    #[test]
    fn an_asker_that_is_gone_or_full_costs_only_its_answer() {
        let mut rep = replier();
        rep.arrive(A, FROM_A);
        rep.body();
        rep.remove(A);
        assert!(rep.pattern.can_send());
        assert_eq!(rep.send(b"a"), Ok(()));
        rep.arrive(B, FROM_A);
        rep.body();
        rep.desk.room.insert(B, 0);
        assert_eq!(rep.send(b"a"), Ok(()));
        assert!(rep.desk.sent.is_empty());
    }

    #[test]
    fn a_question_without_a_way_back_is_dropped() {
        let mut rep = replier();
        for noise in [&b""[..], b"\x80\0\0", b"\0\0\0\x01\0\0\0\x02", b"\0\0\0\x01"] {
            rep.arrive(A, noise);
        }
        rep.arrive(A, FROM_A);
        assert_eq!(rep.body(), b"question");
    }

    #[test]
    fn a_question_that_has_made_too_many_hops_is_dropped() {
        let asked = |hops: usize| [b"\0\0\0\x01".repeat(hops), FROM_A.to_vec()].concat();
        let mut rep = replier();
        rep.arrive(A, &asked(8));
        assert_eq!(rep.recv(), Err(Error::WouldBlock));
        rep.arrive(A, &asked(7));
        assert_eq!(rep.body(), b"question");
        rep.pattern.set_max_hops(1);
        rep.arrive(A, &asked(1));
        assert_eq!(rep.recv(), Err(Error::WouldBlock));
        rep.arrive(A, &asked(0));
        assert_eq!(rep.body(), b"question");
    }

    #[test]
    fn askers_take_turns_by_priority() {
        let mut rep = replier();
        rep.connect_as(C, with_priority(1));
        for (pipe, name) in [(A, b'a'), (A, b'A'), (B, b'b'), (C, b'c')] {
            rep.arrive(pipe, &[0x80, 0, 0, 1, name]);
        }
        let got: Vec<_> = (0..4).map(|_| rep.body()).collect();
        assert_eq!(got, [b"c", b"a", b"b", b"A"]);
    }

    #[test]
    fn a_cooked_one_takes_no_header() {
        let mut rep = replier();
        assert_eq!(rep.send_with(b"head", b"a"), Err(Error::WrongState));
        rep.arrive(A, FROM_A);
        rep.body();
        assert_eq!(rep.send_with(b"head", b"a"), Err(Error::Invalid));
        assert_eq!(rep.send(b"a"), Ok(()), "and the question stays");
    }

    fn raw() -> Harness<XReplier> {
        let mut rep = Harness::of(XReplier::new(0xFFFF_FFFF));
        rep.pattern.set_max_hops(8);
        rep.connect_all(&[A, B]);
        rep
    }

    #[test]
    fn a_raw_one_tells_the_way_back_and_follows_it() {
        let mut rep = raw();
        rep.arrive(B, b"\0\0\0\x09\x80\0\0\x01q");
        let (header, body) = rep.recv().unwrap();
        assert_eq!(header, b"\0\0\0\0\0\0\0\x09\x80\0\0\x01", "keys go on from 2^31 - 1 with 0");
        assert_eq!(body, b"q");
        rep.send_with(&header, b"a").unwrap();
        assert_eq!(rep.last(), (B, b"\0\0\0\x09\x80\0\0\x01a".to_vec()));
        assert_eq!(rep.send_with(&header, b"again"), Ok(()));
        assert_eq!(rep.sent_to(B).len(), 2, "it keeps no state");
    }

    #[test]
    fn a_raw_answer_that_leads_nowhere_is_dropped() {
        let mut rep = raw();
        rep.arrive(A, FROM_A);
        let (header, _) = rep.recv().unwrap();
        assert_eq!(header[..4], [0x7F, 0xFF, 0xFF, 0xFF]);
        assert!(rep.pattern.can_send());
        for nowhere in [&b""[..], b"\x7F\xFF\xFF", b"\0\0\0\x77\x80\0\0\x01", b"\xFF\xFF\xFF\xFF\x80\0\0\x01"] {
            assert_eq!(rep.send_with(nowhere, b"a"), Ok(()));
        }
        rep.desk.room.insert(A, 0);
        assert_eq!(rep.send_with(&header, b"a"), Ok(()));
        rep.remove(A);
        assert_eq!(rep.send_with(&header, b"a"), Ok(()));
        assert!(rep.desk.sent.is_empty());
    }

    #[test]
    fn a_raw_one_drops_what_a_cooked_one_drops() {
        let mut rep = raw();
        rep.arrive(A, b"\0\0\0\x01\0\0\0\x02");
        rep.arrive(A, &[b"\0\0\0\x01".repeat(8), FROM_A.to_vec()].concat());
        assert_eq!(rep.recv(), Err(Error::WouldBlock));
        rep.pattern.set_max_hops(9);
        rep.arrive(A, &[b"\0\0\0\x01".repeat(8), FROM_A.to_vec()].concat());
        assert_eq!(rep.recv().unwrap().0.len(), 40);
    }

    #[test]
    fn keys_in_use_are_passed_over() {
        let mut rep = raw();
        rep.pattern.next_key = 0x7FFF_FFFF;
        rep.connect(C);
        rep.arrive(C, FROM_A);
        assert_eq!(rep.recv().unwrap().0[..4], [0, 0, 0, 1]);
    }
}
