//! Only the newest message of each topic: an unread one is replaced by the next, in its place (NN_CONFLATE).
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};

use crate::message::Message;

/// What a message weighs besides its bytes and its topic's. The memory of an empty one is up to three times that.
const MESSAGE_WEIGHT: usize = 128;

/// Messages that are read in one go under the socket's lock, a tenth of a millisecond: several neighbours that send all the
/// time could keep it busy for ever.
const AT_ONCE: usize = 1000;

/// Memory for more messages than this is given back when they have been received.
const IDLE: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Newest {
    /// How many bytes a topic has. `None`: every message is kept, and nothing more comes in here.
    prefix: Option<usize>,
    /// What different topics may weigh, beyond the first.
    limit: usize,
    /// One for each topic, in the order in which the topics had their first unread message.
    messages: VecDeque<Message>,
    /// The number of the first of those.
    first: u64,
    /// Each topic's message, by its number.
    topics: BTreeMap<Box<[u8]>, u64>,
    weight: usize,
    /// The first message of a topic for which there was no room: nothing is read behind it.
    parked: Option<Box<Message>>,
    replaced: u64,
}

fn topic(message: &Message, prefix: usize) -> &[u8] {
    let body = message.body.as_slice();
    &body[..body.len().min(prefix)]
}

/// The bytes of the topic are there twice.
fn weight(message: &Message, prefix: usize) -> usize {
    MESSAGE_WEIGHT + message.header.len() + message.body.len() + topic(message, prefix).len()
}

impl Newest {
    pub(crate) fn is_on(&self) -> bool {
        self.prefix.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Messages that were replaced.
    pub(crate) fn replaced(&self) -> u64 {
        self.replaced
    }

    /// What is here stays, in its order. Under shorter topics some of it may be replaced.
    pub(crate) fn set(&mut self, prefix: Option<usize>, limit: usize) {
        self.limit = limit;
        if self.prefix != prefix {
            self.prefix = prefix;
            self.rebuild(|_| true);
        }
        self.unpark();
    }

    /// Keeps only what is still wanted.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&Message) -> bool) {
        if self.parked.as_ref().is_some_and(|parked| !wanted(parked)) {
            self.parked = None;
        }
        self.rebuild(wanted);
        self.unpark();
    }

    fn rebuild(&mut self, wanted: impl Fn(&Message) -> bool) {
        let messages = std::mem::take(&mut self.messages);
        self.topics.clear();
        (self.first, self.weight) = (0, 0);
        messages.into_iter().filter(wanted).for_each(|message| self.keep(message));
    }

    /// Whether a message that comes now finds room, or is the one that may wait for it.
    pub(crate) fn reads_on(&self) -> bool {
        self.is_on() && self.parked.is_none() && (self.messages.len() <= 1 || self.weight <= self.limit)
    }

    /// Takes in what has come, or much of it: `next` puts it into a message, and says whether there was one.
    pub(crate) fn fill(&mut self, mut next: impl FnMut(&mut Message) -> bool) {
        for _ in 0..AT_ONCE {
            if !self.reads_on() {
                return;
            }
            let mut message = Message::default();
            if !next(&mut message) {
                return;
            }
            self.put(message);
        }
    }

    fn put(&mut self, message: Message) {
        if self.fits(&message) {
            self.keep(message);
        } else {
            self.parked = Some(Box::new(message));
        }
    }

    fn fits(&self, message: &Message) -> bool {
        let Some(prefix) = self.prefix else { return true };
        self.is_empty()
            || self.weight + weight(message, prefix) <= self.limit
            || self.topics.contains_key(topic(message, prefix))
    }

    fn keep(&mut self, message: Message) {
        let Some(prefix) = self.prefix else { return self.messages.push_back(message) };
        self.weight += weight(&message, prefix);
        let topic = topic(&message, prefix);
        if let Some(number) = self.topics.get(topic) {
            let place = &mut self.messages[(number - self.first) as usize];
            self.weight -= weight(place, prefix);
            self.replaced += 1;
            *place = message;
        } else {
            self.topics.insert(topic.into(), self.first + self.messages.len() as u64);
            self.messages.push_back(message);
        }
    }

    /// Whether there was a message.
    pub(crate) fn recv(&mut self, message: &mut Message) -> bool {
        let Some(oldest) = self.messages.pop_front() else { return false };
        if let Some(prefix) = self.prefix {
            self.weight -= weight(&oldest, prefix);
            self.topics.remove(topic(&oldest, prefix));
            self.first += 1;
        }
        *message = oldest;
        self.unpark();
        if self.is_empty() && self.messages.capacity() > IDLE {
            self.messages = VecDeque::new();
        }
        true
    }

    fn unpark(&mut self) {
        if let Some(parked) = self.parked.take() {
            if self.fits(&parked) { self.keep(*parked) } else { self.parked = Some(parked) }
        }
    }
}
