//! What a sleeping thread asks of the kernel: futex(2), and the processor it runs on.

use std::time::Duration;

use crate::sys::atomic::AtomicU32;

/// Sleeps while the word is `expected`, for at most `limit`, or until it is woken, perhaps for no reason. Says whether a
/// signal handler has run: a wait with a time limit is the one that it ends even under SA_RESTART (signal(7)), so there
/// always is one.
pub(super) fn wait(word: &AtomicU32, expected: u32, limit: Duration) -> bool {
    let limit = libc::timespec { tv_sec: limit.as_secs() as _, tv_nsec: limit.subsec_nanos() as _ };
    // SAFETY: the word is borrowed, the timespec lives on this stack; FUTEX_WAIT uses no other pointer.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            &raw const limit,
        )
    };
    result < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

/// Wakes one thread that sleeps on the word.
pub(super) fn wake(word: &AtomicU32) {
    // SAFETY: the word is borrowed; FUTEX_WAKE uses no other pointer.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1) };
}

/// The processor this thread runs on.
pub(super) fn cpu() -> u32 {
    // SAFETY: no arguments; an error is -1, which is no processor's number.
    u32::try_from(unsafe { libc::sched_getcpu() }).unwrap_or(u32::MAX - 1)
}
