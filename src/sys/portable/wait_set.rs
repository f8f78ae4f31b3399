//! Several pollers that one thread waits for: each of them rings at the thread's bed.
#![forbid(unsafe_code)]

use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::super::{Mutex, generation};
use super::park::Bed;
use super::{Hub, Parker, Poller, Tripwire};

/// Pollers that one thread waits for together, and its parker.
pub(crate) struct WaitSet {
    bed: Arc<Bed>,
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
        let bed = Arc::clone(parker.bed());
        Ok(Self { bed, members: Mutex::default(), tripwire, generation: generation() })
    }

    /// Whether it was made with this tripwire.
    pub(crate) fn has(&self, tripwire: Option<&Arc<Tripwire>>) -> bool {
        self.tripwire.as_ref().map(Arc::as_ptr) == tripwire.map(Arc::as_ptr)
    }

    pub(crate) fn add(&self, poller: &Poller, key: u64) -> io::Result<()> {
        if let Some(mailbox) = poller.hub.lock().mailbox(poller.mailbox) {
            mailbox.watch(&self.bed);
        }
        let member = Member { hub: Arc::downgrade(&poller.hub), mailbox: poller.mailbox, key };
        self.members.lock().push(member);
        Ok(())
    }

    pub(crate) fn remove(&self, poller: &Poller) {
        self.members.lock().retain(|member| {
            let goes = member.mailbox == poller.mailbox && member.hub.as_ptr() == Arc::as_ptr(&poller.hub);
            if goes {
                member.unwatch(&self.bed);
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
        self.bed.forget_rings();
        self.watch_again(found, false);
        if found.len() == before {
            self.bed.sleep_for_either(deadline);
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
    fn unwatch(&self, bed: &Arc<Bed>) {
        if let Some(hub) = self.hub.upgrade()
            && let Some(mailbox) = hub.lock().mailbox(self.mailbox)
        {
            mailbox.unwatch(bed);
        }
    }
}

impl Drop for WaitSet {
    fn drop(&mut self) {
        if self.generation == generation() {
            self.members.lock().iter().for_each(|member| member.unwatch(&self.bed));
        }
    }
}
