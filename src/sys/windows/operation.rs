//! Overlapped operations of handles that are no sockets, and the thread that hears of their ends.
//!
//! All of them end at one completion port. An operation with an event of its own would be cancelled by the system when the thread
//! ends that had begun it, and any thread of the program's may.

use std::cell::UnsafeCell;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::{Arc, OnceLock};

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, ERROR_PIPE_CONNECTED, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::IO::{CancelIoEx, CreateIoCompletionPort, GetQueuedCompletionStatus, OVERLAPPED};
use windows_sys::Win32::System::Threading::INFINITE;

use super::super::{Mutex, spawn};

/// Bytes of the thread's stack: it calls into a poller, and no deeper.
const STACK: usize = 256 * 1024;

/// One operation after the other: a read, a write, or waiting for a peer. The system has its address while one is under way, and
/// then it does not go away ([`Operation::begin`]).
#[repr(C)]
pub(super) struct Operation {
    /// The first member: its address is the operation's.
    overlapped: UnsafeCell<OVERLAPPED>,
    /// The system's while one is under way, and the owner's otherwise.
    buffer: UnsafeCell<Box<[u8]>>,
    stage: Mutex<Stage>,
    /// Told of each end, by the port's thread or the one that has begun it.
    ended: Box<dyn Fn() + Send + Sync>,
}

// SAFETY: `overlapped` and `buffer` are looked at by one side at a time, as told above; `stage` says whose turn it is.
unsafe impl Send for Operation {}
// SAFETY: the same.
unsafe impl Sync for Operation {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    UnderWay,
    /// How many bytes it has moved, or the error's number.
    Ended(Result<usize, i32>),
}

impl Operation {
    pub(super) fn new(room: usize, ended: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            // SAFETY: all zeros is a valid OVERLAPPED.
            overlapped: UnsafeCell::new(unsafe { std::mem::zeroed() }),
            buffer: UnsafeCell::new(vec![0; room].into()),
            stage: Mutex::new(Stage::Idle),
            ended: Box::new(ended),
        })
    }

    pub(super) fn stage(&self) -> Stage {
        *self.stage.lock()
    }

    /// Its end is taken note of.
    pub(super) fn settle(&self) {
        *self.stage.lock() = Stage::Idle;
    }

    /// Lends the buffer. `None`: the system has it. Only one thread at a time may ask, as owners that hold a lock do.
    pub(super) fn with_buffer<T>(&self, look: impl FnOnce(&mut [u8]) -> T) -> Option<T> {
        let stage = self.stage.lock();
        if *stage == Stage::UnderWay {
            return None;
        }
        // SAFETY: the system does not have it, and gets it under this lock only.
        Some(look(unsafe { &mut *self.buffer.get() }))
    }

    /// Begins one by `call`, which gets what the system writes its result to, and the buffer. `ended` is told when it has ended,
    /// if that is not at once.
    pub(super) fn begin(self: &Arc<Self>, call: impl FnOnce(*mut OVERLAPPED, *mut u8, usize) -> i32) -> Stage {
        let mut stage = self.stage.lock();
        debug_assert_ne!(*stage, Stage::UnderWay);
        // SAFETY: none is under way, so that both are ours.
        let (state, buffer) = unsafe {
            *self.overlapped.get() = std::mem::zeroed();
            (self.overlapped.get(), &mut *self.buffer.get())
        };
        *stage = Stage::UnderWay;
        // The port's thread gives this one back.
        let kept = Arc::into_raw(Arc::clone(self));
        if call(state, buffer.as_mut_ptr(), buffer.len()) == 0 {
            let error = io::Error::last_os_error().raw_os_error().unwrap_or_default();
            if error != ERROR_IO_PENDING as i32 {
                // The system has not begun it, and nobody will be told of it.
                // SAFETY: it was just made of an Arc.
                drop(unsafe { Arc::from_raw(kept) });
                // The waiting instance has a peer already.
                *stage = Stage::Ended(if error == ERROR_PIPE_CONNECTED as i32 { Ok(0) } else { Err(error) });
            }
        }
        *stage
    }

    /// It ends soon.
    pub(super) fn cancel(&self, handle: HANDLE) {
        // SAFETY: the operation is one of this handle's, or none is under way.
        unsafe { CancelIoEx(handle, self.overlapped.get()) };
    }
}

/// The ends of this handle's operations are heard of from now on.
pub(super) fn hear_of(handle: &OwnedHandle) -> io::Result<()> {
    static PORT: OnceLock<io::Result<OwnedHandle>> = OnceLock::new();
    let port = match PORT.get_or_init(start) {
        Ok(port) => port.as_raw_handle(),
        Err(error) => {
            return Err(error.raw_os_error().map_or(io::ErrorKind::OutOfMemory.into(), io::Error::from_raw_os_error));
        }
    };
    // SAFETY: both handles are open.
    let joined = unsafe { CreateIoCompletionPort(handle.as_raw_handle(), port, 0, 0) };
    if joined.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn start() -> io::Result<OwnedHandle> {
    // SAFETY: a new port, which takes no memory of ours.
    let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1) };
    if port.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just made, and nobody else has it.
    let port = unsafe { OwnedHandle::from_raw_handle(port) };
    let mine = port.try_clone()?;
    // It lives as long as the process.
    spawn("nn-pipes", STACK, move || hear(&mine))?;
    Ok(port)
}

fn hear(port: &OwnedHandle) {
    loop {
        let (mut count, mut key, mut state) = (0, 0, ptr::null_mut::<OVERLAPPED>());
        // SAFETY: the port is open; the variables outlive the call.
        let done = unsafe {
            GetQueuedCompletionStatus(port.as_raw_handle(), &raw mut count, &raw mut key, &raw mut state, INFINITE)
        };
        if state.is_null() {
            // The port is of no use any more.
            return;
        }
        // SAFETY: what is reported is the OVERLAPPED of an operation that `begin` has given an Arc away for, its first member.
        let operation = unsafe { Arc::from_raw(state.cast::<Operation>().cast_const()) };
        let result = if done != 0 {
            Ok(count as usize)
        } else {
            Err(io::Error::last_os_error().raw_os_error().unwrap_or_default())
        };
        *operation.stage.lock() = Stage::Ended(result);
        (operation.ended)();
    }
}
