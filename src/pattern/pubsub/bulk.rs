//! When a subscriber's changes are so many that they are told together.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// So long changes are counted, and held at most.
const PERIOD: Duration = Duration::from_millis(1);

/// So many of them are told one by one, as those few of an ordinary program are: a write each, of 2 to 3 us. TCP holds back what
/// comes behind ten small writes that the other end has not read (RFC 6928); what is held, and "everything", have to be among them.
const ALONE: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct Bulk {
    /// When counting began.
    since: Option<Instant>,
    changes: u32,
    /// Something is held.
    holds: bool,
}

impl Bulk {
    /// Another change: whether it is told alone. If not, it is held until [`Bulk::deadline`].
    pub(super) fn is_alone(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= PERIOD) {
            (self.since, self.changes) = (Some(now), 0);
        }
        self.changes = self.changes.saturating_add(1);
        self.holds = self.changes > ALONE;
        !self.holds
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.filter(|_| self.holds).map(|since| since + PERIOD)
    }

    /// Nothing is held any more.
    pub(super) fn end(&mut self) {
        self.holds = false;
    }
}
