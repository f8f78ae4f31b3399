//! A socket's own poller: a mailbox that the hub fills.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::os::watches::watched;
use super::super::{AsSource, Condvar, Interest, generation};
use super::{Hub, Readiness, Tripwire};

pub(crate) struct Poller {
    pub(super) hub: Arc<Hub>,
    pub(super) mailbox: usize,
    woken: Arc<Condvar>,
    /// All sockets that are open have the same one.
    _tripwire: Option<Arc<Tripwire>>,
    /// Of the process that made it. In another one the hub's lock may be held by a thread that does not exist there.
    generation: u32,
}

/// Where [`Poller::wait`] puts what it found.
#[derive(Debug, Default)]
pub(crate) struct Events {
    list: Vec<(u64, Interest)>,
}

impl Events {
    /// The keys found ready, each with what it is ready for. An error or a hang-up counts as both.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Interest)> {
        self.list.iter().copied()
    }
}

impl Poller {
    /// The hub reports its first event under `key`. It needs no descriptor of its own, but a program that has none left
    /// hears so at once, as on a system where it does.
    pub(crate) fn new(hub: &Arc<Hub>, key: u64, tripwire: Option<Arc<Tripwire>>) -> io::Result<Self> {
        drop(Readiness::new()?);
        let woken = Arc::new(Condvar::new());
        let mailbox = hub.open(key, Arc::clone(&woken));
        Ok(Self { hub: Arc::clone(hub), mailbox, woken, _tripwire: tripwire, generation: generation() })
    }

    /// Makes the hub report the next event, once. What is there already is one.
    pub(crate) fn arm(&self) -> io::Result<()> {
        self.hub.arm(self.mailbox);
        Ok(())
    }

    /// The hub reports nothing until it is armed again.
    pub(crate) fn disarm(&self) {
        if self.is_ours() {
            self.hub.disarm(self.mailbox);
        }
    }

    pub(crate) fn add(&self, source: impl AsSource, interest: Interest, key: u64) -> io::Result<()> {
        self.hub.add(self.mailbox, watched(source), interest, key)
    }

    pub(crate) fn modify(&self, source: impl AsSource, interest: Interest, key: u64) -> io::Result<()> {
        self.hub.modify(self.mailbox, watched(source), interest, key)
    }

    pub(crate) fn remove(&self, source: impl AsSource) -> io::Result<()> {
        self.hub.remove(self.mailbox, watched(source))
    }

    /// Waits until a source is ready, somebody notifies, or the time is over (`None`: no limit). With no time at all it sees
    /// what the system has now. Returns whether anything at all happened.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<bool> {
        events.list.clear();
        let mut state = self.hub.lock();
        let now = timeout == Some(Duration::ZERO);
        let again = self.hub.watch_again(&mut state, self.mailbox);
        // What was not watched may have become ready before what lies in the mailbox. What was, the hub's own thread has seen
        // a moment ago.
        if (again && (now || state.has_something(self.mailbox))) || (now && !self.hub.is_own_thread()) {
            state = self.hub.look(state);
        }
        // A time that the clock cannot tell is no limit.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        while !state.has_something(self.mailbox) && deadline.is_none_or(|at| Instant::now() < at) {
            state.set_sleeping(self.mailbox, true);
            state = self.woken.wait_until(state, deadline);
        }
        state.set_sleeping(self.mailbox, false);
        Ok(state.take(self.mailbox, &mut events.list))
    }

    /// Ends the current wait, or the next one.
    pub(crate) fn notify(&self) {
        self.hub.notify_mailbox(self.mailbox);
    }

    fn is_ours(&self) -> bool {
        self.generation == generation()
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        if self.is_ours() {
            self.hub.close(self.mailbox);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, channel};
    use std::thread::JoinHandle;

    use super::*;
    use crate::sys::pair;

    /// A hub with a thread that waits for it, as the worker does.
    pub(in super::super) struct Served {
        pub hub: Arc<Hub>,
        /// What it reports.
        pub reports: Receiver<u64>,
        thread: Option<JoinHandle<()>>,
        stop: Arc<AtomicBool>,
    }

    impl Served {
        pub(in super::super) fn new() -> Self {
            let (tell, reports) = channel();
            let (hub, stop) = (Hub::new().unwrap(), Arc::<AtomicBool>::default());
            let (waiting, stopped) = (Arc::clone(&hub), Arc::clone(&stop));
            let thread = std::thread::spawn(move || {
                let mut found = Vec::new();
                while !stopped.load(Ordering::Relaxed) {
                    waiting.wait(&mut found, None).unwrap();
                    for key in found.drain(..) {
                        let _ = tell.send(key);
                    }
                }
            });
            Self { hub, reports, thread: Some(thread), stop }
        }

        pub(in super::super) fn poller(&self, key: u64) -> Poller {
            Poller::new(&self.hub, key, None).unwrap()
        }
    }

    impl Drop for Served {
        fn drop(&mut self) {
            self.stop.store(true, Ordering::Relaxed);
            self.hub.notify();
            self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
        }
    }

    fn found(poller: &Poller, timeout: Option<Duration>) -> Vec<(u64, Interest)> {
        let mut events = Events::default();
        poller.wait(&mut events, timeout).unwrap();
        events.iter().collect()
    }

    fn now(poller: &Poller) -> Vec<(u64, Interest)> {
        found(poller, Some(Duration::ZERO))
    }

    fn tcp_pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn a_notification_ends_one_wait() {
        let served = Served::new();
        let poller = served.poller(0);
        let mut events = Events::default();
        poller.notify();
        assert!(poller.wait(&mut events, None).unwrap());
        assert_eq!(events.iter().count(), 0);
        assert!(!poller.wait(&mut events, Some(Duration::ZERO)).unwrap());
    }

    #[test]
    fn a_notification_ends_a_wait_that_has_begun() {
        let served = Served::new();
        let poller = Arc::new(served.poller(0));
        let sleeper = Arc::clone(&poller);
        let thread = std::thread::spawn(move || found(&sleeper, None));
        while !served.hub.lock().is_slept_on(poller.mailbox) {
            std::thread::yield_now();
        }
        poller.notify();
        assert_eq!(thread.join().unwrap(), []);
    }

    #[test]
    fn readiness_is_level_triggered() {
        let served = Served::new();
        let (mut near, mut far) = pair().unwrap();
        let poller = served.poller(0);
        poller.add(&far, Interest::READ, 7).unwrap();
        near.write_all(b"x").unwrap();
        for _ in 0..3 {
            assert_eq!(found(&poller, None), [(7, Interest::READ)]);
            assert_eq!(now(&poller), [(7, Interest::READ)]);
        }
        far.read_exact(&mut [0]).unwrap();
        assert_eq!(now(&poller), []);
        near.write_all(b"x").unwrap();
        poller.remove(&far).unwrap();
        assert_eq!(now(&poller), []);
    }

    #[test]
    fn a_look_sees_what_came_before_it() {
        let served = Served::new();
        let (mut near, mut far) = pair().unwrap();
        let poller = served.poller(0);
        poller.add(&far, Interest::READ, 7).unwrap();
        for _ in 0..300 {
            near.write_all(b"x").unwrap();
            assert_eq!(now(&poller), [(7, Interest::READ)]);
            far.read_exact(&mut [0]).unwrap();
        }
    }

    #[test]
    fn the_hubs_own_thread_sees_what_came_before_its_look() {
        let hub = Hub::new().unwrap();
        let (mut near, far) = pair().unwrap();
        let poller = Poller::new(&hub, 3, None).unwrap();
        poller.add(&far, Interest::READ, 7).unwrap();
        near.write_all(b"x").unwrap();
        let mut reports = Vec::new();
        hub.wait(&mut reports, None).unwrap();
        assert_eq!(reports, [3]);
        for _ in 0..3 {
            assert_eq!(now(&poller), [(7, Interest::READ)]);
        }
    }

    #[test]
    fn who_wants_to_write_hears_when_it_can() {
        let served = Served::new();
        let (near, _far) = pair().unwrap();
        let poller = served.poller(0);
        poller.add(&near, Interest::READ, 7).unwrap();
        assert_eq!(now(&poller), []);
        for _ in 0..2 {
            poller.modify(&near, Interest { read: true, write: true }, 8).unwrap();
            assert_eq!(found(&poller, None), [(8, Interest::WRITE)]);
            poller.modify(&near, Interest::WRITE, 9).unwrap();
            assert_eq!(found(&poller, None), [(9, Interest::WRITE)]);
            assert_eq!(found(&poller, None), [(9, Interest::WRITE)]);
        }
    }

    #[test]
    fn who_waits_for_nothing_hears_of_the_end() {
        let served = Served::new();
        let (mut near, far) = tcp_pair();
        let poller = served.poller(0);
        let key = u64::from(u32::MAX) + 7;
        poller.add(&far, Interest { read: false, write: false }, key).unwrap();
        for _ in 0..3 {
            near.write_all(b"x").unwrap();
            assert_eq!(now(&poller), []);
        }
        near.shutdown(Shutdown::Write).unwrap();
        for _ in 0..2 {
            assert_eq!(found(&poller, None), [(key, Interest::READ)]);
        }
    }

    /// The system would report it again and again, and nobody reads it.
    #[test]
    fn an_urgent_byte_is_no_event_for_ever() {
        let served = Served::new();
        let (near, far) = tcp_pair();
        let poller = served.poller(0);
        poller.add(&far, Interest::READ, 7).unwrap();
        socket2::SockRef::from(&near).send_out_of_band(b"!").unwrap();
        assert_eq!(found(&poller, None), [(7, Interest::READ)]);
        assert_eq!(now(&poller), []);
    }

    #[test]
    fn an_armed_poller_is_reported_once() {
        let served = Served::new();
        let (mut near, far) = pair().unwrap();
        let poller = served.poller(5);
        poller.add(&far, Interest::READ, 7).unwrap();
        near.write_all(b"x").unwrap();
        assert_eq!(served.reports.recv(), Ok(5));
        // Looks that find it again report nothing.
        assert_eq!((now(&poller).len(), now(&poller).len()), (1, 1));
        assert!(served.reports.try_recv().is_err());
        poller.arm().unwrap();
        assert_eq!(served.reports.recv(), Ok(5), "what is there already is an event");
        assert_eq!(now(&poller).len(), 1);
        poller.arm().unwrap();
        assert_eq!(served.reports.recv(), Ok(5), "it was not served");
    }

    #[test]
    fn a_notification_is_an_event_as_well_if_it_is_armed() {
        let served = Served::new();
        let (poller, other) = (served.poller(5), served.poller(6));
        poller.disarm();
        poller.notify();
        // Reports come in order: there is none before this one.
        other.notify();
        assert_eq!(served.reports.recv(), Ok(6));
        poller.arm().unwrap();
        assert_eq!(served.reports.recv(), Ok(5));
    }

    #[test]
    fn what_is_not_watched_any_more_reaches_nobody_else() {
        let hub = Hub::new().unwrap();
        let (mut near, far) = pair().unwrap();
        let poller = Poller::new(&hub, 0, None).unwrap();
        poller.add(&far, Interest::READ, 7).unwrap();
        near.write_all(b"x").unwrap();
        hub.wait(&mut Vec::new(), None).unwrap();
        poller.remove(&far).unwrap();
        let (_quiet, other) = pair().unwrap();
        poller.add(&other, Interest::READ, 8).unwrap();
        assert_eq!(now(&poller), []);
    }

    /// A peer that comes back is not to be refused because it has not gone yet.
    #[test]
    fn the_end_of_one_connection_comes_before_the_next_one() {
        let served = Served::new();
        let ((mut near, far), (mut second, other)) = (pair().unwrap(), pair().unwrap());
        let poller = served.poller(0);
        poller.add(&far, Interest::READ, 1).unwrap();
        near.write_all(b"x").unwrap();
        assert_eq!(found(&poller, None), [(1, Interest::READ)]);
        drop(near);
        poller.add(&other, Interest::READ, 2).unwrap();
        second.write_all(b"x").unwrap();
        while !served.hub.lock().has_something(poller.mailbox) {
            std::thread::yield_now();
        }
        let keys: Vec<u64> = found(&poller, None).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [1, 2]);
    }
}
