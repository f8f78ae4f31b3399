//! The library's life: from the first socket to nn_term, and over a fork; and what all sockets of a process share.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::sys::{Condvar, Mutex};
use arc_swap::{ArcSwapOption, Guard};

use crate::error::{Error, Result};
use crate::message;
use crate::pattern;
use crate::reactor::worker::Worker;
use crate::sys::{self, Tripwire};
use crate::transport::inproc::Registry;
use crate::transport::resolver::Resolver;

/// Handles are 0 to 65,534.
pub(super) const MAX_SOCKETS: usize = 65_535;

/// What the sockets of one process share. A forked child gets one of its own.
pub(crate) struct Library {
    pub(super) generation: u32,
    handles: Mutex<Handles>,
    changed: Condvar,
    worker: Mutex<Weak<Worker>>,
    tripwire: Mutex<Weak<Tripwire>>,
    pub(super) names: Arc<Registry>,
    pub(super) resolver: Arc<Resolver>,
    #[cfg(all(unix, not(simulated)))]
    pub(super) adopted: Arc<sys::Adopted>,
    print_errors: AtomicBool,
    forward_subscriptions: AtomicBool,
    share_memory: AtomicBool,
    subscriptions: AtomicU64,
    many_cpus: bool,
}

#[derive(Default)]
struct Handles {
    phase: Phase,
    /// Closed ones, the last on top.
    free: Vec<usize>,
    /// Never used so far.
    next: usize,
    open: usize,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Fresh,
    Running,
    Terminating,
    Terminated,
}

impl Phase {
    /// No socket can be opened.
    fn refuses(self) -> bool {
        matches!(self, Self::Terminating | Self::Terminated)
    }
}

static LIBRARY: ArcSwapOption<Library> = ArcSwapOption::const_empty();

impl Library {
    /// The one of this process, made if need be.
    pub(super) fn current() -> Arc<Self> {
        sys::on_fork();
        let generation = sys::generation();
        loop {
            let known = LIBRARY.load_full();
            if let Some(library) = &known
                && library.generation == generation
            {
                return Arc::clone(library);
            }
            let made = Arc::new(Self::new(generation, Arc::default()));
            let before = LIBRARY.compare_and_swap(&known, Some(made));
            // A parent's library is left alone: its locks may be held by threads that do not exist here.
            std::mem::forget(known);
            std::mem::forget(Guard::into_inner(before));
        }
    }

    pub(super) fn new(generation: u32, resolver: Arc<Resolver>) -> Self {
        Self {
            generation,
            handles: Mutex::default(),
            changed: Condvar::new(),
            worker: Mutex::default(),
            tripwire: Mutex::default(),
            names: Arc::new(Registry::new(pattern::compatible)),
            resolver,
            #[cfg(all(unix, not(simulated)))]
            adopted: Arc::default(),
            print_errors: AtomicBool::new(false),
            forward_subscriptions: AtomicBool::new(true),
            share_memory: AtomicBool::new(true),
            subscriptions: AtomicU64::new(0),
            many_cpus: sys::has_many_cpus(),
        }
    }

    /// The background thread, started if none runs.
    pub(super) fn worker(&self) -> Result<Arc<Worker>> {
        let mut worker = self.worker.lock();
        if let Some(running) = worker.upgrade() {
            return Ok(running);
        }
        let started = Worker::start()?;
        *worker = Arc::downgrade(&started);
        Ok(started)
    }

    /// What tells waiting threads that the program has closed our descriptors. `None`: there is none left for it.
    pub(super) fn tripwire(&self) -> Option<Arc<Tripwire>> {
        let mut known = self.tripwire.lock();
        if let Some(tripwire) = known.upgrade().filter(|tripwire| tripwire.is_whole()) {
            return Some(tripwire);
        }
        let made = Arc::new(Tripwire::new().ok()?);
        *known = Arc::downgrade(&made);
        Some(made)
    }

    pub(super) fn prints_errors(&self) -> bool {
        self.print_errors.load(Ordering::Relaxed)
    }

    /// Whether subscriptions travel where no option says otherwise.
    pub(super) fn forwards_subscriptions(&self) -> bool {
        self.forward_subscriptions.load(Ordering::Relaxed)
    }

    /// Whether large messages go by reference where no option says otherwise.
    pub(super) fn shares_memory(&self) -> bool {
        self.share_memory.load(Ordering::Relaxed)
    }

    /// A socket of this process has told its peers what it subscribes to.
    pub(super) fn has_subscribed(&self) {
        self.subscriptions.fetch_add(1, Ordering::Release);
    }

    /// How often that has happened.
    pub(super) fn subscribed(&self) -> u64 {
        self.subscriptions.load(Ordering::Acquire)
    }

    /// Whether two threads of ours can run at the same time.
    pub(super) fn has_many_cpus(&self) -> bool {
        self.many_cpus
    }

    /// nn_term has been called.
    pub(super) fn refuses_sockets(&self) -> bool {
        self.handles.lock().phase.refuses()
    }

    /// A handle that no socket has. A parent's sockets keep theirs in a child, where they are bad: those are not vacant.
    pub(super) fn allocate(&self, is_vacant: impl Fn(usize) -> bool) -> Result<usize> {
        let mut handles = self.handles.lock();
        if handles.phase.refuses() {
            return Err(Error::Terminated);
        }
        if handles.open == 0 {
            // With no socket open the library starts afresh, its environment included.
            *handles = Handles { phase: Phase::Running, ..Handles::default() };
            let print = std::env::var_os("NN_PRINT_ERRORS").is_some_and(|value| !value.is_empty());
            self.print_errors.store(print, Ordering::Relaxed);
            let forward = std::env::var_os("NN_SUBSCRIPTIONS_FORWARD").is_none_or(|value| value != "0");
            self.forward_subscriptions.store(forward, Ordering::Relaxed);
            let share = std::env::var_os("NN_SHARED_MEMORY").is_none_or(|value| value != "0");
            self.share_memory.store(share, Ordering::Relaxed);
        }
        let handle = loop {
            if let Some(handle) = handles.free.pop() {
                break handle;
            }
            if handles.next >= MAX_SOCKETS {
                return Err(Error::TooMany);
            }
            let handle = handles.next;
            handles.next += 1;
            if is_vacant(handle) {
                break handle;
            }
        };
        handles.open += 1;
        Ok(handle)
    }

    pub(super) fn release(&self, handle: usize) {
        let mut handles = self.handles.lock();
        handles.free.push(handle);
        handles.open -= 1;
        if handles.open == 0 {
            message::spare::clear();
            message::shared::pool::clear();
        }
    }

    /// No socket can be opened from now on. Returns how many handles there may be to close; `None`: there is nothing to end.
    pub(super) fn begin_term(&self) -> Option<usize> {
        let mut handles = self.handles.lock();
        if handles.phase != Phase::Running {
            return None;
        }
        handles.phase = Phase::Terminating;
        Some(handles.next)
    }

    pub(super) fn end_term(&self) {
        self.handles.lock().phase = Phase::Terminated;
        self.changed.notify_all();
    }

    /// Undoes nn_term, after waiting for one that is running.
    pub(super) fn init(&self) {
        let mut handles = self.handles.lock();
        while handles.phase == Phase::Terminating {
            handles = self.changed.wait(handles);
        }
        if handles.phase == Phase::Terminated {
            handles.phase = Phase::Running;
        }
    }
}
