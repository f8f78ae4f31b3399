//! Whether a message is worth waiting for awake.
#![forbid(unsafe_code)]

use crate::sys;
use std::time::{Duration, Instant};

/// Who lets others run on the only processor and gets it back later than that had better slept.
pub(super) const YIELD_LIMIT: Duration = Duration::from_micros(20);

/// Longest look-out for what comes from another processor: a little more than it takes to wake a thread there, or a peer
/// that has just gone to sleep could never be waited for awake.
pub(super) const SPIN_LIMIT: Duration = Duration::from_micros(50);

/// When others have had the processor for so long, they need it more than we do.
pub(super) const PREEMPTED: Duration = Duration::from_micros(500);

/// How a wait that began awake has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spun {
    Hit,
    Miss,
    /// The processor was somebody else's for longer than that was worth: who sleeps gets it back at once.
    Preempted,
}

impl Spun {
    pub(super) fn of(found: bool, in_time: bool) -> Self {
        match (found, in_time) {
            (true, true) => Self::Hit,
            (true, false) => Self::Preempted,
            (false, _) => Self::Miss,
        }
    }
}

/// Whether spinning pays: it does if the message usually comes while the receiver spins, or lets others run.
#[derive(Debug)]
pub(super) struct Spin {
    misses: u32,
    skipped: u32,
    /// So many waits later one looks again.
    pause: u32,
    /// When this thread last ran again after letting others run, if the time before was short.
    quick_since: Option<Instant>,
}

/// Whether a thread that waits for descriptors need not sleep.
#[derive(Debug, Default)]
pub(super) struct SpinPolicy {
    /// What is awaited usually comes as soon as others have run on this processor,
    here: Spin,
    /// or is on its way from another one.
    elsewhere: Spin,
}

impl SpinPolicy {
    /// Whether what `look` looks for has come as soon as others have run.
    pub(super) fn comes_after_yield(&mut self, look: impl FnOnce() -> bool) -> bool {
        self.here.let_others_run(look)
    }

    /// Whether it comes within a part of `timeout`. Looking must not disturb those who bring it.
    pub(super) fn comes_within_spin(
        &mut self,
        timeout: Option<Duration>,
        many_cpus: bool,
        look: impl FnMut() -> bool,
    ) -> bool {
        let limit = timeout.map_or(SPIN_LIMIT, |timeout| timeout.min(SPIN_LIMIT));
        many_cpus && self.elsewhere.keep_looking(limit, look)
    }
}

const SHORTEST_PAUSE: u32 = 64;
const LONGEST_PAUSE: u32 = 1 << 16;

impl Default for Spin {
    fn default() -> Self {
        Self { misses: 0, skipped: 0, pause: SHORTEST_PAUSE, quick_since: None }
    }
}

impl Spin {
    #[inline]
    pub(super) fn is_worth_it(&mut self) -> bool {
        if self.misses < 3 {
            return true;
        }
        self.skipped += 1;
        if self.skipped < self.pause {
            return false;
        }
        self.skipped = 0;
        true
    }

    /// Gives the processor to whoever may have to answer, and looks once whether that has brought something. Where the
    /// peer runs on the same processor this is all the waiting there is.
    fn let_others_run(&mut self, look: impl FnOnce() -> bool) -> bool {
        if !self.is_worth_it() {
            return false;
        }
        // One reading of the clock is enough as long as the whole conversation is quick.
        let last = self.quick_since.take();
        let start = last.unwrap_or_else(sys::now);
        sys::yield_now();
        let end = sys::now();
        let in_time = end.saturating_duration_since(start) < YIELD_LIMIT;
        self.quick_since = in_time.then_some(end);
        let found = look();
        match found {
            _ if !in_time && last.is_some() => {} // Who has taken the time is not known.
            _ if !in_time => self.learn(Spun::Preempted),
            true => self.learn(Spun::Hit),
            false => self.learn(Spun::Miss),
        }
        found
    }

    /// Looks again and again for at most `limit`, and lets others run in between: for what another processor is bringing
    /// already. To sleep and be woken takes longer, and the waker most of all.
    fn keep_looking(&mut self, limit: Duration, mut look: impl FnMut() -> bool) -> bool {
        if !self.is_worth_it() {
            return false;
        }
        let start = sys::now();
        let mut last = start;
        loop {
            sys::yield_now();
            let found = look();
            let now = sys::now();
            let in_time = now.saturating_duration_since(last) < PREEMPTED;
            last = now;
            if found || !in_time || now.saturating_duration_since(start) >= limit {
                self.learn(Spun::of(found, in_time));
                return found;
            }
        }
    }

    #[inline]
    pub(super) fn learn(&mut self, spun: Spun) {
        match spun {
            Spun::Hit => (self.misses, self.pause) = (0, SHORTEST_PAUSE),
            Spun::Miss => self.misses = self.misses.saturating_add(1),
            // To be late is much dearer than to miss.
            Spun::Preempted => (self.misses, self.pause) = (u32::MAX, (self.pause * 8).min(LONGEST_PAUSE)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many waits would be spent awake, if all of them ended like this.
    fn awake(spin: &mut Spin, waits: u32, spun: Spun) -> u32 {
        (0..waits)
            .filter(|_| {
                let worth = spin.is_worth_it();
                if worth {
                    spin.learn(spun);
                }
                worth
            })
            .count() as u32
    }

    #[test]
    fn one_keeps_looking_for_what_comes_in_time() {
        // Another program may take the processor in between, and then one stops looking: not a hundred times.
        let third = |_| {
            let (mut spin, mut looks) = (Spin::default(), 0);
            spin.keep_looking(Duration::from_secs(30), || {
                looks += 1;
                looks == 3
            })
            .then_some(spin)
        };
        let mut spin = (0..100).find_map(third).expect("what comes at the third look is seen");
        assert!(!spin.keep_looking(Duration::ZERO, || false), "the time is over after one look");
    }

    #[test]
    fn what_pays_goes_on() {
        assert_eq!(awake(&mut Spin::default(), 100, Spun::Hit), 100);
    }

    #[test]
    fn what_does_not_is_looked_at_now_and_then() {
        let mut spin = Spin::default();
        assert_eq!(awake(&mut spin, 3 + 10 * SHORTEST_PAUSE, Spun::Miss), 13);
        // And pays again.
        awake(&mut spin, SHORTEST_PAUSE, Spun::Hit);
        assert_eq!(awake(&mut spin, 100, Spun::Hit), 100);
    }

    #[test]
    fn who_comes_late_is_asked_more_and_more_seldom() {
        let mut spin = Spin::default();
        assert_eq!(awake(&mut spin, 100_000, Spun::Preempted), 4);
        assert_eq!(awake(&mut spin, 4 * LONGEST_PAUSE, Spun::Preempted), 4);
    }
}
