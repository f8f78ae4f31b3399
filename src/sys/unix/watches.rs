//! What the crate polling is asked about descriptors.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use polling::{Event, Events, PollMode, Poller};
use socket2::SockRef;

use super::super::{CancelGuard, Interest};

/// A descriptor, by its number.
pub(in crate::sys) type Watched = RawFd;

pub(in crate::sys) fn watched(source: impl AsFd) -> Watched {
    source.as_fd().as_raw_fd()
}

/// The system's poller. Every source is watched for one event at a time.
pub(in crate::sys) struct Watches(Poller);

impl Watches {
    pub(in crate::sys) fn new() -> io::Result<Self> {
        Ok(Self(Poller::new()?))
    }

    pub(in crate::sys) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        self.0.wait(events, timeout).map(drop)
    }

    pub(in crate::sys) fn notify(&self) -> io::Result<()> {
        let _whole = CancelGuard::new();
        self.0.notify()
    }

    pub(in crate::sys) fn add(&self, raw: &Watched, key: usize, interest: Interest) -> io::Result<()> {
        let _whole = CancelGuard::new();
        let (event, mode) = self.watch_for(key, interest);
        // SAFETY: as of `borrowed`.
        unsafe { self.0.add_with_mode(*raw, event, mode) }
    }

    pub(in crate::sys) fn modify(&self, raw: &Watched, key: usize, interest: Interest) -> io::Result<()> {
        let _whole = CancelGuard::new();
        let (event, mode) = self.watch_for(key, interest);
        self.0.modify_with_mode(borrowed(raw), event, mode)
    }

    pub(in crate::sys) fn remove(&self, raw: &Watched) -> io::Result<()> {
        let _whole = CancelGuard::new();
        self.0.delete(borrowed(raw))
    }

    /// An urgent byte is taken away.
    pub(in crate::sys) fn take_urgent(&self, raw: &Watched) {
        let _whole = CancelGuard::new();
        let _ = SockRef::from(&borrowed(raw)).recv_out_of_band(&mut [MaybeUninit::uninit()]);
    }

    /// Whether the peer sends nothing more, whatever it has sent before. Some systems tell only once all of that was read.
    pub(in crate::sys) fn has_ended(&self, raw: &Watched, _event: &Event, _interest: Interest) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        const END: libc::c_short = libc::POLLRDHUP;
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
        const END: libc::c_short = 0;
        let _whole = CancelGuard::new();
        let mut entry = libc::pollfd { fd: *raw, events: END, revents: 0 };
        // SAFETY: one entry, which outlives the call. It does not wait.
        unsafe { libc::poll(&raw mut entry, 1, 0) > 0 }
    }

    /// A source that its owner does not want to read is watched all the same: its end has to be heard of. What comes before the
    /// end is no reason to wake up over and over, so each arrival is reported once.
    fn watch_for(&self, key: usize, interest: Interest) -> (Event, PollMode) {
        if interest.read || !self.0.supports_edge() {
            (Event::new(key, interest.read, interest.write), PollMode::Oneshot)
        } else {
            (Event::new(key, true, interest.write), PollMode::Edge)
        }
    }
}

fn borrowed(raw: &Watched) -> BorrowedFd<'_> {
    // SAFETY: a source is added by its owner, who removes it before it closes it; a poller that is dropped removes all that
    // it has. Where a program closes descriptors that are ours, the system answers that there is none, or changes what it
    // reports of another one that has the number now and was added as well.
    unsafe { BorrowedFd::borrow_raw(*raw) }
}
