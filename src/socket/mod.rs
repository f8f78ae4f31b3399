//! What a socket is: one lock over pattern, pipes, endpoints and options, and the calls that go through it.
#![forbid(unsafe_code)]

mod call_guard;
mod close;
mod core;
pub(crate) mod device;
mod endpoint;
mod flush;
mod gathered;
#[cfg(simulated)]
mod inspect;
mod io;
mod library;
mod mailbox;
mod monitor;
mod neighbours;
pub(crate) mod poll;
mod ready;
mod spin;
pub(crate) mod table;
mod turn;
mod wait;

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use crate::sys::{Mutex, MutexGuard};

#[cfg(simulated)]
pub(crate) use self::core::{Event, Happening};
pub(crate) use self::core::{OptionInput, Value};
#[cfg(simulated)]
pub(crate) use inspect::Inspection;

use self::core::{Effects, Options, Outside, Own, Report, TLS, WaitFor};
use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::panics::{self, FailPoint};
use crate::pattern::{self, Protocol};
use crate::sys;
use crate::transport::channel::Channel;
use crate::transport::inproc::Note;
use crate::transport::tls;
use library::Library;
use mailbox::Mailbox;
use monitor::Monitor;
use spin::Spin;
use turn::Reactor;
use wait::Timeout;

/// The level of options that are read of an endpoint, far from upstream's (0 to -4).
const NN_ENDPOINT: i32 = -1001;

/// At NN_SOL_SOCKET, far from upstream's (1 to 17).
const NN_MONITOR: i32 = 1007;
const NN_STATISTICS: i32 = 1008;

/// The core's world outside.
enum World {}

impl Outside for World {
    type Stream = Channel;
    type Thread = sys::Parker;
    type Endpoint = io::Beginning;
}

type State = core::State<World>;
type Command = core::Command<World>;

/// What `nn_socket` returns a handle of.
pub(crate) struct Socket {
    me: Weak<Self>,
    /// Unlike the handle, never used again.
    id: u64,
    generation: u32,
    protocol: Protocol,
    raw: bool,
    /// What the pattern says, which never changes.
    sends: bool,
    receives: bool,
    library: Arc<Library>,
    state: Mutex<State>,
    mailbox: Mailbox<Note>,
    /// Whether a caller that sleeps without a poller spins first.
    spin: Mutex<Spin>,
    /// Poller and descriptors; made with the first network endpoint or timer.
    reactor: OnceLock<Reactor>,
    /// Whether notes may come: of other sockets of the process, or its own (NN_CONFLATE).
    gets_mail: AtomicBool,
    /// A copy of NN_RCVMAXSIZE for the driver, who reads without the lock.
    recv_max: AtomicI32,
    /// Bytes from which a message had better lie in shared memory before the lock is taken.
    shares_from: AtomicUsize,
    events: ready::EventFds,
    /// Held while something is published.
    monitor: Mutex<Option<Monitor>>,
    #[cfg(simulated)]
    observer: OnceLock<inspect::Observer>,
}

/// The socket's lock, held. It ends by [`StateGuard::release`], which carries out what was noted meanwhile: a function that has it
/// passes it on or releases it. Only a panic ends it otherwise.
#[must_use = "what was noted is carried out by `release`"]
struct StateGuard<'a> {
    socket: &'a Socket,
    guard: Option<MutexGuard<'a, State>>,
    /// Its end looks into the mailbox.
    reads_mail: bool,
    /// The thread was unwinding already when it took the lock.
    unwinding: bool,
}

impl Deref for StateGuard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.guard.as_ref().expect("the guard is taken only at its end")
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.guard.as_mut().expect("the guard is taken only at its end")
    }
}

impl<'a> StateGuard<'a> {
    /// Unlocks, and carries out what was noted.
    #[inline]
    fn release(mut self) {
        let Some(state) = self.guard.take() else { return };
        if state.has_effects() {
            self.socket.unlock_and_run(state);
        } else {
            drop(state);
        }
        if self.reads_mail && self.socket.gets_mail.load(Ordering::Relaxed) {
            self.socket.mailbox.look(self.socket);
        }
    }

    /// The same, and locks again. Meanwhile others may have had the lock.
    fn carry_out(self) -> Self {
        let socket = self.socket;
        self.release();
        socket.lock()
    }

    /// Releases after reading a result from the state.
    #[inline]
    fn finish<T>(mut self, action: impl FnOnce(&mut State) -> T) -> T {
        let result = action(&mut self);
        self.release();
        result
    }
}

impl Drop for StateGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(state) = self.guard.take() {
            self.socket.broke_off(state, self.reads_mail, self.unwinding);
        }
    }
}

impl Socket {
    pub(crate) fn new(
        library: Arc<Library>,
        generation: u32,
        protocol: Protocol,
        raw: bool,
        name: String,
    ) -> Result<Arc<Self>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let seed = u64::from_ne_bytes(sys::random());
        let mut pattern = pattern::open(protocol, raw, seed, library.forwards_subscriptions()).ok_or(Error::Invalid)?;
        let options = Options::new(name, &*pattern, library.shares_memory());
        pattern.set_max_hops(options.max_hops());
        let recv_max = AtomicI32::new(recv_max(protocol, &options));
        let (sends, receives) = (pattern.sends(), pattern.receives());
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new_cyclic(|me: &Weak<Self>| {
            let socket: Weak<Self> = me.clone();
            let own = Own {
                id,
                socket,
                protocol,
                raw,
                names: Arc::clone(&library.names),
                prints_errors: library.prints_errors(),
            };
            Self {
                me: me.clone(),
                id,
                generation,
                protocol,
                raw,
                sends,
                receives,
                library,
                state: Mutex::new(State::new(pattern, options, own, sys::now(), sys::random)),
                mailbox: Mailbox::default(),
                spin: Mutex::default(),
                reactor: OnceLock::new(),
                gets_mail: AtomicBool::new(false),
                recv_max,
                shares_from: AtomicUsize::new(usize::MAX),
                events: ready::EventFds::default(),
                monitor: Mutex::default(),
                #[cfg(simulated)]
                observer: OnceLock::new(),
            }
        }))
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    fn lock(&self) -> StateGuard<'_> {
        self.held(self.state.lock())
    }

    fn try_lock(&self) -> Option<StateGuard<'_>> {
        self.state.try_lock().map(|guard| self.held(guard))
    }

    fn held<'a>(&'a self, guard: MutexGuard<'a, State>) -> StateGuard<'a> {
        StateGuard { socket: self, guard: Some(guard), reads_mail: true, unwinding: std::thread::panicking() }
    }

    /// One look at the state, or one change of it.
    #[inline]
    fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        self.lock().finish(action)
    }

    /// Locks for a caller: a socket that is closing has none.
    fn enter(&self) -> Result<StateGuard<'_>> {
        let held = self.lock();
        if held.is_closing() { Err(held.finish(|state| state.close_error())) } else { Ok(held) }
    }

    /// A panic has ended what a thread did under the lock.
    #[cold]
    fn broke_off(&self, mut state: MutexGuard<'_, State>, reads_mail: bool, unwinding: bool) {
        let panics = call_guard::panics_since(unwinding);
        debug_assert!(panics || std::thread::panicking(), "a lock that nobody has released");
        panics::in_destructor(|| {
            if panics {
                state.poison();
            }
            self.unlock_and_run(state);
            if reads_mail {
                self.mailbox.look(self);
            }
        });
    }

    /// Unlocks, and does what was noted.
    #[inline(never)]
    fn unlock_and_run(&self, mut state: MutexGuard<'_, State>) {
        let run_commands = state.needs_turn() && state.needs_driver();
        if state.needs_turn() {
            state.interrupt();
        }
        let (post, after) = (state.pipes.first_post.take(), state.pipes.effects.take());
        drop(state);
        if let Some((neighbour, note)) = post {
            neighbour.post(note);
        }
        if let Some(after) = after {
            self.run_effects(*after);
        }
        if run_commands {
            self.run_commands();
        }
    }

    fn run_effects(&self, mut after: Effects<World>) {
        for report in &after.reports {
            print(report);
        }
        if after.notify
            && let Some(reactor) = self.reactor.get()
        {
            reactor.poller.notify();
        }
        for parker in after.wakes {
            parker.wake();
        }
        panics::fail_point(FailPoint::RunEffects);
        for (neighbour, note) in after.posts {
            neighbour.post(note);
        }
        for pipe in after.flushes {
            self.flush(pipe);
        }
        if after.worker.deadline.is_some() && self.ensure_reactor().is_err() {
            // There is no descriptor left for it. Callers that wait keep the time themselves; the next one who does not
            // tries again.
            self.state.lock().known_deadline = None;
        }
        self.tell_worker(&mut after.worker);
        if after.readiness {
            self.show_readiness();
        }
        if after.events {
            self.publish_events();
        }
    }

    fn send_limit(&self) -> Timeout {
        Timeout::of(self.with(|state| state.options.send_timeout))
    }

    fn recv_limit(&self) -> Timeout {
        Timeout::of(self.with(|state| state.options.recv_timeout))
    }

    /// Sends one message, waiting as NN_SNDTIMEO says. Returns the length of the body. On an error the message still has
    /// its body.
    pub(crate) fn send(&self, message: &mut Outgoing<'_>, dont_wait: bool) -> Result<usize> {
        let length = message.body().len();
        if !self.sends {
            return self.enter()?.finish(|_| Err(Error::NotSupported));
        }
        let mut held = self.enter()?;
        if length >= self.shares_from.load(Ordering::Relaxed) {
            held = self.place(held, message, dont_wait)?;
        }
        if held.pattern.needs_read_before_send() {
            held = self.read_before_send(held);
            if held.is_closing() {
                return held.finish(|state| Err(state.close_error()));
            }
        }
        // A reading of the clock is a fortieth of a short message's way.
        let timed = held.keeps_time || held.pipes.batching.is_timing();
        let now = if timed { sys::now() } else { held.pipes.batching.now() };
        held.pipes.batching.send_begins(now);
        let mut result = self.try_send(&mut held, message, now);
        if matches!(result, Err(Error::WouldBlock | Error::NoPeer)) {
            // A caller that does not want to wait for a peer looks once whether one is there.
            let no_peer = result == Err(Error::NoPeer);
            let limit = if dont_wait || no_peer { Timeout::Poll } else { Timeout::of(held.options.send_timeout) };
            (held, result) = self.wait_until(held, WaitFor::Send, limit, |state| {
                let now = sys::now();
                state.pipes.batching.send_resumes(now);
                let sent = self.try_send(state, message, now);
                if sent == Err(Error::NoPeer) { Err(Error::WouldBlock) } else { sent }
            });
            if no_peer && result == Err(Error::WouldBlock) {
                result = Err(Error::NoPeer);
            }
        }
        if let Err(error) = result {
            return held.finish(|_| Err(error));
        }
        held.stats.messages_sent += 1;
        held.stats.bytes_sent += length as u64;
        if !held.pipes.gathered.is_empty() {
            gathered::note(self);
        }
        self.write_through(held, message, dont_wait).map(|()| length)
    }

    /// Puts a large message where its receivers find it, without the lock. Not one that would not be sent.
    #[cold]
    fn place<'a>(
        &'a self,
        held: StateGuard<'a>,
        message: &mut Outgoing<'_>,
        dont_wait: bool,
    ) -> Result<StateGuard<'a>> {
        if dont_wait && !held.pattern.can_send() {
            return Ok(held);
        }
        held.release();
        message.place();
        self.enter()
    }

    #[inline]
    fn try_send(&self, state: &mut State, message: &mut Outgoing<'_>, now: Instant) -> Result<()> {
        panics::fail_point(FailPoint::Send);
        state.pipes.direct_allowed = true;
        let result = state.pattern.send(message, &mut state.pipes, now);
        state.pipes.direct_allowed = false;
        if state.journal.is_some() {
            state.look_for_overflow(sys::now());
        }
        state.after_pattern_call(now);
        result
    }

    /// Receives one message into `message`, waiting as NN_RCVTIMEO says.
    pub(crate) fn recv(&self, message: &mut Message, dont_wait: bool) -> Result<()> {
        if !self.receives {
            return self.enter()?.finish(|_| Err(Error::NotSupported));
        }
        let mut held = self.enter()?;
        let mut result = self.try_recv(&mut held, message);
        if result == Err(Error::WouldBlock) && gathered::is_left() {
            held.release();
            gathered::write();
            held = self.enter()?;
            // While the lock was free the worker may have brought it.
            result = self.try_recv(&mut held, message);
        }
        if result == Err(Error::WouldBlock) {
            let limit = if dont_wait { Timeout::Poll } else { Timeout::of(held.options.recv_timeout) };
            (held, result) = self.wait_until(held, WaitFor::Recv, limit, |state| self.try_recv(state, message));
        }
        held.finish(|state| result.map(|()| state.note_received(message)))
    }

    /// Receives what has come in already, without looking for more. If nothing is left of that, says how long a caller
    /// would wait for the next message.
    fn take(&self, message: &mut Message) -> Result<Option<Timeout>> {
        self.enter()?.finish(|state| {
            if !self.receives {
                return Err(Error::NotSupported);
            }
            self.try_recv(state, message)?;
            state.note_received(message);
            let more = state.pattern.can_recv();
            Ok((!more).then(|| Timeout::of(state.options.recv_timeout)))
        })
    }

    fn try_recv(&self, state: &mut State, message: &mut Message) -> Result<()> {
        panics::fail_point(FailPoint::Receive);
        // What has come due meanwhile is found by whoever waits.
        let now = state.pipes.batching.now();
        let result = state.pattern.recv(message, &mut state.pipes, now);
        state.after_pattern_call(now);
        result
    }

    pub(crate) fn set_option(&self, level: i32, option: i32, given: OptionInput<'_>) -> Result<()> {
        if level == i32::from(self.protocol) {
            self.enter()?.finish(|state| {
                let could_send = state.pattern.can_send();
                state.pattern.set_option(option, given.bytes)?;
                state.forward(sys::now());
                if state.pattern.can_send() != could_send {
                    state.notify_waiters();
                }
                Ok::<(), Error>(())
            })?;
            if self.protocol == pattern::SUB {
                self.wait_for_writers();
                // What was written down is on its way now.
                self.library.has_subscribed();
            }
            return Ok(());
        }
        if (level, option) == (0, NN_MONITOR) {
            return self.watch(given.bytes);
        }
        if level == TLS {
            // Files are read without the lock.
            let change = tls::Options::change(option, given.bytes)?;
            self.enter()?.finish(|state| change(&mut state.options.tls));
            return Ok(());
        }
        self.enter()?.finish(|state| {
            state.set_option(sys::now(), level, option, given)?;
            if state.options.conflate {
                // A socket that conflates leaves itself notes.
                self.gets_mail.store(true, Ordering::SeqCst);
            }
            self.recv_max.store(recv_max(self.protocol, &state.options), Ordering::Relaxed);
            Ok(())
        })
    }

    pub(crate) fn option(&self, level: i32, option: i32) -> Result<Value> {
        match (level, option) {
            (0, NN_MONITOR) => return self.monitor_address(),
            (0, NN_STATISTICS) => return self.statistics(),
            _ => {}
        }
        let held = self.enter()?;
        match (level, option) {
            (0, 10) => self.event_fd(held, WaitFor::Send).map(|source| Value::Source(source as u64)),
            (0, 11) => self.event_fd(held, WaitFor::Recv).map(|source| Value::Source(source as u64)),
            _ => held.finish(|state| match (level, option) {
                (0, 12) => Ok(Value::Int(if self.raw { 2 } else { 1 })),
                (0, 13) => Ok(Value::Int(i32::from(self.protocol))),
                // The option is the endpoint's id.
                (NN_ENDPOINT, id) => {
                    let endpoint = state.endpoints.get(&id).ok_or(Error::Invalid)?;
                    Ok(Value::Text(endpoint.whole_address()))
                }
                _ if level == i32::from(self.protocol) => state.pattern.option(option).map(Value::WholeInt),
                _ => state.options.value(level, option),
            }),
        }
    }

    pub(crate) fn statistic(&self, which: i32) -> Result<u64> {
        self.enter()?.finish(|state| state.stats.by_number(which, &*state.pattern))
    }
}

/// The longest message that is let in.
fn recv_max(protocol: Protocol, options: &Options) -> i32 {
    match options.recv_max {
        without @ ..0 => without,
        max => max.max(pattern::shortest_limit(protocol)),
    }
}

/// Prints an endpoint's error to stderr.
fn print(report: &Report) {
    let name = String::from_utf8_lossy(&report.socket);
    let address = String::from_utf8_lossy(&report.address);
    let text = tls::text_of(report.code);
    sys::tell(format!("nanomsg: socket.{name}[{address}]: Error: {text}\n").as_bytes());
}
