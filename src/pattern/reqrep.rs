//! REQ: asks one of its peers at a time, and asks again until somebody answers. Its other end is in [`super::replying`].
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::routing::fair_queue::FairQueue;
use super::routing::load_balancer::LoadBalancer;
use super::{Pattern, Pipes, Priorities, Refused, backtrace, bool_option, discard, duration_option, int_option};
use crate::error::{Error, Result};
use crate::message::{Body, Message, Outgoing};
use crate::pipe::PipeId;

const RESEND_INTERVAL: i32 = 1;

/// NN_REQ_FAIL_FAST, 0 or 1: a number of our own, far from upstream's.
const FAIL_FAST: i32 = 1001;

/// Cooked: one request at a time.
#[derive(Debug)]
pub(super) struct Req {
    peers: LoadBalancer,
    /// Milliseconds, as it was set: until an unanswered request is sent again.
    resend_interval: i32,
    /// A request that no peer would take is refused.
    fail_fast: bool,
    last_id: u32,
    request: Body,
    state: State,
    /// What came in last; in the state `Done` the reply.
    reply: Message,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was asked.
    Passive,
    /// No pipe has taken the request yet.
    Delayed,
    /// A pipe has. `None`: it was lost for lack of memory.
    Active { carrier: Option<PipeId>, resend: Option<Instant> },
    /// The reply waits to be received.
    Done,
}

impl Req {
    /// Request ids go on from a random one, so that those of an earlier life of the same program are not taken for ours.
    pub(super) fn new(last_id: u32) -> Self {
        Self {
            peers: LoadBalancer::default(),
            resend_interval: 60_000,
            fail_fast: false,
            last_id,
            request: Body::empty(),
            state: State::Passive,
            reply: Message::default(),
        }
    }

    fn id(&self) -> u32 {
        self.last_id | backtrace::BOTTOM
    }

    /// Hands the request to the peer whose turn it is.
    fn transmit(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, now: Instant) -> Result<()> {
        message.header.extend_from_slice(&self.id().to_be_bytes());
        let sent = self.peers.send(message, pipes);
        self.state = match sent {
            Err(Error::WouldBlock) => State::Delayed,
            _ => {
                let interval = duration_option(self.resend_interval).map(|it| it.max(Duration::from_millis(1)));
                State::Active { carrier: sent.ok(), resend: interval.map(|interval| now + interval) }
            }
        };
        match sent {
            Ok(_) | Err(Error::WouldBlock) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn transmit_again(&mut self, pipes: &mut dyn Pipes, now: Instant) {
        let mut message = Outgoing::owned(self.request.share());
        // Without memory it stays unsent until its time has come again.
        let _ = self.transmit(&mut message, pipes, now);
    }
}

impl Pattern for Req {
    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused> {
        self.peers.add(pipe, priorities);
        Ok(())
    }

    fn remove(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, now: Instant) {
        self.peers.remove(pipe);
        if matches!(self.state, State::Active { carrier, .. } if carrier == Some(pipe)) {
            self.transmit_again(pipes, now);
        }
    }

    /// Nothing but the reply that is waited for is kept, so everything is read as it comes.
    fn readable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, _now: Instant) {
        while matches!(self.state, State::Delayed | State::Active { .. }) {
            let Some(more) = pipes.recv(pipe, &mut self.reply) else { return };
            if backtrace::take_word(&mut self.reply) && backtrace::only_word(&self.reply.header) == Some(self.id()) {
                self.reply.header.clear();
                self.request = Body::empty();
                self.state = State::Done;
            }
            if !more {
                return;
            }
        }
        discard(pipe, pipes);
    }

    fn writable(&mut self, pipe: PipeId, pipes: &mut dyn Pipes, now: Instant) {
        self.peers.writable(pipe);
        if matches!(self.state, State::Delayed) {
            self.transmit_again(pipes, now);
        }
    }

    fn blocked(&mut self, pipe: PipeId) {
        self.peers.blocked(pipe);
    }

    /// A new request takes the place of the one before. It is never "not now": without a peer it waits for one, or fails.
    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, now: Instant) -> Result<()> {
        if !message.header.is_empty() {
            return Err(Error::Invalid);
        }
        if self.fail_fast && !self.peers.can_send() {
            return Err(Error::NoPeer);
        }
        let request = message.copy_body()?;
        let before = (std::mem::replace(&mut self.request, request), self.last_id, self.state);
        self.last_id = self.last_id.wrapping_add(1);
        let sent = self.transmit(message, pipes, now);
        if sent.is_err() {
            // It has not happened: the body is the caller's again, alone, and what was asked before goes on.
            (self.request, self.last_id, self.state) = before;
            message.header.clear();
        }
        sent
    }

    fn recv(&mut self, message: &mut Message, _pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        match self.state {
            State::Passive => Err(Error::WrongState),
            State::Delayed | State::Active { .. } => Err(Error::WouldBlock),
            State::Done => {
                *message = std::mem::take(&mut self.reply);
                self.state = State::Passive;
                Ok(())
            }
        }
    }

    fn can_send(&self) -> bool {
        !self.fail_fast || self.peers.can_send()
    }

    fn can_recv(&self) -> bool {
        self.state == State::Done
    }

    fn keeps_time(&self) -> bool {
        true
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Active { resend, .. } => resend,
            _ => None,
        }
    }

    fn expire(&mut self, pipes: &mut dyn Pipes, now: Instant) {
        if self.deadline().is_some_and(|resend| resend <= now) {
            self.transmit_again(pipes, now);
        }
    }

    fn set_option(&mut self, option: i32, value: &[u8]) -> Result<()> {
        match option {
            RESEND_INTERVAL => int_option(value).map(|millis| self.resend_interval = millis),
            FAIL_FAST => bool_option(value).map(|fail| self.fail_fast = fail),
            _ => Err(Error::NoSuchOption),
        }
    }

    fn option(&self, option: i32) -> Result<i32> {
        match option {
            RESEND_INTERVAL => Ok(self.resend_interval),
            FAIL_FAST => Ok(i32::from(self.fail_fast)),
            _ => Err(Error::NoSuchOption),
        }
    }

    fn send_priority(&self) -> i32 {
        self.peers.priority()
    }
}

/// Raw: requests out, replies in, the first word of each its header.
#[derive(Debug, Default)]
pub(super) struct XReq {
    outgoing: LoadBalancer,
    incoming: FairQueue,
}

impl Pattern for XReq {
    fn add(&mut self, pipe: PipeId, priorities: Priorities) -> std::result::Result<(), Refused> {
        self.outgoing.add(pipe, priorities);
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

    fn writable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.outgoing.writable(pipe);
    }

    fn blocked(&mut self, pipe: PipeId) {
        self.outgoing.blocked(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        self.outgoing.send(message, pipes).map(drop)
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
        self.outgoing.can_send()
    }

    fn can_recv(&self) -> bool {
        self.incoming.can_recv()
    }

    fn send_priority(&self) -> i32 {
        self.outgoing.priority()
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{A, B, Harness, with_priority};
    use super::*;

    fn req() -> Harness<Req> {
        let mut req = Harness::of(Req::new(6));
        req.connect(A);
        req
    }

    /// The message with this id.
    fn numbered(id: u8, body: &[u8]) -> Vec<u8> {
        [&[0x80, 0, 0, id], body].concat()
    }

    #[test]
    fn a_request_gets_its_reply() {
        let mut req = req();
        assert!(req.pattern.can_send() && !req.pattern.can_recv());
        req.send(b"q").unwrap();
        assert_eq!(req.last(), (A, numbered(7, b"q")));
        assert_eq!(req.recv(), Err(Error::WouldBlock));
        req.arrive(A, &numbered(7, b"a"));
        assert!(req.pattern.can_recv());
        assert_eq!(req.body(), b"a");
        assert!(!req.pattern.can_recv());
    }

    #[test]
    fn without_a_request_nothing_can_be_received() {
        let mut req = req();
        assert_eq!(req.recv(), Err(Error::WrongState));
        req.send(b"q").unwrap();
        req.arrive(A, &numbered(7, b"a"));
        req.body();
        assert_eq!(req.recv(), Err(Error::WrongState));
    }

    #[test]
    fn a_request_without_a_peer_waits_for_one() {
        let mut req = Harness::of(Req::new(6));
        assert_eq!(req.send(b"first"), Ok(()));
        assert_eq!(req.send(b"second"), Ok(()), "and takes the place of another");
        assert_eq!((req.recv(), req.left()), (Err(Error::WouldBlock), None));
        req.connect(A);
        assert_eq!(req.desk.sent, [(A, numbered(8, b"second"))]);
        assert_eq!(req.left(), Some(60_000));
    }

    #[test]
    fn a_request_without_a_peer_fails_where_that_is_asked_for() {
        let mut req = Harness::of(Req::new(6));
        assert_eq!(req.pattern.option(FAIL_FAST), Ok(0));
        for value in [&2i32.to_ne_bytes()[..], b"", &[1]] {
            assert_eq!(req.pattern.set_option(FAIL_FAST, value), Err(Error::Invalid));
        }
        req.pattern.set_option(FAIL_FAST, &1i32.to_ne_bytes()).unwrap();
        assert_eq!((req.send(b"q"), req.pattern.can_send()), (Err(Error::NoPeer), false));
        assert_eq!(req.recv(), Err(Error::WrongState), "nothing was asked");
        req.connect(A);
        assert!(req.pattern.can_send());
        req.send(b"first").unwrap();
        req.remove(A);
        assert_eq!(req.send(b"second"), Err(Error::NoPeer));
        req.connect(B);
        assert_eq!(req.last(), (B, numbered(7, b"first")), "what was asked before goes on");
    }

    #[test]
    fn a_new_request_cancels_the_old_one() {
        let mut req = req();
        req.send(b"old").unwrap();
        req.send(b"new").unwrap();
        req.arrive(A, &numbered(7, b"late"));
        assert_eq!(req.recv(), Err(Error::WouldBlock));
        req.arrive(A, &numbered(8, b"right"));
        assert_eq!(req.body(), b"right");
    }

    #[test]
    fn a_new_request_drops_a_reply_that_nobody_received() {
        let mut req = req();
        req.send(b"old").unwrap();
        req.arrive(A, &numbered(7, b"unread"));
        req.send(b"new").unwrap();
        assert!(!req.pattern.can_recv());
        assert_eq!(req.recv(), Err(Error::WouldBlock));
    }

    #[test]
    fn only_the_first_exact_reply_counts() {
        let mut req = req();
        req.send(b"q").unwrap();
        for noise in [&b""[..], b"\x80\0\0", b"\0\0\0\x07x", b"\x80\0\0\x06x", b"\x80\0\0\x08x"] {
            req.arrive(A, noise);
        }
        assert_eq!(req.recv(), Err(Error::WouldBlock));
        for reply in [&numbered(7, b"first"), &numbered(7, b"second"), &numbered(6, b"stale")] {
            req.arrive(A, reply);
        }
        assert_eq!(req.body(), b"first");
        assert!(req.desk.incoming[&A].is_empty(), "nothing is left to block the pipe");
    }

    #[test]
    fn a_reply_that_nobody_waits_for_is_dropped() {
        let mut req = req();
        req.arrive(A, &numbered(6, b"x"));
        assert!(req.desk.incoming[&A].is_empty());
        assert_eq!(req.recv(), Err(Error::WrongState));
    }

    #[test]
    fn another_peer_may_answer() {
        let mut req = req();
        req.connect(B);
        req.send(b"q").unwrap();
        assert_eq!(req.last().0, A);
        req.arrive(B, &numbered(7, b"a"));
        assert_eq!(req.body(), b"a");
    }

    #[test]
    fn requests_take_turns() {
        let mut req = req();
        req.connect(B);
        for _ in 0..4 {
            req.send(b"q").unwrap();
        }
        let to: Vec<_> = req.desk.sent.iter().map(|(pipe, _)| *pipe).collect();
        assert_eq!(to, [A, B, A, B]);
    }

    #[test]
    fn the_better_priority_is_asked() {
        let mut req = req();
        req.connect_as(B, with_priority(1));
        req.send(b"q").unwrap();
        assert_eq!((req.last().0, req.pattern.send_priority()), (B, 1));
    }

    #[test]
    fn an_unanswered_request_goes_to_the_next_peer_with_the_same_id() {
        let mut req = req();
        req.connect(B);
        req.pattern.set_option(RESEND_INTERVAL, &100i32.to_ne_bytes()).unwrap();
        req.send(b"q").unwrap();
        req.pass(99);
        assert_eq!(req.desk.sent.len(), 1);
        req.pass(1);
        req.pass(100);
        let again = numbered(7, b"q");
        assert_eq!(req.desk.sent, [(A, again.clone()), (B, again.clone()), (A, again)]);
        req.arrive(A, &numbered(7, b"a"));
        assert_eq!((req.body(), req.left()), (b"a".to_vec(), None));
    }

    #[test]
    fn the_request_of_a_lost_peer_goes_on_at_once() {
        let mut req = req();
        req.connect(B);
        req.send(b"q").unwrap();
        req.remove(A);
        assert_eq!(req.last(), (B, numbered(7, b"q")));
        req.pass(1000);
        req.remove(B);
        assert_eq!((req.desk.sent.len(), req.left()), (2, None));
        req.connect(A);
        assert_eq!((req.last(), req.left()), ((A, numbered(7, b"q")), Some(60_000)));
    }

    #[test]
    fn the_loss_of_another_peer_changes_nothing() {
        let mut req = req();
        req.connect(B);
        req.send(b"q").unwrap();
        req.remove(B);
        assert_eq!(req.desk.sent.len(), 1);
    }

    #[test]
    fn the_loss_of_a_peer_that_has_answered_changes_nothing() {
        let mut req = req();
        req.send(b"q").unwrap();
        req.arrive(A, &numbered(7, b"a"));
        req.remove(A);
        req.connect(B);
        assert_eq!((req.desk.sent.len(), req.body()), (1, b"a".to_vec()));
    }

    #[test]
    fn the_interval_is_bounded_below_and_may_be_without_end() {
        let mut req = req();
        req.pattern.set_option(RESEND_INTERVAL, &0i32.to_ne_bytes()).unwrap();
        req.send(b"q").unwrap();
        assert_eq!(req.left(), Some(1));
        req.pattern.set_option(RESEND_INTERVAL, &(-1i32).to_ne_bytes()).unwrap();
        assert_eq!(req.pattern.option(RESEND_INTERVAL), Ok(-1));
        req.send(b"q").unwrap();
        assert_eq!(req.left(), None);
    }

    #[test]
    fn a_running_timer_is_not_changed_by_the_option() {
        let mut req = req();
        req.send(b"q").unwrap();
        req.pattern.set_option(RESEND_INTERVAL, &5i32.to_ne_bytes()).unwrap();
        assert_eq!(req.left(), Some(60_000));
    }

    #[test]
    fn option_errors() {
        let mut req = req();
        assert_eq!(req.pattern.set_option(2, &[0; 4]), Err(Error::NoSuchOption));
        assert_eq!(req.pattern.set_option(RESEND_INTERVAL, &[0; 3]), Err(Error::Invalid));
        assert_eq!(req.pattern.set_option(RESEND_INTERVAL, &[0; 8]), Err(Error::Invalid));
        assert_eq!(req.pattern.option(2), Err(Error::NoSuchOption));
    }

    #[test]
    fn a_cooked_one_takes_no_header() {
        let mut req = req();
        assert_eq!(req.send_with(b"head", b"q"), Err(Error::Invalid));
        assert!(req.desk.sent.is_empty());
        assert_eq!(req.recv(), Err(Error::WrongState));
    }

    #[test]
    fn ids_wrap_around() {
        let mut req = Harness::of(Req::new(u32::MAX));
        req.connect(A);
        req.send(b"q").unwrap();
        assert_eq!(req.last().1, numbered(0, b"q"));
    }

    fn raw() -> Harness<XReq> {
        let mut req = Harness::of(XReq::default());
        req.connect(A);
        req
    }

    #[test]
    fn a_raw_one_sends_header_and_body_as_they_are() {
        let mut req = raw();
        req.send_with(b"\0\0\0\x01\x80\0\0\x02", b"q").unwrap();
        assert_eq!(req.last().1, b"\0\0\0\x01\x80\0\0\x02q");
        req.send(b"\x80\0\0\x03q").unwrap();
        assert_eq!(req.last().1, b"\x80\0\0\x03q");
    }

    #[test]
    fn a_raw_one_receives_the_first_word_as_header() {
        let mut req = raw();
        for message in [&b"abc"[..], b"", b"\0\0\0\x01\x80\0\0\x02a", b"head"] {
            req.arrive(A, message);
        }
        assert_eq!(req.recv(), Ok((b"\0\0\0\x01".to_vec(), b"\x80\0\0\x02a".to_vec())));
        assert_eq!(req.recv(), Ok((b"head".to_vec(), vec![])));
        assert_eq!(req.recv(), Err(Error::WouldBlock));
    }

    #[test]
    fn a_raw_one_without_an_idle_peer_waits() {
        let mut req = raw();
        req.desk.room.insert(A, 1);
        req.send(b"1").unwrap();
        assert!(!req.pattern.can_send());
        assert_eq!(req.send(b"2"), Err(Error::WouldBlock));
        assert_eq!(req.pattern.option(RESEND_INTERVAL), Err(Error::NoSuchOption));
    }
}
