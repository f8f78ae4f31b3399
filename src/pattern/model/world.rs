//! Pipes and whose turn it is, as the specification tells it (protocols, 1.2 to 1.4).
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::Instant;

use super::super::Priorities;
use crate::pipe::PipeId;
use crate::sys;

pub(super) struct Peer {
    pub id: PipeId,
    pub priorities: Priorities,
    /// It takes messages, as far as the pattern has been told.
    pub idle: bool,
    /// How many it really takes.
    pub room: usize,
    pub incoming: VecDeque<Vec<u8>>,
}

pub(super) struct World {
    /// In the order they came.
    pub peers: Vec<Peer>,
    pub sending: Rings,
    pub receiving: Rings,
    pub sent: Vec<(PipeId, Vec<u8>)>,
    pub now: Instant,
}

/// One list for each priority, and where its cursor stands.
#[derive(Default)]
pub(super) struct Rings([(Vec<PipeId>, usize); 16]);

impl Rings {
    fn join(&mut self, id: PipeId, priority: u8) {
        let (ring, _) = &mut self.0[usize::from(priority) - 1];
        if !ring.contains(&id) {
            ring.push(id);
        }
    }

    fn leave(&mut self, id: PipeId) {
        for (ring, cursor) in &mut self.0 {
            let Some(at) = ring.iter().position(|&other| other == id) else { continue };
            ring.remove(at);
            *cursor -= usize::from(at < *cursor);
            if *cursor == ring.len() {
                *cursor = 0;
            }
        }
    }

    fn next(&self) -> Option<PipeId> {
        self.0.iter().find(|(ring, _)| !ring.is_empty()).map(|(ring, cursor)| ring[*cursor])
    }

    /// The next one has had its turn.
    fn turn(&mut self) {
        if let Some((ring, cursor)) = self.0.iter_mut().find(|(ring, _)| !ring.is_empty()) {
            *cursor = (*cursor + 1) % ring.len();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next().is_none()
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            peers: Vec::new(),
            sending: Rings::default(),
            receiving: Rings::default(),
            sent: Vec::new(),
            now: sys::now(),
        }
    }

    pub(super) fn ids(&self) -> Vec<PipeId> {
        self.peers.iter().map(|peer| peer.id).collect()
    }

    pub(super) fn peer(&mut self, id: PipeId) -> &mut Peer {
        self.peers.iter_mut().find(|peer| peer.id == id).expect("a pipe of the game")
    }

    pub(super) fn add(&mut self, id: PipeId, priorities: Priorities) {
        self.peers.push(Peer { id, priorities, idle: false, room: 0, incoming: VecDeque::new() });
    }

    pub(super) fn remove(&mut self, id: PipeId) {
        self.peers.retain(|peer| peer.id != id);
        self.sending.leave(id);
        self.receiving.leave(id);
    }

    pub(super) fn writable(&mut self, id: PipeId) {
        let peer = self.peer(id);
        peer.idle = true;
        let priority = peer.priorities.send;
        self.sending.join(id, priority);
    }

    pub(super) fn blocked(&mut self, id: PipeId) {
        self.peer(id).idle = false;
        self.sending.leave(id);
    }

    pub(super) fn arrive(&mut self, id: PipeId, message: Vec<u8>) {
        let peer = self.peer(id);
        peer.incoming.push_back(message);
        let priority = peer.priorities.recv;
        self.receiving.join(id, priority);
    }

    /// Hands a message to one pipe, if it takes it.
    pub(super) fn put(&mut self, id: PipeId, message: &[u8]) -> bool {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.id == id) else { return false };
        let Some(room) = peer.room.checked_sub(1) else { return false };
        peer.room = room;
        self.sent.push((id, message.to_vec()));
        true
    }

    /// To the one whose turn it is.
    pub(super) fn balance(&mut self, message: &[u8]) -> Option<PipeId> {
        while let Some(id) = self.sending.next() {
            let taken = self.put(id, message);
            if self.peer(id).room == 0 {
                self.blocked(id)
            } else {
                self.sending.turn()
            }
            if taken {
                return Some(id);
            }
        }
        None
    }

    /// To all that are idle.
    pub(super) fn spread(&mut self, message: &[u8], except: Option<PipeId>) {
        let idle = self.peers.iter().filter(|peer| peer.idle && Some(peer.id) != except);
        for id in idle.map(|peer| peer.id).collect::<Vec<_>>() {
            self.put(id, message);
            if self.peer(id).room == 0 {
                self.blocked(id);
            }
        }
    }

    /// From the one whose turn it is.
    pub(super) fn take(&mut self) -> Option<(PipeId, Vec<u8>)> {
        let id = self.receiving.next()?;
        let message = self.peer(id).incoming.pop_front()?;
        if self.peer(id).incoming.is_empty() {
            self.receiving.leave(id)
        } else {
            self.receiving.turn()
        }
        Some((id, message))
    }
}
