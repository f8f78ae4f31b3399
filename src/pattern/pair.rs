//! PAIR: one to one, both ways. Cooked and raw are the same.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::routing::exclusive::Exclusive;
use super::{Pattern, Pipes, Priorities, Refused};
use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::pipe::PipeId;

#[derive(Debug, Default)]
pub(super) struct Pair {
    peer: Exclusive,
}

impl Pattern for Pair {
    fn sends(&self) -> bool {
        true
    }

    fn receives(&self) -> bool {
        true
    }

    fn add(&mut self, pipe: PipeId, _priorities: Priorities) -> std::result::Result<(), Refused> {
        self.peer.add(pipe)
    }

    fn remove(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.peer.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.peer.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, _pipes: &mut dyn Pipes, _now: Instant) {
        self.peer.writable(pipe);
    }

    fn blocked(&mut self, pipe: PipeId) {
        self.peer.blocked(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        self.peer.send(message, pipes)
    }

    fn recv(&mut self, message: &mut Message, pipes: &mut dyn Pipes, _now: Instant) -> Result<()> {
        if self.peer.recv(message, pipes) { Ok(()) } else { Err(Error::WouldBlock) }
    }

    fn can_send(&self) -> bool {
        self.peer.can_send()
    }

    fn can_recv(&self) -> bool {
        self.peer.can_recv()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Body;
    use std::collections::VecDeque;

    const A: PipeId = PipeId { slot: 0, serial: 1 };
    const B: PipeId = PipeId { slot: 1, serial: 2 };
    const ANY: Priorities = Priorities { send: 8, recv: 8 };

    /// Pipes that write down what they are given.
    #[derive(Default)]
    struct Desk {
        sent: Vec<(PipeId, Vec<u8>)>,
        incoming: VecDeque<&'static [u8]>,
        room: usize,
    }

    impl Pipes for Desk {
        fn send(&mut self, pipe: PipeId, message: &mut Outgoing<'_>, _last: bool) -> Result<bool> {
            if self.room == 0 {
                return Err(Error::WouldBlock);
            }
            self.room -= 1;
            self.sent.push((pipe, [&message.header[..], message.body()].concat()));
            Ok(self.room > 0)
        }
        fn recv(&mut self, _pipe: PipeId, message: &mut Message) -> Option<bool> {
            message.body = Body::copy_of(self.incoming.pop_front()?).unwrap();
            Some(!self.incoming.is_empty())
        }
    }

    struct Scene {
        pair: Pair,
        desk: Desk,
        now: Instant,
    }

    impl Scene {
        fn new() -> Self {
            Self { pair: Pair::default(), desk: Desk { room: 100, ..Desk::default() }, now: Instant::now() }
        }
        fn connect(&mut self, pipe: PipeId) {
            self.pair.add(pipe, ANY).unwrap();
            self.pair.writable(pipe, &mut self.desk, self.now);
        }
        fn send(&mut self, body: &[u8]) -> Result<()> {
            self.pair.send(&mut Outgoing::borrowed(body), &mut self.desk, self.now)
        }
        fn recv(&mut self) -> Result<Vec<u8>> {
            let mut message = Message::default();
            self.pair.recv(&mut message, &mut self.desk, self.now)?;
            Ok(message.body.as_slice().to_vec())
        }
    }

    #[test]
    fn nothing_goes_without_a_peer() {
        let mut scene = Scene::new();
        assert_eq!(scene.send(b"x"), Err(Error::WouldBlock));
        assert_eq!(scene.recv(), Err(Error::WouldBlock));
        assert!(!scene.pair.can_send() && !scene.pair.can_recv());
    }

    #[test]
    fn a_pipe_is_usable_when_it_says_so() {
        let mut scene = Scene::new();
        scene.pair.add(A, ANY).unwrap();
        assert_eq!(scene.send(b"x"), Err(Error::WouldBlock));
        scene.pair.writable(A, &mut scene.desk, scene.now);
        assert_eq!(scene.send(b"x"), Ok(()));
        assert_eq!(scene.desk.sent, [(A, b"x".to_vec())]);
    }

    #[test]
    fn the_second_peer_is_refused_until_the_first_has_gone() {
        let mut scene = Scene::new();
        scene.connect(A);
        assert_eq!(scene.pair.add(B, ANY), Err(Refused));
        scene.pair.remove(A, &mut scene.desk, scene.now);
        assert!(!scene.pair.can_send());
        scene.connect(B);
        scene.send(b"y").unwrap();
        assert_eq!(scene.desk.sent, [(B, b"y".to_vec())]);
    }

    #[test]
    fn events_of_a_refused_pipe_change_nothing() {
        let mut scene = Scene::new();
        scene.connect(A);
        scene.pair.readable(B, &mut scene.desk, scene.now);
        scene.pair.blocked(B);
        scene.pair.remove(B, &mut scene.desk, scene.now);
        assert!(scene.pair.can_send() && !scene.pair.can_recv());
    }

    #[test]
    fn a_full_pipe_blocks_until_it_is_writable() {
        let mut scene = Scene::new();
        scene.connect(A);
        scene.desk.room = 1;
        assert_eq!(scene.send(b"1"), Ok(()));
        assert!(!scene.pair.can_send());
        assert_eq!(scene.send(b"2"), Err(Error::WouldBlock));
        scene.desk.room = 1;
        scene.pair.writable(A, &mut scene.desk, scene.now);
        assert_eq!(scene.send(b"2"), Ok(()));
    }

    #[test]
    fn messages_come_in_order_until_there_are_no_more() {
        let mut scene = Scene::new();
        scene.connect(A);
        scene.desk.incoming = [&b"1"[..], b"2"].into();
        scene.pair.readable(A, &mut scene.desk, scene.now);
        assert_eq!(scene.recv().unwrap(), b"1");
        assert!(scene.pair.can_recv());
        assert_eq!(scene.recv().unwrap(), b"2");
        assert!(!scene.pair.can_recv());
        assert_eq!(scene.recv(), Err(Error::WouldBlock));
    }

    #[test]
    fn a_gone_peer_still_delivers_what_it_had_sent() {
        let mut scene = Scene::new();
        scene.connect(A);
        scene.desk.incoming = [&b"last"[..]].into();
        scene.pair.readable(A, &mut scene.desk, scene.now);
        scene.pair.blocked(A);
        assert_eq!(scene.send(b"x"), Err(Error::WouldBlock));
        assert_eq!(scene.recv().unwrap(), b"last");
    }

    #[test]
    fn a_header_is_part_of_what_goes_out() {
        let mut scene = Scene::new();
        scene.connect(A);
        let mut message = Outgoing::borrowed(b"body");
        message.header.extend_from_slice(b"head");
        scene.pair.send(&mut message, &mut scene.desk, scene.now).unwrap();
        assert_eq!(scene.desk.sent, [(A, b"headbody".to_vec())]);
    }
}
