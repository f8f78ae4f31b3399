//! A socket's own poller: epoll, level-triggered, one system call for each look. An eventfd in the set interrupts a
//! sleeping wait from another thread.
//!
//! The sleep itself is ppoll's, on the set and on a tripwire. Unlike epoll_wait, that goes on after the process was stopped
//! and continued, and it ends when the program closes our descriptors.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use super::super::Interest;
use super::super::process::DropUncancelled;
use super::polled::{Polled, poll_readable};
use super::stream::direct;
use super::{Hub, Parker, Readiness, Tripwire};

#[derive(Debug)]
pub(crate) struct Poller {
    epoll: DropUncancelled<OwnedFd>,
    notify: Readiness,
    tripwire: Option<Arc<Tripwire>>,
    hub: Arc<Hub>,
    /// Its name in the hub.
    key: u64,
}

fn bits(interest: Interest) -> u32 {
    let mut bits = 0;
    if interest.read {
        bits |= libc::EPOLLIN;
    }
    if interest.write {
        bits |= libc::EPOLLOUT;
    }
    if !interest.read {
        bits |= libc::EPOLLRDHUP;
    }
    bits as u32
}

/// Where [`Poller::wait`] puts what it found.
#[derive(Debug, Default)]
pub(crate) struct Events {
    list: Vec<libc::epoll_event>,
}

/// Sources served by one wait.
const BATCH: usize = 64;

/// The key of what interrupts a wait. Those of sources are below.
pub(super) const NOTIFY: u64 = 1 << 63;

impl Events {
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.list.iter().map(|event| event.u64)
    }

    /// The keys found ready, each with what it is ready for. An error or a hang-up counts as both; the end of what the peer
    /// sends counts as something to read, also where reading is not asked for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Interest)> {
        self.list.iter().filter(|event| event.u64 & NOTIFY == 0).map(|event| {
            let bits = event.events as i32;
            let broken = bits & (libc::EPOLLERR | libc::EPOLLHUP) != 0;
            let read = broken || bits & (libc::EPOLLIN | libc::EPOLLRDHUP) != 0;
            (event.u64, Interest { read, write: broken || bits & libc::EPOLLOUT != 0 })
        })
    }
}

pub(super) fn epoll() -> io::Result<DropUncancelled<OwnedFd>> {
    // SAFETY: no pointers; the result is checked and then owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) }.into())
}

pub(super) fn control(
    epoll: &OwnedFd,
    operation: libc::c_int,
    fd: BorrowedFd<'_>,
    interest: Interest,
    key: u64,
) -> io::Result<()> {
    control_raw(epoll, operation, fd, bits(interest), key)
}

/// The same, for other events than those of [`Interest`].
pub(super) fn control_raw(
    epoll: &OwnedFd,
    operation: libc::c_int,
    fd: BorrowedFd<'_>,
    events: u32,
    key: u64,
) -> io::Result<()> {
    let mut event = libc::epoll_event { events, u64: key };
    // SAFETY: both descriptors are open (borrowed), and the event outlives the call.
    check(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), operation, fd.as_raw_fd(), &mut event) })?;
    Ok(())
}

fn wait(
    epoll: &OwnedFd,
    tripwire: Option<&Tripwire>,
    events: &mut Events,
    timeout: Option<Duration>,
) -> io::Result<()> {
    events.list.clear();
    if timeout != Some(Duration::ZERO) {
        sleep(epoll, tripwire, timeout)?;
    }
    look(epoll, events)
}

/// A caller's wait without a tripwire is no longer than this: the next one fails if the program has closed our
/// descriptors.
const LONGEST_BLIND_WAIT: Duration = Duration::from_secs(1);

fn sleep(epoll: &OwnedFd, tripwire: Option<&Tripwire>, timeout: Option<Duration>) -> io::Result<()> {
    let set = Polled::new(epoll.as_fd());
    match tripwire {
        Some(tripwire) => poll_readable(&mut [set, Polled::new(tripwire.source())], timeout, true),
        None => {
            let longest = timeout.map_or(LONGEST_BLIND_WAIT, |timeout| timeout.min(LONGEST_BLIND_WAIT));
            poll_readable(&mut [set], Some(longest), false)
        }
    }
}

/// What is ready now.
pub(super) fn look(epoll: &OwnedFd, events: &mut Events) -> io::Result<()> {
    events.list.reserve(BATCH);
    // SAFETY: the buffer has room for BATCH events, as just reserved, and belongs to the caller for the whole call.
    let found = unsafe {
        let no_mask = std::ptr::null::<libc::sigset_t>();
        let list = events.list.as_mut_ptr();
        direct!(SYS_epoll_pwait, epoll.as_raw_fd(), list, BATCH as libc::c_int, 0, no_mask, size_of::<u64>())
    }?;
    // SAFETY: the kernel has written the first `found` entries, at most BATCH, for which there is room.
    unsafe { events.list.set_len(found) };
    Ok(())
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

impl Poller {
    /// The hub reports its first event under `key`. Without a tripwire waits are short.
    pub(crate) fn new(hub: &Arc<Hub>, key: u64, tripwire: Option<Arc<Tripwire>>) -> io::Result<Self> {
        let epoll = epoll()?;
        let poller = Self { epoll, notify: Readiness::new()?, tripwire, hub: Arc::clone(hub), key };
        poller.control(libc::EPOLL_CTL_ADD, poller.notify.as_fd(), Interest::READ, NOTIFY)?;
        poller.arm()?;
        Ok(poller)
    }

    /// Makes the hub report the next event, once. Fails if the kernel has no memory for that.
    pub(crate) fn arm(&self) -> io::Result<()> {
        self.hub.arm(&self.epoll, self.key)
    }

    /// The hub reports nothing until it is armed again. A source that was reported costs the kernel a look at every event
    /// even so.
    pub(crate) fn disarm(&self) {
        self.hub.disarm(&self.epoll);
    }

    fn control(&self, operation: libc::c_int, fd: BorrowedFd<'_>, interest: Interest, key: u64) -> io::Result<()> {
        control(&self.epoll, operation, fd, interest, key)
    }

    pub(crate) fn add(&self, fd: impl AsFd, interest: Interest, key: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd.as_fd(), interest, key)
    }

    pub(crate) fn modify(&self, fd: impl AsFd, interest: Interest, key: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd.as_fd(), interest, key)
    }

    pub(crate) fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd.as_fd(), Interest::READ, 0)
    }

    /// Waits until a source is ready, somebody notifies, or the time is over (`None`: no limit). Fails as
    /// [`poll_readable`] does. Returns whether anything at all happened.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<bool> {
        wait(&self.epoll, self.tripwire.as_deref(), events, timeout)?;
        if events.list.iter().any(|event| event.u64 == NOTIFY) {
            self.notify.clear();
        }
        Ok(!events.list.is_empty())
    }

    /// Ends the current wait, or the next one.
    pub(crate) fn notify(&self) {
        self.notify.set();
    }
}

/// Pollers that one thread waits for together, and its parker.
#[derive(Debug)]
pub(crate) struct WaitSet {
    epoll: DropUncancelled<OwnedFd>,
    tripwire: Option<Arc<Tripwire>>,
}

impl WaitSet {
    pub(crate) fn new(parker: &Parker, tripwire: Option<Arc<Tripwire>>) -> io::Result<Self> {
        let epoll = epoll()?;
        control(&epoll, libc::EPOLL_CTL_ADD, parker.event()?.as_fd(), Interest::READ, NOTIFY)?;
        Ok(Self { epoll, tripwire })
    }

    /// Whether it was made with this tripwire.
    pub(crate) fn has(&self, tripwire: Option<&Arc<Tripwire>>) -> bool {
        self.tripwire.as_ref().map(Arc::as_ptr) == tripwire.map(Arc::as_ptr)
    }

    /// `key` is below 2^63.
    pub(crate) fn add(&self, poller: &Poller, key: u64) -> io::Result<()> {
        control(&self.epoll, libc::EPOLL_CTL_ADD, poller.as_fd(), Interest::READ, key)
    }

    pub(crate) fn remove(&self, poller: &Poller) {
        // One that the kernel does not know is not watched.
        let _ = control(&self.epoll, libc::EPOLL_CTL_DEL, poller.as_fd(), Interest::READ, 0);
    }

    /// Adds the keys of pollers that have something now. Some of very many may be left for the next look.
    pub(crate) fn look(&self, parker: &Parker, found: &mut Vec<u64>) -> io::Result<()> {
        let mut events = Events::default();
        look(&self.epoll, &mut events)?;
        for key in events.keys() {
            if key == NOTIFY { parker.event()?.clear() } else { found.push(key) }
        }
        Ok(())
    }

    /// Waits until a poller has something, the parker is woken or the time is over (`None`: no limit), and looks. Fails as
    /// [`poll_readable`] does.
    pub(crate) fn wait(&self, parker: &Parker, found: &mut Vec<u64>, timeout: Option<Duration>) -> io::Result<()> {
        if parker.begin_polling() {
            let waited = sleep(&self.epoll, self.tripwire.as_deref(), timeout);
            parker.end_polling();
            waited?;
        }
        self.look(parker, found)
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_notification_ends_one_wait() {
        let poller = Poller::new(&Hub::new().unwrap(), 0, None).unwrap();
        let mut events = Events::default();
        poller.notify();
        assert!(poller.wait(&mut events, None).unwrap());
        assert_eq!(events.iter().count(), 0);
        assert!(!poller.wait(&mut events, Some(Duration::ZERO)).unwrap());
    }

    #[test]
    fn readiness_is_level_triggered() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let poller = Poller::new(&Hub::new().unwrap(), 0, None).unwrap();
        poller.add(&far, Interest::READ, 7).unwrap();
        near.write_all(b"x").unwrap();
        let mut events = Events::default();
        for _ in 0..2 {
            poller.wait(&mut events, None).unwrap();
            assert_eq!(events.iter().collect::<Vec<_>>(), [(7, Interest::READ)]);
        }
        poller.remove(&far).unwrap();
        assert!(!poller.wait(&mut events, Some(Duration::ZERO)).unwrap());
    }

    #[test]
    fn who_waits_for_nothing_hears_of_the_end() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let poller = Poller::new(&Hub::new().unwrap(), 0, None).unwrap();
        poller.add(&far, Interest { read: false, write: false }, u64::from(u32::MAX) + 7).unwrap();
        near.write_all(b"x").unwrap();
        let mut events = Events::default();
        assert!(!poller.wait(&mut events, Some(Duration::ZERO)).unwrap());
        drop(near);
        poller.wait(&mut events, None).unwrap();
        let found: Vec<u64> = events.iter().filter(|(_, ready)| ready.read).map(|(key, _)| key).collect();
        assert_eq!(found, [u64::from(u32::MAX) + 7]);
    }
}
