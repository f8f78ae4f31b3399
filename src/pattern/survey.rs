//! SURVEYOR: asks everybody and hears their answers for some time. Its other end is in [`super::replying`].
#![forbid(unsafe_code)]

use std::time::Instant;

use super::routing::distributor::Distributor;
use super::routing::fair_queue::FairQueue;
use super::{Pattern, Pipes, Policy, Priorities, Refused, backtrace, duration_option, int_option};
use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::pipe::PipeId;

const DEADLINE: i32 = 1;

/// Cooked: one survey at a time.
#[derive(Debug)]
pub(super) struct Surveyor {
    outgoing: Distributor,
    incoming: FairQueue,
    /// Milliseconds, as it was set.
    deadline: i32,
    last_id: u32,
    running: Option<Survey>,
    /// A survey has ended, and the caller was not told yet.
    expired: bool,
}

#[derive(Debug, Clone, Copy)]
struct Survey {
    id: u32,
    until: Option<Instant>,
}

impl Surveyor {
    /// Survey ids go on from a random one, so that those of an earlier life of the same program are not taken for ours.
    pub(super) fn new(last_id: u32) -> Self {
        Self {
            outgoing: Distributor::default(),
            incoming: FairQueue::default(),
            deadline: 1000,
            last_id,
            running: None,
            expired: false,
        }
    }

    fn end_if_due(&mut self, now: Instant) {
        let until = self.running.and_then(|survey| survey.until);
        if until.is_some_and(|until| until <= now) {
            self.running = None;
            self.expired = true;
        }
    }
}

impl Pattern for Surveyor {
    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused> {
        self.incoming.add(pipe, priorities);
        Ok(())
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.outgoing.remove(pipe);
        self.incoming.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.incoming.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        self.outgoing.writable(pipe, pipes);
    }

    fn blocked(&mut self, pipe: PipeId) {
        self.outgoing.blocked(pipe);
    }

    fn deaf(&mut self, pipe: PipeId) {
        self.outgoing.remove(pipe);
    }

    fn hand_over(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        self.outgoing.overflow.hand_over(pipe, pipes);
    }

    /// A new survey takes the place of the one that runs.
    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, now: Instant) -> Result<()> {
        if !message.header.is_empty() {
            return Err(Error::Invalid);
        }
        let id = self.last_id.wrapping_add(1) | backtrace::BOTTOM;
        message.header.extend_from_slice(&id.to_be_bytes());
        self.outgoing.send(message, None, pipes).inspect_err(|_| message.header.clear())?;
        self.last_id = id;
        let until = duration_option(self.deadline).map(|time| now + time);
        self.running = Some(Survey { id, until });
        self.expired = false;
        Ok(())
    }

    /// The next answer to the running survey. That one has ended is told once.
    fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes, now: Instant) -> Result<()> {
        self.end_if_due(now);
        if std::mem::take(&mut self.expired) {
            return Err(Error::TimedOut);
        }
        let Survey { id, .. } = self.running.ok_or(Error::WrongState)?;
        while self.incoming.recv(message, pipes).is_some() {
            if backtrace::take_word(message) && backtrace::only_word(&message.header) == Some(id) {
                message.header.clear();
                return Ok(());
            }
        }
        Err(Error::WouldBlock)
    }

    fn can_send(&self) -> bool {
        self.outgoing.overflow.can_send()
    }

    fn overflows(&self) -> bool {
        true
    }

    fn set_overflow(&mut self, policy: Policy, limit: usize) {
        self.outgoing.overflow.set(policy, limit);
    }

    fn overflowed(&self) -> u64 {
        self.outgoing.overflow.missed()
    }

    /// Also where receiving fails at once.
    fn can_recv(&self) -> bool {
        self.expired || self.running.is_none() || self.incoming.can_recv()
    }

    fn keeps_time(&self) -> bool {
        true
    }

    fn deadline(&self) -> Option<Instant> {
        self.running.and_then(|survey| survey.until)
    }

    fn expire(&mut self, _pipes: &mut dyn Pipes, now: Instant) {
        self.end_if_due(now);
    }

    fn set_option(&mut self, option: i32, value: &[u8]) -> Result<()> {
        if option != DEADLINE {
            return Err(Error::NoSuchOption);
        }
        self.deadline = int_option(value)?;
        Ok(())
    }

    fn option(&self, option: i32) -> Result<i32> {
        if option == DEADLINE { Ok(self.deadline) } else { Err(Error::NoSuchOption) }
    }
}

/// Raw: surveys out, answers in, the first word of each its header.
#[derive(Debug, Default)]
pub(super) struct XSurveyor {
    outgoing: Distributor,
    incoming: FairQueue,
}

impl Pattern for XSurveyor {
    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused> {
        self.incoming.add(pipe, priorities);
        Ok(())
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.outgoing.remove(pipe);
        self.incoming.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.incoming.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        self.outgoing.writable(pipe, pipes);
    }

    fn blocked(&mut self, pipe: PipeId) {
        self.outgoing.blocked(pipe);
    }

    fn deaf(&mut self, pipe: PipeId) {
        self.outgoing.remove(pipe);
    }

    fn hand_over(&mut self, pipe: PipeId, pipes: &mut dyn Pipes) {
        self.outgoing.overflow.hand_over(pipe, pipes);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        self.outgoing.send(message, None, pipes)
    }

    fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        while self.incoming.recv(message, pipes).is_some() {
            if backtrace::take_word(message) {
                return Ok(());
            }
        }
        Err(Error::WouldBlock)
    }

    fn can_send(&self) -> bool {
        self.outgoing.overflow.can_send()
    }

    fn overflows(&self) -> bool {
        true
    }

    fn set_overflow(&mut self, policy: Policy, limit: usize) {
        self.outgoing.overflow.set(policy, limit);
    }

    fn overflowed(&self) -> u64 {
        self.outgoing.overflow.missed()
    }

    fn can_recv(&self) -> bool {
        self.incoming.can_recv()
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{A, B, Harness};
    use super::*;

    fn surveyor() -> Harness<Surveyor> {
        let mut surveyor = Harness::of(Surveyor::new(6));
        surveyor.connect_all(&[A, B]);
        surveyor
    }

    /// The message with this id.
    fn numbered(id: u8, body: &[u8]) -> Vec<u8> {
        [&[0x80, 0, 0, id], body].concat()
    }

    #[test]
    fn everybody_is_asked_and_every_answer_heard() {
        let mut surveyor = surveyor();
        surveyor.send(b"q").unwrap();
        assert_eq!((surveyor.sent_to(A), surveyor.sent_to(B)), (vec![numbered(7, b"q")], vec![numbered(7, b"q")]));
        assert_eq!(surveyor.recv(), Err(Error::WouldBlock));
        surveyor.arrive(B, &numbered(7, b"b"));
        surveyor.arrive(A, &numbered(7, b"a"));
        surveyor.arrive(A, &numbered(7, b"a again"));
        let got: Vec<_> = (0..3).map(|_| surveyor.body()).collect();
        assert_eq!(got, [&b"b"[..], b"a", b"a again"]);
        assert_eq!(surveyor.recv(), Err(Error::WouldBlock));
    }

    #[test]
    fn before_a_survey_nothing_can_be_received_and_that_is_ready() {
        let mut surveyor = surveyor();
        assert!(surveyor.pattern.can_recv() && surveyor.pattern.can_send());
        assert_eq!(surveyor.recv(), Err(Error::WrongState));
    }

    #[test]
    fn the_end_of_a_survey_is_told_once() {
        let mut surveyor = surveyor();
        surveyor.send(b"q").unwrap();
        assert_eq!(surveyor.left(), Some(1000));
        surveyor.pass(999);
        assert!(!surveyor.pattern.can_recv());
        assert_eq!(surveyor.recv(), Err(Error::WouldBlock));
        surveyor.pass(1);
        assert!(surveyor.pattern.can_recv());
        assert_eq!(surveyor.left(), None);
        assert_eq!(surveyor.recv(), Err(Error::TimedOut));
        assert_eq!(surveyor.recv(), Err(Error::WrongState));
    }

    #[test]
    fn a_caller_finds_out_even_if_the_timer_is_late() {
        let mut surveyor = surveyor();
        surveyor.send(b"q").unwrap();
        surveyor.arrive(A, &numbered(7, b"late"));
        surveyor.now += std::time::Duration::from_secs(2);
        assert_eq!(surveyor.recv(), Err(Error::TimedOut));
    }

    #[test]
    fn a_new_survey_takes_the_place_and_the_time_of_the_old_one() {
        let mut surveyor = surveyor();
        surveyor.send(b"old").unwrap();
        surveyor.pass(900);
        surveyor.send(b"new").unwrap();
        assert_eq!(surveyor.left(), Some(1000));
        surveyor.arrive(A, &numbered(7, b"late"));
        assert!(surveyor.pattern.can_recv(), "before it is looked at");
        assert_eq!(surveyor.recv(), Err(Error::WouldBlock));
        surveyor.arrive(A, &numbered(8, b"right"));
        assert_eq!(surveyor.body(), b"right");
    }

    #[test]
    fn an_end_that_was_not_told_is_forgotten_with_the_next_survey() {
        let mut surveyor = surveyor();
        surveyor.send(b"old").unwrap();
        surveyor.pass(1000);
        surveyor.send(b"new").unwrap();
        assert!(!surveyor.pattern.can_recv());
        assert_eq!(surveyor.recv(), Err(Error::WouldBlock));
        surveyor.pass(1000);
        assert_eq!(surveyor.recv(), Err(Error::TimedOut));
        assert_eq!(surveyor.recv(), Err(Error::WrongState));
    }

    #[test]
    fn what_is_no_answer_to_this_survey_is_dropped() {
        let mut surveyor = surveyor();
        surveyor.send(b"q").unwrap();
        for noise in [&b""[..], b"\x80\0\0", b"\0\0\0\x07x", b"\x80\0\0\x06x"] {
            surveyor.arrive(A, noise);
        }
        surveyor.arrive(A, &numbered(7, b"a"));
        assert_eq!(surveyor.body(), b"a");
    }

    #[test]
    fn late_answers_wait_until_they_are_dropped() {
        let mut surveyor = surveyor();
        surveyor.send(b"q").unwrap();
        surveyor.pass(1000);
        surveyor.arrive(A, &numbered(7, b"late"));
        assert_eq!(surveyor.recv(), Err(Error::TimedOut));
        assert_eq!(surveyor.recv(), Err(Error::WrongState));
        assert_eq!(surveyor.desk.incoming[&A].len(), 1);
        surveyor.send(b"next").unwrap();
        assert_eq!(surveyor.recv(), Err(Error::WouldBlock));
        assert!(surveyor.desk.incoming[&A].is_empty());
    }

    #[test]
    fn a_survey_among_nobody_ends_in_time() {
        let mut surveyor = Harness::of(Surveyor::new(6));
        surveyor.send(b"q").unwrap();
        surveyor.connect(A);
        assert!(surveyor.desk.sent.is_empty(), "who comes later is not asked");
        surveyor.pass(1000);
        assert_eq!(surveyor.recv(), Err(Error::TimedOut));
    }

    #[test]
    fn the_deadline_may_be_now_or_never() {
        let mut surveyor = surveyor();
        surveyor.pattern.set_option(DEADLINE, &0i32.to_ne_bytes()).unwrap();
        surveyor.send(b"q").unwrap();
        assert_eq!(surveyor.recv(), Err(Error::TimedOut));
        surveyor.pattern.set_option(DEADLINE, &(-1i32).to_ne_bytes()).unwrap();
        surveyor.send(b"q").unwrap();
        assert_eq!((surveyor.left(), surveyor.recv()), (None, Err(Error::WouldBlock)));
    }

    #[test]
    fn option_errors() {
        let mut surveyor = surveyor();
        assert_eq!(surveyor.pattern.set_option(2, &[0; 4]), Err(Error::NoSuchOption));
        assert_eq!(surveyor.pattern.set_option(DEADLINE, &[0; 5]), Err(Error::Invalid));
        assert_eq!(
            (surveyor.pattern.option(DEADLINE), surveyor.pattern.option(2)),
            (Ok(1000), Err(Error::NoSuchOption))
        );
    }

    #[test]
    fn a_cooked_one_takes_no_header() {
        let mut surveyor = surveyor();
        assert_eq!(surveyor.send_with(b"head", b"q"), Err(Error::Invalid));
        assert_eq!(surveyor.recv(), Err(Error::WrongState));
    }

    #[test]
    fn a_raw_one_asks_all_and_receives_the_first_word_as_header() {
        let mut surveyor = Harness::of(XSurveyor::default());
        assert_eq!(surveyor.send(b"to nobody"), Ok(()));
        surveyor.connect_all(&[A, B]);
        surveyor.send_with(b"\x80\0\0\x01", b"q").unwrap();
        assert_eq!((surveyor.sent_to(A), surveyor.sent_to(B)), (vec![numbered(1, b"q")], vec![numbered(1, b"q")]));
        assert!(!surveyor.pattern.can_recv());
        surveyor.arrive(A, b"abc");
        surveyor.arrive(A, b"\0\0\0\x05\x80\0\0\x01a");
        assert_eq!(surveyor.recv(), Ok((b"\0\0\0\x05".to_vec(), b"\x80\0\0\x01a".to_vec())));
        assert_eq!(surveyor.recv(), Err(Error::WouldBlock));
        assert_eq!(surveyor.pattern.option(DEADLINE), Err(Error::NoSuchOption));
    }
}
