//! Whether a sender is in a hurry.
//!
//! A message that goes out alone has the shortest latency; one system call for each message caps the throughput. So a
//! caller that sends faster than single writes could follow, and hears nothing back in between, has its messages
//! gathered.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// Quick sends in a row before gathering begins: a short burst is still written through.
const STREAK: u32 = 4;

#[derive(Debug)]
pub(super) struct Tempo {
    now: Instant,
    last_end: Instant,
    /// How long one write takes, as seen here.
    write: Duration,
    streak: u32,
}

impl Default for Tempo {
    fn default() -> Self {
        let now = Instant::now();
        Self { now, last_end: now, write: Duration::from_micros(2), streak: 0 }
    }
}

impl Tempo {
    pub(super) fn send_begins(&mut self, now: Instant) {
        let gap = now.saturating_duration_since(self.last_end);
        self.streak = if gap < self.write { self.streak.saturating_add(1) } else { 0 };
        self.now = now;
        self.last_end = now;
    }

    /// A single write has ended.
    pub(super) fn wrote(&mut self, now: Instant) {
        let took = now.saturating_duration_since(self.now);
        self.write = ((self.write * 7 + took) / 8).clamp(Duration::from_micros(1), Duration::from_micros(20));
        self.last_end = now;
    }

    /// The caller received something: it converses, and its next message is awaited.
    pub(super) fn received(&mut self) {
        self.streak = 0;
    }

    pub(super) fn gathers(&self) -> bool {
        self.streak > STREAK
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

    fn burst(tempo: &mut Tempo, start: Instant, gap: Duration, count: u32) {
        for index in 0..count {
            tempo.send_begins(start + gap * index);
        }
    }

    #[test]
    fn a_fast_sender_gathers_and_a_slow_one_does_not() {
        let start = Instant::now() + Duration::from_secs(1);
        let mut tempo = Tempo::default();
        burst(&mut tempo, start, Duration::from_nanos(100), 20);
        assert!(tempo.gathers());
        burst(&mut tempo, start + Duration::from_secs(1), Duration::from_micros(50), 20);
        assert!(!tempo.gathers());
    }

    #[test]
    fn a_short_burst_is_written_through() {
        let mut tempo = Tempo::default();
        burst(&mut tempo, Instant::now() + Duration::from_secs(1), Duration::from_nanos(100), STREAK);
        assert!(!tempo.gathers());
    }

    #[test]
    fn hearing_back_ends_the_gathering() {
        let mut tempo = Tempo::default();
        burst(&mut tempo, Instant::now() + Duration::from_secs(1), Duration::from_nanos(100), 20);
        tempo.received();
        assert!(!tempo.gathers());
    }
}
