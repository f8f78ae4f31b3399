//! Handles: small integers to sockets, and the library's life from the first socket to nn_term.
#![forbid(unsafe_code)]

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use arc_swap::{ArcSwapOption, Guard};
use parking_lot::{Condvar, Mutex};

use super::Socket;
use crate::error::{Error, Result};
use crate::pattern;
use crate::reactor::worker::Worker;
use crate::sys;
use crate::transport::inproc::Registry;
use crate::transport::resolver::Resolver;

/// Handles are 0 to 65,534.
const MAX_SOCKETS: usize = 65_535;
const BLOCK: usize = 512;

type Slot = ArcSwapOption<Socket>;

/// Blocks of slots, made as they are needed and kept for ever: a look-up takes no lock.
static BLOCKS: [OnceLock<Box<[Slot]>>; MAX_SOCKETS.div_ceil(BLOCK)] =
    [const { OnceLock::new() }; MAX_SOCKETS.div_ceil(BLOCK)];

fn slot(handle: usize) -> Option<&'static Slot> {
    BLOCKS.get(handle / BLOCK)?.get()?.get(handle % BLOCK)
}

fn make_slot(handle: usize) -> &'static Slot {
    let block = BLOCKS[handle / BLOCK].get_or_init(|| (0..BLOCK).map(|_| Slot::empty()).collect());
    &block[handle % BLOCK]
}

/// What the sockets of one process share. A forked child gets one of its own.
pub(crate) struct Library {
    generation: u32,
    handles: Mutex<Handles>,
    changed: Condvar,
    worker: Mutex<Weak<Worker>>,
    pub(super) names: Registry,
    pub(super) resolver: Arc<Resolver>,
    print_errors: AtomicBool,
    may_spin: bool,
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

static LIBRARY: ArcSwapOption<Library> = ArcSwapOption::const_empty();

impl Library {
    /// The one of this process, made if need be.
    fn current() -> Arc<Self> {
        sys::on_fork();
        let generation = sys::generation();
        loop {
            let known = LIBRARY.load_full();
            if let Some(library) = &known
                && library.generation == generation
            {
                return Arc::clone(library);
            }
            let made = Arc::new(Self::new(generation));
            let before = LIBRARY.compare_and_swap(&known, Some(made));
            // A parent's library is left alone: its locks may be held by threads that do not exist here.
            std::mem::forget(known);
            std::mem::forget(Guard::into_inner(before));
        }
    }

    fn new(generation: u32) -> Self {
        Self {
            generation,
            handles: Mutex::default(),
            changed: Condvar::new(),
            worker: Mutex::default(),
            names: Registry::new(pattern::compatible),
            resolver: Arc::default(),
            print_errors: AtomicBool::new(false),
            may_spin: std::thread::available_parallelism().is_ok_and(|count| count.get() > 1),
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

    pub(super) fn prints_errors(&self) -> bool {
        self.print_errors.load(Ordering::Relaxed)
    }

    pub(super) fn may_spin(&self) -> bool {
        self.may_spin
    }

    fn allocate(&self) -> Result<usize> {
        let mut handles = self.handles.lock();
        if matches!(handles.phase, Phase::Terminating | Phase::Terminated) {
            return Err(Error::Terminated);
        }
        if handles.open == 0 {
            // With no socket open the library starts afresh, its environment included.
            *handles = Handles { phase: Phase::Running, ..Handles::default() };
            let print = std::env::var_os("NN_PRINT_ERRORS").is_some_and(|value| !value.is_empty());
            self.print_errors.store(print, Ordering::Relaxed);
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
            // A parent's number stays what it is: bad.
            if make_slot(handle).load().is_none() {
                break handle;
            }
        };
        handles.open += 1;
        Ok(handle)
    }

    fn release(&self, handle: usize) {
        let mut handles = self.handles.lock();
        handles.free.push(handle);
        handles.open -= 1;
    }
}

/// A socket found by its handle.
pub(crate) struct Found(Guard<Option<Arc<Socket>>>);

impl Deref for Found {
    type Target = Arc<Socket>;

    fn deref(&self) -> &Arc<Socket> {
        self.0.as_ref().expect("only made for an occupied slot")
    }
}

/// Opens a socket of this type and returns its handle.
pub(crate) fn open(domain: i32, protocol: i32) -> Result<i32> {
    let library = Library::current();
    if matches!(library.handles.lock().phase, Phase::Terminating | Phase::Terminated) {
        return Err(Error::Terminated);
    }
    let raw = match domain {
        1 => false,
        2 => true,
        _ => return Err(Error::UnknownDomain),
    };
    let handle = library.allocate()?;
    let protocol = u16::try_from(protocol).map_err(|_| Error::Invalid);
    let generation = library.generation;
    let opened =
        protocol.and_then(|protocol| Socket::new(Arc::clone(&library), generation, protocol, raw, handle.to_string()));
    match opened {
        Ok(socket) => {
            sys::at_exit(at_exit);
            make_slot(handle).store(Some(socket));
            if library.handles.lock().phase != Phase::Running {
                // nn_term has come between, and may have passed this slot already.
                let _ = close(handle as i32);
                return Err(Error::Terminated);
            }
            Ok(handle as i32)
        }
        Err(error) => {
            library.release(handle);
            Err(error)
        }
    }
}

/// The socket behind a handle.
#[inline]
pub(crate) fn find(handle: i32) -> Result<Found> {
    let slot = usize::try_from(handle).ok().and_then(slot).ok_or(Error::BadSocket)?;
    let found = slot.load();
    match &*found {
        Some(socket) if socket.generation() == sys::generation() => Ok(Found(found)),
        _ => Err(Error::BadSocket),
    }
}

/// Closes a socket. Its handle can be used again once this has returned.
pub(crate) fn close(handle: i32) -> Result<()> {
    close_since(handle, Instant::now())
}

fn close_since(handle: i32, since: Instant) -> Result<()> {
    let socket = Arc::clone(&*find(handle)?);
    socket.close(since)?;
    let handle = handle as usize;
    make_slot(handle).store(None);
    drop(socket);
    Library::current().release(handle);
    Ok(())
}

/// Closes every socket; none can be opened until [`init`].
pub(crate) fn term() {
    let library = Library::current();
    {
        let mut handles = library.handles.lock();
        if handles.phase != Phase::Running {
            return;
        }
        handles.phase = Phase::Terminating;
    }
    let since = Instant::now();
    let used = library.handles.lock().next;
    for handle in 0..used {
        // Closed already, or never opened: fine.
        let _ = close_since(handle as i32, since);
    }
    library.handles.lock().phase = Phase::Terminated;
    library.changed.notify_all();
}

/// Undoes [`term`], after waiting for one that is running.
pub(crate) fn init() {
    let library = Library::current();
    let mut handles = library.handles.lock();
    while handles.phase == Phase::Terminating {
        library.changed.wait(&mut handles);
    }
    if handles.phase == Phase::Terminated {
        handles.phase = Phase::Running;
    }
}

/// The process ends: what was accepted is written.
extern "C" fn at_exit() {
    let since = Instant::now();
    let _ = std::panic::catch_unwind(|| {
        for block in BLOCKS.iter().map_while(OnceLock::get) {
            for slot in block.iter() {
                let socket = slot.load_full();
                if let Some(socket) = socket.filter(|socket| socket.generation() == sys::generation()) {
                    socket.finish(since);
                }
            }
        }
    });
}
