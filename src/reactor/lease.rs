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
enum Holder {
    Nobody,
    Caller(Sleep),
    /// Never for long.
    Worker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    Awake,
    /// It waits in the poller, or is about to.
    Asleep,
    /// The same, and the poller was notified since.
    Poked,
}

/// How the worker hears of the next event, if no caller sees it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// Its one-shot watch on the poller is live.
    Armed,
    /// It looks on its next tick. `used`: a caller has had the lease since the last one. `asleep`: ticks on which the caller
    /// that has the lease was found asleep, one after the other.
    Ticking { used: bool, asleep: u8 },
    /// Not at all: the one that has the lease sees to it.
    Off,
}

/// Who looks after the socket while no caller is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeper {
    /// The worker; but a caller drives while it is there.
    Shared,
    /// The worker alone, for good: callers do not drive.
    Worker,
    /// The program, which watches the poller itself and calls when it has something. The worker hears of events only while
    /// something is owed that cannot wait for that: a connection that is being made, bytes that the kernel did not take.
    Program,
}

#[derive(Debug)]
pub(crate) struct Lease {
    holder: Holder,
    watch: Watch,
    keeper: Keeper,
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
        Self { holder: Holder::Nobody, watch: Watch::Armed, keeper: Keeper::Shared }
    }

    pub(crate) fn is_free(&self) -> bool {
        self.holder == Holder::Nobody
    }

    /// The worker has it, or will have it when there is something to do.
    pub(crate) fn is_owned(&self) -> bool {
        self.keeper == Keeper::Worker
    }

    pub(crate) fn is_programs(&self) -> bool {
        self.keeper == Keeper::Program
    }

    /// A caller is about to take what it has just read itself: what is left is seen when it leaves.
    pub(crate) fn shows_when_left(&self) -> bool {
        self.is_programs() && matches!(self.holder, Holder::Caller(_))
    }

    pub(crate) fn is_workers(&self) -> bool {
        self.holder == Holder::Worker
    }

    /// From now on no caller drives. One that does goes on until it leaves.
    pub(crate) fn give_to_worker(&mut self) {
        if self.keeper == Keeper::Shared {
            self.keeper = Keeper::Worker;
        }
    }

    /// From now on the program hears of events, and not the worker.
    pub(crate) fn give_to_program(&mut self) {
        (self.keeper, self.watch) = (Keeper::Program, Watch::Off);
    }

    /// Takes the lease for a caller.
    pub(crate) fn take(&mut self) -> bool {
        !self.is_owned() && self.take_to_end()
    }

    /// The same, for a caller that ends the socket.
    pub(crate) fn take_to_end(&mut self) -> bool {
        let free = self.is_free();
        if free {
            self.holder = Holder::Caller(Sleep::Awake);
            if let Watch::Ticking { used, .. } = &mut self.watch {
                *used = true;
            }
        }
        free
    }

    /// The holder will wait in the poller as soon as it has let the lock go.
    pub(crate) fn sleep(&mut self) {
        if let Holder::Caller(sleep) = &mut self.holder {
            *sleep = Sleep::Asleep;
        }
    }

    pub(crate) fn wake(&mut self) {
        if let Holder::Caller(sleep) = &mut self.holder {
            *sleep = Sleep::Awake;
        }
    }

    /// Something changed that the holder has to see. True: notify the poller once the lock is free. A holder that is
    /// awake looks by itself before it sleeps.
    pub(crate) fn interrupt(&mut self) -> bool {
        let needed = self.holder == Holder::Caller(Sleep::Asleep);
        if needed {
            self.holder = Holder::Caller(Sleep::Poked);
        }
        needed
    }

    /// A caller gives the lease back. `urgent`: the worker has to react to the next event without waiting for its tick.
    pub(crate) fn leave(&mut self, urgent: bool) -> Leave {
        self.holder = Holder::Nobody;
        match self.watch {
            Watch::Armed => Leave::Nothing,
            _ if urgent || self.is_owned() => {
                self.watch = Watch::Armed;
                Leave::Arm
            }
            _ if self.is_programs() => {
                self.watch = Watch::Off;
                Leave::Nothing
            }
            Watch::Ticking { .. } => Leave::Nothing,
            Watch::Off => {
                self.watch = Watch::Ticking { used: true, asleep: 0 };
                Leave::Report
            }
        }
    }

    /// The holder will never leave: it has panicked.
    pub(crate) fn abandon(&mut self) {
        self.holder = Holder::Nobody;
    }

    /// The worker was told of an event by its watch, which is spent. True: the lease is the worker's. Otherwise a caller has
    /// it, and the socket belongs on the tick list.
    pub(crate) fn on_ready(&mut self) -> bool {
        let free = self.is_free();
        // A caller that has come and gone since may be on its way back, and a tick finds that out.
        if free && !matches!(self.watch, Watch::Ticking { used: true, .. }) {
            (self.holder, self.watch) = (Holder::Worker, Watch::Off);
            return true;
        }
        self.watch = Watch::Ticking { used: true, asleep: 0 };
        false
    }

    /// The worker's deadline for this socket has come. True: the lease is the worker's.
    pub(crate) fn on_deadline(&mut self) -> bool {
        let free = self.is_free();
        if free {
            self.holder = Holder::Worker;
        }
        free
    }

    pub(crate) fn on_tick(&mut self) -> Tick {
        if self.is_programs() && self.watch != Watch::Armed {
            self.watch = Watch::Off;
        }
        let Watch::Ticking { used, asleep } = self.watch else { return Tick::Drop };
        match self.holder {
            _ if used => {
                self.watch = Watch::Ticking { used: false, asleep: 0 };
                Tick::Stay
            }
            Holder::Nobody => {
                (self.holder, self.watch) = (Holder::Worker, Watch::Off);
                Tick::Taken
            }
            Holder::Caller(_) if asleep < ASLEEP_TICKS => {
                self.watch = Watch::Ticking { used, asleep: asleep + 1 };
                Tick::Stay
            }
            // Asleep for long: it reports when it leaves.
            Holder::Caller(_) => {
                self.watch = Watch::Off;
                Tick::Drop
            }
            Holder::Worker => Tick::Stay,
        }
    }

    /// The worker was asked to come by for another reason; it looks at the lease as well.
    pub(crate) fn start_ticking(&mut self) {
        if self.watch == Watch::Off {
            self.watch = Watch::Ticking { used: true, asleep: 0 };
        }
    }

    /// The worker's watch was to be armed, and could not be: it ticks instead, and tries again.
    pub(crate) fn could_not_arm(&mut self) {
        self.watch = Watch::Ticking { used: false, asleep: 0 };
    }

    /// The worker gives the lease back, armed. True: it has to arm its watch (it was not armed all along).
    pub(crate) fn leave_armed(&mut self) -> bool {
        self.holder = Holder::Nobody;
        std::mem::replace(&mut self.watch, Watch::Armed) != Watch::Armed
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
        assert!(!lease.on_deadline());
    }

    #[test]
    fn a_caller_that_comes_and_goes_costs_no_call() {
        let mut lease = Lease::new();
        assert!(lease.take());
        assert_eq!(lease.leave(false), Leave::Nothing);
        assert!(lease.take());
        assert!(!lease.on_ready(), "the caller keeps it");
        assert_eq!(lease.leave(false), Leave::Nothing);
        assert!(lease.take());
        assert_eq!(lease.leave(false), Leave::Nothing);
    }

    #[test]
    fn the_worker_takes_back_what_no_caller_uses() {
        let mut lease = Lease::new();
        lease.take();
        lease.on_ready();
        lease.leave(false);
        assert_eq!(lease.on_tick(), Tick::Stay);
        assert_eq!(lease.on_tick(), Tick::Taken);
        assert!(lease.leave_armed());
        assert!(lease.on_ready());
    }

    #[test]
    fn an_event_after_the_caller_left_is_the_workers_at_once() {
        let mut lease = Lease::new();
        lease.take();
        lease.leave(false);
        assert!(lease.on_ready(), "no tick is coming that would find the caller gone");
    }

    #[test]
    fn a_caller_that_left_just_now_keeps_the_lease_for_a_tick() {
        let mut lease = Lease::new();
        lease.take();
        assert!(!lease.on_ready());
        lease.leave(false);
        assert_eq!(lease.on_tick(), Tick::Stay);
        assert_eq!(lease.on_tick(), Tick::Taken);
    }

    #[test]
    fn a_long_sleeper_is_off_the_tick_list_and_reports_when_it_leaves() {
        let mut lease = Lease::new();
        lease.take();
        lease.on_ready();
        for _ in 0..=ASLEEP_TICKS {
            assert_eq!(lease.on_tick(), Tick::Stay);
        }
        assert_eq!(lease.on_tick(), Tick::Drop);
        assert_eq!(lease.leave(false), Leave::Report);
    }

    #[test]
    fn who_sleeps_and_leaves_again_and_again_reports_once() {
        let mut lease = Lease::new();
        for round in 0..100 {
            lease.take();
            if round == 0 {
                lease.on_ready();
            }
            for _ in 0..=ASLEEP_TICKS {
                assert_eq!(lease.on_tick(), Tick::Stay);
            }
            assert_eq!(lease.leave(false), Leave::Nothing);
        }
    }

    #[test]
    fn an_urgent_leave_arms_at_once() {
        let mut lease = Lease::new();
        lease.take();
        lease.on_ready();
        assert_eq!(lease.leave(true), Leave::Arm);
        assert!(lease.on_ready(), "the caller does not keep it");
        assert!(lease.leave_armed());
        assert_eq!(lease.on_tick(), Tick::Drop);
    }

    #[test]
    fn a_watch_that_cannot_be_armed_is_made_up_for_by_ticks() {
        let mut lease = Lease::new();
        assert!(lease.on_ready() && lease.leave_armed());
        lease.could_not_arm();
        assert_eq!(lease.on_tick(), Tick::Taken);
        assert!(lease.leave_armed(), "it is tried again");
    }

    #[test]
    fn no_caller_drives_what_is_the_workers() {
        let mut lease = Lease::new();
        assert!(lease.take());
        assert!(!lease.on_ready());
        lease.give_to_worker();
        assert_eq!(lease.leave(false), Leave::Arm, "the one that drove has left");
        assert!(!lease.take());
        assert!(lease.on_ready() && lease.leave_armed() && !lease.take());
        assert!(lease.take_to_end());
    }

    #[test]
    fn what_the_program_watches_is_armed_only_for_what_is_owed() {
        let mut lease = Lease::new();
        lease.give_to_program();
        lease.give_to_worker();
        for _ in 0..2 {
            assert!(!lease.shows_when_left());
            assert!(lease.take() && lease.shows_when_left(), "callers drive");
            assert_eq!(lease.leave(false), Leave::Nothing);
        }
        assert!(lease.on_deadline() && !lease.shows_when_left(), "the worker keeps the time");
        assert_eq!(lease.leave(false), Leave::Nothing);
        lease.start_ticking();
        assert_eq!(lease.on_tick(), Tick::Drop);
        assert!(lease.take());
        assert_eq!(lease.leave(true), Leave::Arm, "something is owed");
        assert!(lease.on_ready());
        assert_eq!(lease.leave(false), Leave::Nothing);
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
