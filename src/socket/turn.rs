//! The turn: the only place where descriptors are waited for. Whoever holds the lease calls it, a blocked caller or the
//! worker.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::sys::{self, Mutex, MutexGuard};

use super::core::WorkerRequests;
use super::io::{Commands, Io};
use super::{Socket, StateGuard};
use crate::error::{Error, Result};
use crate::panics::{self, FailPoint};
use crate::reactor::lease::Tick;
use crate::reactor::worker::{Driven, Registration};
use crate::reactor::{Next, TickRate};
use crate::sys::{Poller, current_parker};

/// What a socket has once it has descriptors.
pub(super) struct Reactor {
    pub poller: Poller,
    /// Belongs to the holder of the lease; the mutex only says so to the compiler.
    pub io: Mutex<Io>,
    pub registration: Registration,
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.registration.forget(&self.poller);
    }
}

impl Reactor {
    fn report(&self, what: &WorkerRequests) {
        let pace = match (what.gathering, what.report) {
            (true, _) => Some(TickRate::Fast),
            (false, true) => Some(TickRate::Slow),
            (false, false) => None,
        };
        if pace.is_some() || what.deadline.is_some() {
            self.registration.watch(Next { pace, deadline: what.deadline });
        }
    }
}

/// A sender that is in a hurry looks no more often for what its peers say: about as long as it takes another process to
/// know of a subscription and to have this one publish what it asks for.
const HEARING_PAUSE: Duration = Duration::from_micros(10);

/// How long a call that does not wait otherwise waits at most for another thread that reads what has come, or writes what it has
/// queued. A look or a write of either takes microseconds; this is for a thread that has lost its processor.
pub(super) const READ_INTERVAL: Duration = Duration::from_millis(10);

impl Socket {
    /// Makes poller and worker, if this is the first time they are needed.
    pub(super) fn ensure_reactor(&self) -> Result<()> {
        if self.reactor.get().is_some() {
            return Ok(());
        }
        let socket: std::sync::Weak<Self> = self.me.clone();
        let (registration, poller) = self.library.worker()?.register(socket, self.library.tripwire())?;
        // If another thread was faster, ours goes as it came.
        let _ = self.reactor.set(Reactor { poller, io: Mutex::default(), registration });
        Ok(())
    }

    pub(super) fn tell_worker(&self, what: &mut WorkerRequests) {
        let Some(reactor) = self.reactor.get() else { return };
        if what.arm && reactor.registration.arm(&reactor.poller).is_err() {
            // The worker will not hear of events: it has to come and look for them.
            self.state.lock().lease.could_not_arm();
            what.report = true;
        }
        reactor.report(what);
    }

    /// Moves everything that can be moved, waiting for at most `timeout` if that is nothing. The caller has the lease.
    pub(super) fn turn<'a>(&'a self, held: StateGuard<'a>, timeout: Option<Duration>) -> (StateGuard<'a>, Result<()>) {
        let Some(reactor) = self.reactor.get() else { return (held, Err(Error::BadSocket)) };
        let (orders, timeout) = begin_turn(held, timeout);
        let mut io = reactor.io.lock();
        panics::fail_point(FailPoint::Turn);
        let waited = io.run(self, &reactor.poller, orders, timeout);
        let held = self.end_turn(io);
        (held, waited.map_err(|error| wait_failed(&error)))
    }

    /// Takes note of what a turn has left for later.
    pub(super) fn end_turn(&self, io: MutexGuard<'_, Io>) -> StateGuard<'_> {
        let (deadline, in_transition) = (io.next_deadline(), io.in_transition());
        drop(io);
        let mut held = self.lock();
        held.turns = held.turns.wrapping_add(1);
        if !held.turn_waiters.is_empty() {
            held.wake_turn_waiters();
        }
        held.lease.wake();
        held.io_deadline = deadline;
        held.in_transition = in_transition;
        held.expire(sys::now);
        held
    }

    /// What peers have said before a message is sent decides where it goes, even if nobody has read it yet. So the sender
    /// reads it, or waits until the thread that drives has. It does not look again if it has just looked and no socket of
    /// this process has subscribed to anything since.
    #[cold]
    pub(super) fn read_before_send<'a>(&'a self, mut held: StateGuard<'a>) -> StateGuard<'a> {
        if !held.drives() || held.led_by_waits {
            return held;
        }
        let now = sys::now();
        let subscribed = self.library.subscribed();
        let just_heard = held.heard.is_some_and(|(heard, changes)| {
            changes == subscribed && now.saturating_duration_since(heard) < HEARING_PAUSE
        });
        if just_heard {
            return held;
        }
        held.heard = Some((now, subscribed));
        if held.lease.take() {
            return self.turn_once(held);
        }
        self.wait_for_turns(held, now + READ_INTERVAL)
    }

    /// Another thread has the lease. The turn that it is in may have passed what has come since, so the next one has to end
    /// as well.
    pub(super) fn wait_for_turns<'a>(&'a self, mut held: StateGuard<'a>, until: Instant) -> StateGuard<'a> {
        let parker = current_parker();
        let start = held.turns;
        let presence;
        (presence, held) = held.begin_call(false);
        while !held.is_closing() && !held.lease.is_free() && held.turns.wrapping_sub(start) < 2 && sys::now() < until {
            parker.prepare();
            held.turn_waiters.push(std::sync::Arc::clone(&parker));
            held.interrupt();
            held.release();
            parker.park(Some(until));
            held = self.lock();
        }
        held.turn_waiters.retain(|waiter| !std::sync::Arc::ptr_eq(waiter, &parker));
        presence.end(&mut held);
        held.hand_over_driver();
        if !held.is_closing() && held.lease.take() { self.turn_once(held) } else { held }
    }

    /// Moves what can be moved now. The caller has just taken the lease, and gives it back here.
    fn turn_once<'a>(&'a self, held: StateGuard<'a>) -> StateGuard<'a> {
        let (presence, held) = held.begin_call(true);
        let (mut held, _) = self.turn(held, Some(Duration::ZERO));
        presence.end(&mut held);
        held.leave_lease(false);
        held.hand_over_driver();
        held
    }

    /// Runs the commands that a caller without the lease has left.
    pub(super) fn run_commands(&self) {
        let mut held = self.lock();
        if !held.needs_turn() || self.reactor.get().is_none() || !held.lease.take() {
            return held.release();
        }
        let (presence, mut held) = held.begin_call(true);
        while held.needs_turn() {
            let turned;
            (held, turned) = self.turn(held, Some(Duration::ZERO));
            if turned == Err(Error::BadSocket) {
                break;
            }
        }
        presence.end(&mut held);
        held.leave_lease(false);
        held.wake_ready();
        if held.lease.is_free() {
            held.wake_next_driver();
        }
        held.release();
    }

    /// A turn of the worker, who has just got the lease.
    fn work<'a>(&'a self, held: StateGuard<'a>) -> StateGuard<'a> {
        let (presence, mut held) = held.begin_call(true);
        panics::fail_point(FailPoint::Work);
        loop {
            let turned;
            (held, turned) = self.turn(held, Some(Duration::ZERO));
            if turned == Err(Error::BadSocket) || !held.needs_turn() {
                break;
            }
        }
        presence.end(&mut held);
        held.leave_worker();
        held.wake_next_driver();
        held
    }
}

/// What a turn has to do, and how long it may wait. The holder of the lease is taken for asleep from here on.
fn begin_turn(mut held: StateGuard<'_>, mut timeout: Option<Duration>) -> (Option<Commands>, Option<Duration>) {
    let orders = held.needs_turn().then(|| Commands {
        commands: std::mem::take(&mut held.commands),
        resumed: std::mem::take(&mut held.pipes.resumed),
    });
    held.sleeps_until = held.next_deadline();
    if let Some(deadline) = held.sleeps_until {
        let left = deadline.saturating_duration_since(sys::now());
        timeout = Some(timeout.map_or(left, |timeout| timeout.min(left)));
    }
    if orders.as_ref().is_some_and(Commands::change_the_wait) {
        timeout = Some(Duration::ZERO);
    }
    if timeout != Some(Duration::ZERO) {
        held.lease.sleep();
    }
    held.release();
    (orders, timeout)
}

/// Without a poller (the program has closed our descriptors) there is nothing to wait for, ever.
pub(super) fn wait_failed(error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::Interrupted => Error::Interrupted,
        _ => Error::BadSocket,
    }
}

impl Driven for Socket {
    fn on_ready(&self) -> Next {
        let mut held = self.lock();
        if held.is_closing() || !held.lease.on_ready() {
            if let Some(reactor) = self.reactor.get() {
                // Under the lock: whoever arms does so later.
                reactor.poller.disarm();
            }
            let pace = (!held.is_closing()).then_some(TickRate::Slow);
            return held.finish(|state| Next { pace, deadline: state.known_deadline });
        }
        self.work(held).finish(|state| state.next(None))
    }

    fn on_deadline(&self) -> Next {
        let mut held = self.lock();
        held.known_deadline = None;
        if held.is_closing() || !held.lease.on_deadline() {
            return held.finish(|_| Next::default());
        }
        self.work(held).finish(|state| state.next(None))
    }

    fn on_tick(&self) -> Next {
        let mut held = self.lock();
        if held.is_closing() {
            return held.finish(|_| Next::default());
        }
        let mut pace = None;
        if held.gather_watched {
            let now = sys::now();
            let before = now.checked_sub(held.pipes.gather_age(now));
            held.pipes.batching.overtake();
            held.gather_watched = !held.pipes.flush_gathered(before) || held.pipes.batching.batches_since(before);
            pace = held.gather_watched.then_some(TickRate::Fast);
            if pace.is_none() {
                held.pipes.rest();
            }
        }
        match held.lease.on_tick() {
            Tick::Drop => {}
            Tick::Stay => pace = pace.max(Some(TickRate::Slow)),
            Tick::Taken => held = self.work(held),
        }
        if pace.is_some() {
            held.lease.start_ticking();
        }
        held.finish(|state| state.next(pace))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;

    use super::*;
    use crate::socket::library::Library;
    use crate::sys;

    const PAIR: u16 = 16;
    const PATIENCE: Duration = Duration::from_secs(30);

    fn socket(library: &Arc<Library>) -> Arc<Socket> {
        Socket::new(Arc::clone(library), sys::generation(), PAIR, false, "test".to_owned()).unwrap()
    }

    /// The kernel may have no memory for the worker's watch. No caller comes by here: all is up to the worker.
    #[test]
    fn a_socket_that_cannot_be_watched_is_served_all_the_same() {
        let library = Arc::new(Library::new(sys::generation(), Arc::default()));
        let (binder, connector) = (socket(&library), socket(&library));
        let address = loop {
            let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let address = format!("tcp://{at}");
            if binder.bind(address.as_bytes()).is_ok() {
                break address;
            }
        };
        let reactor = binder.reactor.get().unwrap();
        reactor.registration.refused.store(true, std::sync::atomic::Ordering::Relaxed);
        reactor.poller.disarm();
        binder.with(|state| state.pipes.effects().worker.arm = true);
        connector.connect(address.as_bytes()).unwrap();
        let until = Instant::now() + PATIENCE;
        while connector.with(|state| state.stats.current_connections) == 0 {
            assert!(Instant::now() < until, "nobody looks after the socket");
            std::thread::sleep(Duration::from_millis(1));
        }
        connector.close(Instant::now()).unwrap();
        binder.close(Instant::now()).unwrap();
    }
}
