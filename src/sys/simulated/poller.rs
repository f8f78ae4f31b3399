//! Pollers, the worker's hub and sets of pollers. Level-triggered: what is ready is looked up in the network by every look.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::super::Interest;
use super::history::NONE;
use super::network::Network;
use super::park::Parker;
use super::readiness::Tripwire;
use super::scheduler::{Ended, Rng, Wait, World, deadline, point, wait, with};
use super::stream::AsSource;

#[derive(Debug, Default)]
struct State {
    /// By source: its key, and what for.
    sources: BTreeMap<u64, (u64, Interest)>,
    notified: bool,
    hub: u64,
    /// Its name in the hub.
    key: u64,
    armed: bool,
}

/// All of a run.
#[derive(Default)]
pub(super) struct Pollers {
    pollers: BTreeMap<u64, State>,
    /// By hub, whether it was notified.
    hubs: BTreeMap<u64, bool>,
    /// By set, the pollers in it and their keys.
    sets: BTreeMap<u64, BTreeMap<u64, u64>>,
}

fn ready(network: &Network, source: u64, interest: Interest) -> Interest {
    let Some((readable, writable, ended)) = network.readiness(source) else {
        return Interest { read: false, write: false };
    };
    // An end counts as something to read, also where reading is not asked for.
    let read = (interest.read && readable) || ended;
    Interest { read, write: (interest.write && writable) || network.is_over(source) }
}

impl State {
    fn ready(&self, network: &Network) -> Vec<(u64, Interest)> {
        let sources = self.sources.iter();
        sources
            .map(|(source, (key, interest))| (*key, ready(network, *source, *interest)))
            .filter(|(_, found)| found.read || found.write)
            .collect()
    }

    fn has_something(&self, network: &Network) -> bool {
        self.notified || !self.ready(network).is_empty()
    }
}

impl Pollers {
    pub(super) fn count(&self) -> usize {
        self.pollers.len()
    }

    pub(super) fn hubs(&self) -> usize {
        self.hubs.len()
    }

    pub(super) fn sets(&self) -> usize {
        self.sets.len()
    }

    pub(super) fn forget_source(&mut self, source: u64) {
        for poller in self.pollers.values_mut() {
            poller.sources.remove(&source);
        }
    }

    pub(super) fn has_something(&self, id: u64, network: &Network) -> bool {
        self.pollers.get(&id).is_some_and(|poller| poller.has_something(network))
    }

    pub(super) fn hub_has_something(&self, hub: u64, network: &Network) -> bool {
        self.hubs.get(&hub).copied().unwrap_or_default()
            || self.pollers.values().any(|poller| poller.hub == hub && poller.armed && poller.has_something(network))
    }

    pub(super) fn set_has_something(&self, set: u64, network: &Network) -> bool {
        self.sets.get(&set).is_some_and(|members| members.keys().any(|poller| self.has_something(*poller, network)))
    }

    /// A poller with sources that are ready. While all threads wait there should be none: somebody looks at it.
    pub(super) fn unseen(&self, network: &Network) -> Option<u64> {
        self.pollers.iter().find(|(_, poller)| !poller.ready(network).is_empty()).map(|(id, _)| *id)
    }
}

/// Where [`Poller::wait`] puts what it found.
#[derive(Debug, Default)]
pub(crate) struct Events {
    list: Vec<(u64, Interest)>,
}

impl Events {
    /// The keys found ready, each with what it is ready for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Interest)> {
        self.list.iter().copied()
    }
}

/// In no order that anybody could rely on.
fn shuffle<T>(list: &mut [T], rng: &mut Rng) {
    for at in (1..list.len()).rev() {
        list.swap(at, rng.below(at as u64 + 1) as usize);
    }
}

fn no_memory() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOMEM)
}

#[derive(Debug)]
pub(crate) struct Poller {
    id: u64,
}

impl Poller {
    pub(crate) fn new(hub: &Arc<Hub>, key: u64, _tripwire: Option<Arc<Tripwire>>) -> io::Result<Self> {
        point(10);
        with(|world| {
            if world.refuses() {
                return Err(io::Error::from_raw_os_error(libc::EMFILE));
            }
            let id = world.id();
            world.note("makes poller", [id as i64, key as i64, NONE]);
            world.pollers.pollers.insert(id, State { hub: hub.id, key, armed: true, ..State::default() });
            Ok(Self { id })
        })
    }

    fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        with(|world| action(world.pollers.pollers.get_mut(&self.id).expect("it lives as long as its owner")))
    }

    /// Makes the hub report the next event, once.
    pub(crate) fn arm(&self) -> io::Result<()> {
        point(10);
        with(|world| {
            if world.refuses() {
                world.note("cannot arm", [self.id as i64, NONE, NONE]);
                return Err(no_memory());
            }
            world.note("arms", [self.id as i64, NONE, NONE]);
            Ok(())
        })?;
        self.with(|poller| poller.armed = true);
        Ok(())
    }

    pub(crate) fn disarm(&self) {
        point(10);
        self.with(|poller| poller.armed = false);
    }

    fn refused(&self, source: u64) -> bool {
        with(|world| {
            let refused = world.refuses();
            if refused {
                // A connection that nobody watches is given up.
                world.losses += 1;
                world.note("cannot watch", [self.id as i64, source as i64, NONE]);
            }
            refused
        })
    }

    pub(crate) fn add(&self, source: impl AsSource, interest: Interest, key: u64) -> io::Result<()> {
        point(10);
        let id = source.as_source().id;
        if self.refused(id) {
            return Err(no_memory());
        }
        self.with(|poller| match poller.sources.insert(id, (key, interest)) {
            None => Ok(()),
            Some(_) => Err(io::Error::from_raw_os_error(libc::EEXIST)),
        })
    }

    pub(crate) fn modify(&self, source: impl AsSource, interest: Interest, key: u64) -> io::Result<()> {
        point(10);
        let id = source.as_source().id;
        if self.refused(id) {
            return Err(no_memory());
        }
        self.with(|poller| match poller.sources.get_mut(&id) {
            Some(known) => {
                *known = (key, interest);
                Ok(())
            }
            None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        })
    }

    pub(crate) fn remove(&self, source: impl AsSource) -> io::Result<()> {
        point(10);
        let id = source.as_source().id;
        let known = self.with(|poller| poller.sources.remove(&id));
        known.map(drop).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }

    fn look(&self, events: &mut Events) -> bool {
        with(|world| {
            let World { pollers, network, rng, .. } = world;
            let poller = pollers.pollers.get_mut(&self.id).expect("it lives as long as its owner");
            let notified = std::mem::take(&mut poller.notified);
            events.list = poller.ready(network);
            shuffle(&mut events.list, rng);
            if events.list.len() > 1 && rng.per_mille(200) {
                let most = 1 + rng.below(events.list.len() as u64) as usize;
                events.list.truncate(most);
            }
            notified || !events.list.is_empty()
        })
    }

    /// Waits until a source is ready, somebody notifies, or the time is over (`None`: no limit). Returns whether anything at
    /// all happened.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<bool> {
        point(10);
        events.list.clear();
        if timeout != Some(Duration::ZERO) {
            with(|world| world.note("waits in poller", [self.id as i64, NONE, NONE]));
            let until = deadline(timeout);
            if wait(Wait::Poller(self.id), until) == Ended::Interrupted {
                with(|world| world.note("is interrupted", [NONE; 3]));
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        let any = self.look(events);
        with(|world| world.note("finds", [self.id as i64, events.list.len() as i64, any.into()]));
        Ok(any)
    }

    /// Ends the current wait, or the next one.
    pub(crate) fn notify(&self) {
        with(|world| world.note("notifies", [self.id as i64, NONE, NONE]));
        self.with(|poller| poller.notified = true);
        point(10);
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        with(|world| {
            world.pollers.pollers.remove(&self.id);
            for members in world.pollers.sets.values_mut() {
                members.remove(&self.id);
            }
        });
    }
}

/// What the worker waits for.
#[derive(Debug)]
pub(crate) struct Hub {
    id: u64,
}

impl Hub {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        point(10);
        with(|world| {
            if world.refuses() {
                return Err(io::Error::from_raw_os_error(libc::EMFILE));
            }
            let id = world.id();
            world.pollers.hubs.insert(id, false);
            Ok(Arc::new(Self { id }))
        })
    }

    /// Waits until an armed poller has something, somebody notifies, or the time is over (`None`: no limit). Adds the keys of
    /// the pollers.
    pub(crate) fn wait(&self, found: &mut Vec<u64>, timeout: Option<Duration>) -> io::Result<()> {
        point(10);
        if timeout != Some(Duration::ZERO) {
            let until = deadline(timeout);
            wait(Wait::Hub(self.id), until);
        }
        with(|world| {
            let World { pollers, network, rng, .. } = world;
            pollers.hubs.insert(self.id, false);
            let mut fired = Vec::new();
            for poller in pollers.pollers.values_mut().filter(|poller| poller.hub == self.id && poller.armed) {
                if poller.has_something(network) {
                    poller.armed = false;
                    fired.push(poller.key);
                }
            }
            shuffle(&mut fired, rng);
            world.note("finds pollers", [fired.len() as i64, NONE, NONE]);
            found.extend(fired);
        });
        Ok(())
    }

    /// Ends the current wait, or the next one.
    pub(crate) fn notify(&self) {
        with(|world| {
            world.note("notifies the worker", [NONE; 3]);
            world.pollers.hubs.insert(self.id, true);
        });
        point(10);
    }

    pub(crate) fn is_deaf(&self) -> bool {
        false
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        with(|world| world.pollers.hubs.remove(&self.id));
    }
}

/// Pollers that one thread waits for together, and its parker.
#[derive(Debug)]
pub(crate) struct WaitSet {
    id: u64,
    tripwire: Option<Arc<Tripwire>>,
}

impl WaitSet {
    pub(crate) fn new(_parker: &Parker, tripwire: Option<Arc<Tripwire>>) -> io::Result<Self> {
        point(10);
        with(|world| {
            if world.refuses() {
                return Err(io::Error::from_raw_os_error(libc::EMFILE));
            }
            let id = world.id();
            world.pollers.sets.insert(id, BTreeMap::new());
            Ok(Self { id, tripwire })
        })
    }

    /// Whether it was made with this tripwire.
    pub(crate) fn has(&self, tripwire: Option<&Arc<Tripwire>>) -> bool {
        self.tripwire.as_ref().map(Arc::as_ptr) == tripwire.map(Arc::as_ptr)
    }

    /// `key` is below 2^63.
    pub(crate) fn add(&self, poller: &Poller, key: u64) -> io::Result<()> {
        point(10);
        with(|world| {
            if world.refuses() {
                return Err(no_memory());
            }
            let members = world.pollers.sets.get_mut(&self.id).expect("it lives as long as its owner");
            match members.insert(poller.id, key) {
                None => Ok(()),
                Some(_) => Err(io::Error::from_raw_os_error(libc::EEXIST)),
            }
        })
    }

    pub(crate) fn remove(&self, poller: &Poller) {
        point(10);
        with(|world| world.pollers.sets.get_mut(&self.id).map(|members| members.remove(&poller.id)));
    }

    /// Adds the keys of pollers that have something now.
    pub(crate) fn look(&self, _parker: &Parker, found: &mut Vec<u64>) -> io::Result<()> {
        point(10);
        with(|world| {
            let World { pollers, network, rng, .. } = world;
            let members = pollers.sets.get(&self.id).expect("it lives as long as its owner");
            let mut keys: Vec<u64> = members
                .iter()
                .filter(|(poller, _)| pollers.has_something(**poller, network))
                .map(|(_, key)| *key)
                .collect();
            shuffle(&mut keys, rng);
            found.extend(keys);
        });
        Ok(())
    }

    /// Waits until a poller has something, the parker is woken or the time is over (`None`: no limit), and looks.
    pub(crate) fn wait(&self, parker: &Parker, found: &mut Vec<u64>, timeout: Option<Duration>) -> io::Result<()> {
        point(10);
        if !parker.is_woken() {
            with(|world| world.note("waits in set", [self.id as i64, NONE, NONE]));
            let until = deadline(timeout);
            if wait(Wait::Set(self.id, parker.address()), until) == Ended::Interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        self.look(parker, found)
    }
}

impl Drop for WaitSet {
    fn drop(&mut self) {
        with(|world| world.pollers.sets.remove(&self.id));
    }
}
