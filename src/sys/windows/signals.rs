//! What tells the worker's poller of something that is no socket.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use polling::os::iocp::{CompletionPacket, PollerIocpExt};
use polling::{Event, Poller};

use super::super::{Interest, Mutex};

/// Whether there is something to read, or room to write, and who wants to hear of it.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: Interest,
    /// Each direction is reported once.
    wanted: Interest,
    reported_to: Option<(Arc<Poller>, usize)>,
}

impl State {
    fn report(&mut self) -> io::Result<()> {
        let read = self.ready.read && self.wanted.read;
        let write = self.ready.write && self.wanted.write;
        if let Some((poller, key)) = &self.reported_to
            && (read || write)
        {
            self.wanted = Interest { read: self.wanted.read && !read, write: self.wanted.write && !write };
            return poller.post(CompletionPacket::new(Event::new(*key, read, write)));
        }
        Ok(())
    }
}

impl Signals {
    /// Reports the next moment in which it is ready, once for each direction. One that has come already is the next.
    pub(super) fn watch(&self, poller: &Arc<Poller>, key: usize, interest: Interest) -> io::Result<()> {
        let mut state = self.state.lock();
        state.wanted = interest;
        state.reported_to = Some((Arc::clone(poller), key));
        state.report()
    }

    pub(super) fn forget(&self) {
        let mut state = self.state.lock();
        state.wanted = Interest::default();
        state.reported_to = None;
    }

    pub(super) fn set_readable(&self, ready: bool) {
        let mut state = self.state.lock();
        state.ready.read = ready;
        // A poller that takes nothing has come to its end.
        let _ = state.report();
    }

    pub(super) fn set_writable(&self, ready: bool) {
        let mut state = self.state.lock();
        state.ready.write = ready;
        let _ = state.report();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BOTH: Interest = Interest { read: true, write: true };

    fn reported(poller: &Poller, timeout: Option<Duration>) -> Vec<(usize, bool, bool)> {
        let mut events = polling::Events::new();
        poller.wait(&mut events, timeout).unwrap();
        events.iter().map(|event| (event.key, event.readable, event.writable)).collect()
    }

    #[test]
    fn what_is_ready_is_reported_once_for_each_watch() {
        let (poller, signals) = (Arc::new(Poller::new().unwrap()), Signals::default());
        signals.watch(&poller, 7, BOTH).unwrap();
        assert!(reported(&poller, Some(Duration::ZERO)).is_empty());
        signals.set_readable(true);
        assert_eq!(reported(&poller, None), [(7, true, false)]);
        signals.set_readable(true);
        assert!(reported(&poller, Some(Duration::ZERO)).is_empty());
        signals.watch(&poller, 8, BOTH).unwrap();
        assert_eq!(reported(&poller, None), [(8, true, false)]);
        signals.set_writable(true);
        assert_eq!(reported(&poller, None), [(8, false, true)]);
        signals.set_readable(false);
        signals.watch(&poller, 9, BOTH).unwrap();
        assert_eq!(reported(&poller, None), [(9, false, true)]);
    }

    #[test]
    fn what_is_forgotten_is_not_reported() {
        let (poller, signals) = (Arc::new(Poller::new().unwrap()), Signals::default());
        signals.watch(&poller, 7, BOTH).unwrap();
        signals.forget();
        signals.set_readable(true);
        signals.set_writable(true);
        assert!(reported(&poller, Some(Duration::ZERO)).is_empty());
    }
}
