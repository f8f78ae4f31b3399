//! When a sender's messages are batched.
//!
//! A message that goes out alone has the shortest latency; one system call for each message caps the throughput. So a burst
//! is written through until that has cost as much as waiting for the worker can cost; from then on it is batched. Whatever
//! the length of the burst, it takes at most twice as long as it would take if the length had been known before (the
//! ski-rental rule). A burst ends when a message comes later than the write of one takes, or when its sender receives.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// How long a batch waits for the worker after its last message (measured: 40 to 100 us, its tick included). With 30 us a fan-out to
/// one pipe goes 0.4 as fast, with 60 0.9; with 150 streams go 0.7 to 0.9.
const WAIT: Duration = Duration::from_micros(75);

/// Quick sends in a row before batching begins, whatever they have cost: one slow write is no burst.
const SHORTEST: u32 = 4;

/// A batched message takes a tenth of a microsecond, and a reading of the clock a third of that: only every eighth is timed.
const SAMPLE: u32 = 8;

/// What a gap between two sends is measured by before anything was written, and its bounds: a write takes 1 to 20 us for
/// each pipe, and what takes longer has waited for something else.
const FIRST_WRITE: Duration = Duration::from_micros(2);
const SHORTEST_WRITE: Duration = Duration::from_micros(1);
const LONGEST_WRITE: Duration = Duration::from_micros(20);

#[derive(Debug)]
pub(in crate::socket) struct Batching {
    now: Instant,
    last_end: Instant,
    /// The present message was timed.
    timed: bool,
    /// The worker had to write what was batched: the sender may have fallen quiet.
    overtaken: bool,
    /// How long the writes of one message take, on average; the last ones count most.
    write: Duration,
    /// Messages of this burst before the present one. `None`: it has ended.
    burst: Option<u32>,
    /// What this burst has spent in writes.
    spent: Duration,
    /// The last burst was a single message.
    lone: bool,
    /// The present message is batched.
    batches: bool,
}

impl Batching {
    pub(in crate::socket) fn new(now: Instant) -> Self {
        Self {
            now,
            last_end: now,
            timed: false,
            overtaken: false,
            write: FIRST_WRITE,
            burst: None,
            spent: Duration::ZERO,
            lone: false,
            batches: false,
        }
    }
}

impl Batching {
    /// Whether the next message has to be timed. Not that of a caller that sends one and receives one in turn: two
    /// readings of the clock are a tenth of its way within a process.
    pub(in crate::socket) fn is_timing(&self) -> bool {
        match self.burst {
            None => !self.lone,
            Some(burst) => !self.batches || self.overtaken || burst.is_multiple_of(SAMPLE),
        }
    }

    /// The worker had to write what was batched.
    pub(in crate::socket) fn overtake(&mut self) {
        self.overtaken = true;
    }

    /// `now` counts only if [`Batching::is_timing`].
    pub(in crate::socket) fn send_begins(&mut self, now: Instant) {
        let timed = self.is_timing();
        if timed {
            let gap = now.saturating_duration_since(self.last_end);
            // The messages since the last reading may have taken their time as well.
            if gap >= self.write * if self.timed { 1 } else { SAMPLE } {
                self.end_burst();
            }
            self.overtaken = false;
            self.now = now;
            self.last_end = now;
        }
        self.timed = timed;
        let burst = self.burst.map_or(0, |burst| burst.saturating_add(1));
        self.burst = Some(burst);
        self.batches = burst > SHORTEST && self.spent >= WAIT;
    }

    /// The message has waited for room, which says nothing about its sender's hurry.
    pub(in crate::socket) fn send_resumes(&mut self, now: Instant) {
        self.now = now;
        self.last_end = now;
    }

    /// All writes of a single message, to so many pipes, have ended.
    pub(in crate::socket) fn wrote(&mut self, pipes: usize, now: impl FnOnce() -> Instant) {
        if !self.timed {
            return;
        }
        let now = now();
        let took = now.saturating_duration_since(self.now);
        self.spent += took;
        self.write = ((self.write * 7 + took) / 8).clamp(SHORTEST_WRITE, LONGEST_WRITE * pipes.clamp(1, 16) as u32);
        self.last_end = now;
    }

    /// What waited in a pipe was written: by the sender itself, if nobody had to do it in its place.
    pub(in crate::socket) fn flushed(&mut self, now: impl FnOnce() -> Instant) {
        if self.overtaken {
            return;
        }
        if self.batches { self.last_end = now() } else { self.wrote(1, now) }
    }

    /// The caller received something: it converses, and its next message is awaited.
    pub(in crate::socket) fn received(&mut self) {
        self.end_burst();
    }

    fn end_burst(&mut self) {
        if let Some(burst) = self.burst {
            self.lone = burst == 0;
        }
        (self.burst, self.spent, self.batches) = (None, Duration::ZERO, false);
    }

    pub(in crate::socket) fn batches(&self) -> bool {
        self.batches
    }

    /// Whether the sender is still at it, or was until a moment ago.
    pub(in crate::socket) fn batches_since(&self, before: Option<Instant>) -> bool {
        self.batches() && before.is_none_or(|before| self.last_end >= before)
    }

    pub(in crate::socket) fn now(&self) -> Instant {
        self.now
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a beginning")]
mod tests {
    use super::*;

    /// A caller and its clock.
    struct Sender {
        batching: Batching,
        now: Instant,
    }

    impl Sender {
        fn new() -> Self {
            Self { batching: Batching::new(Instant::now()), now: Instant::now() }
        }

        /// Sends this many messages so far apart; for each, whether it was batched. One that is not takes `write`.
        fn burst(&mut self, count: usize, gap: Duration, write: Duration) -> Vec<bool> {
            let mut batched = Vec::new();
            for _ in 0..count {
                self.now += gap;
                self.batching.send_begins(self.now);
                batched.push(self.batching.batches());
                if !self.batching.batches() {
                    self.now += write;
                    self.batching.wrote(1, || self.now);
                }
            }
            batched
        }

        fn pause(&mut self) {
            self.now += Duration::from_millis(1);
        }
    }

    const QUICK: Duration = Duration::from_nanos(100);
    const WRITE: Duration = Duration::from_micros(2);

    /// So many writes cost as much as waiting once.
    const THROUGH: usize = WAIT.as_micros().div_ceil(WRITE.as_micros()) as usize;

    #[test]
    fn a_burst_is_batched_once_its_writes_have_cost_as_much_as_waiting() {
        let mut sender = Sender::new();
        for _ in 0..3 {
            let batched = sender.burst(2 * THROUGH, QUICK, WRITE);
            assert_eq!(batched.iter().position(|batched| *batched), Some(THROUGH));
            assert!(batched[THROUGH..].iter().all(|batched| *batched));
            sender.pause();
            sender.batching.overtake();
        }
    }

    #[test]
    fn a_slow_sender_is_not_batched() {
        let mut sender = Sender::new();
        assert_eq!(sender.burst(1000, Duration::from_micros(50), WRITE), [false; 1000]);
    }

    #[test]
    fn dear_writes_are_batched_sooner_but_a_single_one_is_no_burst() {
        let mut sender = Sender::new();
        let batched = sender.burst(10, QUICK, Duration::from_micros(100));
        assert_eq!(batched.iter().position(|batched| *batched), Some(SHORTEST as usize + 1));
    }

    #[test]
    fn a_fast_sender_that_has_to_wait_for_room_goes_on_batching() {
        let mut sender = Sender::new();
        sender.burst(2 * THROUGH, QUICK, WRITE);
        for _ in 0..100 {
            sender.pause();
            sender.batching.send_resumes(sender.now);
            assert_eq!(sender.burst(40, QUICK, WRITE), [true; 40]);
        }
    }

    /// As with messages that are masked first: they lie in the pipe, and are written from there.
    #[test]
    fn a_fast_sender_is_batched_whoever_writes() {
        let mut sender = Sender::new();
        let mut batched = 0;
        for _ in 0..100 {
            sender.now += QUICK;
            sender.batching.send_begins(sender.now);
            if sender.batching.batches() {
                batched += 1;
            } else {
                sender.now += WRITE * 2;
                sender.batching.flushed(|| sender.now);
            }
        }
        assert!(batched > 50, "{batched}");
    }

    #[test]
    fn to_write_a_batch_is_no_pause() {
        let mut sender = Sender::new();
        sender.burst(2 * THROUGH, QUICK, WRITE);
        sender.now += WRITE * 100;
        sender.batching.flushed(|| sender.now);
        assert_eq!(sender.burst(1, QUICK, WRITE), [true]);
        sender.batching.overtake();
        sender.now += WRITE * 100;
        sender.batching.flushed(|| sender.now);
        assert_eq!(sender.burst(1, QUICK, WRITE), [false], "the worker has written it");
    }

    #[test]
    fn hearing_back_ends_the_batching() {
        let mut sender = Sender::new();
        sender.burst(2 * THROUGH, QUICK, WRITE);
        assert!(sender.batching.batches());
        sender.batching.received();
        assert!(!sender.batching.batches());
        assert_eq!(sender.burst(1, QUICK, WRITE), [false]);
    }

    #[test]
    fn who_sends_and_receives_in_turn_is_not_timed() {
        let mut sender = Sender::new();
        assert!(sender.batching.is_timing());
        for _ in 0..2 {
            sender.burst(1, QUICK, WRITE);
            sender.batching.received();
        }
        assert!(!sender.batching.is_timing());
        // The first of a burst is not, and the others are.
        assert!(sender.burst(2 * THROUGH, QUICK, WRITE).ends_with(&[true]));
        sender.batching.received();
        assert!(sender.batching.is_timing());
    }

    #[test]
    fn a_stream_is_timed_now_and_then_and_when_the_worker_has_overtaken_it() {
        let mut sender = Sender::new();
        sender.burst(2 * THROUGH, QUICK, WRITE);
        let mut timed = 0;
        for _ in 0..80 {
            timed += usize::from(sender.batching.is_timing());
            sender.burst(1, QUICK, WRITE);
        }
        assert_eq!(timed, 10);
        sender.pause();
        sender.batching.overtake();
        assert!(sender.batching.is_timing());
        assert_eq!(sender.burst(1, QUICK, WRITE), [false], "its first message after a pause");
    }
}
