//! Deadlines, the earliest first: of one socket, and of the worker for all of its sockets.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::time::Instant;

/// Timers are named by a key of the caller's; one key may have several deadlines.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    set: BTreeSet<(Instant, K)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { set: BTreeSet::new() }
    }
}

impl<K: Ord + Copy> Timers<K> {
    pub(crate) fn start(&mut self, at: Instant, key: K) {
        self.set.insert((at, key));
    }

    pub(crate) fn stop(&mut self, at: Instant, key: K) {
        self.set.remove(&(at, key));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.set.first().map(|(at, _)| *at)
    }

    /// Takes one timer whose time has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let &(at, _) = self.set.first()?;
        if at > now {
            return None;
        }
        self.set.pop_first().map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn due_timers_come_in_order_and_once() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut timers = Timers::default();
        timers.start(at(20), 'b');
        timers.start(at(10), 'a');
        timers.start(at(30), 'c');
        timers.start(at(15), 'x');
        timers.stop(at(15), 'x');
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(20)), Some('a'));
        assert_eq!(timers.pop_due(at(20)), Some('b'));
        assert_eq!(timers.pop_due(at(20)), None);
    }
}
