//! What a socket tells of itself: events as they happen (NN_MONITOR), and what it has counted so far (NN_STATISTICS).
//!
//! The events are written down under the socket's lock (`core/events.rs`), in the order in which things happen. Whoever lets
//! the lock go publishes them on a PUB of the socket's own, one thread at a time; a second one leaves its events to the first.
//! A PUB never waits for anybody, so neither does the socket that is watched.
#![forbid(unsafe_code)]

mod event;
mod statistics;

use std::collections::VecDeque;
use std::sync::Arc;

use super::core::{Event, Happening, IPC, Journal, NN_IPC_MODE, NN_OVERFLOW};
use super::{NN_ENDPOINT, OptionInput, Socket, Value};
use crate::error::Result;
use crate::message::Outgoing;
use crate::pattern::{self, Policy};
use crate::sys;

/// Milliseconds that closing waits at most for watchers to take the last events: a watcher that does not read delays the closing
/// thread for so long.
const LINGER: i32 = 100;

/// Options of the watched socket that its monitor has too, by level and number: NN_IPV4ONLY and NN_IPC_MODE. Those of TLS are
/// taken over as they are.
const INHERITED: [(i32, i32); 2] = [(0, 14), (IPC, NN_IPC_MODE)];

const NN_LINGER: i32 = 1;

/// Where a socket publishes what happens to it.
pub(super) struct Monitor {
    publisher: Arc<Socket>,
    endpoint: i32,
}

impl Monitor {
    fn bind(watched: &Socket, address: &[u8]) -> Result<Self> {
        let library = Arc::clone(&watched.library);
        let name = format!("monitor of {}", String::from_utf8_lossy(&watched.with(|state| state.options.name.clone())));
        let publisher = Socket::new(library, watched.generation, pattern::PUB, false, name)?;
        let set = |level, option, value: i32| {
            publisher.set_option(level, option, OptionInput { bytes: &value.to_ne_bytes(), address: 0 })
        };
        set(0, NN_LINGER, LINGER)?;
        // A watcher that is too slow misses the oldest events.
        set(0, NN_OVERFLOW, Policy::DropOld as i32)?;
        for (level, option) in INHERITED {
            if let Value::Int(value) = watched.option(level, option)? {
                set(level, option, value)?;
            }
        }
        let tls = watched.with(|state| state.options.tls.clone());
        publisher.with(|state| state.options.tls = tls);
        match publisher.bind(address) {
            Ok(endpoint) => Ok(Self { publisher, endpoint }),
            Err(error) => {
                let _ = publisher.close(sys::now());
                Err(error)
            }
        }
    }

    /// Publishes what is written down by now.
    fn publish(&self, watched: &Socket, name: &[u8], events: impl IntoIterator<Item = Event>) {
        for event in events {
            let message = event::message(&event, name, watched.protocol);
            // There is no memory for it: a subscriber sees that one is missing.
            let _ = self.publisher.send(&mut Outgoing::borrowed(&message), true);
        }
    }
}

impl Socket {
    /// Publishes events, where that is wanted.
    fn tell(&self, monitor: Option<&Monitor>, name: &[u8], events: VecDeque<Event>) {
        #[cfg(simulated)]
        if let Some(observer) = self.observer.get() {
            events.iter().for_each(observer);
        }
        if let Some(monitor) = monitor {
            monitor.publish(self, name, events);
        }
    }

    /// Publishes events at this address from now on; nowhere, if it is empty.
    pub(super) fn watch(&self, address: &[u8]) -> Result<()> {
        let _whole = sys::CancelGuard::new();
        // A C string, where the program has counted the NUL.
        let address = address.split(|&byte| byte == 0).next().unwrap_or_default();
        self.enter()?.release();
        let monitor = if address.is_empty() { None } else { Some(Monitor::bind(self, address)?) };
        self.replace_monitor(monitor);
        self.publish_events();
        // It may have been closed meanwhile.
        self.enter().map(super::StateGuard::release).inspect_err(|_| self.replace_monitor(None))
    }

    /// Ends the monitor there was, which says so, and begins with this one.
    fn replace_monitor(&self, new: Option<Monitor>) {
        let mut monitor = self.monitor.lock();
        if let Some(old) = self.exchange_monitor(&mut monitor, new) {
            // Nobody else knows it.
            let _ = old.close(sys::now());
        }
    }

    /// The same, up to the end of the old publisher: watchers have still to take what it has.
    fn exchange_monitor(&self, monitor: &mut Option<Monitor>, new: Option<Monitor>) -> Option<Arc<Self>> {
        let (name, events) = self.with(|state| {
            state.tell_overflow();
            state.write_down(None, None, Happening::MonitorStopped);
            let events = state.take_events();
            if !cfg!(simulated) {
                state.journal = new.as_ref().map(|_| Journal::new(state.pattern.overflowed(), sys::timestamps));
            }
            (state.options.name.clone(), events)
        });
        let old = std::mem::replace(monitor, new);
        self.tell(old.as_ref(), &name, events);
        old.map(|old| old.publisher)
    }

    /// The socket is closed: there is nothing more to tell. What tells it is still to be closed.
    pub(super) fn end_monitor(&self) -> Option<Arc<Self>> {
        self.exchange_monitor(&mut self.monitor.lock(), None)
    }

    /// Publishes what was written down. A thread that does so already takes along what comes meanwhile.
    pub(super) fn publish_events(&self) {
        let _whole = sys::CancelGuard::new();
        loop {
            let Some(monitor) = self.monitor.try_lock() else { return };
            loop {
                let (name, events) = self.with(|state| (state.options.name.clone(), state.take_events()));
                if events.is_empty() {
                    break;
                }
                self.tell(monitor.as_ref(), &name, events);
            }
            drop(monitor);
            // Between the last look and the end of our turn another thread may have left us some.
            if !self.with(|state| state.has_events()) {
                return;
            }
        }
    }

    /// Where events are published. Empty: nowhere.
    pub(super) fn monitor_address(&self) -> Result<Value> {
        self.enter()?.release();
        let address = match &*self.monitor.lock() {
            Some(monitor) => monitor.publisher.option(NN_ENDPOINT, monitor.endpoint),
            None => Ok(Value::Text(Vec::new())),
        };
        // Who could not publish while we looked has left it to us.
        self.publish_events();
        address
    }
}
