//! Only the newest message of each topic: an unread one is replaced by the next, in its place (NN_CONFLATE).
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};

use crate::message::Message;

/// What a message weighs besides its bytes and its topic's. The memory of an empty one is up to three times that.
const MESSAGE_WEIGHT: usize = 128;

/// Messages that are read in one go under the socket's lock, a tenth of a millisecond: several neighbours that send all the
/// time could keep it busy for ever.
const AT_ONCE: usize = 1000;

/// Memory for more messages than this is given back when they have been received: two and a half kilobytes are kept.
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
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.prefix.is_some()
    }

    /// Whether messages come from the pipes themselves.
    #[inline]
    pub(crate) fn is_out_of_use(&self) -> bool {
        !self.is_on() && self.is_empty()
    }

    #[inline]
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::message::Body;

    /// A receiver and the pipe that it reads.
    #[derive(Default)]
    struct Reader {
        newest: Newest,
        pipe: VecDeque<Vec<u8>>,
    }

    impl Reader {
        fn of(prefix: usize, limit: usize) -> Self {
            let mut reader = Self::default();
            reader.newest.set(Some(prefix), limit);
            reader
        }

        fn fill(&mut self) {
            self.newest.fill(|message| match self.pipe.pop_front() {
                Some(body) => {
                    message.body = Body::copy_of(&body).unwrap();
                    true
                }
                None => false,
            });
        }

        fn arrive(&mut self, body: &[u8]) {
            self.pipe.push_back(body.to_vec());
            self.fill();
        }

        fn recv(&mut self) -> Option<Vec<u8>> {
            let mut message = Message::default();
            let received = self.newest.recv(&mut message);
            self.fill();
            received.then(|| message.body.as_slice().to_vec())
        }

        fn all(&mut self) -> Vec<Vec<u8>> {
            std::iter::from_fn(|| self.recv()).collect()
        }
    }

    #[test]
    fn the_newest_of_each_topic_is_received_in_the_order_of_topics() {
        type Bodies = &'static [&'static [u8]];
        const CASES: [(usize, Bodies, Bodies); 6] = [
            (0, &[b"1", b"2", b"3"], &[b"3"]),
            (1, &[b"a1", b"b1", b"a2", b"c1", b"b2", b"a3"], &[b"a3", b"b2", b"c1"]),
            (2, &[b"a1", b"b1", b"a2", b"a1+"], &[b"a1+", b"b1", b"a2"]),
            // A body that is shorter than a topic is one, and is no other's.
            (3, &[b"ab", b"abc", b"ab", b"", b"abcd"], &[b"ab", b"abcd", b""]),
            (4096, &[b"same", b"other", b"same"], &[b"same", b"other"]),
            (1, &[], &[]),
        ];
        for (prefix, arrive, expected) in CASES {
            let mut reader = Reader::of(prefix, 1 << 20);
            arrive.iter().for_each(|body| reader.arrive(body));
            assert_eq!(reader.newest.is_empty(), expected.is_empty());
            assert_eq!(reader.newest.replaced() as usize, arrive.len() - expected.len());
            assert_eq!(reader.all(), expected, "{prefix} {arrive:?}");
            assert!(reader.newest.is_empty());
        }
    }

    #[test]
    fn a_topic_that_was_received_begins_again_at_the_end() {
        let mut reader = Reader::of(1, 1 << 20);
        for body in [b"a1", b"b1"] {
            reader.arrive(body);
        }
        assert_eq!(reader.recv().unwrap(), b"a1");
        reader.arrive(b"a2");
        assert_eq!(reader.all(), [b"b1", b"a2"]);
    }

    #[test]
    fn header_and_opcode_stay_with_their_message() {
        let mut newest = Newest::default();
        newest.set(Some(0), 1000);
        for opcode in [1, 2] {
            newest.put(Message { header: [opcode].as_slice().into(), opcode, ..Message::default() });
        }
        let mut message = Message::default();
        assert!(newest.recv(&mut message));
        assert_eq!((&message.header[..], message.opcode), (&[2][..], 2));
    }

    #[test]
    fn more_topics_than_there_is_room_for_wait_in_the_pipe() {
        let mut reader = Reader::of(1, 2 * (MESSAGE_WEIGHT + 3));
        for body in [b"a1", b"b1", b"c1", b"a2", b"d1"] {
            reader.arrive(body);
        }
        assert_eq!(reader.pipe, [b"a2", b"d1"], "one waits outside, and all that is behind it");
        assert_eq!(reader.recv().unwrap(), b"a1");
        assert_eq!(reader.pipe, [b"d1"]);
        assert_eq!(reader.all(), [b"b1", b"c1", b"a2", b"d1"]);
    }

    #[test]
    fn one_topic_is_replaced_however_large_it_is() {
        let mut reader = Reader::of(1, 10);
        for size in [1000, 5, 2000] {
            reader.arrive(&vec![b'a'; size]);
        }
        assert_eq!(reader.all(), [vec![b'a'; 2000]]);
        // Of several one may grow beyond what there is room for, and no further.
        let mut reader = Reader::of(1, 2 * (MESSAGE_WEIGHT + 3));
        for body in [&b"a1"[..], b"b1", &[b'a'; 900], &[b'b'; 900]] {
            reader.arrive(body);
        }
        assert_eq!(reader.pipe.len(), 1);
        assert_eq!(reader.all(), [&[b'a'; 900][..], &[b'b'; 900]]);
    }

    #[test]
    fn much_that_has_come_is_read_in_several_goes() {
        let mut reader = Reader::of(0, 1000);
        reader.pipe = (0..2 * AT_ONCE + 1).map(|number| number.to_string().into_bytes()).collect();
        for left in [AT_ONCE + 1, 1, 0] {
            assert!(reader.newest.reads_on());
            reader.fill();
            assert_eq!(reader.pipe.len(), left);
        }
        assert_eq!(reader.all(), [b"2000"]);
    }

    #[test]
    fn memory_of_many_is_given_back() {
        let mut reader = Reader::of(8, 1 << 20);
        for number in 0..1000 {
            reader.arrive(format!("{number:08}").as_bytes());
        }
        assert_eq!(reader.all().len(), 1000);
        assert!(reader.newest.messages.capacity() <= IDLE);
        assert_eq!((reader.newest.weight, reader.newest.topics.len()), (0, 0));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Arrive(Vec<u8>),
        Recv,
        Set(Option<usize>, usize),
        Forget(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let body = (0..4u8, vec(0..2u8, 0..3), prop_oneof![4 => Just(0), 1 => Just(500)])
            .prop_map(|(first, rest, more)| [vec![first; usize::from(first > 0)], rest, vec![9; more]].concat());
        let step = prop_oneof![
            6 => body.prop_map(Step::Arrive),
            2 => Just(Step::Recv),
            1 => (proptest::option::weighted(0.8, 0..4usize), 1..2000usize).prop_map(|(prefix, limit)| Step::Set(prefix, limit)),
            1 => (0..4u8).prop_map(Step::Forget),
        ];
        vec(step, 0..60)
    }

    /// The same, as plainly as possible: a list in which everything is looked up.
    #[derive(Default)]
    struct Model {
        prefix: Option<usize>,
        limit: usize,
        kept: Vec<Vec<u8>>,
        parked: Option<Vec<u8>>,
        pipe: VecDeque<Vec<u8>>,
        replaced: u64,
    }

    impl Model {
        fn topic(&self, body: &[u8]) -> Vec<u8> {
            body.iter().copied().take(self.prefix.unwrap_or_default()).collect()
        }

        fn weight(&self) -> usize {
            self.kept.iter().map(|body| MESSAGE_WEIGHT + body.len() + self.topic(body).len()).sum()
        }

        fn put(&mut self, body: Vec<u8>, bounded: bool) {
            let topic = self.topic(&body);
            let same = self.prefix.and_then(|_| self.kept.iter().position(|kept| self.topic(kept) == topic));
            if let Some(same) = same {
                self.kept[same] = body;
                self.replaced += 1;
                return;
            }
            let fits = self.kept.is_empty() || self.weight() + MESSAGE_WEIGHT + body.len() + topic.len() <= self.limit;
            if fits || !bounded || self.prefix.is_none() { self.kept.push(body) } else { self.parked = Some(body) }
        }

        fn read(&mut self) {
            if let Some(parked) = self.parked.take() {
                self.put(parked, true);
            }
            while self.prefix.is_some()
                && self.parked.is_none()
                && (self.kept.len() <= 1 || self.weight() <= self.limit)
                && let Some(body) = self.pipe.pop_front()
            {
                self.put(body, true);
            }
        }

        fn recv(&mut self) -> Option<Vec<u8>> {
            let received = (!self.kept.is_empty()).then(|| self.kept.remove(0));
            self.read();
            received
        }

        fn set(&mut self, prefix: Option<usize>, limit: usize) {
            self.limit = limit;
            if self.prefix != prefix {
                self.prefix = prefix;
                std::mem::take(&mut self.kept).into_iter().for_each(|body| self.put(body, false));
            }
            self.read();
        }
    }

    proptest! {
        #[test]
        fn it_does_what_a_plain_list_would(steps in steps()) {
            let (mut reader, mut model) = (Reader::default(), Model::default());
            for step in steps {
                match step {
                    Step::Arrive(body) => {
                        reader.arrive(&body);
                        model.pipe.push_back(body);
                        model.read();
                    }
                    Step::Recv => prop_assert_eq!(reader.recv(), model.recv()),
                    Step::Set(prefix, limit) => {
                        reader.newest.set(prefix, limit);
                        reader.fill();
                        model.set(prefix, limit);
                    }
                    Step::Forget(first) => {
                        reader.newest.retain(|message| message.body.as_slice().first() != Some(&first));
                        reader.fill();
                        model.kept.retain(|body| body.first() != Some(&first));
                        model.parked = model.parked.filter(|body| body.first() != Some(&first));
                        model.read();
                    }
                }
                prop_assert_eq!(&reader.pipe, &model.pipe);
                prop_assert_eq!(reader.newest.is_empty(), model.kept.is_empty());
                prop_assert_eq!(reader.newest.replaced(), model.replaced);
                let weighs = if model.prefix.is_some() { model.weight() } else { 0 };
                prop_assert_eq!(reader.newest.weight, weighs);
            }
            while let Some(expected) = model.recv() {
                prop_assert_eq!(reader.recv(), Some(expected));
            }
            prop_assert_eq!(reader.recv(), None);
        }
    }
}
