//! Handles: small integers to sockets.
#![forbid(unsafe_code)]

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwapOption, Guard};

use super::Socket;
use super::library::{Library, MAX_SOCKETS};
use crate::error::{Error, Result};
use crate::panics::{self, FailPoint};
use crate::sys;

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

/// Whether no socket has this handle.
fn is_vacant(handle: usize) -> bool {
    make_slot(handle).load().is_none()
}

/// A socket found by its handle.
pub(crate) struct Found(Guard<Option<Arc<Socket>>>);

impl Deref for Found {
    type Target = Arc<Socket>;

    fn deref(&self) -> &Arc<Socket> {
        self.0.as_ref().expect("only made for an occupied slot")
    }
}

/// A handle that is given back unless a socket gets it.
struct Reserved<'a> {
    library: &'a Library,
    handle: usize,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.library.release(self.handle);
    }
}

/// Opens a socket of this type and returns its handle.
pub(crate) fn open(domain: i32, protocol: i32) -> Result<i32> {
    let library = Library::current();
    if library.refuses_sockets() {
        return Err(Error::Terminated);
    }
    let raw = match domain {
        1 => false,
        2 => true,
        _ => return Err(Error::UnknownDomain),
    };
    let reserved = Reserved { library: &library, handle: library.allocate(is_vacant)? };
    let handle = reserved.handle;
    panics::fail_point(FailPoint::Open);
    let protocol = u16::try_from(protocol).map_err(|_| Error::Invalid)?;
    let socket = Socket::new(Arc::clone(&library), library.generation, protocol, raw, handle.to_string())?;
    sys::at_exit(at_exit);
    make_slot(handle).store(Some(socket));
    std::mem::forget(reserved);
    if library.refuses_sockets() {
        // nn_term has come between, and may have passed this slot already.
        let _ = close(handle as i32);
        return Err(Error::Terminated);
    }
    Ok(handle as i32)
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

/// Closes a socket. Its handle can be used again once this has returned, also where it failed with `Broken`.
pub(crate) fn close(handle: i32) -> Result<()> {
    close_as(handle, |socket| socket.close(sys::now()))
}

/// Closes every socket; none can be opened until [`init`]. NN_LINGER counts from the same moment for each of them; then their
/// monitors are closed, likewise.
pub(crate) fn term() {
    let library = Library::current();
    let Some(used) = library.begin_term() else { return };
    let since = sys::now();
    let mut monitors = Vec::new();
    for handle in 0..used {
        // Closed already, or never opened: fine.
        let _ = close_as(handle as i32, |socket| socket.close_unheard(since).map(|monitor| monitors.extend(monitor)));
    }
    let since = sys::now();
    for monitor in monitors {
        let _ = panics::contain(|| monitor.close(since));
    }
    library.end_term();
}

/// Undoes [`term`], after waiting for one that is running.
pub(crate) fn init() {
    Library::current().init();
}

fn close_as(handle: i32, mut close: impl FnMut(&Socket) -> Result<()>) -> Result<()> {
    let socket = Arc::clone(&*find(handle)?);
    // A panic on the way has broken the socket off; such a one is closed without anything that could go wrong again.
    let closed = panics::contain(|| close(&socket)).unwrap_or_else(|| {
        close(&socket)?;
        Err(Error::Poisoned)
    });
    if let Err(Error::BadSocket) = closed {
        return closed;
    }
    let handle = handle as usize;
    make_slot(handle).store(None);
    drop(socket);
    Library::current().release(handle);
    closed
}

/// The process ends: what was accepted is written.
extern "C" fn at_exit() {
    let _whole = sys::CancelGuard::new();
    let since = sys::now();
    for slot in BLOCKS.iter().map_while(OnceLock::get).flatten() {
        panics::contain(|| {
            let socket = slot.load_full();
            if let Some(socket) = socket.filter(|socket| socket.generation() == sys::generation()) {
                socket.finish(since);
            }
        });
    }
}
