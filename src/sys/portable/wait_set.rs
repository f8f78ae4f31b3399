//! Several pollers that one thread waits for: each of them rings at the thread's bed.
#![forbid(unsafe_code)]

use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::super::{Mutex, generation};
use super::park::Parking;
use super::{Hub, Parker, Poller, Tripwire};

/// Pollers that one thread waits for together, and its parker.
pub(crate) struct WaitSet {
    parking: Arc<Parking>,
    members: Mutex<Vec<Member>>,
    tripwire: Option<Arc<Tripwire>>,
    /// Of the process that made it. In another one a hub's lock may be held by a thread that does not exist there.
    generation: u32,
}

struct Member {
    hub: Weak<Hub>,
    mailbox: usize,
    key: u64,
}

impl WaitSet {
    pub(crate) fn new(parker: &Parker, tripwire: Option<Arc<Tripwire>>) -> io::Result<Self> {
        let parking = Arc::clone(parker.parking());
        Ok(Self { parking, members: Mutex::default(), tripwire, generation: generation() })
    }

    /// Whether it was made with this tripwire.
    pub(crate) fn has(&self, tripwire: Option<&Arc<Tripwire>>) -> bool {
        self.tripwire.as_ref().map(Arc::as_ptr) == tripwire.map(Arc::as_ptr)
    }

    pub(crate) fn add(&self, poller: &Poller, key: u64) -> io::Result<()> {
        if let Some(mailbox) = poller.hub.lock().mailbox(poller.mailbox) {
            mailbox.watch(&self.parking);
        }
        let member = Member { hub: Arc::downgrade(&poller.hub), mailbox: poller.mailbox, key };
        self.members.lock().push(member);
        Ok(())
    }

    pub(crate) fn remove(&self, poller: &Poller) {
        self.members.lock().retain(|member| {
            let goes = member.mailbox == poller.mailbox && member.hub.as_ptr() == Arc::as_ptr(&poller.hub);
            if goes {
                member.unwatch(&self.parking);
            }
            !goes
        });
    }

    /// Adds the keys of pollers that have something now.
    pub(crate) fn look(&self, _parker: &Parker, found: &mut Vec<u64>) -> io::Result<()> {
        self.watch_again(found, true);
        Ok(())
    }

    /// Waits until a poller has something, the parker is woken or the time is over (`None`: no limit), and looks.
    pub(crate) fn wait(&self, _parker: &Parker, found: &mut Vec<u64>, timeout: Option<Duration>) -> io::Result<()> {
        // A time that the clock cannot tell is no limit.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let before = found.len();
        self.parking.forget_rings();
        self.watch_again(found, false);
        if found.len() == before {
            self.parking.sleep_for_either(deadline);
            self.watch_again(found, false);
        }
        Ok(())
    }

    /// Collects the pollers that have something, after the system was asked what it has now, if `look`.
    fn watch_again(&self, found: &mut Vec<u64>, look: bool) {
        let mut members = self.members.lock();
        // As a rule there is one hub.
        let mut looked: Vec<Weak<Hub>> = Vec::new();
        members.retain(|member| member.hub.strong_count() > 0);
        for first in 0..members.len() {
            let weak = &members[first].hub;
            if looked.iter().any(|known| known.ptr_eq(weak)) {
                continue;
            }
            looked.push(Weak::clone(weak));
            let Some(hub) = weak.upgrade() else { continue };
            let mut state = hub.lock();
            let own = members.iter().filter(|member| member.hub.ptr_eq(weak));
            for member in own.clone() {
                hub.watch_again(&mut state, member.mailbox);
            }
            if look {
                state = hub.look(state);
            }
            found.extend(own.filter(|member| state.has_something(member.mailbox)).map(|member| member.key));
        }
    }
}

impl Member {
    fn unwatch(&self, parking: &Arc<Parking>) {
        if let Some(hub) = self.hub.upgrade()
            && let Some(mailbox) = hub.lock().mailbox(self.mailbox)
        {
            mailbox.unwatch(parking);
        }
    }
}

impl Drop for WaitSet {
    fn drop(&mut self) {
        if self.generation == generation() {
            self.members.lock().iter().for_each(|member| member.unwatch(&self.parking));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::poller::tests::Served;
    use super::*;
    use crate::sys::pair;
    use crate::sys::{Events, Interest, current_parker};

    fn set_of(pollers: &[&Poller]) -> (Arc<Parker>, WaitSet) {
        let parker = Arc::new(Parker::default());
        let set = WaitSet::new(&parker, None).unwrap();
        (0..).zip(pollers).for_each(|(key, poller)| set.add(poller, key).unwrap());
        (parker, set)
    }

    #[test]
    fn a_wait_finds_the_pollers_that_have_something_until_they_are_served() {
        // Two workers, as there may be for a moment.
        let served = [Served::new(), Served::new()];
        let pollers = [served[0].poller(0), served[0].poller(1), served[1].poller(0)];
        let (parker, set) = set_of(&pollers.each_ref());
        let pairs: Vec<_> = pollers.iter().map(|_| pair().unwrap()).collect();
        for (poller, (_, far)) in pollers.iter().zip(&pairs) {
            poller.add(far, Interest::READ, 7).unwrap();
        }
        let mut found = Vec::new();
        set.look(&parker, &mut found).unwrap();
        assert!(found.is_empty(), "{found:?}");
        for key in [1_u8, 2] {
            (&pairs[usize::from(key)].0).write_all(b"x").unwrap();
            set.wait(&parker, &mut found, None).unwrap();
            assert_eq!(std::mem::take(&mut found), [u64::from(key)]);
            // Looked at, and not served.
            let mut events = Events::default();
            assert!(pollers[usize::from(key)].wait(&mut events, Some(Duration::ZERO)).unwrap());
            set.look(&parker, &mut found).unwrap();
            assert_eq!(std::mem::take(&mut found), [u64::from(key)]);
            set.remove(&pollers[usize::from(key)]);
            set.look(&parker, &mut found).unwrap();
            assert!(found.is_empty(), "{found:?}");
        }
        let watched = pollers.each_ref().map(|poller| poller.hub.lock().is_watched(poller.mailbox));
        assert_eq!(watched, [true, false, false]);
    }

    #[test]
    fn a_wakeup_ends_the_wait_and_is_kept() {
        let served = Served::new();
        let poller = served.poller(0);
        let (parker, set) = set_of(&[&poller]);
        let mut found = Vec::new();
        let waker = Arc::clone(&parker);
        let thread = std::thread::spawn(move || waker.wake());
        set.wait(&parker, &mut found, None).unwrap();
        thread.join().unwrap();
        assert!(found.is_empty(), "{found:?}");
        assert!(parker.prepare());
    }

    #[test]
    fn a_poller_that_is_notified_ends_the_wait() {
        let served = Served::new();
        let poller = Arc::new(served.poller(0));
        let (parker, set) = set_of(&[&poller]);
        let notifier = Arc::clone(&poller);
        let thread = std::thread::spawn(move || notifier.notify());
        let mut found = Vec::new();
        set.wait(&parker, &mut found, None).unwrap();
        thread.join().unwrap();
        assert_eq!(found, [0]);
    }

    #[test]
    fn the_time_ends_the_wait_and_a_poller_that_has_gone_is_none() {
        let served = Served::new();
        let poller = served.poller(0);
        let (_, set) = set_of(&[&poller]);
        poller.notify();
        drop(poller);
        let mut found = Vec::new();
        set.wait(&current_parker(), &mut found, Some(Duration::from_millis(5))).unwrap();
        assert!(found.is_empty(), "{found:?}");
    }
}
