//! Callers, the worker, and others that come to a socket with descriptors.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use loom::sync::{Condvar, Mutex, MutexGuard};
use loom::thread::{self, JoinHandle};

use super::check;
use super::lease::{Lease, Leave, Tick};
use super::sys::{Parker, linux};
use super::waiters::{WaitFor, Waiters, Wakes};

// The kernel: what sys::Poller, sys::Hub and the worker's channel offer.

#[derive(Default)]
struct Kernel {
    inner: Mutex<Inner>,
    /// For the thread that waits in the socket's poller.
    poller: Condvar,
    /// For the worker, in the hub.
    hub: Condvar,
    test: Condvar,
}

#[derive(Default)]
struct Inner {
    /// Messages that nobody has read yet: the poller is ready as long as there are any.
    arrived: usize,
    /// Commands that were carried out.
    obeyed: usize,
    /// The poller was notified.
    notified: bool,
    /// The worker's one-shot watch is live.
    watched: bool,
    /// So often the kernel has no memory for it.
    refusals: usize,
    /// Requests to the worker: tick; come back, the deadline is now; end.
    request: bool,
    due: bool,
    stop: bool,
    /// A caller in nn_poll, that has the poller in its set.
    polls: Option<Arc<Parker>>,
}

/// What one wait of the worker brings.
struct Round {
    fired: bool,
    request: bool,
    due: bool,
    stop: bool,
}

impl Inner {
    fn is_ready(&self) -> bool {
        self.arrived > 0 || self.notified
    }
}

impl Kernel {
    /// Obeys, waits for the poller, and reads what is there.
    fn wait(&self, commands: usize, limit: Timeout<'_>) -> usize {
        let mut inner = self.inner.lock().unwrap();
        inner.obeyed += commands;
        while !inner.is_ready() && !limit.is_over() {
            inner = self.poller.wait(inner).unwrap();
        }
        inner.notified = false;
        self.test.notify_all();
        std::mem::take(&mut inner.arrived)
    }

    /// Waits for the parker, and for the poller as well if the caller drives. Tells whether that is ready.
    fn poll(&self, parker: &Arc<Parker>, leads: bool) -> bool {
        let ready = || leads && self.inner.lock().unwrap().is_ready();
        if leads {
            self.inner.lock().unwrap().polls = Some(Arc::clone(parker));
        }
        linux::poll(parker, ready);
        ready()
    }

    /// Waits for anything that concerns the worker. It does not sleep while it ticks: its time comes at any time.
    fn wait_in_hub(&self, ticking: bool) -> Round {
        let mut inner = self.inner.lock().unwrap();
        loop {
            let fired = inner.watched && inner.is_ready();
            inner.watched &= !fired;
            let (request, due) = (std::mem::take(&mut inner.request), std::mem::take(&mut inner.due));
            if ticking || fired || request || due || inner.stop {
                return Round { fired, request, due, stop: inner.stop };
            }
            inner = self.hub.wait(inner).unwrap();
        }
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner.lock().unwrap();
        change(&mut inner);
        let polls = inner.polls.clone();
        drop(inner);
        if let Some(parker) = polls {
            linux::changed(&parker);
        }
        self.poller.notify_all();
        self.hub.notify_all();
        self.test.notify_all();
    }

    /// Makes the worker's watch live, if there is memory for it.
    fn arm(&self) -> bool {
        let mut armed = false;
        self.change(|inner| {
            armed = inner.refusals == 0;
            inner.watched |= armed;
            inner.refusals = inner.refusals.saturating_sub(1);
        });
        armed
    }

    fn arrive(&self, messages: usize) {
        self.change(|inner| inner.arrived += messages);
    }

    fn wait_for(&self, condition: impl Fn(&Inner) -> bool) {
        let mut inner = self.inner.lock().unwrap();
        while !condition(&inner) {
            inner = self.test.wait(inner).unwrap();
        }
    }
}

/// How long a caller waits.
#[derive(Clone, Copy)]
enum Timeout<'a> {
    Poll,
    /// In the poller until the flag is raised, which also notifies; elsewhere not at all.
    Until(&'a AtomicBool),
    Infinite,
}

impl Timeout<'_> {
    fn is_over(self) -> bool {
        match self {
            Self::Poll => true,
            Self::Until(over) => over.load(Ordering::SeqCst),
            Self::Infinite => false,
        }
    }
}

// The socket.

#[derive(Default)]
struct Socket {
    kernel: Kernel,
    state: Mutex<State>,
    /// A thread is in the middle of a turn.
    turning: AtomicBool,
}

#[derive(Default)]
struct State {
    lease: Lease,
    waiters: Waiters<Parker>,
    /// Messages that can be received, and commands for the driver.
    inbox: usize,
    commands: usize,
    /// The worker has to react to the next event at once.
    urgent: bool,
    closing: bool,
    inside: usize,
    closer: Option<Arc<Parker>>,
    after: Effects,
    /// Waiters that were woken and have not come back to the lock.
    coming: Vec<Arc<Parker>>,
}

#[derive(Default)]
struct Effects {
    wakes: Wakes<Parker>,
    notify: bool,
    arm: bool,
    report: bool,
}

#[derive(Debug, PartialEq)]
enum Failure {
    BadSocket,
    TimedOut,
    WouldBlock,
}

struct StateGuard<'a> {
    socket: &'a Socket,
    guard: MutexGuard<'a, State>,
}

impl Deref for StateGuard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.guard
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.guard
    }
}

impl StateGuard<'_> {
    fn release(self) {
        let Self { socket, guard: mut state } = self;
        let kick = state.needs_turn() && state.needs_driver();
        if state.needs_turn() {
            state.interrupt();
        }
        let after = std::mem::take(&mut state.after);
        state.coming.extend(after.wakes.iter().cloned());
        state.check();
        drop(state);
        socket.perform(after);
        if kick {
            socket.kick();
        }
    }
}

impl State {
    /// What holds whenever the lock is let go, so that nobody has to wait for a tick.
    fn check(&self) {
        let asleep = !self.waiters.is_empty() && self.coming.is_empty();
        assert!(self.closing || !asleep || !self.needs_driver(), "callers sleep and none of them leads");
        assert!(self.closing || !asleep || self.inbox == 0, "callers sleep and there is something for them");
    }

    fn needs_turn(&self) -> bool {
        self.commands > 0
    }

    fn needs_driver(&self) -> bool {
        self.lease.is_free() && !self.lease.is_owned()
    }

    fn interrupt(&mut self) {
        if self.lease.interrupt() || (self.lease.is_owned() && self.needs_turn()) {
            self.after.notify = true;
        }
    }

    fn remove_waiter(&mut self, parker: &Arc<Parker>) {
        self.waiters.remove(parker);
        self.coming.retain(|other| !Arc::ptr_eq(other, parker));
    }

    fn wake_ready(&mut self) {
        if self.inbox > 0 {
            self.waiters.wake_receiver(&mut self.after.wakes);
        }
    }

    fn wake_next_driver(&mut self) {
        if !self.waiters.is_empty() && !self.lease.is_owned() {
            self.waiters.wake_first(&mut self.after.wakes);
        }
    }

    fn changed(&mut self) {
        self.wake_ready();
        self.interrupt();
    }

    fn wake_closer(&mut self) {
        self.after.wakes.extend(self.closer.clone());
    }

    fn leave_lease(&mut self, came: bool) {
        match self.lease.leave(!came || self.urgent) {
            Leave::Nothing => {}
            Leave::Arm => self.after.arm = true,
            Leave::Report => self.after.report = true,
        }
        self.wake_closer();
    }

    fn hand_over_driver(&mut self) {
        self.wake_ready();
        if self.needs_driver() && !self.waiters.is_empty() {
            self.waiters.wake_first(&mut self.after.wakes);
        }
        if self.closing {
            self.wake_closer();
        }
    }

    fn take_message(&mut self) -> Result<(), Failure> {
        self.inbox = self.inbox.checked_sub(1).ok_or(Failure::WouldBlock)?;
        Ok(())
    }
}

impl Socket {
    /// As registration leaves it: the worker's watch is live.
    fn new() -> Arc<Self> {
        let socket = Self::default();
        socket.kernel.change(|inner| inner.watched = true);
        Arc::new(socket)
    }

    fn lock(&self) -> StateGuard<'_> {
        StateGuard { socket: self, guard: self.state.lock().unwrap() }
    }

    fn perform(&self, mut after: Effects) {
        if after.notify {
            self.kernel.change(|inner| inner.notified = true);
        }
        for parker in after.wakes {
            parker.wake();
        }
        if after.arm && !self.kernel.arm() {
            let mut held = self.lock();
            held.lease.could_not_arm();
            held.release();
            after.report = true;
        }
        if after.report {
            self.kernel.change(|inner| inner.request = true);
        }
    }

    fn turn<'a>(&'a self, mut held: StateGuard<'a>, mut limit: Timeout<'_>) -> StateGuard<'a> {
        let commands = std::mem::take(&mut held.commands);
        if commands > 0 {
            limit = Timeout::Poll;
        }
        if !matches!(limit, Timeout::Poll) {
            held.lease.sleep();
        }
        held.release();

        assert!(!self.turning.swap(true, Ordering::SeqCst), "one holder at a time");
        let messages = self.kernel.wait(commands, limit);
        if messages > 0 {
            let mut held = self.lock();
            held.lease.wake();
            held.inbox += messages;
            held.changed();
            held.release();
        }
        self.turning.store(false, Ordering::SeqCst);

        let mut held = self.lock();
        held.lease.wake();
        held
    }

    fn kick(&self) {
        let mut held = self.lock();
        if !held.needs_turn() || !held.lease.take() {
            return held.release();
        }
        held.inside += 1;
        while held.needs_turn() {
            held = self.turn(held, Timeout::Poll);
        }
        held.inside -= 1;
        held.leave_lease(false);
        held.wake_ready();
        if held.lease.is_free() {
            held.wake_next_driver();
        }
        held.release();
    }

    // Callers.

    fn recv(&self, limit: Timeout<'_>) -> Result<(), Failure> {
        let mut held = self.lock();
        if held.closing {
            held.release();
            return Err(Failure::BadSocket);
        }
        if held.take_message().is_ok() {
            held.release();
            return Ok(());
        }
        held.inside += 1;
        let mut leads = false;
        let result = loop {
            if held.closing {
                break Err(Failure::BadSocket);
            }
            let mut over = false;
            if leads || held.lease.take() {
                leads = true;
                held = self.turn(held, limit);
            } else if !matches!(limit, Timeout::Poll) {
                over = matches!(limit, Timeout::Until(_));
                held = self.park(held, over.then(Instant::now));
            }
            if held.closing {
                break Err(Failure::BadSocket);
            }
            if held.take_message().is_ok() {
                break Ok(());
            }
            match limit {
                Timeout::Poll => break Err(Failure::WouldBlock),
                _ if over || limit.is_over() => break Err(Failure::TimedOut),
                _ => {}
            }
        };
        held.inside -= 1;
        if leads {
            held.leave_lease(result.is_ok());
        }
        held.hand_over_driver();
        held.release();
        result
    }

    fn park<'a>(&'a self, mut held: StateGuard<'a>, deadline: Option<Instant>) -> StateGuard<'a> {
        let parker = Arc::new(Parker::default());
        parker.prepare();
        held.waiters.add(&parker, WaitFor::Recv);
        held.release();
        parker.park(deadline);
        let mut held = self.lock();
        held.remove_waiter(&parker);
        held
    }

    /// nn_poll: the caller may lead and is a waiter all the same.
    fn poll(&self) -> bool {
        let parker = Arc::new(Parker::default());
        let mut held = self.lock();
        held.inside += 1;
        held.release();
        let (mut leads, mut turns) = (false, true);
        let (mut held, ready) = loop {
            parker.prepare();
            let mut held = self.lock();
            held.remove_waiter(&parker);
            if held.closing {
                break (held, false);
            }
            leads |= held.lease.take();
            if leads {
                held.lease.wake();
                while std::mem::take(&mut turns) || held.needs_turn() {
                    held = self.turn(held, Timeout::Poll);
                }
                // It may have come during the turn, when this thread was no waiter.
                if held.closing {
                    break (held, false);
                }
            }
            if held.inbox > 0 {
                break (held, true);
            }
            held.waiters.add(&parker, WaitFor::Both);
            if leads {
                held.lease.sleep();
            }
            held.release();
            turns = self.kernel.poll(&parker, leads);
        };
        held.inside -= 1;
        if leads {
            held.leave_lease(ready);
        }
        held.hand_over_driver();
        held.release();
        ready
    }

    // Others.

    /// A neighbour's message.
    fn deliver_from_outside(&self) {
        let mut held = self.lock();
        held.inbox += 1;
        held.changed();
        held.release();
    }

    /// A bind or a connect.
    fn command(&self) {
        let mut held = self.lock();
        held.commands += 1;
        held.release();
    }

    /// NN_RCVFD is asked for.
    fn give_to_worker(&self) {
        let mut held = self.lock();
        let free = held.lease.take();
        held.lease.give_to_worker();
        if free {
            held.leave_lease(false);
        }
        held.release();
    }

    fn close(&self) {
        let mut held = self.lock();
        held.closing = true;
        held.release();
        let mut held = self.lock();
        let state = &mut *held;
        state.waiters.wake_all(&mut state.after.wakes);
        state.interrupt();
        held = self.wait_alone(held);
        assert!(held.lease.take_to_end(), "nobody else is inside");
        self.turn(held, Timeout::Poll).release();
    }

    fn wait_alone<'a>(&'a self, mut held: StateGuard<'a>) -> StateGuard<'a> {
        let parker = Arc::new(Parker::default());
        loop {
            parker.prepare();
            held.closer = Some(Arc::clone(&parker));
            held.release();
            held = self.lock();
            if held.inside == 0 && held.lease.is_free() {
                held.closer = None;
                held.coming.clear();
                return held;
            }
            held.release();
            parker.park(None);
            held = self.lock();
        }
    }

    // The worker: each call answers whether it wants to be called again by a tick.

    fn work(&self) {
        let mut ticking = false;
        loop {
            let round = self.kernel.wait_in_hub(ticking);
            if round.stop {
                return;
            }
            ticking |= round.request;
            if round.fired {
                ticking |= self.on_ready();
            }
            if round.due {
                self.on_deadline();
            }
            if ticking {
                ticking = self.on_tick();
            }
        }
    }

    fn drive<'a>(&'a self, mut held: StateGuard<'a>) {
        held.inside += 1;
        loop {
            held = self.turn(held, Timeout::Poll);
            if !held.needs_turn() {
                break;
            }
        }
        held.inside -= 1;
        held.after.arm |= held.lease.leave_armed();
        held.wake_closer();
        held.wake_next_driver();
        held.release();
    }

    fn on_ready(&self) -> bool {
        let mut held = self.lock();
        if held.closing || !held.lease.on_ready() {
            let ticks = !held.closing;
            held.release();
            return ticks;
        }
        self.drive(held);
        false
    }

    fn on_deadline(&self) {
        let mut held = self.lock();
        if held.closing || !held.lease.on_deadline() {
            return held.release();
        }
        self.drive(held);
    }

    fn on_tick(&self) -> bool {
        let mut held = self.lock();
        if held.closing {
            held.release();
            return false;
        }
        let tick = held.lease.on_tick();
        if tick == Tick::Taken {
            self.drive(held)
        } else {
            held.release()
        }
        tick == Tick::Stay
    }
}

// What happens to it.

/// A socket with a worker; the test's own thread is one of those that come to it.
struct Scene {
    socket: Arc<Socket>,
    worker: JoinHandle<()>,
    time_is_over: Arc<AtomicBool>,
}

impl Scene {
    fn new(urgent: bool) -> Self {
        let socket = Socket::new();
        let mut held = socket.lock();
        held.urgent = urgent;
        held.release();
        let worker = Arc::clone(&socket);
        Self { socket, worker: thread::spawn(move || worker.work()), time_is_over: Arc::default() }
    }

    /// A thread that receives some messages, one after the other.
    fn receiver(&self, messages: usize) -> JoinHandle<()> {
        let socket = Arc::clone(&self.socket);
        thread::spawn(move || {
            for _ in 0..messages {
                assert_eq!(socket.recv(Timeout::Infinite), Ok(()));
            }
        })
    }

    /// A thread that polls for a message.
    fn poller(&self) -> JoinHandle<bool> {
        let socket = Arc::clone(&self.socket);
        thread::spawn(move || socket.poll())
    }

    /// A thread that receives until the socket is closed.
    fn caller_until_close(&self) -> JoinHandle<()> {
        let socket = Arc::clone(&self.socket);
        thread::spawn(move || while socket.recv(Timeout::Infinite) != Err(Failure::BadSocket) {})
    }

    /// A thread that receives a message if it comes before `time_passes`.
    fn impatient_receiver(&self) -> JoinHandle<Result<(), Failure>> {
        let (socket, over) = (Arc::clone(&self.socket), Arc::clone(&self.time_is_over));
        thread::spawn(move || socket.recv(Timeout::Until(&over)))
    }

    fn time_passes(&self) {
        // Under a lock of loom, for this to happen at any time.
        self.socket.kernel.change(|_| self.time_is_over.store(true, Ordering::SeqCst));
    }

    /// All callers have gone. What comes now is for the worker, and it does come to it.
    fn end(self) {
        self.socket.kernel.arrive(1);
        self.socket.kernel.wait_for(|inner| inner.arrived == 0);
        self.stop();
    }

    fn stop(self) {
        self.socket.kernel.change(|inner| inner.stop = true);
        self.worker.join().unwrap();
        let held = self.socket.lock();
        assert!(held.waiters.is_empty() && held.coming.is_empty());
        assert_eq!((held.inside, held.commands), (0, 0));
        assert!(held.lease.is_free() || held.closing);
    }
}

#[test]
fn a_caller_gets_what_arrives() {
    for urgent in [false, true] {
        check(3, move || {
            let scene = Scene::new(urgent);
            let receiver = scene.receiver(1);
            scene.socket.kernel.arrive(1);
            receiver.join().unwrap();
            scene.end();
        });
    }
}

#[test]
fn a_caller_that_comes_again_and_again_gets_everything() {
    for urgent in [false, true] {
        check(3, move || {
            let scene = Scene::new(urgent);
            let receiver = scene.receiver(2);
            scene.socket.kernel.arrive(1);
            scene.socket.kernel.arrive(1);
            receiver.join().unwrap();
            scene.end();
        });
    }
}

#[test]
fn a_caller_that_does_not_wait_leaves_the_rest_to_the_worker() {
    for urgent in [false, true] {
        check(3, move || {
            let scene = Scene::new(urgent);
            scene.socket.kernel.arrive(1);
            let _ = scene.socket.recv(Timeout::Poll);
            let _ = scene.socket.recv(Timeout::Poll);
            scene.socket.kernel.wait_for(|inner| inner.arrived == 0);
            scene.end();
        });
    }
}

#[test]
fn a_driver_asleep_sees_what_comes_from_outside() {
    check(3, || {
        let scene = Scene::new(false);
        let receiver = scene.receiver(2);
        scene.socket.deliver_from_outside();
        scene.socket.deliver_from_outside();
        receiver.join().unwrap();
        scene.end();
    });
}

#[test]
fn followers_get_their_messages_too() {
    for urgent in [false, true] {
        check(2, move || {
            let scene = Scene::new(urgent);
            let receivers = [scene.receiver(1), scene.receiver(1)];
            scene.socket.kernel.arrive(2);
            for receiver in receivers {
                receiver.join().unwrap();
            }
            scene.end();
        });
    }
}

#[test]
fn followers_get_messages_from_both_sides() {
    check(2, || {
        let scene = Scene::new(false);
        let receivers = [scene.receiver(1), scene.receiver(1)];
        scene.socket.deliver_from_outside();
        scene.socket.kernel.arrive(1);
        for receiver in receivers {
            receiver.join().unwrap();
        }
        scene.end();
    });
}

#[test]
fn a_leader_whose_time_is_over_hands_over() {
    check(2, || {
        let scene = Scene::new(false);
        let (first, second) = (scene.impatient_receiver(), scene.receiver(1));
        scene.time_passes();
        scene.socket.kernel.arrive(1);
        match first.join().unwrap() {
            Ok(()) => scene.socket.kernel.arrive(1),
            outcome => assert_eq!(outcome, Err(Failure::TimedOut)),
        }
        second.join().unwrap();
        scene.end();
    });
}

#[test]
fn a_caller_that_does_not_wait_hands_over_as_well() {
    check(2, || {
        let scene = Scene::new(false);
        let receiver = scene.receiver(1);
        let got = scene.socket.recv(Timeout::Poll);
        assert_eq!(got, Err(Failure::WouldBlock));
        scene.socket.kernel.arrive(1);
        receiver.join().unwrap();
        scene.end();
    });
}

#[test]
fn commands_are_carried_out_by_any_driver() {
    check(3, || {
        let scene = Scene::new(false);
        let receiver = scene.receiver(1);
        scene.socket.command();
        scene.socket.kernel.arrive(1);
        scene.socket.command();
        receiver.join().unwrap();
        scene.socket.kernel.wait_for(|inner| inner.obeyed == 2);
        scene.end();
    });
}

#[test]
fn a_caller_blocked_while_the_socket_is_given_to_the_worker_gets_everything() {
    check(3, || {
        let scene = Scene::new(false);
        let receiver = scene.receiver(2);
        scene.socket.give_to_worker();
        scene.socket.kernel.arrive(1);
        scene.socket.command();
        scene.socket.kernel.arrive(1);
        receiver.join().unwrap();
        scene.socket.kernel.wait_for(|inner| inner.obeyed == 1);
        scene.end();
    });
}

#[test]
fn a_socket_that_cannot_be_watched_is_served_all_the_same() {
    check(3, || {
        let scene = Scene::new(true);
        scene.socket.kernel.change(|inner| inner.refusals = 1);
        let receiver = scene.receiver(1);
        scene.socket.kernel.arrive(1);
        receiver.join().unwrap();
        scene.socket.kernel.arrive(1);
        scene.socket.kernel.wait_for(|inner| inner.arrived == 0);
        scene.end();
    });
}

#[test]
fn a_caller_in_poll_sees_everything() {
    check(3, || {
        let scene = Scene::new(false);
        let poller = scene.poller();
        scene.socket.kernel.arrive(1);
        assert!(poller.join().unwrap());
        scene.end();
    });
    check(3, || {
        let scene = Scene::new(false);
        let poller = scene.poller();
        scene.socket.command();
        scene.socket.deliver_from_outside();
        assert!(poller.join().unwrap());
        scene.end();
    });
}

#[test]
fn a_caller_in_poll_leaves_the_message_to_a_receiver() {
    check(2, || {
        let scene = Scene::new(false);
        let (poller, receiver) = (scene.poller(), scene.receiver(1));
        scene.socket.kernel.arrive(1);
        receiver.join().unwrap();
        // The poller may have come too late for this one.
        scene.socket.deliver_from_outside();
        assert!(poller.join().unwrap());
        scene.end();
    });
}

#[test]
fn closing_ends_a_poll() {
    check(3, || {
        let scene = Scene::new(false);
        let poller = scene.poller();
        scene.socket.close();
        assert!(!poller.join().unwrap());
        scene.stop();
    });
}

#[test]
fn a_deadline_of_the_worker_disturbs_nobody() {
    for urgent in [false, true] {
        check(3, move || {
            let scene = Scene::new(urgent);
            let receiver = scene.receiver(2);
            scene.socket.kernel.arrive(1);
            scene.socket.kernel.change(|inner| inner.due = true);
            scene.socket.kernel.arrive(1);
            receiver.join().unwrap();
            scene.end();
        });
    }
}

#[test]
fn closing_sends_callers_away_and_finds_the_socket_alone() {
    check(2, || {
        let scene = Scene::new(false);
        let callers = [scene.caller_until_close(), scene.caller_until_close()];
        scene.socket.kernel.arrive(1);
        scene.socket.close();
        for caller in callers {
            caller.join().unwrap();
        }
        scene.stop();
    });
}

/// None of them leads, so none wakes the next when it leaves.
#[test]
fn closing_sends_all_callers_away_from_a_socket_of_the_workers() {
    check(2, || {
        let scene = Scene::new(false);
        scene.socket.give_to_worker();
        let callers = [scene.caller_until_close(), scene.caller_until_close()];
        scene.socket.close();
        for caller in callers {
            caller.join().unwrap();
        }
        scene.stop();
    });
}

#[test]
fn closing_waits_for_the_worker() {
    check(3, || {
        let scene = Scene::new(true);
        scene.socket.kernel.arrive(1);
        scene.socket.kernel.change(|inner| inner.due = true);
        scene.socket.command();
        scene.socket.close();
        scene.stop();
    });
}
