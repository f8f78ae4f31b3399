//! Pipes that took messages and take none for now, and what becomes of messages for them (NN_OVERFLOW).
#![forbid(unsafe_code)]

use super::pipe_map::PipeMap;
use crate::error::Error;
use crate::message::{Body, Message, Outgoing};
use crate::pattern::Pipes;
use crate::pipe::{Inbox, PipeId};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The peer misses the new message.
    #[default]
    DropNew,
    /// It misses the oldest of those that wait for it.
    DropOld,
    /// Nobody gets it until all can.
    Wait,
}

#[derive(Debug, Default)]
pub(crate) struct Overflow {
    policy: Policy,
    /// What may wait for each pipe, in bytes.
    limit: usize,
    full: PipeMap<Backlog>,
    missed: u64,
}

/// What waits for one pipe.
#[derive(Debug, Default)]
struct Backlog {
    /// It was taken out, and the pipe would not have it yet.
    next: Option<Box<Message>>,
    rest: Inbox,
}

impl Backlog {
    fn weight(&self) -> usize {
        self.rest.weight() + self.next.as_ref().map_or(0, |next| next.body.len())
    }

    fn pop(&mut self) -> Option<Message> {
        if let Some(next) = self.next.take() {
            return Some(*next);
        }
        let mut message = Message::default();
        self.rest.pop(&mut message).then_some(message)
    }

    /// Says how many had to make room.
    fn add(&mut self, body: Body, opcode: u8, limit: usize) -> u64 {
        let mut dropped = 0;
        while self.weight() + body.len() > limit && self.pop().is_some() {
            dropped += 1;
        }
        self.rest.push(opcode, body);
        dropped
    }
}

impl Overflow {
    pub(crate) fn set(&mut self, policy: Policy, limit: usize) {
        (self.policy, self.limit) = (policy, limit);
    }

    /// Messages that peers have missed, counted for each.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    /// Pipes that are full.
    pub(crate) fn count(&self) -> usize {
        self.full.len()
    }

    pub(crate) fn contains(&self, pipe: PipeId) -> bool {
        self.full.contains(pipe)
    }

    /// Whether a message for all would be sent.
    pub(crate) fn can_send(&self) -> bool {
        self.policy != Policy::Wait || self.full.is_empty()
    }

    /// Whether one that leaves out a certain pipe would be, though one for all would not.
    pub(crate) fn can_send_to_others(&self) -> bool {
        self.policy == Policy::Wait && self.full.len() == 1
    }

    /// Whether nobody gets anything because of one that is full, other than `except`.
    pub(crate) fn holds(&self, except: Option<PipeId>) -> bool {
        self.policy == Policy::Wait && self.others(except) > 0
    }

    /// How many pipes are full, without `except`.
    pub(crate) fn others(&self, except: Option<PipeId>) -> usize {
        self.full.len() - usize::from(except.is_some_and(|pipe| self.full.contains(pipe)))
    }

    /// A pipe that took messages takes none for now.
    pub(crate) fn block(&mut self, pipe: PipeId) {
        self.full.insert(pipe);
    }

    /// The pipe takes messages again, and what waits for it first. False: that is all it takes.
    pub(crate) fn unblock(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) -> bool {
        let Some(backlog) = self.full.get_mut(pipe) else { return true };
        while let Some(message) = backlog.pop() {
            let opcode = message.opcode;
            let mut message = Outgoing::from(message);
            match pipes.send(pipe, &mut message, true) {
                // Without memory it is lost, as it would be to a pipe that is not full.
                Ok(true) | Err(Error::NoMemory) => {}
                Ok(false) => return false,
                Err(_) => {
                    backlog.next =
                        message.into_body().map(|body| Box::new(Message { body, opcode, ..Message::default() }));
                    return false;
                }
            }
        }
        self.full.remove(pipe);
        true
    }

    /// The pipe will go, and take whatever waits for it before.
    pub(crate) fn hand_over(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        let Some(mut backlog) = self.full.remove(pipe) else { return };
        while let Some(message) = backlog.pop() {
            if pipes.send(pipe, &mut Outgoing::from(message), true) == Err(Error::WouldBlock) {
                return;
            }
        }
    }

    /// The pipe is gone, or takes nothing any more.
    pub(crate) fn remove(&mut self, pipe: PipeId) {
        self.full.remove(pipe);
    }

    /// Before a message is sent: those pipes that are full and want it are given it for later, if it is to be so. Says whether
    /// one has it.
    #[inline]
    pub(crate) fn keep(&mut self, message: &mut Outgoing<'_>, count: usize, wants: impl Fn(PipeId) -> bool) -> bool {
        if count == 0 || self.policy != Policy::DropOld {
            return false;
        }
        self.keep_for(message, wants)
    }

    #[cold]
    fn keep_for(&mut self, message: &mut Outgoing<'_>, wants: impl Fn(PipeId) -> bool) -> bool {
        // Without memory they miss it.
        let Ok(mut body) = message.joined_body(false) else { return false };
        for (_, backlog) in self.full.iter_mut().filter(|(pipe, _)| wants(*pipe)) {
            self.missed += backlog.add(body.share(), message.opcode, self.limit);
        }
        true
    }

    /// After it was sent: so many pipes that were full before would have had it.
    pub(crate) fn count_missed(&mut self, count: usize) {
        if self.policy != Policy::DropOld {
            self.missed += count as u64;
        }
    }

    /// A pipe that took messages has not taken this one. Says whether it gets it later.
    #[cold]
    pub(crate) fn refuse(&mut self, pipe: PipeId, message: &mut Outgoing<'_>) -> bool {
        let backlog = self.full.insert(pipe);
        if self.policy == Policy::DropNew {
            self.missed += 1;
            return false;
        }
        // Without memory it is lost, as it would be to a pipe that is not full.
        let Ok(body) = message.joined_body(false) else { return false };
        self.missed += backlog.add(body, message.opcode, self.limit);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::Policy::{DropNew, DropOld, Wait};
    use super::*;
    use crate::pattern::bus::Bus;
    use crate::pattern::harness::{A, B, C, Harness};
    use crate::pattern::pubsub::Pub;
    use crate::pattern::{Pattern, open};

    const ALL: [PipeId; 3] = [A, B, C];

    /// A takes so many messages, and the others all.
    fn bus(policy: Policy, limit: usize, room: usize) -> Harness<Bus> {
        let mut bus = Harness::of(Bus::cooked());
        bus.connect_all(&ALL);
        bus.pattern.set_overflow(policy, limit);
        bus.desk.room.insert(A, room);
        bus
    }

    fn takes<P: Pattern>(stage: &mut Harness<P>, pipe: PipeId, room: usize) {
        stage.desk.room.insert(pipe, room);
        stage.writable(pipe);
    }

    #[test]
    fn what_a_full_pipe_gets() {
        // The policy, the limit in bytes, what A has when it takes all again, and how many it has missed.
        const CASES: [(Policy, usize, &[&[u8]], u64); 6] = [
            (DropNew, 100, &[b"1"], 4),
            (DropOld, 100, &[b"1", b"2", b"3", b"4", b"5"], 0),
            (DropOld, 6, &[b"1", b"4", b"5"], 2),
            (DropOld, 3, &[b"1", b"5"], 3),
            // One is kept, however large it is.
            (DropOld, 1, &[b"1", b"5"], 3),
            (Wait, 100, &[b"1"], 0),
        ];
        for (policy, limit, expected, missed) in CASES {
            let mut bus = bus(policy, limit, 1);
            for body in [b"1", b"2", b"3", b"4", b"5"] {
                let full = policy == Wait && body != b"1";
                assert_eq!(bus.pattern.can_send(), !full);
                assert_eq!(bus.send(body), if full { Err(Error::WouldBlock) } else { Ok(()) });
            }
            let others = if policy == Wait { 1 } else { 5 };
            assert_eq!((bus.sent_to(B).len(), bus.sent_to(C).len()), (others, others));
            takes(&mut bus, A, usize::MAX);
            assert_eq!(bus.sent_to(A), expected, "{policy:?} {limit}");
            assert_eq!(bus.pattern.overflowed(), missed, "{policy:?} {limit}");
            bus.send(b"6").unwrap();
            assert_eq!(bus.last().1, b"6");
            assert_eq!(bus.sent_to(A).len(), expected.len() + 1);
        }
    }

    #[test]
    fn a_backlog_goes_out_as_the_pipe_takes_it_and_nothing_overtakes_it() {
        let mut bus = bus(DropOld, 100, 1);
        [b"1", b"2", b"3"].iter().for_each(|body| bus.send(*body).unwrap());
        takes(&mut bus, A, 1);
        assert_eq!(bus.sent_to(A), [b"1", b"2"]);
        bus.send(b"4").unwrap();
        // Another policy leaves it as it is.
        bus.pattern.set_overflow(DropNew, 100);
        bus.send(b"missed").unwrap();
        // It is full just when all is out.
        takes(&mut bus, A, 2);
        bus.send(b"missed").unwrap();
        takes(&mut bus, A, 9);
        bus.send(b"5").unwrap();
        assert_eq!(bus.sent_to(A), [b"1", b"2", b"3", b"4", b"5"]);
        assert_eq!(bus.pattern.overflowed(), 2);
    }

    #[test]
    fn a_pipe_that_would_not_have_it_after_all_keeps_the_order() {
        let mut bus = bus(DropOld, 100, 1);
        [b"1", b"2", b"3"].iter().for_each(|body| bus.send(*body).unwrap());
        takes(&mut bus, A, 0);
        assert_eq!(bus.sent_to(A), [b"1"]);
        takes(&mut bus, A, 9);
        assert_eq!(bus.sent_to(A), [b"1", b"2", b"3"]);
    }

    #[test]
    fn a_full_pipe_that_goes_lets_the_sender_go() {
        const WAYS: [fn(&mut Harness<Bus>, PipeId); 3] =
            [|bus, pipe| bus.remove(pipe), |bus, pipe| bus.pattern.deaf(pipe), |bus, pipe| bus.pattern.orphaned(pipe)];
        for gone in WAYS {
            let mut bus = bus(Wait, 100, 1);
            bus.send(b"1").unwrap();
            bus.pattern.blocked(B);
            assert_eq!(bus.send(b"2"), Err(Error::WouldBlock));
            gone(&mut bus, A);
            assert!(!bus.pattern.can_send());
            gone(&mut bus, B);
            assert!(bus.pattern.can_send());
            bus.send(b"2").unwrap();
            assert_eq!((bus.sent_to(A).len(), bus.sent_to(B).len(), bus.sent_to(C).len()), (1, 1, 2));
            assert_eq!(bus.pattern.overflowed(), 0);
        }
    }

    #[test]
    fn who_never_took_messages_is_not_waited_for() {
        let mut bus = Harness::of(Bus::cooked());
        bus.pattern.set_overflow(Wait, 100);
        bus.add(A).unwrap();
        bus.pattern.blocked(A);
        assert!(bus.pattern.can_send());
        bus.send(b"1").unwrap();
        assert_eq!(bus.pattern.overflowed(), 0);
    }

    /// When it was thought to take messages, and others have it already.
    #[test]
    fn nobody_gets_half_of_what_waits_for_all() {
        let mut bus = bus(Wait, 1, 0);
        bus.send(b"1").unwrap();
        assert_eq!(bus.send(b"2"), Err(Error::WouldBlock));
        takes(&mut bus, A, 9);
        assert!(ALL.iter().all(|&pipe| bus.sent_to(pipe) == [b"1"]));
    }

    #[test]
    fn what_waits_is_handed_over_to_a_pipe_that_ends() {
        let mut bus = bus(DropOld, 100, 1);
        [b"1", b"2", b"3"].iter().for_each(|body| bus.send(*body).unwrap());
        bus.desk.room.insert(A, usize::MAX);
        bus.pattern.hand_over(A, &mut bus.desk);
        assert_eq!(bus.sent_to(A), [b"1", b"2", b"3"]);
        bus.send(b"4").unwrap();
        assert_eq!(bus.sent_to(A).len(), 3);
    }

    #[test]
    fn a_raw_bus_waits_for_all_but_the_one_left_out() {
        let mut bus = Harness::of(Bus::raw(7));
        bus.connect_all(&ALL);
        bus.pattern.set_overflow(Wait, 100);
        bus.arrive(A, b"from A");
        let (name, _) = bus.recv().unwrap();
        bus.pattern.blocked(A);
        assert!(!bus.pattern.can_send() && bus.pattern.can_send_some());
        assert_eq!(bus.send(b"x"), Err(Error::WouldBlock));
        bus.send_with(&name, b"x").unwrap();
        bus.pattern.blocked(B);
        assert!(!bus.pattern.can_send_some());
        assert_eq!(bus.send_with(&name, b"x"), Err(Error::WouldBlock));
        bus.writable(B);
        bus.pattern.set_overflow(DropNew, 100);
        bus.send_with(&name, b"y").unwrap();
        assert_eq!((bus.pattern.overflowed(), bus.sent_to(A).len()), (0, 0), "it was not meant for A");
        bus.pattern.set_overflow(DropOld, 100);
        bus.send_with(&name, b"z").unwrap();
        takes(&mut bus, A, 9);
        assert_eq!((bus.sent_to(A).len(), bus.sent_to(B).len()), (0, 3));
    }

    #[test]
    fn a_survey_waits_with_its_id() {
        for (raw, header) in [(false, &[][..]), (true, &[0x80, 0, 0, 7])] {
            let mut surveyor = open(crate::pattern::SURVEYOR, raw, 6, false).unwrap();
            surveyor.set_overflow(DropOld, 4000);
            let mut stage = Harness::of(Bus::cooked());
            surveyor.add(A, crate::pattern::harness::with_priority(8)).unwrap();
            surveyor.writable(A, &mut stage.desk, stage.now);
            surveyor.blocked(A);
            for size in [1, 2000] {
                let body = vec![b'q'; size];
                let mut message = Outgoing::borrowed(&body);
                message.header.extend_from_slice(header);
                surveyor.send(&mut message, &mut stage.desk, stage.now).unwrap();
            }
            surveyor.writable(A, &mut stage.desk, stage.now);
            let sent = stage.sent_to(A);
            assert_eq!(sent[0], b"\x80\0\0\x07q");
            assert_eq!((sent[1].len(), &sent[1][..3]), (2004, &b"\x80\0\0"[..]));
        }
    }

    #[test]
    fn a_large_message_is_kept_once_for_all() {
        let mut overflow = Overflow::default();
        overflow.set(DropOld, 5000);
        ALL.into_iter().for_each(|pipe| overflow.block(pipe));
        let mut message = Outgoing::owned(Body::copy_of(&[1; 1000]).unwrap());
        assert!(overflow.keep(&mut message, 3, |_| true));
        let mut places: Vec<*const u8> = Vec::new();
        for pipe in ALL {
            let kept = overflow.full.get_mut(pipe).unwrap().pop().unwrap();
            places.push(kept.body.as_slice().as_ptr());
        }
        assert!(places.iter().all(|&place| place == message.body().as_ptr()));
    }

    #[test]
    fn without_memory_for_all_others_it_still_waits_for_one() {
        let mut bus = bus(DropOld, 100, 1);
        bus.send(b"1").unwrap();
        bus.desk.exhausted = true;
        bus.send(b"2").unwrap();
        bus.desk.exhausted = false;
        takes(&mut bus, A, 9);
        assert_eq!((bus.sent_to(A).len(), bus.sent_to(B).len()), (2, 1));
        bus.desk.exhausted = true;
        let before = bus.pattern.overflowed();
        bus.pattern.set_overflow(DropNew, 100);
        bus.pattern.blocked(A);
        assert_eq!(bus.send(b"3"), Err(Error::NoMemory));
        assert_eq!(bus.pattern.overflowed(), before, "it was not sent");
    }

    #[test]
    fn empty_messages_do_not_wait_without_end() {
        let mut bus = bus(DropOld, 100, 1);
        (0..1000).for_each(|_| bus.send(b"").unwrap());
        takes(&mut bus, A, usize::MAX);
        assert!(bus.sent_to(A).len() < 100);
        assert_eq!(bus.sent_to(A).len() as u64 + bus.pattern.overflowed(), 1000);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Send(u8, usize),
        Takes(usize, usize),
        /// It takes none, and nobody was told.
        Refuses(usize),
        Blocked(usize),
        Deaf(usize),
        Again(usize),
        Set(Policy, usize),
        /// It is sent only what starts with this from now on.
        Wants(usize, u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let pipe = || 0..ALL.len();
        let step = prop_oneof![
            8 => (0..3u8, 0..8usize).prop_map(|(first, size)| Step::Send(first, size)),
            4 => (pipe(), 1..5usize).prop_map(|(pipe, room)| Step::Takes(pipe, room)),
            1 => pipe().prop_map(Step::Refuses),
            1 => pipe().prop_map(Step::Blocked),
            1 => pipe().prop_map(Step::Deaf),
            1 => pipe().prop_map(Step::Again),
            1 => (prop_oneof![Just(DropNew), Just(DropOld), Just(Wait)], 1..40usize).prop_map(|(policy, limit)| Step::Set(policy, limit)),
            1 => (pipe(), 0..3u8).prop_map(|(pipe, first)| Step::Wants(pipe, first)),
        ];
        vec(step, 0..120)
    }

    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    enum State {
        #[default]
        Never,
        Takes,
        Full,
    }

    /// One peer, as plainly as possible.
    #[derive(Debug, Default)]
    struct Peer {
        state: State,
        room: usize,
        waits: Vec<Vec<u8>>,
        got: Vec<Vec<u8>>,
        wants: Option<u8>,
    }

    impl Peer {
        fn wants(&self, body: &[u8]) -> bool {
            self.wants.is_none_or(|first| body.first() == Some(&first))
        }

        fn takes(&mut self, room: usize) {
            (self.state, self.room) = (State::Takes, room);
            while !self.waits.is_empty() && self.room > 0 {
                self.room -= 1;
                self.got.push(self.waits.remove(0));
                if self.room == 0 {
                    self.state = State::Full;
                }
            }
        }

        /// Says how many it misses.
        fn keep(&mut self, body: &[u8], limit: usize) -> u64 {
            let mut missed = 0;
            // Each takes two bytes more where it lies.
            while !self.waits.is_empty()
                && self.waits.iter().map(|waits| waits.len() + 2).sum::<usize>() + body.len() > limit
            {
                self.waits.remove(0);
                missed += 1;
            }
            self.waits.push(body.to_vec());
            missed
        }
    }

    fn play<P: Pattern>(pattern: P, steps: Vec<Step>, forwards: bool) -> Result<(), TestCaseError> {
        let mut stage = Harness::of(pattern);
        let mut peers: [Peer; 3] = Default::default();
        let (mut policy, mut limit, mut missed, mut filtered) = (DropNew, 0, 0, 0);
        let mut count = 0u32;
        let join = |stage: &mut Harness<P>, pipe| {
            stage.desk.gone.clear();
            stage.add(pipe).unwrap();
            if forwards {
                stage.pattern.forward_on(pipe);
            }
        };
        ALL.into_iter().for_each(|pipe| join(&mut stage, pipe));
        for step in steps {
            match step {
                Step::Send(first, size) => {
                    count += 1;
                    let body = [&[first][..], &count.to_be_bytes(), &vec![0; size]].concat();
                    let sent = stage.send(&body);
                    if policy == Wait && peers.iter().any(|peer| peer.state == State::Full) {
                        prop_assert_eq!(sent, Err(Error::WouldBlock));
                        continue;
                    }
                    prop_assert_eq!(sent, Ok(()));
                    for peer in &mut peers {
                        if peer.state != State::Never && !peer.wants(&body) {
                            filtered += 1;
                            continue;
                        }
                        match (peer.state, policy) {
                            (State::Never, _) => {}
                            (State::Takes, _) if peer.room > 0 => {
                                peer.room -= 1;
                                peer.got.push(body.clone());
                                if peer.room == 0 {
                                    peer.state = State::Full;
                                }
                            }
                            (State::Takes | State::Full, DropNew) => {
                                missed += 1;
                                peer.state = State::Full;
                            }
                            (State::Takes | State::Full, DropOld | Wait) => {
                                missed += peer.keep(&body, limit);
                                peer.state = State::Full;
                            }
                        }
                    }
                }
                Step::Takes(at, room) => {
                    peers[at].takes(room);
                    takes(&mut stage, ALL[at], room);
                }
                Step::Refuses(at) => {
                    peers[at].room = 0;
                    stage.desk.room.insert(ALL[at], 0);
                }
                Step::Blocked(at) => {
                    if peers[at].state == State::Takes {
                        peers[at].state = State::Full;
                    }
                    stage.pattern.blocked(ALL[at]);
                }
                Step::Deaf(at) => {
                    peers[at].state = State::Never;
                    peers[at].waits.clear();
                    stage.pattern.deaf(ALL[at]);
                }
                Step::Again(at) => {
                    peers[at] = Peer { got: std::mem::take(&mut peers[at].got), ..Peer::default() };
                    stage.remove(ALL[at]);
                    join(&mut stage, ALL[at]);
                }
                Step::Set(new, bytes) => {
                    (policy, limit) = (new, bytes);
                    stage.pattern.set_overflow(policy, limit);
                }
                Step::Wants(at, first) => {
                    if forwards && peers[at].wants.is_none() {
                        peers[at].wants = Some(first);
                        stage.arrive(ALL[at], &[1, first]);
                        stage.arrive(ALL[at], &[2]);
                    }
                }
            }
            for (peer, pipe) in peers.iter().zip(ALL) {
                prop_assert_eq!(&stage.sent_to(pipe), &peer.got);
            }
            let can_send = policy != Wait || peers.iter().all(|peer| peer.state != State::Full);
            prop_assert_eq!(stage.pattern.can_send(), can_send);
            prop_assert_eq!(stage.pattern.overflowed(), missed);
            prop_assert_eq!(stage.pattern.filtered(), filtered);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn each_peer_gets_what_a_plain_list_would_give_it(steps in steps()) {
            play(Bus::cooked(), steps.clone(), false)?;
            play(Pub::new(false), steps.clone(), false)?;
            play(Pub::new(true), steps, true)?;
        }
    }
}
