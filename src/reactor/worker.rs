//! The one background thread: drives the sockets that no caller waits on.
//!
//! It sleeps on the sockets' pollers, wakes for their deadlines, and ticks through those whose lease a caller holds or
//! has only just left. It starts with the first socket that needs it and ends with the last one.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Weak};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::timers::Timers;
use super::{Next, TickRate};
use crate::panics::{self, FailPoint};
use crate::sys::{self, CancelGuard, Hub, JoinHandle, Poller, Tripwire, nap};

/// A socket, as the worker sees it.
pub(crate) trait Driven: Send + Sync {
    /// The watch on the socket's poller has fired, and is spent.
    fn on_ready(&self) -> Next;
    /// The deadline that the worker was given has come.
    fn on_deadline(&self) -> Next;
    /// The tick came by.
    fn on_tick(&self) -> Next;
}

/// Bytes of the thread's stack: a turn reads through a buffer of 64 KiB.
const STACK: usize = 512 * 1024;

/// When gathered output is first looked at: most bursts are over then (16 messages to eight pipes take 20 us). Each further look
/// comes after twice as long, up to `FAST_TICK`: a sender that goes on writes full batches itself, and every look disturbs it.
/// Measured with `make bench`: 20 and 160 beside 100 and 100, a fan-out to eight 2.4, to 64 1.2, streams 1.0; 50 and 50: streams 0.8.
const FIRST_TICK: Duration = Duration::from_micros(20);
const FAST_TICK: Duration = Duration::from_micros(160);
const SLOW_TICK: Duration = Duration::from_millis(1);
const SLOWEST_TICK: Duration = Duration::from_millis(2);

enum Request {
    Register(u64, Weak<dyn Driven>),
    Watch(u64, Next),
    Forget(u64),
    Stop,
}

/// What sockets and the thread share.
struct Shared {
    hub: Arc<Hub>,
    requests: Sender<Request>,
    next_key: AtomicU64,
    /// The thread ticks at the fast pace, so a request for it needs no wakeup.
    fast: AtomicBool,
}

impl Shared {
    fn request(&self, request: Request) {
        // The receiver lives until the thread has read Stop, which only the last owner sends.
        let _ = self.requests.send(request);
    }
}

/// The running thread; dropping the last reference ends it.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle>,
    id: ThreadId,
}

impl Worker {
    /// Starts the thread. Fails when descriptors or threads have run out.
    pub(crate) fn start() -> io::Result<Arc<Self>> {
        let (requests, inbox) = crossbeam_channel::unbounded();
        let shared =
            Arc::new(Shared { hub: Hub::new()?, requests, next_key: AtomicU64::new(0), fast: AtomicBool::new(false) });
        let mut event_loop = EventLoop::new(Arc::clone(&shared), inbox);
        let thread = sys::spawn("nn-worker", STACK, move || event_loop.run())?;
        let id = thread.thread().id();
        Ok(Arc::new(Self { shared, thread: Some(thread), id }))
    }

    /// Puts a socket under the worker's care, with a poller that is watched from now on.
    pub(crate) fn register(
        self: &Arc<Self>,
        socket: Weak<dyn Driven>,
        tripwire: Option<Arc<Tripwire>>,
    ) -> io::Result<(Registration, Poller)> {
        let key = self.shared.next_key.fetch_add(1, Ordering::Relaxed);
        // The worker reads its requests before its events, so it knows the socket when the first event comes.
        self.shared.request(Request::Register(key, socket));
        match Poller::new(&self.shared.hub, key, tripwire) {
            Ok(poller) => {
                let registration = Registration {
                    worker: Arc::clone(self),
                    key,
                    #[cfg(test)]
                    refused: AtomicBool::new(false),
                };
                Ok((registration, poller))
            }
            Err(error) => {
                self.shared.request(Request::Forget(key));
                Err(error)
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Any call may be the last to leave a socket, and joining a thread is a cancellation point.
        let _whole = CancelGuard::new();
        self.shared.request(Request::Stop);
        self.shared.hub.notify();
        // A thread that cannot be woken is left where it sleeps.
        if !self.shared.hub.is_deaf()
            && let Some(thread) = self.thread.take()
            && std::thread::current().id() != self.id
        {
            let _ = thread.join();
        }
    }
}

/// A socket's line to the worker.
pub(crate) struct Registration {
    worker: Arc<Worker>,
    key: u64,
    /// As if the kernel had no memory.
    #[cfg(test)]
    pub refused: AtomicBool,
}

impl Registration {
    /// Makes the worker hear of the poller's next event. Fails if the kernel has no memory for that.
    pub(crate) fn arm(&self, poller: &Poller) -> io::Result<()> {
        #[cfg(test)]
        if self.refused.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        poller.arm()
    }

    /// Makes the worker come back as told.
    pub(crate) fn watch(&self, next: Next) {
        let shared = &self.worker.shared;
        shared.request(Request::Watch(self.key, next));
        fence(Ordering::SeqCst);
        let on_its_way = next.pace == Some(TickRate::Fast) && shared.fast.load(Ordering::SeqCst);
        if !on_its_way {
            shared.hub.notify();
        }
    }

    pub(crate) fn forget(&self, poller: &Poller) {
        poller.disarm();
        self.worker.shared.request(Request::Forget(self.key));
    }
}

struct Entry {
    socket: Weak<dyn Driven>,
    deadline: Option<Instant>,
    pace: Option<TickRate>,
}

/// The thread's own state.
struct EventLoop {
    shared: Arc<Shared>,
    inbox: Receiver<Request>,
    sockets: HashMap<u64, Entry>,
    deadlines: Timers<u64>,
    ticking: Vec<u64>,
    fast_tick: Duration,
    slow_tick: Duration,
    next_tick: Option<Instant>,
}

impl EventLoop {
    fn new(shared: Arc<Shared>, inbox: Receiver<Request>) -> Self {
        Self {
            shared,
            inbox,
            sockets: HashMap::new(),
            deadlines: Timers::default(),
            ticking: Vec::new(),
            fast_tick: FIRST_TICK,
            slow_tick: SLOW_TICK,
            next_tick: None,
        }
    }

    /// Until the last owner has gone. A panic between two sockets is no reason to leave them all: an event may have been
    /// lost with it, so each is looked at.
    fn run(&mut self) {
        while panics::contain(|| self.go_round()).is_none() {
            // Should it come back at once, the machine is not to suffer from it.
            nap(SLOWEST_TICK);
            let keys: Vec<u64> = self.sockets.keys().copied().collect();
            for key in keys {
                self.serve(key, |socket| socket.on_ready());
            }
        }
    }

    fn go_round(&mut self) {
        let mut found = Vec::new();
        loop {
            // Read before every sleep: a request made while `fast` was still set comes without a notification.
            if !self.read_requests() {
                return;
            }
            let timeout = self.next_wakeup().map(|at| at.saturating_duration_since(sys::now()));
            // Signals are blocked: an error is a program that has closed our descriptors. There is nothing to wait for then
            // but requests, and deadlines.
            if self.shared.hub.wait(&mut found, timeout).is_err() {
                nap(SLOWEST_TICK);
            }
            if !self.read_requests() {
                return;
            }
            panics::fail_point(FailPoint::EventLoop);
            for key in found.drain(..) {
                self.serve(key, |socket| socket.on_ready());
            }
            let now = sys::now();
            self.serve_deadlines(now);
            if self.next_tick.is_some_and(|at| at <= now) {
                self.tick();
            }
        }
    }

    fn next_wakeup(&self) -> Option<Instant> {
        [self.deadlines.next(), self.next_tick].into_iter().flatten().min()
    }

    /// False: the worker shall end.
    fn read_requests(&mut self) -> bool {
        while let Ok(request) = self.inbox.try_recv() {
            match request {
                Request::Register(key, socket) => {
                    self.sockets.insert(key, Entry { socket, deadline: None, pace: None });
                }
                Request::Watch(key, next) => {
                    if next.pace == Some(TickRate::Fast) {
                        self.fast_tick = FIRST_TICK;
                    }
                    let known = self.sockets.get(&key).and_then(|care| care.deadline);
                    let deadline = [known, next.deadline].into_iter().flatten().min();
                    self.note(key, Next { deadline, ..next }, sys::now());
                }
                Request::Forget(key) => {
                    let deadline = self.sockets.remove(&key).and_then(|care| care.deadline);
                    if let Some(deadline) = deadline {
                        self.deadlines.stop(deadline, key);
                    }
                    self.ticking.retain(|&other| other != key);
                }
                Request::Stop => return false,
            }
        }
        true
    }

    fn serve(&mut self, key: u64, call: impl FnOnce(&dyn Driven) -> Next) {
        let Some(socket) = self.sockets.get(&key).and_then(|care| care.socket.upgrade()) else { return };
        // A panic in one socket must not take the thread from all the others.
        let next = panics::contain(|| call(&*socket)).unwrap_or_default();
        drop(socket);
        self.note(key, next, sys::now());
    }

    /// Remembers when to come back, and forgets what was known of that.
    fn note(&mut self, key: u64, next: Next, now: Instant) {
        let Some(care) = self.sockets.get_mut(&key) else { return };
        if care.deadline != next.deadline {
            if let Some(old) = std::mem::replace(&mut care.deadline, next.deadline) {
                self.deadlines.stop(old, key);
            }
            if let Some(new) = next.deadline {
                self.deadlines.start(new, key);
            }
        }
        let Some(pace) = next.pace else { return };
        if care.pace.is_none() {
            self.ticking.push(key);
        }
        care.pace = care.pace.max(Some(pace));
        if pace == TickRate::Fast {
            self.shared.fast.store(true, Ordering::SeqCst);
        } else {
            self.slow_tick = SLOW_TICK;
        }
        self.tick_within(pace, now);
    }

    fn tick_within(&mut self, pace: TickRate, now: Instant) {
        let at = now
            + match pace {
                TickRate::Fast => self.fast_tick,
                TickRate::Slow => self.slow_tick,
            };
        self.next_tick = Some(self.next_tick.map_or(at, |known| known.min(at)));
    }

    fn serve_deadlines(&mut self, now: Instant) {
        while let Some(key) = self.deadlines.pop_due(now) {
            if let Some(care) = self.sockets.get_mut(&key) {
                care.deadline = None;
            }
            self.serve(key, |socket| socket.on_deadline());
        }
    }

    fn tick(&mut self) {
        self.next_tick = None;
        self.fast_tick = (self.fast_tick * 2).min(FAST_TICK);
        // Cleared before the sockets are asked: whoever starts gathering afterwards notifies.
        self.shared.fast.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let slow_tick = (self.slow_tick * 2).min(SLOWEST_TICK);
        for key in std::mem::take(&mut self.ticking) {
            if let Some(care) = self.sockets.get_mut(&key) {
                care.pace = None;
            }
            self.serve(key, |socket| socket.on_tick());
        }
        // The sockets that stayed are old acquaintances: the pace goes on slowing down.
        self.slow_tick = if self.ticking.is_empty() { SLOW_TICK } else { slow_tick };
        if !self.shared.fast.load(Ordering::SeqCst) && !self.ticking.is_empty() {
            self.next_tick = None;
            self.tick_within(TickRate::Slow, sys::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Mutex;
    use std::sync::mpsc;

    struct Probe {
        calls: Mutex<mpsc::Sender<&'static str>>,
        answer: Mutex<Next>,
    }

    impl Probe {
        fn say(&self, what: &'static str) -> Next {
            // Taken first: whoever hears of this call may set the answer to the next one.
            let answer = std::mem::take(&mut *self.answer.lock());
            self.calls.lock().send(what).unwrap();
            answer
        }
    }

    impl Driven for Probe {
        fn on_ready(&self) -> Next {
            self.say("fired")
        }
        fn on_deadline(&self) -> Next {
            self.say("due")
        }
        fn on_tick(&self) -> Next {
            self.say("tick")
        }
    }

    #[test]
    fn a_deadline_that_its_socket_no_longer_has_wakes_nobody() {
        let (requests, inbox) = crossbeam_channel::unbounded();
        let shared = Arc::new(Shared {
            hub: Hub::new().unwrap(),
            requests,
            next_key: AtomicU64::new(0),
            fast: AtomicBool::new(false),
        });
        let mut event_loop = EventLoop::new(Arc::clone(&shared), inbox);
        let (calls, heard) = mpsc::channel();
        let probe: Arc<Probe> = Arc::new(Probe { calls: Mutex::new(calls), answer: Mutex::default() });
        let now = Instant::now();
        let [soon, later] = [1, 2].map(|seconds| now + Duration::from_secs(seconds));
        let weak: Weak<Probe> = Arc::downgrade(&probe);
        shared.request(Request::Register(0, weak));
        for deadline in [later, soon, later] {
            shared.request(Request::Watch(0, Next { pace: None, deadline: Some(deadline) }));
            assert!(event_loop.read_requests());
        }
        assert_eq!(event_loop.next_wakeup(), Some(soon), "who watches knows of no other");

        for deadline in [Some(later), None] {
            *probe.answer.lock() = Next { pace: None, deadline };
            event_loop.serve(0, |socket| socket.on_ready());
            assert_eq!(event_loop.next_wakeup(), deadline);
        }
        shared.request(Request::Watch(0, Next { pace: None, deadline: Some(soon) }));
        shared.request(Request::Forget(0));
        assert!(event_loop.read_requests());
        assert_eq!(event_loop.next_wakeup(), None);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), ["fired", "fired"]);
    }

    #[test]
    fn a_registered_socket_is_served_and_the_thread_ends_with_its_last_owner() {
        let worker = Worker::start().unwrap();
        let (calls, heard) = mpsc::channel();
        let probe: Arc<Probe> = Arc::new(Probe { calls: Mutex::new(calls), answer: Mutex::default() });
        let weak: Weak<Probe> = Arc::downgrade(&probe);
        let (registration, poller) = worker.register(weak, None).unwrap();
        let limit = Duration::from_secs(10);

        poller.notify();
        assert_eq!(heard.recv_timeout(limit), Ok("fired"));
        registration.watch(Next { pace: None, deadline: Some(Instant::now()) });
        assert_eq!(heard.recv_timeout(limit), Ok("due"));
        *probe.answer.lock() = Next { pace: Some(TickRate::Slow), deadline: None };
        registration.watch(Next { pace: Some(TickRate::Fast), deadline: None });
        assert_eq!(heard.recv_timeout(limit), Ok("tick"));
        assert_eq!(heard.recv_timeout(limit), Ok("tick"));

        registration.forget(&poller);
        drop(registration);
        let thread = Arc::clone(&worker.shared);
        drop(worker);
        assert_eq!(Arc::strong_count(&thread), 1, "the thread has gone");
    }
}
