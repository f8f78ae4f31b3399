//! What concerns the whole process: fork, exit, signal masks, the cancellation of threads.

use std::io;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

static GENERATION: AtomicU32 = AtomicU32::new(0);

extern "C" fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    super::super::forked();
}

/// Counts the forks between the first process and this one: what an older generation made belongs to a parent.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Makes [`generation`] count from now on.
pub(crate) fn on_fork() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `forked` works on atomics, looks at a descriptor and closes it, all of which is allowed in the child of a
        // threaded process.
        unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    });
}

/// Runs `action` when the process exits by `exit` or by returning from `main`.
pub(crate) fn at_exit(action: extern "C" fn()) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the function is static, and the library is never unloaded (linked with -z nodelete).
        unsafe { libc::atexit(action) };
    });
}

unsafe extern "C" {
    // Not in the libc crate.
    safe fn pthread_setcancelstate(state: libc::c_int, old: Option<&mut libc::c_int>) -> libc::c_int;
}

/// While this lives, the thread is not cancelled: accepting, dialling and closing are cancellation points in libc, and a
/// thread that ended there would not unwind, but take the process along. What is done all the time makes its system calls
/// without libc and needs none.
pub(crate) struct CancelGuard(libc::c_int);

impl CancelGuard {
    pub(crate) fn new() -> Self {
        /// PTHREAD_CANCEL_DISABLE. The libc crate does not have it.
        const DISABLE: libc::c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };
        let mut before = 0;
        pthread_setcancelstate(DISABLE, Some(&mut before));
        Self(before)
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        pthread_setcancelstate(self.0, None);
    }
}

/// Something whose end is a cancellation point, as that of a descriptor is: close(2). Whoever drops it last is not cancelled
/// meanwhile, and that may be any call.
#[derive(Debug)]
pub(crate) struct DropUncancelled<T>(ManuallyDrop<T>);

impl<T> From<T> for DropUncancelled<T> {
    fn from(inner: T) -> Self {
        Self(ManuallyDrop::new(inner))
    }
}

impl<T> Deref for DropUncancelled<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: AsFd> AsFd for DropUncancelled<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<T> Drop for DropUncancelled<T> {
    fn drop(&mut self) {
        let _whole = CancelGuard::new();
        // SAFETY: nothing looks at it after this.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }
}

/// Sleeps, which in libc is a cancellation point.
pub(crate) fn nap(time: Duration) {
    let _whole = CancelGuard::new();
    thread::sleep(time);
}

/// Starts a thread of the library's own. It handles no signals: those are the program's.
pub(crate) fn spawn(
    name: &str,
    stack: usize,
    run: impl FnOnce() + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    let run = || {
        wait_exactly();
        run();
    };
    without_signals(|| thread::Builder::new().name(name.to_owned()).stack_size(stack).spawn(run))
}

/// How much later than asked the kernel may end this thread's waits, in nanoseconds (PR_SET_TIMERSLACK(2const)): it has 50
/// microseconds, which is more than some of the waits are long.
#[cfg(target_os = "linux")]
const SLACK: libc::c_ulong = 1000;

#[cfg(target_os = "linux")]
fn wait_exactly() {
    // SAFETY: it takes a number and concerns the calling thread. Where it fails, waits are as they were.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, SLACK) };
}

#[cfg(not(target_os = "linux"))]
fn wait_exactly() {}

/// Ends the process here and now.
#[cfg(simulated)]
pub(in crate::sys) fn end_at_once(code: i32) -> ! {
    // SAFETY: it does not return, and asks nothing of what is left behind.
    unsafe { libc::_exit(code) }
}

/// Runs `start` with every signal blocked, so that a thread started in it inherits that mask.
fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut old = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises `all`; pthread_sigmask reads it and initialises `old`.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr());
    }
    let result = start();
    // SAFETY: `old` was initialised above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), std::ptr::null_mut()) };
    result
}
