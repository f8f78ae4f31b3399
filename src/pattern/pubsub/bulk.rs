//! When a subscriber sends its changes one by one, and when together.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// How long changes are counted, and held at most. During it publishers send everything, so it is short; it is long beside
/// what 512 changes take (150 us).
const PERIOD: Duration = Duration::from_millis(1);

/// Changes in a period that are sent alone: the few of an ordinary program, a write of 2 to 3 us each. TCP holds back what comes
/// behind ten small writes that the other end has not read (RFC 6928), and "everything" and the held changes have to be among
/// those. Measured with 100 changes a round over tcp: with 16 the publisher missed one in 75 rounds, with 4 none of 1,248.
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
    /// Counts another change. True: it is sent alone. False: it is held, until [`Bulk::deadline`] at most.
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

#[cfg(test)]
mod tests {
    use crate::pattern::harness::{A, Harness};
    use crate::pattern::pubsub::Sub;
    use crate::pattern::pubsub::interest::tests::{teller, told};
    use crate::pattern::pubsub::subscriber::{SUBSCRIBE, UNSUBSCRIBE};

    fn subscribe_to(sub: &mut Harness<Sub>, numbers: std::ops::Range<u32>) {
        for number in numbers {
            sub.set_option(SUBSCRIBE, &number.to_be_bytes()).unwrap();
        }
    }

    /// Four are sent at once. Behind those a publisher is asked for everything, until it has the topics.
    #[test]
    fn many_changes_at_once_are_told_together() {
        let mut sub = teller(&[b"a"]);
        told(&mut sub);
        subscribe_to(&mut sub, 0..4);
        assert_eq!((told(&mut sub).len(), sub.left()), (4, None));
        subscribe_to(&mut sub, 4..5);
        assert_eq!((told(&mut sub), sub.left()), (vec![b"\x01".to_vec()], Some(1)));
        subscribe_to(&mut sub, 5..100);
        sub.set_option(UNSUBSCRIBE, b"a").unwrap();
        assert!(told(&mut sub).is_empty());
        sub.pass(1);
        let mut last = told(&mut sub);
        assert_eq!(last.split_off(96), [b"\0".to_vec(), b"\0a".to_vec()], "what is new first");
        assert!(last.iter().all(|frame| frame[0] == 1));
        assert_eq!((sub.left(), sub.pattern.waiting(A)), (None, 0));
        subscribe_to(&mut sub, 100..101);
        assert_eq!(told(&mut sub).len(), 1, "and from then on one by one");
    }

    #[test]
    fn very_many_changes_are_told_before_their_time_is_over() {
        let mut sub = teller(&[]);
        told(&mut sub);
        sub.desk.room.insert(A, usize::MAX);
        subscribe_to(&mut sub, 0..2000);
        assert!(sub.pattern.waiting(A) <= 512);
        assert!(told(&mut sub).len() > 1488);
    }

    #[test]
    fn everything_is_not_asked_for_where_that_is_known_or_nothing_is_new() {
        let mut sub = teller(&[b""]);
        told(&mut sub);
        subscribe_to(&mut sub, 0..100);
        assert_eq!(told(&mut sub).len(), 4);
        sub.set_option(UNSUBSCRIBE, b"").unwrap();
        assert!(told(&mut sub).is_empty(), "it has to wait for the others");
        sub.set_option(SUBSCRIBE, b"").unwrap();
        sub.pass(1);
        assert!(!told(&mut sub).contains(&b"\0".to_vec()), "wanted all the time");
        sub.pass(1);
        for number in 0..100u32 {
            sub.set_option(UNSUBSCRIBE, &number.to_be_bytes()).unwrap();
        }
        sub.set_option(UNSUBSCRIBE, b"").unwrap();
        assert_eq!(told(&mut sub).len(), 4);
        sub.set_option(SUBSCRIBE, b"").unwrap();
        sub.pass(1);
        let rest = told(&mut sub);
        assert_eq!((rest.len(), sub.pattern.waiting(A)), (96, 0));
        sub.set_option(UNSUBSCRIBE, b"").unwrap();
        told(&mut sub);
        for number in 0..20u32 {
            sub.set_option(SUBSCRIBE, b"").unwrap();
            sub.set_option(SUBSCRIBE, &number.to_be_bytes()).unwrap();
            sub.set_option(UNSUBSCRIBE, b"").unwrap();
        }
        sub.pass(1);
        assert_eq!(told(&mut sub).last().unwrap(), b"\0");
    }

    #[test]
    fn a_publisher_that_takes_nothing_hears_what_was_held_when_it_does() {
        let mut sub = teller(&[]);
        told(&mut sub);
        sub.desk.room.insert(A, 0);
        subscribe_to(&mut sub, 0..100);
        sub.pass(1);
        assert_eq!((told(&mut sub).len(), sub.left()), (0, None));
        sub.desk.room.insert(A, 200);
        sub.writable(A);
        assert_eq!((told(&mut sub).len(), sub.pattern.waiting(A)), (100, 0));
    }
}
