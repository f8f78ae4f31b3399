//! inproc: messages move from the sender's call into the receiver's queue, in the sender's thread.
//!
//! Two sockets are never locked at once. A socket does to the shared [`Link`] what concerns itself, and posts a [`Note`]
//! to its peer, who reads it under its own lock.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crate::sys::Mutex;

use crate::error::{Error, Result};
use crate::message::{Body, INLINE_MAX, Message, Outgoing};
use crate::pipe::{Inbox, PipeId};

/// What one socket tells another.
#[derive(Clone)]
pub(crate) enum Note {
    /// To the binder: a connector would like this link. `waited`: the connector was there before the bind.
    Offer { link: Arc<Link>, waited: bool },
    /// To the connector: the binder has taken the link.
    Accepted { link: Arc<Link> },
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
pub(crate) trait PipeEvents: Send + Sync {
    fn post(&self, note: Note);
}

/// A note and whom it is for.
pub(crate) type Post = (Arc<dyn PipeEvents>, Note);

/// One endpoint of one socket.
#[derive(Clone)]
pub(crate) struct EndpointRef {
    pub socket: Weak<dyn PipeEvents>,
    /// Distinguishes sockets of the process.
    pub owner: u64,
    pub endpoint: i32,
    pub protocol: u16,
    /// Subscriptions shall travel.
    pub forwards: bool,
}

impl EndpointRef {
    fn is(&self, other: &Self) -> bool {
        (self.owner, self.endpoint) == (other.owner, other.endpoint)
    }
}

/// Index into a link's two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
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
pub(crate) struct Link {
    sides: [End; 2],
}

struct End {
    party: EndpointRef,
    pipe: OnceLock<PipeId>,
    incoming: Incoming,
}

/// What a side receives. On cache lines of its own: each one that moves between two processors takes its time.
#[derive(Default)]
struct Incoming {
    queue: Mutex<Queue>,
    counts: ConsumerCounts,
}

/// What this side is to receive and has not taken over yet.
#[derive(Default)]
struct Queue {
    messages: Inbox,
    /// All there ever were, and how many of them the receiver had handed out when we last looked.
    sent: usize,
    sent_bytes: usize,
    received: usize,
    received_bytes: usize,
    /// The receiver's NN_RCVBUF when the link was made.
    limit: usize,
    /// The one message the sender may hand over beyond the limit.
    slot: Option<Box<Body>>,
    /// The receiver knows that there are messages.
    announced: bool,
    closed: bool,
}

/// The receiver's account, on a line of its own: it counts each message it hands out without the queue's lock.
#[derive(Default)]
#[repr(align(128))]
struct ConsumerCounts {
    received_bytes: AtomicUsize,
    received: AtomicUsize,
    /// The slot is taken: the receiver has to look into it after each message.
    blocked: AtomicBool,
}

/// Empty messages take no bytes of a queue's limit; this many of them fill it all the same.
const EMPTY_MAX: usize = 64 * 1024;

impl Incoming {
    /// Whether a message fits: an empty queue takes anything; otherwise the sum has to stay below the limit. What the
    /// receiver has handed out is looked up only if the answer depends on it.
    fn fits(&self, queue: &mut Queue, size: usize) -> bool {
        let fits = |queue: &Queue| match queue.sent - queue.received {
            0 => true,
            count => queue.sent_bytes - queue.received_bytes + size < queue.limit && (size > 0 || count < EMPTY_MAX),
        };
        if fits(queue) {
            return true;
        }
        queue.received = self.counts.received.load(Ordering::SeqCst);
        queue.received_bytes = self.counts.received_bytes.load(Ordering::SeqCst);
        fits(queue)
    }

    /// Moves the waiting message into the queue if there is room now.
    fn empty_slot(&self, queue: &mut Queue) -> bool {
        let Some(waiting) = queue.slot.take() else { return false };
        if !self.fits(queue, waiting.len()) {
            queue.slot = Some(waiting);
            return false;
        }
        self.counts.blocked.store(false, Ordering::SeqCst);
        queue.push(*waiting);
        true
    }
}

impl Queue {
    fn push(&mut self, body: Body) {
        self.count(body.len());
        self.messages.push(0, body);
    }

    fn count(&mut self, size: usize) {
        self.sent += 1;
        self.sent_bytes += size;
    }
}

/// What has to follow a send.
pub(crate) struct Sent {
    /// The receiver has to be told that there are messages.
    pub announce: bool,
    pub writable: bool,
}

/// What has to follow a receive.
pub(crate) struct Received {
    pub more: bool,
    pub wake_sender: bool,
}

impl Link {
    fn new(binder: &EndpointRef, connector: &EndpointRef) -> Arc<Self> {
        let end =
            |party: &EndpointRef| End { party: party.clone(), pipe: OnceLock::new(), incoming: Incoming::default() };
        Arc::new(Self { sides: [end(binder), end(connector)] })
    }

    fn end(&self, side: Side) -> &End {
        &self.sides[side as usize]
    }

    pub(crate) fn endpoint(&self, side: Side) -> i32 {
        self.end(side).party.endpoint
    }

    /// Whether subscriptions travel: both sides like that.
    pub(crate) fn forwards(&self) -> bool {
        self.sides.iter().all(|side| side.party.forwards)
    }

    /// A side takes the link: its pipe, and how much it lets wait. False: the other side has left already, without
    /// knowing whom to tell.
    pub(crate) fn attach(&self, side: Side, pipe: PipeId, limit: usize) -> bool {
        let end = self.end(side);
        let mut queue = end.incoming.queue.lock();
        queue.limit = limit;
        // Set once, as a link is offered to each side once; and under the lock under which the other side closes it.
        let _ = end.pipe.set(pipe);
        !queue.closed
    }

    /// A note for the peer of `side`, if it is still there.
    pub(crate) fn to_peer(&self, side: Side, note: Note) -> Option<Post> {
        Some((self.end(side.other()).party.socket.upgrade()?, note))
    }

    /// The same, for a note about the peer's pipe.
    pub(crate) fn about_peer(&self, side: Side, note: impl FnOnce(PipeId) -> Note) -> Option<Post> {
        let pipe = *self.end(side.other()).pipe.get()?;
        self.to_peer(side, note(pipe))
    }

    pub(crate) fn is_writable(&self, from: Side) -> bool {
        let queue = self.end(from.other()).incoming.queue.lock();
        queue.slot.is_none() && !queue.closed
    }

    /// Bytes that wait for a side to take them over.
    pub(crate) fn unread(&self, side: Side) -> usize {
        let queue = self.end(side).incoming.queue.lock();
        queue.messages.weight() + queue.slot.as_ref().map_or(0, |body| body.len())
    }

    /// How many messages a side has sent, with how many bytes, and how many it has received.
    pub(crate) fn traffic(&self, side: Side) -> [usize; 4] {
        let queue = self.end(side.other()).incoming.queue.lock();
        let counts = &self.end(side).incoming.counts;
        let received = (counts.received.load(Ordering::SeqCst), counts.received_bytes.load(Ordering::SeqCst));
        [queue.sent, queue.sent_bytes, received.0, received.1]
    }

    /// Bytes that a side has sent, and the other has not taken over.
    pub(crate) fn unread_by_peer(&self, side: Side) -> usize {
        self.unread(side.other())
    }

    /// Moves a message over. On an error (no room, no memory) the message is as it was. `limitless`: there is always room.
    pub(crate) fn send(&self, from: Side, outgoing: &mut Outgoing<'_>, last: bool, limitless: bool) -> Result<Sent> {
        let incoming = &self.end(from.other()).incoming;
        let mut queue = incoming.queue.lock();
        if limitless && let Some(waiting) = queue.slot.take() {
            incoming.counts.blocked.store(false, Ordering::SeqCst);
            queue.push(*waiting);
        }
        if queue.slot.is_some() || queue.closed {
            return Err(Error::WouldBlock);
        }
        let size = outgoing.size();
        let fits = limitless || incoming.fits(&mut queue, size);
        if fits && size <= INLINE_MAX {
            queue.count(size);
            queue.messages.push_joined(&outgoing.header, outgoing.body());
        } else {
            let body = outgoing.joined_body(last)?;
            if fits {
                queue.push(body);
            } else {
                queue.slot = Some(Box::new(body));
                incoming.counts.blocked.store(true, Ordering::SeqCst);
                // The receiver may have made room before it could see that.
                incoming.empty_slot(&mut queue);
            }
        }
        let announce = !std::mem::replace(&mut queue.announced, true);
        Ok(Sent { announce, writable: queue.slot.is_none() })
    }

    /// Takes the oldest message. `taken` belongs to the receiver alone: what it has taken over with one lock.
    pub(crate) fn recv(&self, side: Side, taken: &mut Inbox, message: &mut Message) -> Option<Received> {
        let incoming = &self.end(side).incoming;
        let counts = &incoming.counts;
        if taken.is_empty() {
            taken.append(&mut incoming.queue.lock().messages);
        }
        if !taken.pop(message) {
            return None;
        }
        // Only this side writes the account.
        let bytes = counts.received_bytes.load(Ordering::Relaxed) + message.body.len();
        // Seen by whoever sees the next line.
        counts.received_bytes.store(bytes, Ordering::Release);
        counts.received.store(counts.received.load(Ordering::Relaxed) + 1, Ordering::SeqCst);
        let wake_sender = counts.blocked.load(Ordering::SeqCst) && incoming.empty_slot(&mut incoming.queue.lock());
        if taken.is_empty() {
            let mut queue = incoming.queue.lock();
            taken.append(&mut queue.messages);
            queue.announced = !taken.is_empty();
        }
        Some(Received { more: !taken.is_empty(), wake_sender })
    }

    /// Moves what waits for a side to what it has taken over already.
    pub(crate) fn take_over(&self, side: Side, taken: &mut Inbox) {
        taken.append(&mut self.end(side).incoming.queue.lock().messages);
    }

    /// A side leaves: what it has sent stays with the receiver, what it has not read is dropped.
    pub(crate) fn close(&self, side: Side) {
        let receiver = &self.end(side.other()).incoming;
        let mut outgoing = receiver.queue.lock();
        outgoing.closed = true;
        receiver.counts.blocked.store(false, Ordering::SeqCst);
        if let Some(waiting) = outgoing.slot.take() {
            outgoing.push(*waiting);
        }
        drop(outgoing);
        let mut incoming = self.end(side).incoming.queue.lock();
        incoming.closed = true;
        incoming.slot = None;
        incoming.messages = Inbox::default();
    }
}

/// The names of the process.
pub(crate) struct Registry {
    names: Mutex<HashMap<Vec<u8>, Name>>,
    /// Whether two socket types may talk.
    compatible: fn(u16, u16) -> bool,
}

#[derive(Default)]
struct Name {
    binder: Option<EndpointRef>,
    connectors: Vec<Connector>,
}

struct Connector {
    party: EndpointRef,
    state: ConnectorState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectorState {
    Waiting,
    Linked,
    /// It would not take the link it was given (it has another peer); it asks again when that changes.
    Declined,
}

impl Name {
    /// Offers to the binder from every connector that has no link, in the order they came.
    fn offers(&mut self, compatible: fn(u16, u16) -> bool, waited: bool) -> Vec<Post> {
        let Some(binder) = &self.binder else { return Vec::new() };
        let Some(socket) = binder.socket.upgrade() else { return Vec::new() };
        let mut posts: Vec<Post> = Vec::new();
        for connector in &mut self.connectors {
            if connector.state == ConnectorState::Waiting && compatible(binder.protocol, connector.party.protocol) {
                connector.state = ConnectorState::Linked;
                let link = Link::new(binder, &connector.party);
                posts.push((Arc::clone(&socket), Note::Offer { link, waited }));
            }
        }
        posts
    }
}

impl Registry {
    pub(crate) fn new(compatible: fn(u16, u16) -> bool) -> Self {
        Self { names: Mutex::default(), compatible }
    }

    /// Takes a name. The posts are for the caller to deliver once it holds no lock.
    pub(crate) fn bind(&self, name: &[u8], party: EndpointRef) -> Result<Vec<Post>> {
        let mut names = self.names.lock();
        let entry = names.entry(name.to_vec()).or_default();
        if entry.binder.is_some() {
            return Err(Error::AddressInUse);
        }
        entry.binder = Some(party);
        Ok(entry.offers(self.compatible, true))
    }

    pub(crate) fn connect(&self, name: &[u8], party: EndpointRef) -> Vec<Post> {
        let mut names = self.names.lock();
        let entry = names.entry(name.to_vec()).or_default();
        entry.connectors.push(Connector { party, state: ConnectorState::Waiting });
        entry.offers(self.compatible, false)
    }

    /// An endpoint goes away.
    pub(crate) fn leave(&self, name: &[u8], party: &EndpointRef) {
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

    /// A connector has lost its link: it is offered to whoever has the name now.
    pub(crate) fn unlink(&self, name: &[u8], party: &EndpointRef) -> Vec<Post> {
        self.set_state(name, party, ConnectorState::Waiting);
        self.offer(name)
    }

    /// The binder cannot take the connector of this link now. Called under the binder's lock, so that no pipe of its goes
    /// away between the refusal and this.
    pub(crate) fn refuse(&self, name: &[u8], link: &Link) {
        self.set_state(name, &link.end(Side::Connector).party, ConnectorState::Waiting);
    }

    /// A connector cannot take a link now.
    pub(crate) fn decline(&self, name: &[u8], party: &EndpointRef) {
        self.set_state(name, party, ConnectorState::Declined);
    }

    fn set_state(&self, name: &[u8], party: &EndpointRef, state: ConnectorState) {
        let mut names = self.names.lock();
        let connectors = names.get_mut(name).map(|entry| &mut entry.connectors);
        for connector in connectors.into_iter().flatten().filter(|connector| connector.party.is(party)) {
            connector.state = state;
        }
    }

    /// Offers the connectors that wait for this name to its binder.
    pub(crate) fn offer(&self, name: &[u8]) -> Vec<Post> {
        let mut names = self.names.lock();
        names.get_mut(name).map(|entry| entry.offers(self.compatible, false)).unwrap_or_default()
    }

    /// A socket with an endpoint of this name has a pipe less: its connector, or those that wait for it, may try again.
    pub(crate) fn retry(&self, name: &[u8], party: &EndpointRef) -> Vec<Post> {
        let mut names = self.names.lock();
        let Some(entry) = names.get_mut(name) else { return Vec::new() };
        for connector in &mut entry.connectors {
            if connector.state == ConnectorState::Declined && connector.party.is(party) {
                connector.state = ConnectorState::Waiting;
            }
        }
        entry.offers(self.compatible, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;
    impl PipeEvents for Nobody {
        fn post(&self, _note: Note) {}
    }

    fn party(socket: &Arc<Nobody>, owner: u64, protocol: u16) -> EndpointRef {
        let weak: Weak<Nobody> = Arc::downgrade(socket);
        EndpointRef { socket: weak, owner, endpoint: 1, protocol, forwards: false }
    }

    fn link(limit: usize) -> Arc<Link> {
        let nobody = Arc::new(Nobody);
        let link = Link::new(&party(&nobody, 1, 16), &party(&nobody, 2, 16));
        assert!(link.attach(Side::Binder, PipeId { slot: 0, serial: 0 }, limit));
        link
    }

    fn send(link: &Link, size: usize) -> bool {
        link.send(Side::Connector, &mut Outgoing::borrowed(&vec![0; size]), true, false).is_ok()
    }

    fn recv(link: &Link, taken: &mut Inbox) -> Option<(Received, Vec<u8>)> {
        let mut message = Message::default();
        let received = link.recv(Side::Binder, taken, &mut message)?;
        Some((received, message.body.as_slice().to_vec()))
    }

    #[test]
    fn nineteen_in_the_queue_and_one_in_the_slot() {
        let link = link(200);
        let mut taken = Inbox::default();
        assert_eq!((0..30).take_while(|_| send(&link, 10)).count(), 20);
        assert!(recv(&link, &mut taken).unwrap().0.wake_sender);
        assert!(send(&link, 10));
        assert!(!send(&link, 10));
    }

    #[test]
    fn an_empty_queue_takes_a_message_above_the_limit() {
        let link = link(200);
        assert!(send(&link, 256));
        assert_eq!(recv(&link, &mut Inbox::default()).unwrap().1.len(), 256);
    }

    #[test]
    fn empty_messages_have_a_limit_too() {
        let link = link(50);
        assert_eq!((0..2 * EMPTY_MAX).take_while(|_| send(&link, 0)).count(), EMPTY_MAX + 1);
    }

    #[test]
    fn only_the_first_message_is_announced() {
        let link = link(200);
        let one = || link.send(Side::Connector, &mut Outgoing::borrowed(b"x"), true, false).unwrap().announce;
        assert_eq!([one(), one(), one()], [true, false, false]);
        let mut taken = Inbox::default();
        while recv(&link, &mut taken).is_some() {}
        assert!(one());
    }

    #[test]
    fn what_was_sent_outlives_the_sender() {
        let link = link(15);
        assert!(send(&link, 10) && send(&link, 10));
        link.close(Side::Connector);
        let mut taken = Inbox::default();
        assert_eq!(std::iter::from_fn(|| recv(&link, &mut taken)).count(), 2);
    }

    #[test]
    fn headers_become_part_of_the_body() {
        let link = link(200);
        let mut message = Outgoing::borrowed(b"body");
        message.header.extend_from_slice(b"head");
        link.send(Side::Connector, &mut message, true, false).unwrap();
        assert_eq!(recv(&link, &mut Inbox::default()).unwrap().1, b"headbody");
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
        let (first, binder) = (party(&nobody, 1, 16), party(&nobody, 3, 16));
        assert!(registry.retry(b"a", &binder).is_empty(), "both are linked");
        assert_eq!(registry.unlink(b"a", &first).len(), 1, "it is offered again at once");
        registry.decline(b"a", &first);
        assert!(registry.retry(b"a", &binder).is_empty(), "the connector has another peer");
        assert_eq!(registry.retry(b"a", &first).len(), 1);
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
