//! Events of the system's that tell of something that is no socket, and how the worker's poller hears of them.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::Arc;

use polling::os::iocp::{CompletionPacket, PollerIocpExt};
use polling::{Event, Poller};
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, RegisterWaitForSingleObject, ResetEvent, SetEvent, UnregisterWaitEx,
    WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE, WaitForSingleObject,
};

use super::super::{Interest, Mutex};

/// Two events, each set for as long as there is something to read, or room to write.
#[derive(Debug)]
pub(crate) struct Signals {
    pub(super) readable: Signal,
    pub(super) writable: Signal,
    waits: Mutex<[Option<Wait>; 2]>,
}

impl Signals {
    /// Neither is set.
    pub(super) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { readable: Signal::new()?, writable: Signal::new()?, waits: Mutex::default() }))
    }

    /// Reports the next moment in which it is ready, once for each direction. One that has come already is the next.
    pub(super) fn watch(&self, poller: &Arc<Poller>, key: usize, interest: Interest) -> io::Result<()> {
        let mut waits = self.waits.lock();
        *waits = [None, None];
        let wanted = [
            (interest.read, &self.readable, Event::readable(key)),
            (interest.write, &self.writable, Event::writable(key)),
        ];
        for (wait, (is_wanted, signal, event)) in waits.iter_mut().zip(wanted) {
            if is_wanted && signal.is_set() {
                poller.post(CompletionPacket::new(event))?;
            } else if is_wanted {
                *wait = Some(Wait::new(signal, Arc::clone(poller), event)?);
            }
        }
        Ok(())
    }

    pub(super) fn forget(&self) {
        *self.waits.lock() = [None, None];
    }
}

/// An event that stays set until it is reset.
#[derive(Debug)]
pub(super) struct Signal(OwnedHandle);

impl Signal {
    fn new() -> io::Result<Self> {
        // SAFETY: it takes no memory of ours: no attributes, no name.
        let handle = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was just made, and nobody else has it.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(handle) }))
    }

    pub(super) fn raw(&self) -> HANDLE {
        self.0.as_raw_handle()
    }

    pub(super) fn set(&self) {
        // SAFETY: the event is open.
        unsafe { SetEvent(self.raw()) };
    }

    pub(super) fn reset(&self) {
        // SAFETY: the event is open.
        unsafe { ResetEvent(self.raw()) };
    }

    pub(super) fn wait(&self) {
        // SAFETY: the event is open.
        unsafe { WaitForSingleObject(self.raw(), INFINITE) };
    }

    pub(super) fn is_set(&self) -> bool {
        // SAFETY: the event is open; with no time it does not wait.
        unsafe { WaitForSingleObject(self.raw(), 0) == WAIT_OBJECT_0 }
    }
}

/// One thread of the system's pool waits for an event, and tells a poller.
#[derive(Debug)]
struct Wait {
    handle: HANDLE,
    context: *mut Context,
}

// SAFETY: a handle and a context that only the callback and the drop look at, and the drop waits for the callback.
unsafe impl Send for Wait {}

#[derive(Debug)]
struct Context {
    poller: Arc<Poller>,
    event: Event,
}

impl Wait {
    fn new(signal: &Signal, poller: Arc<Poller>, event: Event) -> io::Result<Self> {
        let context = Box::into_raw(Box::new(Context { poller, event }));
        let mut handle = ptr::null_mut();
        // SAFETY: `context` lives until the drop, which waits until the callback has ended or will not be called. The event
        // belongs to the `Signals` that this belongs to.
        let registered = unsafe {
            RegisterWaitForSingleObject(
                &raw mut handle,
                signal.raw(),
                Some(report),
                context.cast(),
                INFINITE,
                WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD,
            )
        };
        if registered == 0 {
            let error = io::Error::last_os_error();
            // SAFETY: nobody has got it.
            drop(unsafe { Box::from_raw(context) });
            return Err(error);
        }
        Ok(Self { handle, context })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        // SAFETY: the handle is registered. With this event the call waits for a callback that runs; that takes no lock of ours. Then
        // nobody has the context any more.
        unsafe {
            UnregisterWaitEx(self.handle, INVALID_HANDLE_VALUE);
            drop(Box::from_raw(self.context));
        }
    }
}

unsafe extern "system" fn report(context: *mut c_void, _timed_out: bool) {
    // SAFETY: the `Wait` that has registered this keeps it for as long as this runs.
    let context = unsafe { &*context.cast::<Context>() };
    let _ = context.poller.post(CompletionPacket::new(context.event));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BOTH: Interest = Interest { read: true, write: true };

    fn reported(poller: &Poller, timeout: Option<Duration>) -> Vec<(usize, bool, bool)> {
        let mut events = polling::Events::new();
        poller.wait(&mut events, timeout).unwrap();
        events.iter().map(|event| (event.key, event.readable, event.writable)).collect()
    }

    #[test]
    fn what_is_set_is_reported_once_for_each_watch() {
        let (poller, signals) = (Arc::new(Poller::new().unwrap()), Signals::new().unwrap());
        signals.watch(&poller, 7, BOTH).unwrap();
        assert!(reported(&poller, Some(Duration::ZERO)).is_empty());
        signals.readable.set();
        assert_eq!(reported(&poller, None), [(7, true, false)]);
        assert!(reported(&poller, Some(Duration::ZERO)).is_empty());
        signals.watch(&poller, 8, BOTH).unwrap();
        assert_eq!(reported(&poller, None), [(8, true, false)]);
        signals.writable.set();
        assert_eq!(reported(&poller, None), [(8, false, true)]);
    }

    #[test]
    fn what_is_forgotten_is_not_reported() {
        let (poller, signals) = (Arc::new(Poller::new().unwrap()), Signals::new().unwrap());
        signals.watch(&poller, 7, BOTH).unwrap();
        signals.forget();
        signals.readable.set();
        signals.writable.set();
        assert!(reported(&poller, Some(Duration::from_millis(20))).is_empty());
    }
}
