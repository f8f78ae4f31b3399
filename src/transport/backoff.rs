//! The wait before a redial, as a plain value.
#![forbid(unsafe_code)]

use std::time::Duration;

/// Delay before retry k: min((2^k - 1) * interval, maximum); the first retry comes at once.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    interval: Duration,
    maximum: Duration,
    retries: u32,
}

/// Even "at once, for ever" (NN_RECONNECT_IVL 0) leaves the processor some air.
const SHORTEST: Duration = Duration::from_millis(1);

impl Backoff {
    /// `maximum` zero means `interval`.
    pub(crate) fn new(interval: Duration, maximum: Duration) -> Self {
        Self { interval, maximum: if maximum.is_zero() { interval } else { maximum }, retries: 0 }
    }

    pub(crate) fn next_delay(&mut self) -> Duration {
        if self.retries == 0 {
            self.retries = 1;
            return Duration::ZERO;
        }
        let factor = 1u32.checked_shl(self.retries).map_or(u32::MAX, |power| power - 1);
        let delay = self.interval.saturating_mul(factor);
        if delay >= self.maximum {
            return self.maximum.max(SHORTEST);
        }
        self.retries = self.retries.saturating_add(1).min(32);
        delay.max(SHORTEST)
    }

    /// A connection that stayed up longer than any wait proves the peer; the next loss starts from the beginning.
    pub(crate) fn connected_for(&mut self, time: Duration) {
        if time > self.maximum.max(Duration::from_secs(1)) {
            self.retries = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(interval: u64, maximum: u64, count: usize) -> Vec<u128> {
        let mut backoff = Backoff::new(Duration::from_millis(interval), Duration::from_millis(maximum));
        (0..count).map(|_| backoff.next_delay().as_millis()).collect()
    }

    #[test]
    fn delays_follow_the_documented_series() {
        assert_eq!(delays(100, 0, 4), [0, 100, 100, 100]);
        assert_eq!(delays(50, 1000, 8), [0, 50, 150, 350, 750, 1000, 1000, 1000]);
        assert_eq!(delays(200, 100, 3), [0, 100, 100]);
    }

    #[test]
    fn an_interval_of_zero_does_not_spin() {
        assert_eq!(delays(0, 0, 3), [0, 1, 1]);
    }

    #[test]
    fn a_huge_maximum_does_not_overflow() {
        let series = delays(1, i32::MAX as u64, 80);
        assert_eq!(series[79], i32::MAX as u128);
        assert!(series.is_sorted());
    }

    #[test]
    fn a_long_connection_starts_the_series_again_and_a_short_one_does_not() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::ZERO);
        backoff.next_delay();
        backoff.next_delay();
        backoff.connected_for(Duration::from_millis(500));
        assert_eq!(backoff.next_delay().as_millis(), 10);
        backoff.connected_for(Duration::from_secs(5));
        assert_eq!(backoff.next_delay().as_millis(), 0);
    }
}
