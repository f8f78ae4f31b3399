//! Who sleeps at a socket, what for, and who is woken. Plain data under the socket's lock; `P` is what a thread sleeps in.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::pattern::DeviceId;
use crate::pipe::PipeId;

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitFor {
    Send,
    Recv,
    /// Either; the caller only looks (nn_poll).
    Both,
    /// The kernel's room for the rest of a message on this pipe.
    Room(PipeId),
    /// That what is asked for has changed, for a device.
    Demand(DeviceId),
    /// Nothing but the end of the socket.
    End,
}

/// The sleeping callers of one socket, first come first.
pub(crate) struct Waiters<P> {
    list: VecDeque<(Arc<P>, WaitFor)>,
}

/// Threads to wake once the lock is free.
pub(crate) type Wakes<P> = SmallVec<[Arc<P>; 2]>;

impl<P> Default for Waiters<P> {
    fn default() -> Self {
        Self { list: VecDeque::new() }
    }
}

impl<P> Waiters<P> {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn add(&mut self, parker: &Arc<P>, want: WaitFor) {
        self.list.push_back((Arc::clone(parker), want));
    }

    pub(crate) fn remove(&mut self, parker: &Arc<P>) {
        match self.list.front() {
            // One that has slept alone.
            Some((first, _)) if self.list.len() == 1 && Arc::ptr_eq(first, parker) => self.list.clear(),
            None => {}
            _ => self.list.retain(|(other, _)| !Arc::ptr_eq(other, parker)),
        }
    }

    fn wake(&mut self, wakes: &mut Wakes<P>, concerned: impl Fn(WaitFor) -> bool) {
        if let Some(at) = self.list.iter().position(|(_, want)| concerned(*want))
            && let Some((parker, _)) = self.list.remove(at)
        {
            wakes.push(parker);
        }
    }

    pub(crate) fn wake_receiver(&mut self, wakes: &mut Wakes<P>) {
        self.wake(wakes, |want| matches!(want, WaitFor::Recv | WaitFor::Both));
    }

    pub(crate) fn wake_sender(&mut self, wakes: &mut Wakes<P>) {
        self.wake(wakes, |want| matches!(want, WaitFor::Send | WaitFor::Both));
    }

    /// Every sender: some of their messages may go, and which is for each to find out.
    pub(crate) fn wake_senders(&mut self, wakes: &mut Wakes<P>) {
        while self.list.iter().any(|(_, want)| *want == WaitFor::Send) {
            self.wake(wakes, |want| want == WaitFor::Send);
        }
    }

    /// The kernel takes bytes of this pipe again.
    pub(crate) fn wake_writer(&mut self, pipe: PipeId, wakes: &mut Wakes<P>) {
        self.wake(wakes, |want| want == WaitFor::Room(pipe));
    }

    pub(crate) fn has_devices(&self) -> bool {
        self.list.iter().any(|(_, want)| matches!(want, WaitFor::Demand(_)))
    }

    /// Every device for which what is asked for has changed.
    pub(crate) fn wake_devices(&mut self, changed: impl Fn(DeviceId) -> bool, wakes: &mut Wakes<P>) {
        let concerned = |want| matches!(want, WaitFor::Demand(device) if changed(device));
        while self.list.iter().any(|(_, want)| concerned(*want)) {
            self.wake(wakes, concerned);
        }
    }

    /// The one that has waited longest: it takes the lead.
    pub(crate) fn wake_first(&mut self, wakes: &mut Wakes<P>) {
        self.wake(wakes, |_| true);
    }

    pub(crate) fn wake_all(&mut self, wakes: &mut Wakes<P>) {
        while !self.list.is_empty() {
            self.wake_first(wakes);
        }
    }
}
