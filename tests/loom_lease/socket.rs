//! Callers, the worker, and whoever else comes to a socket with descriptors.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loom::sync::{Condvar, Mutex, MutexGuard};
use loom::thread::{self, JoinHandle};

use super::check;
use super::lease::{Lease, Leave, Tick};

// The kernel: what sys::Poller, sys::Nest and the worker's channel offer.

#[derive(Default)]
pub(super) struct Kernel {
    pub(super) inner: Mutex<Inner>,
    /// Whoever waits in the socket's poller.
    poller: Condvar,
    /// The worker, in its own.
    nest: Condvar,
    test: Condvar,
}

#[derive(Default)]
pub(super) struct Inner {
    /// Messages that nobody has read yet: the poller is ready as long as there are any.
    pub(super) arrived: usize,
    /// Frames that went out, and commands that were carried out.
    pub(super) written: usize,
    pub(super) obeyed: usize,
    /// The poller's eventfd.
    pub(super) notified: bool,
    /// The eventfd of the parker of a caller in nn_poll.
    event: bool,
    /// The worker's one-shot watch is live.
    watched: bool,
    /// Requests to the worker: tick; come back, the deadline is now; end.
    request: bool,
    due: bool,
    stop: bool,
    /// A set that has what this poller has.
    pub(super) joint: Option<Arc<super::joint::Set>>,
}

/// What one wait of the worker brings.
struct Round {
    fired: bool,
    request: bool,
    due: bool,
    stop: bool,
}

impl Inner {
    pub(super) fn is_ready(&self) -> bool {
        self.arrived > 0 || self.notified
    }
}

impl Kernel {
    /// Obeys, waits for the poller, and reads what is there.
    fn wait(&self, commands: usize, patience: Patience) -> usize {
        let mut inner = self.inner.lock().unwrap();
        inner.obeyed += commands;
        while !inner.is_ready() && !patience.is_over() {
            inner = self.poller.wait(inner).unwrap();
        }
        inner.notified = false;
        self.test.notify_all();
        std::mem::take(&mut inner.arrived)
    }

    /// Waits for the parker's eventfd and, for a leader, the poller. Tells whether that is ready.
    fn poll(&self, leading: bool) -> bool {
        let mut inner = self.inner.lock().unwrap();
        loop {
            let ready = leading && inner.is_ready();
            if std::mem::take(&mut inner.event) || ready {
                return ready;
            }
            inner = self.poller.wait(inner).unwrap();
        }
    }

    /// Waits for anything that concerns the worker. It does not sleep while it ticks: its time comes at any time.
    fn wait_nested(&self, ticking: bool) -> Round {
        let mut inner = self.inner.lock().unwrap();
        loop {
            let fired = inner.watched && inner.is_ready();
            inner.watched &= !fired;
            let (request, due) = (std::mem::take(&mut inner.request), std::mem::take(&mut inner.due));
            if ticking || fired || request || due || inner.stop {
                return Round { fired, request, due, stop: inner.stop };
            }
            inner = self.nest.wait(inner).unwrap();
        }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner.lock().unwrap();
        change(&mut inner);
        let joint = inner.joint.clone();
        drop(inner);
        if let Some(joint) = joint {
            joint.changed();
        }
        self.poller.notify_all();
        self.nest.notify_all();
        self.test.notify_all();
    }

    pub(super) fn arrive(&self, messages: usize) {
        self.change(|inner| inner.arrived += messages);
    }

    pub(super) fn wait_for(&self, condition: impl Fn(&Inner) -> bool) {
        let mut inner = self.inner.lock().unwrap();
        while !condition(&inner) {
            inner = self.test.wait(inner).unwrap();
        }
    }
}

/// A thread's bed; `parker` below looks into it.
#[derive(Default)]
pub(super) struct Parker {
    state: Mutex<Bed>,
    bed: Condvar,
}

#[derive(Default, PartialEq)]
enum Bed {
    #[default]
    Awake,
    Woken,
    Polling,
}

impl Parker {
    fn prepare(&self) {
        *self.state.lock().unwrap() = Bed::Awake;
    }

    fn park(&self, patience: Patience) {
        let mut state = self.state.lock().unwrap();
        while *state != Bed::Woken && !patience.is_over() {
            state = self.bed.wait(state).unwrap();
        }
        *state = Bed::Awake;
    }

    fn begin_polling(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        let sleeps = *state == Bed::Awake;
        if sleeps {
            *state = Bed::Polling;
        }
        sleeps
    }

    fn end_polling(&self) {
        *self.state.lock().unwrap() = Bed::Awake;
    }

    /// One event descriptor is enough for these models.
    fn wake(&self, kernel: &Kernel) {
        let polling = std::mem::replace(&mut *self.state.lock().unwrap(), Bed::Woken) == Bed::Polling;
        self.bed.notify_one();
        if polling {
            kernel.change(|inner| inner.event = true);
        }
    }
}

/// How long a caller waits. A deadline is a flag; whoever raises it wakes the sleepers.
#[derive(Clone, Copy)]
pub(super) enum Patience<'a> {
    Once,
    Until(&'a AtomicBool),
    Never,
}

impl Patience<'_> {
    pub(super) fn is_over(self) -> bool {
        match self {
            Self::Once => true,
            Self::Until(over) => over.load(Ordering::SeqCst),
            Self::Never => false,
        }
    }
}

// The socket.

#[derive(Default)]
pub(super) struct Socket {
    pub(super) kernel: Kernel,
    state: Mutex<State>,
    /// Somebody is in the middle of a turn.
    turning: AtomicBool,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) lease: Lease,
    /// Messages that can be received, commands for the driver, frames that wait to be written.
    pub(super) inbox: usize,
    pub(super) commands: usize,
    pub(super) gathered: usize,
    gather_watched: bool,
    /// Leaving the lease without arming the worker would hurt.
    urgent: bool,
    waiters: VecDeque<Arc<Parker>>,
    pub(super) closing: bool,
    pub(super) inside: usize,
    closer: Option<Arc<Parker>>,
    after: After,
    /// Waiters that were woken and have not come back to the lock: only the model counts them.
    coming: usize,
}

#[derive(Default)]
struct After {
    wakes: Vec<Arc<Parker>>,
    notify: bool,
    arm: bool,
    report: bool,
    flush: usize,
}

#[derive(Debug, PartialEq)]
pub(super) enum Failure {
    BadSocket,
    TimedOut,
    WouldBlock,
}

pub(super) struct Held<'a> {
    socket: &'a Socket,
    guard: Option<MutexGuard<'a, State>>,
}

impl Deref for Held<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.guard.as_ref().unwrap()
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.guard.as_mut().unwrap()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Some(mut state) = self.guard.take() else { return };
        let kick = state.commands > 0 && state.lease.is_free();
        if state.commands > 0 {
            state.interrupt();
        }
        let after = std::mem::take(&mut state.after);
        state.check();
        drop(state);
        self.socket.perform(after);
        if kick {
            self.socket.kick();
        }
    }
}

impl State {
    /// What holds whenever the lock is let go, so that nobody has to wait for a tick.
    fn check(&self) {
        if self.closing {
            return;
        }
        let asleep = !self.waiters.is_empty() && self.coming == 0;
        assert!(!(asleep && self.lease.is_free()), "callers sleep and none of them leads");
    }

    fn interrupt(&mut self) {
        self.after.notify |= self.lease.interrupt();
    }

    fn wake_first(&mut self) {
        if let Some(parker) = self.waiters.pop_front() {
            self.coming += 1;
            self.after.wakes.push(parker);
        }
    }

    fn remove_waiter(&mut self, parker: &Arc<Parker>) {
        let known = self.waiters.len();
        self.waiters.retain(|other| !Arc::ptr_eq(other, parker));
        if self.waiters.len() == known {
            self.coming -= 1;
        }
    }

    fn wake_ready(&mut self) {
        if self.inbox > 0 {
            self.wake_first();
        }
    }

    pub(super) fn changed(&mut self) {
        self.wake_ready();
        self.interrupt();
    }

    fn wake_closer(&mut self) {
        self.after.wakes.extend(self.closer.clone());
    }

    pub(super) fn leave_lease(&mut self) {
        match self.lease.leave(self.urgent) {
            Leave::Nothing => {}
            Leave::Arm => self.after.arm = true,
            Leave::Report => self.after.report = true,
        }
        self.wake_closer();
    }

    pub(super) fn pass_on(&mut self) {
        self.wake_ready();
        if self.lease.is_free() {
            self.wake_first();
        }
        if self.closing {
            self.wake_closer();
        }
    }

    pub(super) fn flush_gathered(&mut self) {
        self.after.flush += std::mem::take(&mut self.gathered);
    }

    pub(super) fn take_message(&mut self) -> Result<(), Failure> {
        self.inbox = self.inbox.checked_sub(1).ok_or(Failure::WouldBlock)?;
        Ok(())
    }
}

impl Socket {
    /// As registration leaves it: the worker's watch is live.
    pub(super) fn new() -> Arc<Self> {
        let socket = Self::default();
        socket.kernel.change(|inner| inner.watched = true);
        Arc::new(socket)
    }

    pub(super) fn lock(&self) -> Held<'_> {
        Held { socket: self, guard: Some(self.state.lock().unwrap()) }
    }

    fn perform(&self, after: After) {
        if after.notify {
            self.kernel.change(|inner| inner.notified = true);
        }
        after.wakes.iter().for_each(|parker| parker.wake(&self.kernel));
        if after.flush > 0 {
            self.kernel.change(|inner| inner.written += after.flush);
        }
        if after.arm {
            self.kernel.change(|inner| inner.watched = true);
        }
        if after.report {
            self.kernel.change(|inner| inner.request = true);
        }
    }

    fn turn<'a>(&'a self, mut held: Held<'a>, mut patience: Patience) -> Held<'a> {
        let commands = std::mem::take(&mut held.commands);
        if commands > 0 {
            patience = Patience::Once;
        }
        if !matches!(patience, Patience::Once) {
            held.lease.sleep();
        }
        drop(held);

        assert!(!self.turning.swap(true, Ordering::SeqCst), "one holder at a time");
        let messages = self.kernel.wait(commands, patience);
        if messages > 0 {
            let mut held = self.lock();
            held.lease.wake();
            let was_empty = held.inbox == 0;
            held.inbox += messages;
            if was_empty {
                held.changed();
            }
        }
        self.turning.store(false, Ordering::SeqCst);

        let mut held = self.lock();
        held.lease.wake();
        held
    }

    fn kick(&self) {
        let mut held = self.lock();
        if held.commands == 0 || !held.lease.take() {
            return;
        }
        held.inside += 1;
        while held.commands > 0 {
            held = self.turn(held, Patience::Once);
        }
        held.inside -= 1;
        held.leave_lease();
        held.wake_ready();
        if held.lease.is_free() {
            held.wake_first();
        }
    }

    // Callers

    pub(super) fn recv(&self, parker: &Arc<Parker>, patience: Patience) -> Result<(), Failure> {
        let mut held = self.lock();
        if held.closing {
            return Err(Failure::BadSocket);
        }
        if held.take_message().is_ok() {
            return Ok(());
        }
        held.inside += 1;
        let mut leading = false;
        let result = loop {
            if held.closing {
                break Err(Failure::BadSocket);
            }
            if held.gathered > 0 {
                held.flush_gathered();
                drop(held);
                held = self.lock();
                // Others had the lock meanwhile, and one of them may have brought what we want.
                if held.take_message().is_ok() {
                    break Ok(());
                }
                continue;
            }
            if leading || held.lease.take() {
                leading = true;
                held = self.turn(held, patience);
            } else if matches!(patience, Patience::Once) {
                break Err(Failure::WouldBlock);
            } else {
                parker.prepare();
                held.waiters.push_back(Arc::clone(parker));
                drop(held);
                parker.park(patience);
                held = self.lock();
                held.remove_waiter(parker);
            }
            if held.closing {
                break Err(Failure::BadSocket);
            }
            if held.take_message().is_ok() {
                break Ok(());
            }
            match patience {
                Patience::Once => break Err(Failure::WouldBlock),
                _ if patience.is_over() => break Err(Failure::TimedOut),
                _ => {}
            }
        };
        held.inside -= 1;
        if leading {
            held.leave_lease();
        }
        held.pass_on();
        result
    }

    /// nn_poll as it is for several sockets: the caller may lead and is a waiter all the same.
    pub(super) fn poll(&self, parker: &Arc<Parker>) -> bool {
        self.lock().inside += 1;
        let (mut leading, mut turning, mut listed) = (false, true, false);
        let result = loop {
            parker.prepare();
            let mut held = self.lock();
            if std::mem::take(&mut listed) {
                held.remove_waiter(parker);
            }
            if held.closing {
                break false;
            }
            leading |= held.lease.take();
            if leading {
                held.lease.wake();
                held.flush_gathered();
                while std::mem::take(&mut turning) || held.commands > 0 {
                    held = self.turn(held, Patience::Once);
                }
                // It may have come during the turn, when this thread was no waiter.
                if held.closing {
                    break false;
                }
            }
            let ready = held.inbox > 0;
            held.waiters.push_back(Arc::clone(parker));
            listed = true;
            if leading {
                held.lease.sleep();
            }
            drop(held);
            if ready {
                break true;
            }
            if !parker.begin_polling() {
                continue;
            }
            turning = self.kernel.poll(leading);
            parker.end_polling();
        };
        let mut held = self.lock();
        if listed {
            held.remove_waiter(parker);
        }
        held.inside -= 1;
        if leading {
            held.leave_lease();
        }
        held.pass_on();
        result
    }

    /// What a neighbour, or a change of an option, does.
    pub(super) fn deliver_from_outside(&self) {
        let mut held = self.lock();
        held.inbox += 1;
        held.changed();
    }

    /// A bind or a connect.
    pub(super) fn command(&self) {
        self.lock().commands += 1;
    }

    /// A send in a quick row of sends.
    pub(super) fn gather(&self) {
        let mut held = self.lock();
        held.gathered += 1;
        if !std::mem::replace(&mut held.gather_watched, true) {
            held.after.report = true;
            held.lease.start_ticking();
        }
    }

    pub(super) fn close(&self) {
        let parker = Arc::new(Parker::default());
        let mut held = self.lock();
        held.closing = true;
        while !held.waiters.is_empty() {
            held.wake_first();
        }
        held.interrupt();
        held.flush_gathered();
        held = self.wait_alone(held, &parker);
        assert!(held.lease.take(), "nobody else is inside");
        drop(self.turn(held, Patience::Once));
    }

    fn wait_alone<'a>(&'a self, mut held: Held<'a>, parker: &Arc<Parker>) -> Held<'a> {
        loop {
            parker.prepare();
            held.closer = Some(Arc::clone(parker));
            drop(held);
            held = self.lock();
            if held.inside == 0 && held.lease.is_free() {
                held.closer = None;
                return held;
            }
            drop(held);
            parker.park(Patience::Never);
            held = self.lock();
        }
    }

    // The worker: each call answers whether it wants to be called again by a tick.

    fn work(&self) {
        let mut ticking = false;
        loop {
            let round = self.kernel.wait_nested(ticking);
            if round.stop {
                return;
            }
            ticking |= round.request;
            if round.fired {
                ticking |= self.fired();
            }
            if round.due {
                self.due();
            }
            if ticking {
                ticking = self.tick();
            }
        }
    }

    fn drive<'a>(&'a self, mut held: Held<'a>) -> Held<'a> {
        held.inside += 1;
        loop {
            held = self.turn(held, Patience::Once);
            if held.commands == 0 {
                break;
            }
        }
        held.inside -= 1;
        held.after.arm |= held.lease.leave_armed();
        held.wake_closer();
        held.wake_first();
        held
    }

    fn fired(&self) -> bool {
        let mut held = self.lock();
        if held.closing || !held.lease.fired() {
            return !held.closing;
        }
        self.drive(held);
        false
    }

    fn due(&self) {
        let mut held = self.lock();
        if !held.closing && held.lease.due() {
            self.drive(held);
        }
    }

    fn tick(&self) -> bool {
        let mut held = self.lock();
        if held.closing {
            return false;
        }
        if std::mem::take(&mut held.gather_watched) {
            held.flush_gathered();
        }
        let tick = held.lease.tick();
        if tick == Tick::Taken {
            self.drive(held);
        }
        tick == Tick::Stay
    }
}

// What happens to it.

/// A socket with a worker; the test's own thread is one of those that come to it.
pub(super) struct Scene {
    pub(super) socket: Arc<Socket>,
    worker: JoinHandle<()>,
    time_is_over: Arc<(AtomicBool, Arc<Parker>)>,
}

impl Scene {
    pub(super) fn new(urgent: bool) -> Self {
        let socket = Socket::new();
        socket.lock().urgent = urgent;
        let worker = Arc::clone(&socket);
        Self { socket, worker: thread::spawn(move || worker.work()), time_is_over: Arc::default() }
    }

    /// A thread that receives some messages, one after the other.
    fn receiver(&self, messages: usize) -> JoinHandle<()> {
        let socket = Arc::clone(&self.socket);
        thread::spawn(move || {
            let parker = Arc::default();
            for _ in 0..messages {
                assert_eq!(socket.recv(&parker, Patience::Never), Ok(()));
            }
        })
    }

    /// A thread that polls for a message.
    fn poller(&self) -> JoinHandle<bool> {
        let socket = Arc::clone(&self.socket);
        thread::spawn(move || socket.poll(&Arc::default()))
    }

    /// A thread that receives until the socket is closed.
    pub(super) fn caller_until_close(&self) -> JoinHandle<()> {
        let socket = Arc::clone(&self.socket);
        thread::spawn(move || {
            let parker = Arc::default();
            while socket.recv(&parker, Patience::Never) != Err(Failure::BadSocket) {}
        })
    }

    /// A thread that receives a message if it comes before `time_passes`.
    fn impatient_receiver(&self) -> JoinHandle<Result<(), Failure>> {
        let (socket, time) = (Arc::clone(&self.socket), Arc::clone(&self.time_is_over));
        thread::spawn(move || socket.recv(&time.1, Patience::Until(&time.0)))
    }

    fn time_passes(&self) {
        let (over, parker) = &*self.time_is_over;
        // Under a lock of loom, for this to happen at any time.
        self.socket.kernel.change(|_| over.store(true, Ordering::SeqCst));
        drop(parker.state.lock().unwrap());
        parker.bed.notify_all();
    }

    /// All callers have gone. What comes now is for the worker, and it does come to it.
    pub(super) fn end(self) {
        self.socket.kernel.arrive(1);
        self.socket.kernel.wait_for(|inner| inner.arrived == 0);
        self.stop();
    }

    pub(super) fn stop(self) {
        self.socket.kernel.change(|inner| inner.stop = true);
        self.worker.join().unwrap();
        let held = self.socket.lock();
        assert!(held.waiters.is_empty() && held.coming == 0 && held.inside == 0);
        assert_eq!((held.commands, held.gathered), (0, 0));
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
            let _ = scene.socket.recv(&Arc::default(), Patience::Once);
            let _ = scene.socket.recv(&Arc::default(), Patience::Once);
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
        let got = scene.socket.recv(&Arc::default(), Patience::Once);
        assert_eq!(got, Err(Failure::WouldBlock));
        scene.socket.kernel.arrive(1);
        receiver.join().unwrap();
        scene.end();
    });
}

#[test]
fn commands_are_carried_out_whoever_drives() {
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
fn gathered_output_is_written_by_its_sender_or_by_the_worker() {
    check(3, || {
        let scene = Scene::new(false);
        let receiver = scene.receiver(1);
        scene.socket.gather();
        scene.socket.kernel.arrive(1);
        receiver.join().unwrap();
        scene.socket.gather();
        scene.socket.kernel.wait_for(|inner| inner.written == 2);
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
