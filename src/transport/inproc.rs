//! inproc: messages move from the sender's call into the receiver's queue, in the sender's thread.
//!
//! Two sockets are never locked at once. A socket does to the shared [`Link`] what concerns itself, and posts a [`Note`]
//! to its peer, who reads it under its own lock.
#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::pipe::PipeId;

/// What one socket tells another.
#[derive(Clone)]
pub enum Note {
    /// To the binder: a connector would like this link. `waited`: the connector was there before the bind.
    Offer { link: Arc<Link>, waited: bool },
    /// To the connector: the binder has taken the link.
    Accepted { link: Arc<Link> },
    /// To the connector: the binder cannot take it now.
    Refused { link: Arc<Link> },
    /// To the binder: the connector has taken it too.
    Ready(PipeId),
    /// Messages wait in a queue that was empty.
    Readable(PipeId),
    /// The queue has room again.
    Writable(PipeId),
    /// The peer has gone; what is in the queue can still be read.
    Gone(PipeId),
}

/// A socket, as its neighbours see it.
pub trait PipeEvents: Send + Sync {
    fn post(&self, note: Note);
}

/// A note and whom it is for.
pub type Post = (Arc<dyn PipeEvents>, Note);

/// One endpoint of one socket.
#[derive(Clone)]
pub struct Party {
    pub socket: Weak<dyn PipeEvents>,
    /// Distinguishes sockets of the process.
    pub owner: u64,
    pub endpoint: i32,
    pub protocol: u16,
}

impl Party {
    fn is(&self, other: &Self) -> bool {
        (self.owner, self.endpoint) == (other.owner, other.endpoint)
    }
}

/// Index into a link's two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Binder = 0,
    Connector = 1,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Binder => Self::Connector,
            Self::Connector => Self::Binder,
        }
    }
}

/// A connection between two sockets of the process.
pub struct Link {
    sides: [End; 2],
}

struct End {
    party: Party,
    pipe: OnceLock<PipeId>,
    /// What this side receives.
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
    /// The receiver's NN_RCVBUF when the link was made.
    limit: usize,
    /// The one message the sender may hand over beyond the limit.
    slot: Option<Message>,
    /// The receiver knows that there are messages.
    announced: bool,
    closed: bool,
}

impl Queue {
    /// An empty queue takes anything; otherwise the sum has to stay below the limit. Empty messages count by number.
    fn fits(&self, size: usize) -> bool {
        self.messages.is_empty()
            || (self.bytes + size < self.limit && (size > 0 || self.messages.len() < self.limit))
    }

    fn push(&mut self, message: Message) {
        self.bytes += message.body.len();
        self.messages.push_back(message);
    }
}

/// What has to follow a send.
pub struct Sent {
    pub wake_receiver: bool,
    pub writable: bool,
}

/// What has to follow a receive.
pub struct Received {
    pub message: Message,
    pub more: bool,
    pub wake_sender: bool,
}

impl Link {
    fn new(binder: &Party, connector: &Party) -> Arc<Self> {
        let end = |party: &Party| End { party: party.clone(), pipe: OnceLock::new(), queue: Mutex::default() };
        Arc::new(Self { sides: [end(binder), end(connector)] })
    }

    fn end(&self, side: Side) -> &End {
        &self.sides[side as usize]
    }

    pub fn endpoint(&self, side: Side) -> i32 {
        self.end(side).party.endpoint
    }

    /// A side takes the link: its pipe, and how much it lets wait.
    pub fn attach(&self, side: Side, pipe: PipeId, limit: usize) {
        let end = self.end(side);
        end.queue.lock().limit = limit;
        // Set once: a link is offered to each side once.
        let _ = end.pipe.set(pipe);
    }

    /// A note for the peer of `side`, if it is still there.
    pub fn to_peer(&self, side: Side, note: Note) -> Option<Post> {
        Some((self.end(side.other()).party.socket.upgrade()?, note))
    }

    /// The same, for a note about the peer's pipe.
    pub fn about_peer(&self, side: Side, note: impl FnOnce(PipeId) -> Note) -> Option<Post> {
        let pipe = *self.end(side.other()).pipe.get()?;
        self.to_peer(side, note(pipe))
    }

    pub fn is_writable(&self, from: Side) -> bool {
        let queue = self.end(from.other()).queue.lock();
        queue.slot.is_none() && !queue.closed
    }

    /// Moves a message over. `None`: no room, and the message is as it was.
    pub fn send(&self, from: Side, outgoing: &mut Outgoing<'_>, last: bool) -> Option<Sent> {
        let mut queue = self.end(from.other()).queue.lock();
        if queue.slot.is_some() || queue.closed {
            return None;
        }
        let body = if last { outgoing.take_body() } else { outgoing.share_body() };
        let body = body.and_then(|body| body.prepend(&outgoing.header)).ok()?;
        let message = Message::new(body);
        if queue.fits(message.body.len()) {
            queue.push(message);
        } else {
            queue.slot = Some(message);
        }
        let wake_receiver = !std::mem::replace(&mut queue.announced, true);
        Some(Sent { wake_receiver, writable: queue.slot.is_none() })
    }

    pub fn recv(&self, side: Side) -> Option<Received> {
        let mut queue = self.end(side).queue.lock();
        let message = queue.messages.pop_front()?;
        queue.bytes -= message.body.len();
        let wake_sender = match queue.slot.take() {
            Some(waiting) if queue.fits(waiting.body.len()) => {
                queue.push(waiting);
                true
            }
            waiting => {
                queue.slot = waiting;
                false
            }
        };
        let more = !queue.messages.is_empty();
        queue.announced = more;
        Some(Received { message, more, wake_sender })
    }

    pub fn has_messages(&self, side: Side) -> bool {
        !self.end(side).queue.lock().messages.is_empty()
    }

    /// A side leaves: what it has sent stays with the receiver, what it has not read is dropped.
    pub fn close(&self, side: Side) {
        let mut outgoing = self.end(side.other()).queue.lock();
        outgoing.closed = true;
        if let Some(waiting) = outgoing.slot.take() {
            outgoing.push(waiting);
        }
        drop(outgoing);
        *self.end(side).queue.lock() = Queue { closed: true, ..Queue::default() };
    }
}

/// The names of the process.
pub struct Registry {
    names: Mutex<HashMap<Vec<u8>, Name>>,
    /// Whether two socket types may talk.
    compatible: fn(u16, u16) -> bool,
}

#[derive(Default)]
struct Name {
    binder: Option<Party>,
    connectors: Vec<Connector>,
}

struct Connector {
    party: Party,
    linked: bool,
}

impl Name {
    /// Offers to the binder from every connector that has no link, in the order they came.
    fn offers(&mut self, compatible: fn(u16, u16) -> bool, waited: bool) -> Vec<Post> {
        let Some(binder) = &self.binder else { return Vec::new() };
        let Some(socket) = binder.socket.upgrade() else { return Vec::new() };
        let mut posts: Vec<Post> = Vec::new();
        for connector in &mut self.connectors {
            if !connector.linked && compatible(binder.protocol, connector.party.protocol) {
                connector.linked = true;
                let link = Link::new(binder, &connector.party);
                posts.push((Arc::clone(&socket), Note::Offer { link, waited }));
            }
        }
        posts
    }
}

impl Registry {
    pub fn new(compatible: fn(u16, u16) -> bool) -> Self {
        Self { names: Mutex::default(), compatible }
    }

    /// Takes a name. The posts are for the caller to deliver once it holds no lock.
    pub fn bind(&self, name: &[u8], party: Party) -> Result<Vec<Post>> {
        let mut names = self.names.lock();
        let entry = names.entry(name.to_vec()).or_default();
        if entry.binder.is_some() {
            return Err(Error::AddressInUse);
        }
        entry.binder = Some(party);
        Ok(entry.offers(self.compatible, true))
    }

    pub fn connect(&self, name: &[u8], party: Party) -> Vec<Post> {
        let mut names = self.names.lock();
        let entry = names.entry(name.to_vec()).or_default();
        entry.connectors.push(Connector { party, linked: false });
        entry.offers(self.compatible, false)
    }

    /// An endpoint goes away.
    pub fn leave(&self, name: &[u8], party: &Party) {
        let mut names = self.names.lock();
        let Some(entry) = names.get_mut(name) else { return };
        if entry.binder.as_ref().is_some_and(|binder| binder.is(party)) {
            entry.binder = None;
        }
        entry.connectors.retain(|connector| !connector.party.is(party));
        if entry.binder.is_none() && entry.connectors.is_empty() {
            names.remove(name);
        }
    }

    /// A connector has lost its link, or was not given one.
    pub fn unlink(&self, name: &[u8], party: &Party) {
        let mut names = self.names.lock();
        let connectors = names.get_mut(name).map(|entry| &mut entry.connectors);
        for connector in connectors.into_iter().flatten().filter(|connector| connector.party.is(party)) {
            connector.linked = false;
        }
    }

    /// A socket with an endpoint of this name has a pipe less: connectors without a link may try again.
    pub fn retry(&self, name: &[u8]) -> Vec<Post> {
        let mut names = self.names.lock();
        names.get_mut(name).map(|entry| entry.offers(self.compatible, false)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;
    impl PipeEvents for Nobody {
        fn post(&self, _note: Note) {}
    }

    fn party(socket: &Arc<Nobody>, owner: u64, protocol: u16) -> Party {
        let weak: Weak<Nobody> = Arc::downgrade(socket);
        Party { socket: weak, owner, endpoint: 1, protocol }
    }

    fn link(limit: usize) -> Arc<Link> {
        let nobody = Arc::new(Nobody);
        let link = Link::new(&party(&nobody, 1, 16), &party(&nobody, 2, 16));
        link.attach(Side::Binder, PipeId { slot: 0, serial: 0 }, limit);
        link
    }

    fn send(link: &Link, size: usize) -> bool {
        link.send(Side::Connector, &mut Outgoing::borrowed(&vec![0; size]), true).is_some()
    }

    #[test]
    fn nineteen_in_the_queue_and_one_in_the_slot() {
        let link = link(200);
        assert_eq!((0..30).take_while(|_| send(&link, 10)).count(), 20);
        assert!(link.recv(Side::Binder).unwrap().wake_sender);
        assert!(send(&link, 10));
        assert!(!send(&link, 10));
    }

    #[test]
    fn an_empty_queue_takes_a_message_above_the_limit() {
        let link = link(200);
        assert!(send(&link, 256));
        assert_eq!(link.recv(Side::Binder).unwrap().message.body.len(), 256);
    }

    #[test]
    fn empty_messages_have_a_limit_too() {
        let link = link(50);
        assert_eq!((0..1000).take_while(|_| send(&link, 0)).count(), 51);
    }

    #[test]
    fn only_the_first_message_is_announced() {
        let link = link(200);
        let mut one = |_| link.send(Side::Connector, &mut Outgoing::borrowed(b"x"), true).unwrap().wake_receiver;
        assert_eq!([one(()), one(()), one(())], [true, false, false]);
        while link.recv(Side::Binder).is_some() {}
        let again = link.send(Side::Connector, &mut Outgoing::borrowed(b"x"), true).unwrap();
        assert!(again.wake_receiver);
    }

    #[test]
    fn what_was_sent_outlives_the_sender() {
        let link = link(15);
        assert!(send(&link, 10) && send(&link, 10));
        link.close(Side::Connector);
        assert_eq!(std::iter::from_fn(|| link.recv(Side::Binder)).count(), 2);
    }

    #[test]
    fn headers_become_part_of_the_body() {
        let link = link(200);
        let mut message = Outgoing::borrowed(b"body");
        message.header.extend_from_slice(b"head");
        link.send(Side::Connector, &mut message, true).unwrap();
        assert_eq!(link.recv(Side::Binder).unwrap().message.body.as_slice(), b"headbody");
    }

    #[test]
    fn names_join_compatible_sockets_in_either_order() {
        let nobody = Arc::new(Nobody);
        let registry = Registry::new(|ours, peer| ours == peer);
        assert!(registry.connect(b"a", party(&nobody, 1, 16)).is_empty());
        assert!(registry.connect(b"a", party(&nobody, 2, 99)).is_empty());
        assert_eq!(registry.bind(b"a", party(&nobody, 3, 16)).unwrap().len(), 1);
        assert_eq!(registry.bind(b"a", party(&nobody, 4, 16)).err(), Some(Error::AddressInUse));
        assert_eq!(registry.connect(b"a", party(&nobody, 5, 16)).len(), 1);
        assert!(registry.retry(b"a").is_empty(), "both are linked");
        registry.unlink(b"a", &party(&nobody, 1, 16));
        assert_eq!(registry.retry(b"a").len(), 1);
    }

    #[test]
    fn a_name_is_free_when_its_binder_has_left() {
        let nobody = Arc::new(Nobody);
        let registry = Registry::new(|_, _| true);
        registry.bind(b"a", party(&nobody, 1, 16)).unwrap();
        registry.leave(b"a", &party(&nobody, 1, 16));
        assert!(registry.bind(b"a", party(&nobody, 2, 16)).is_ok());
    }
}
