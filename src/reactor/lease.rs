//! Who drives a socket: the right to wait for, read and write its descriptors.
//!
//! One holder at a time, a caller or the worker, taken without waiting. The lease is plain data under the socket's lock;
//! whoever changes it does the system call that follows after the lock is let go. Its promise: while nobody holds it, the
//! worker either has the socket's poller armed or looks at the socket on its next tick, so no event goes unseen.
//!
//! A caller leaves the lease *sticky*: it does not arm the worker again, because the next call usually comes at once. The
//! worker finds out by its tick whether the caller has really gone.
#![forbid(unsafe_code)]

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    Nobody,
    Caller,
    Worker,
}

#[derive(Debug)]
pub(crate) struct Lease {
    holder: Holder,
    /// The holder waits in the poller, or is about to.
    asleep: bool,
    /// The poller was notified since the holder went to sleep.
    poked: bool,
    /// The worker's one-shot watch on the poller is live.
    armed: bool,
    /// The worker looks at this socket on its next tick.
    ticking: bool,
    /// A caller held the lease since the last tick.
    used: bool,
    /// Ticks on which the caller that holds the lease was found asleep, one after the other.
    asleep_ticks: u8,
}

/// So many ticks an asleep caller stays on the tick list: one that soon leaves need not report, which would wake the
/// worker each time. At the worker's slowest pace (2 ms) they are about a tenth of a second.
const ASLEEP_TICKS: u8 = if cfg!(loom) { 0 } else { 64 };

/// What whoever left the lease has to do once the lock is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// The worker knows.
    Nothing,
    /// Arm the worker's watch.
    Arm,
    /// Ask the worker to put the socket on its tick list.
    Report,
}

/// What the worker finds when its tick comes to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tick {
    /// The caller is busy with it; look again.
    Stay,
    /// Somebody else is responsible: no more ticks.
    Drop,
    /// The lease was left; it is the worker's now.
    Taken,
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

impl Lease {
    /// A lease nobody holds, the worker armed.
    pub(crate) fn new() -> Self {
        Self {
            holder: Holder::Nobody,
            asleep: false,
            poked: false,
            armed: true,
            ticking: false,
            used: false,
            asleep_ticks: 0,
        }
    }

    pub(crate) fn is_free(&self) -> bool {
        self.holder == Holder::Nobody
    }

    /// The worker has it, which it never does for long.
    #[cfg_attr(loom, allow(dead_code, reason = "the models have no calls that do not wait"))]
    pub(crate) fn is_workers(&self) -> bool {
        self.holder == Holder::Worker
    }

    /// Takes the lease for a caller.
    pub(crate) fn take(&mut self) -> bool {
        let free = self.is_free();
        if free {
            self.holder = Holder::Caller;
            self.used = true;
        }
        free
    }

    /// The holder will wait in the poller as soon as it has let the lock go.
    pub(crate) fn sleep(&mut self) {
        self.asleep = true;
        self.poked = false;
    }

    pub(crate) fn wake(&mut self) {
        self.asleep = false;
    }

    /// Something changed that the holder has to see. True: notify the poller once the lock is free. A holder that is
    /// awake looks by itself before it sleeps.
    pub(crate) fn interrupt(&mut self) -> bool {
        let needed = self.asleep && !self.poked;
        self.poked |= needed;
        needed
    }

    /// A caller gives the lease back. `urgent`: the worker has to react to the next event without waiting for its tick.
    pub(crate) fn leave(&mut self, urgent: bool) -> Leave {
        self.holder = Holder::Nobody;
        self.asleep = false;
        // The next event is the worker's at once, not only when a tick has found the caller gone.
        self.used &= !urgent;
        if self.armed {
            return Leave::Nothing;
        }
        if urgent {
            self.armed = true;
            return Leave::Arm;
        }
        if self.ticking {
            return Leave::Nothing;
        }
        self.ticking = true;
        Leave::Report
    }

    /// The holder will never leave: it has panicked.
    #[cfg_attr(loom, allow(dead_code, reason = "nobody panics in the models"))]
    pub(crate) fn abandon(&mut self) {
        self.holder = Holder::Nobody;
        self.asleep = false;
    }

    /// The worker was told of an event by its watch, which is spent. True: the lease is the worker's. Otherwise a caller
    /// has it, or had it a moment ago, and the socket belongs on the tick list. Only while the socket is on that list does
    /// `used` mean "a moment ago": otherwise no tick has cleared it, however long the caller has been away.
    pub(crate) fn fired(&mut self) -> bool {
        self.armed = false;
        if self.is_free() && !(self.used && self.ticking) {
            self.holder = Holder::Worker;
            true
        } else {
            self.ticking = true;
            false
        }
    }

    /// The worker's deadline for this socket has come. True: the lease is the worker's.
    pub(crate) fn due(&mut self) -> bool {
        let free = self.is_free();
        if free {
            self.holder = Holder::Worker;
        }
        free
    }

    pub(crate) fn tick(&mut self) -> Tick {
        let used = std::mem::take(&mut self.used);
        if self.armed {
            self.ticking = false;
            return Tick::Drop;
        }
        match self.holder {
            _ if used => {
                self.asleep_ticks = 0;
                Tick::Stay
            }
            Holder::Nobody => {
                self.holder = Holder::Worker;
                self.ticking = false;
                Tick::Taken
            }
            Holder::Caller if self.asleep_ticks < ASLEEP_TICKS => {
                self.asleep_ticks += 1;
                Tick::Stay
            }
            // Asleep for long: it reports when it leaves.
            Holder::Caller => {
                self.ticking = false;
                Tick::Drop
            }
            Holder::Worker => Tick::Stay,
        }
    }

    /// The worker was asked to come by for another reason; it looks at the lease as well.
    pub(crate) fn start_ticking(&mut self) {
        self.ticking = true;
    }

    /// The worker's watch was to be armed, and could not be: it ticks instead, and tries again.
    pub(crate) fn could_not_arm(&mut self) {
        self.armed = false;
        self.ticking = true;
    }

    /// The worker gives the lease back, armed. True: it has to arm its watch (it was not armed all along).
    pub(crate) fn leave_armed(&mut self) -> bool {
        self.holder = Holder::Nobody;
        self.asleep = false;
        !std::mem::replace(&mut self.armed, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let mut lease = Lease::new();
        assert!(lease.take());
        assert!(!lease.take());
        assert!(!lease.due());
    }

    #[test]
    fn a_caller_that_comes_and_goes_costs_no_call() {
        let mut lease = Lease::new();
        assert!(lease.take());
        assert_eq!(lease.leave(false), Leave::Nothing);
        assert!(lease.take());
        assert!(!lease.fired(), "the caller keeps it");
        assert_eq!(lease.leave(false), Leave::Nothing);
        assert!(lease.take());
        assert_eq!(lease.leave(false), Leave::Nothing);
    }

    #[test]
    fn the_worker_takes_back_what_no_caller_uses() {
        let mut lease = Lease::new();
        lease.take();
        lease.fired();
        lease.leave(false);
        assert_eq!(lease.tick(), Tick::Stay);
        assert_eq!(lease.tick(), Tick::Taken);
        assert!(lease.leave_armed());
        assert!(lease.fired());
    }

    #[test]
    fn an_event_after_the_caller_left_is_the_workers_at_once() {
        let mut lease = Lease::new();
        lease.take();
        lease.leave(false);
        assert!(lease.fired(), "no tick is coming that would find the caller gone");
    }

    #[test]
    fn an_event_just_after_the_caller_left_waits_for_a_tick_that_is_coming() {
        let mut lease = Lease::new();
        lease.start_ticking();
        lease.take();
        lease.leave(false);
        assert!(!lease.fired());
        assert_eq!(lease.tick(), Tick::Stay);
        assert_eq!(lease.tick(), Tick::Taken);
    }

    #[test]
    fn a_long_sleeper_is_off_the_tick_list_and_reports_when_it_leaves() {
        let mut lease = Lease::new();
        lease.take();
        lease.fired();
        for _ in 0..=ASLEEP_TICKS {
            assert_eq!(lease.tick(), Tick::Stay);
        }
        assert_eq!(lease.tick(), Tick::Drop);
        assert_eq!(lease.leave(false), Leave::Report);
    }

    #[test]
    fn who_sleeps_and_leaves_again_and_again_reports_once() {
        let mut lease = Lease::new();
        for round in 0..100 {
            lease.take();
            if round == 0 {
                lease.fired();
            }
            for _ in 0..=ASLEEP_TICKS {
                assert_eq!(lease.tick(), Tick::Stay);
            }
            assert_eq!(lease.leave(false), Leave::Nothing);
        }
    }

    #[test]
    fn an_urgent_leave_arms_at_once() {
        let mut lease = Lease::new();
        lease.take();
        lease.fired();
        assert_eq!(lease.leave(true), Leave::Arm);
        assert!(lease.fired(), "the caller does not keep it");
        assert!(lease.leave_armed());
        assert_eq!(lease.tick(), Tick::Drop);
    }

    #[test]
    fn a_watch_that_cannot_be_armed_is_made_up_for_by_ticks() {
        let mut lease = Lease::new();
        assert!(lease.fired() && lease.leave_armed());
        lease.could_not_arm();
        assert_eq!(lease.tick(), Tick::Taken);
        assert!(lease.leave_armed(), "it is tried again");
    }

    #[test]
    fn only_a_sleeping_holder_is_interrupted_and_only_once() {
        let mut lease = Lease::new();
        lease.take();
        assert!(!lease.interrupt());
        lease.sleep();
        assert!(lease.interrupt());
        assert!(!lease.interrupt());
        lease.wake();
        assert!(!lease.interrupt());
    }
}
