//! A listening socket of ours under trial, over every transport: what has to hold after each visit.

use std::time::{Duration, Instant};

use crate::ours::{ACCEPTED, BROKEN, DONTWAIT, Ours, Over, Place, descriptors, eventually, memory};
use crate::peers::{Speaks, TYPES};

/// How soon a good client is served; what a busy machine adds is not counted against it.
const PROMISED: Duration = Duration::from_millis(100);
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// How much the memory of the process may differ from what it was: buffers of threads, and what the allocator keeps.
pub(crate) const SLACK: usize = 8 << 20;

/// A listening socket of ours under trial: what it held before it was visited, and how many visits it has had.
pub(crate) struct Trial {
    pub(crate) ours: Ours,
    pub(crate) over: Over,
    pub(crate) visits: u64,
    pub(crate) descriptors: usize,
    pub(crate) resident: usize,
    served: Vec<Duration>,
}

impl Trial {
    pub(crate) fn of(over: Over, protocol: i32, raw: bool) -> Self {
        let ours = Ours::open(protocol, raw).bind(over);
        let mut trial = Self { ours, over, visits: 0, descriptors: 0, resident: 0, served: Vec::new() };
        trial.serves_a_good_client("before");
        trial.remember();
        trial
    }

    fn remember(&mut self) {
        (self.descriptors, self.resident) = (descriptors(), memory().resident);
    }

    /// One after the other, each socket type.
    pub(crate) fn each(over: Over, mut visit: impl FnMut(&mut Self)) {
        for (protocol, _) in TYPES {
            for raw in [false, true] {
                let mut trial = Self::of(over, protocol, raw);
                visit(&mut trial);
                trial.ends();
            }
        }
    }

    /// Where to visit it, once.
    pub(crate) fn visited(&mut self) -> &Place {
        self.visits += 1;
        self.ours.place()
    }

    pub(crate) fn serves_a_good_client(&mut self, after: &str) {
        let start = Instant::now();
        let mut peer: Box<dyn Speaks> = match self.over {
            Over::Tcp | Over::Ipc | Over::Tls => Box::new(self.guest()),
            Over::Ws | Over::Wss => Box::new(self.client()),
        };
        peer.exchange(&self.ours, after);
        let took = start.elapsed();
        assert!(took < BUSY, "after {after} a good client was served in {took:?}");
        self.served.push(took);
        drop(peer);
        self.is_left_alone(after);
    }

    /// All that came have gone, and each visit was counted, when it began and when it ended.
    pub(crate) fn is_left_alone(&self, after: &str) {
        let (ours, visits) = (&self.ours, self.visits);
        eventually(&format!("{visits} ended after {after}"), || {
            ours.drain();
            ours.statistic(BROKEN) == visits
        });
        assert_eq!(ours.statistic(ACCEPTED), visits, "{after}");
        // What they have left came before their end.
        ours.drain();
        ours.is_alone();
    }

    /// All that came have gone, and have left no message.
    pub(crate) fn has_heard_nothing(&self, after: &str) {
        eventually(&format!("{} ended after {after}", self.visits), || self.ours.statistic(BROKEN) == self.visits);
        assert_eq!(self.ours.recv(DONTWAIT), None, "{after}");
    }

    /// What has to hold after every case.
    pub(crate) fn recovers(&mut self, after: &str) {
        self.is_left_alone(after);
        eventually(&format!("{} descriptors after {after}", self.descriptors), || descriptors() == self.descriptors);
        self.serves_a_good_client(after);
        eventually(&format!("{} descriptors after {after}", self.descriptors), || descriptors() == self.descriptors);
        let grown = memory().resident.saturating_sub(self.resident);
        // The TLS of the peers is in this process as well. After 200 of them the allocator keeps up to 11 MiB, and no more after
        // 1,200: a leak of a buffer for each connection would be far beyond.
        let slack = if matches!(self.over, Over::Tls | Over::Wss) { 2 * SLACK } else { SLACK };
        assert!(grown < slack, "{grown} bytes more after {after}");
    }

    fn ends(mut self) {
        // Enough of them for a median that one delay does not move.
        while self.served.len() < 5 {
            self.serves_a_good_client("the last case");
        }
        self.served.sort_unstable();
        let usual = self.served[self.served.len() / 2];
        assert!(usual < PROMISED, "good clients were served in {usual:?}");
    }
}
