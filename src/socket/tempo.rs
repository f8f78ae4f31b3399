//! Whether a sender is in a hurry.
//!
//! A message that goes out alone has the shortest latency; one system call for each message caps the throughput. So a
//! caller that sends faster than single writes could follow, and hears nothing back in between, has its messages
//! gathered, if that saves more than it costs: what is gathered when the caller falls quiet waits for the worker. A caller
//! whose bursts always have the same length is known to fall quiet, and what it has sent goes out at once.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// Quick sends in a row before gathering begins: a short burst is still written through.
const STREAK: u32 = 4;

/// What waiting for the worker costs, in nanoseconds of writing.
const QUIET: u64 = 150_000;

/// So many bursts of one length, and the next one will have it too.
const SURE: u32 = 8;

/// In a burst this long only every [`SAMPLE`]th message is timed: a reading of the clock takes as long as the rest of a
/// send.
const STEADY: u32 = 64;
const SAMPLE: u32 = 8;

/// Longer bursts are all the same.
const LONG: u32 = 4096;

#[derive(Debug)]
pub(super) struct Tempo {
    now: Instant,
    last_end: Instant,
    /// The present message was timed.
    timed: bool,
    overtaken: bool,
    /// How long all the writes of one message take, as seen here; in nanoseconds.
    cost: u64,
    /// Sends that follow each other faster than that are one burst: about the same.
    pause: Duration,
    /// Messages in this burst before the present one. `None`: it has ended.
    streak: Option<u32>,
    last_burst: u32,
    /// How many bursts in a row have had this length, besides the first.
    steady: u32,
    /// How long bursts are on average, the last ones counting most.
    usual: u32,
    /// The present message is gathered.
    gathers: bool,
}

impl Default for Tempo {
    fn default() -> Self {
        let now = Instant::now();
        let pause = Duration::from_micros(2);
        let cost = pause.as_nanos() as u64;
        Self {
            now,
            last_end: now,
            timed: false,
            overtaken: false,
            cost,
            pause,
            streak: None,
            last_burst: 0,
            steady: 0,
            usual: LONG,
            gathers: false,
        }
    }
}

impl Tempo {
    /// Whether the next message has to be timed. Not that of a caller who sends one and receives one in turn.
    pub(super) fn is_timing(&self) -> bool {
        match self.streak {
            None => self.last_burst != 1,
            Some(streak) => !self.gathers || streak < STEADY || streak % SAMPLE == 0 || self.overtaken,
        }
    }

    /// The worker had to write what was gathered: the sender may have fallen quiet.
    pub(super) fn overtake(&mut self) {
        self.overtaken = true;
    }

    /// `now` counts only if [`Tempo::is_timing`].
    pub(super) fn send_begins(&mut self, now: Instant) {
        let timed = self.is_timing();
        if timed {
            let gap = now.saturating_duration_since(self.last_end);
            // The messages since the last reading may have taken their time as well.
            if gap >= self.pause * if self.timed { 1 } else { SAMPLE } {
                self.end_burst();
            }
            self.overtaken = false;
            self.now = now;
            self.last_end = now;
        } else if self.streak.is_none() {
            // A lone message, which nobody has timed.
            self.now = now;
            self.last_end = now;
        }
        self.timed = timed;
        self.streak = Some(self.streak.map_or(0, |streak| streak.saturating_add(1)));
        self.gathers = self.is_worth_gathering();
    }

    /// The message has waited for room, which says nothing about its sender's hurry.
    pub(super) fn send_resumes(&mut self, now: Instant) {
        self.now = now;
        self.last_end = now;
    }

    /// All writes of a single message, to so many pipes, have ended.
    pub(super) fn wrote(&mut self, pipes: usize, now: impl FnOnce() -> Instant) {
        if !self.timed {
            return;
        }
        let now = now();
        let took = now.saturating_duration_since(self.now).as_nanos() as u64;
        self.cost = (self.cost * 7 + took) / 8;
        let longest = 20_000 * pipes.clamp(1, 16) as u64;
        self.pause = Duration::from_nanos(self.cost.clamp(1000, longest));
        self.last_end = now;
    }

    /// What waited in a pipe was written: by the sender itself, if nobody had to do it in its place. What the last message
    /// of a burst has to wait for is no part of it.
    pub(super) fn flushed(&mut self, now: impl FnOnce() -> Instant) {
        if self.overtaken || self.falls_quiet() {
            return;
        }
        if self.gathers { self.last_end = now() } else { self.wrote(1, now) }
    }

    /// The caller received something: it converses, and its next message is awaited.
    pub(super) fn received(&mut self) {
        self.end_burst();
    }

    fn end_burst(&mut self) {
        self.gathers = false;
        let Some(streak) = self.streak.take() else { return };
        let length = streak.saturating_add(1).min(LONG);
        self.steady = if length == self.last_burst && length < LONG { self.steady.saturating_add(1) } else { 0 };
        self.last_burst = length;
        self.usual = (self.usual * 3 + length) / 4;
    }

    pub(super) fn gathers(&self) -> bool {
        self.gathers
    }

    fn is_worth_gathering(&self) -> bool {
        let streak = self.streak.unwrap_or(0);
        if self.steady > 0 && streak < self.last_burst {
            // The first one waits for the others only if they are sure to come.
            return streak > 0 || (self.steady >= SURE && self.last_burst > 1);
        }
        // Either so much is still to come as a rule, or so much was written already that waiting once is not worse.
        streak > STREAK && self.cost * u64::from(self.usual.saturating_sub(streak).max(streak)) >= QUIET
    }

    /// The present message is, as far as can be known, the last one for some time.
    pub(super) fn falls_quiet(&self) -> bool {
        self.steady > 0 && self.streak.is_some_and(|streak| streak > 0 && streak + 1 == self.last_burst)
    }

    /// Whether the sender is still at it, or was until a moment ago.
    pub(super) fn gathers_since(&self, before: Option<Instant>) -> bool {
        self.gathers() && before.is_none_or(|before| self.last_end >= before)
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A caller and its clock.
    struct Sender {
        tempo: Tempo,
        now: Instant,
    }

    impl Sender {
        fn new() -> Self {
            Self { tempo: Tempo::default(), now: Instant::now() }
        }

        /// Sends this many messages so far apart; for each, whether it was gathered. One that is not takes `write`.
        fn burst(&mut self, count: usize, gap: Duration, write: Duration) -> Vec<bool> {
            let mut gathered = Vec::new();
            for _ in 0..count {
                self.now += gap;
                self.tempo.send_begins(self.now);
                gathered.push(self.tempo.gathers());
                if !self.tempo.gathers() {
                    self.now += write;
                    self.tempo.wrote(1, || self.now);
                }
            }
            gathered
        }

        fn pause(&mut self) {
            self.now += Duration::from_millis(1);
        }
    }

    const QUICK: Duration = Duration::from_nanos(100);
    const WRITE: Duration = Duration::from_micros(2);

    #[test]
    fn a_fast_sender_gathers_and_a_slow_one_does_not() {
        let mut sender = Sender::new();
        assert!(sender.burst(20, QUICK, WRITE).ends_with(&[true; 10]));
        sender.pause();
        assert_eq!(sender.burst(20, Duration::from_micros(50), WRITE), [false; 20]);
    }

    #[test]
    fn a_fast_sender_that_has_to_wait_for_room_goes_on_gathering() {
        let mut sender = Sender::new();
        for _ in 0..100 {
            sender.burst(40, QUICK, WRITE);
            sender.pause();
            sender.tempo.send_resumes(sender.now);
        }
        assert_eq!(sender.burst(40, QUICK, WRITE), [true; 40]);
    }

    /// As with messages that are masked first: they lie in the pipe, and are written from there.
    #[test]
    fn a_fast_sender_gathers_whoever_writes() {
        let mut sender = Sender::new();
        let mut gathered = 0;
        for _ in 0..100 {
            sender.now += QUICK;
            sender.tempo.send_begins(sender.now);
            if sender.tempo.gathers() {
                gathered += 1;
            } else {
                sender.now += WRITE * 2;
                sender.tempo.flushed(|| sender.now);
            }
        }
        assert!(gathered > 80, "{gathered}");
    }

    #[test]
    fn to_write_what_was_gathered_is_no_pause() {
        let mut sender = Sender::new();
        sender.burst(100, QUICK, WRITE);
        sender.now += WRITE * 100;
        sender.tempo.flushed(|| sender.now);
        assert_eq!(sender.burst(1, QUICK, WRITE), [true]);
        sender.tempo.overtake();
        sender.now += WRITE * 100;
        sender.tempo.flushed(|| sender.now);
        assert_eq!(sender.burst(1, QUICK, WRITE), [false], "the worker has written it");
    }

    #[test]
    fn a_short_burst_is_written_through() {
        let mut sender = Sender::new();
        assert_eq!(sender.burst(STREAK as usize + 1, QUICK, WRITE), [false; STREAK as usize + 1]);
    }

    #[test]
    fn hearing_back_ends_the_gathering() {
        let mut sender = Sender::new();
        sender.burst(20, QUICK, WRITE);
        assert!(sender.tempo.gathers());
        sender.tempo.received();
        assert!(!sender.tempo.gathers());
        assert_eq!(sender.burst(1, QUICK, WRITE), [false]);
    }

    #[test]
    fn who_sends_and_receives_in_turn_is_not_timed() {
        let mut sender = Sender::new();
        assert!(sender.tempo.is_timing());
        for _ in 0..2 {
            sender.burst(1, QUICK, WRITE);
            sender.tempo.received();
        }
        assert!(!sender.tempo.is_timing());
        // Not the first of them is, but the others.
        sender.burst(3, QUICK, WRITE);
        sender.tempo.received();
        assert!(sender.tempo.is_timing());
    }

    #[test]
    fn bursts_of_one_length_are_gathered_to_their_end_and_no_longer() {
        let mut sender = Sender::new();
        for _ in 0..2 {
            sender.burst(16, QUICK, WRITE);
            sender.pause();
        }
        // The third one is known when it begins.
        let mut ends = Vec::new();
        for _ in 0..16 {
            let gathered = sender.burst(1, QUICK, WRITE);
            ends.push((gathered[0], sender.tempo.falls_quiet()));
        }
        assert_eq!(ends[0], (false, false));
        assert_eq!(ends[1..15], [(true, false); 14]);
        assert_eq!(ends[15], (true, true));
        // In the end the first message waits for the others as well.
        for _ in 0..SURE {
            sender.pause();
            sender.burst(16, QUICK, WRITE);
        }
        sender.pause();
        assert_eq!(sender.burst(1, QUICK, WRITE), [true]);
        // And no more once it was alone.
        sender.pause();
        assert_eq!(sender.burst(1, QUICK, WRITE), [false]);
    }

    #[test]
    fn short_bursts_of_any_length_are_written_through_in_the_end() {
        let mut sender = Sender::new();
        for length in (10..30).cycle().take(100) {
            sender.pause();
            sender.burst(length, QUICK, WRITE);
        }
        sender.pause();
        assert_eq!(sender.burst(29, QUICK, WRITE), [false; 29]);
        // Unless one of them has cost as much as waiting would have.
        assert!(sender.burst(100, QUICK, WRITE).ends_with(&[true; 20]));
    }

    #[test]
    fn a_stream_is_timed_now_and_then_and_when_the_worker_has_overtaken_it() {
        let mut sender = Sender::new();
        sender.burst(200, QUICK, WRITE);
        let mut timed = 0;
        for _ in 0..80 {
            timed += usize::from(sender.tempo.is_timing());
            sender.burst(1, QUICK, WRITE);
        }
        assert_eq!(timed, 10);
        assert!(sender.tempo.gathers());
        sender.pause();
        sender.tempo.overtake();
        assert!(sender.tempo.is_timing());
        assert_eq!(sender.burst(1, QUICK, WRITE), [false], "its first message after a pause");
    }

    #[test]
    fn what_is_dear_to_write_is_gathered_in_short_bursts_too() {
        let mut sender = Sender::new();
        for length in (10..30).cycle().take(100) {
            sender.pause();
            sender.burst(length, QUICK, Duration::from_micros(100));
        }
        sender.pause();
        assert!(sender.burst(15, QUICK, Duration::from_micros(100)).ends_with(&[true; 8]));
    }
}
