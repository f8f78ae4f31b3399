//! Small questions to the system that std does not ask.

use std::ffi::CString;

/// The number of the network interface with this name.
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name ends with a NUL, and is only read.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index > 0).then_some(index)
}

/// Writes lines to stderr, all at once, so that those of two threads stay apart. One that is full or closed is no reason to
/// fail. std's stderr has a lock, which a thread of the parent may have held when the process forked.
pub(crate) fn tell(lines: &[u8]) {
    // SAFETY: pointer and length describe `lines`.
    unsafe { libc::syscall(libc::SYS_write, libc::STDERR_FILENO, lines.as_ptr(), lines.len()) };
}
