//! Tells a thread that waits for descriptors that the program has closed them.
//!
//! The kernel goes on waiting for a descriptor that another thread closes, and nobody can reach that wait any more: what
//! would end it was closed as well. The reading end of a pipe hears of it, though, when its last writer is closed, and
//! nobody waits for that one.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use super::super::process::CancelGuard;

/// A pipe that nobody writes to.
#[derive(Debug)]
pub(crate) struct Tripwire {
    reader: Option<OwnedFd>,
    writer: Option<OwnedFd>,
    inode: u64,
}

/// The pipe's writer, for the child of a fork: a copy there would keep it open. There is one in a process, but for a
/// process that has closed it.
static WRITER: AtomicI32 = AtomicI32::new(-1);
static INODE: AtomicU64 = AtomicU64::new(0);

impl Tripwire {
    pub(crate) fn new() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two ints, for which there is room.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: both were just made and belong to nobody else.
        let [reader, writer] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        let inode = inode_of(reader.as_raw_fd()).ok_or_else(io::Error::last_os_error)?;
        INODE.store(inode, Ordering::Relaxed);
        WRITER.store(writer.as_raw_fd(), Ordering::Relaxed);
        Ok(Self { reader: Some(reader), writer: Some(writer), inode })
    }

    /// Readable, which is to say hung up, once the program has closed it.
    pub(crate) fn source(&self) -> BorrowedFd<'_> {
        self.reader.as_ref().expect("taken only by drop").as_fd()
    }

    /// Whether both numbers are still this pipe's.
    pub(crate) fn is_whole(&self) -> bool {
        [&self.reader, &self.writer].into_iter().flatten().all(|end| inode_of(end.as_raw_fd()) == Some(self.inode))
    }
}

impl Drop for Tripwire {
    fn drop(&mut self) {
        let _whole = CancelGuard::new();
        for end in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            if inode_of(end.as_raw_fd()) != Some(self.inode) {
                // The program has closed it, and the number may be another file's.
                std::mem::forget(end);
            }
        }
    }
}

fn inode_of(fd: RawFd) -> Option<u64> {
    // SAFETY: all zeros is a valid stat, which fstat writes to; a number that is no descriptor's is an error.
    unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &raw mut status) == 0).then_some(status.st_ino as u64)
    }
}

/// In the child of a fork: lets go of the parent's pipe.
pub(in crate::sys) fn forked() {
    let writer = WRITER.swap(-1, Ordering::Relaxed);
    if writer >= 0 && inode_of(writer) == Some(INODE.load(Ordering::Relaxed)) {
        // SAFETY: it is the pipe's writer, of which nothing in the child makes use: what a parent's sockets have is
        // never touched there.
        unsafe { libc::syscall(libc::SYS_close, writer) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::polled::{Polled, poll_readable};
    use super::*;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    #[test]
    fn a_wait_ends_when_the_program_has_closed_the_writer() {
        let tripwire = Arc::new(Tripwire::new().unwrap());
        let (quiet, _peer) = UnixStream::pair().unwrap();
        assert!(tripwire.is_whole());
        let waiting = Arc::clone(&tripwire);
        let thread = std::thread::spawn(move || {
            let mut list = [Polled::new(quiet.as_fd()), Polled::new(waiting.source())];
            poll_readable(&mut list, None, true).map_err(|error| error.raw_os_error())
        });
        let writer = tripwire.writer.as_ref().map(AsRawFd::as_raw_fd).unwrap();
        // SAFETY: as a program does that closes what it does not know; the tripwire sees that the number is not its own.
        unsafe { libc::close(writer) };
        assert_eq!(thread.join().unwrap(), Err(Some(libc::EBADF)));
        assert!(!tripwire.is_whole());
    }
}
