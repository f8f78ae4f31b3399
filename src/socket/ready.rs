//! Readiness seen from outside: NN_SNDFD, NN_RCVFD and nn_poll.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::state::State;
use super::wait::{Limit, Want};
use super::{Held, Socket, table};
use crate::error::{Error, Result};
use crate::sys::{EventFd, Parker, current_parker, poll_readable};

/// The event descriptors, once somebody has asked for them. Readable while the condition holds, both of them.
#[derive(Default)]
pub(super) struct EventFds {
    /// Locked before the socket, and never the other way round.
    pair: Mutex<Pair>,
}

#[derive(Default)]
struct Pair {
    send: Option<Shown>,
    recv: Option<Shown>,
}

struct Shown {
    event: EventFd,
    signalled: bool,
}

impl Shown {
    fn show(&mut self, ready: bool) {
        if ready == self.signalled {
            return;
        }
        self.signalled = ready;
        if ready { self.event.signal() } else { self.event.clear() }
    }
}

impl EventFds {
    /// Pollers see the end of the socket before the descriptors go.
    pub(super) fn close(&self) {
        let mut pair = self.pair.lock();
        for mut shown in [pair.send.take(), pair.recv.take()].into_iter().flatten() {
            shown.show(true);
        }
    }
}

impl Socket {
    /// The descriptor that shows readiness in one direction; made at the first request.
    pub(super) fn event_fd(&self, held: Held<'_>, want: Want) -> Result<i32> {
        let exists = if want == Want::Send { held.pattern.sends() } else { held.pattern.receives() };
        drop(held);
        if !exists {
            return Err(Error::NoSuchOption);
        }
        let mut pair = self.events.pair.lock();
        let slot = if want == Want::Send { &mut pair.send } else { &mut pair.recv };
        let fd = match slot {
            Some(shown) => shown.event.as_fd().as_raw_fd(),
            None => {
                let shown = slot.insert(Shown { event: EventFd::new()?, signalled: false });
                shown.event.as_fd().as_raw_fd()
            }
        };
        drop(pair);
        let mut held = self.enter()?;
        held.shows_readiness = true;
        held.pipes.after().readiness = true;
        // From now on the worker hears of every event, also right after a caller has left.
        if self.reactor.get().is_some() && held.lease.take() {
            held.leave_lease();
        }
        Ok(fd)
    }

    /// Brings the descriptors up to date with the pattern.
    pub(super) fn show_readiness(&self) {
        let mut pair = self.events.pair.lock();
        // Not `lock`: letting that go would bring us here again.
        let state = self.state.lock();
        if state.closing {
            return;
        }
        let (can_send, can_recv) = (state.pattern.can_send(), state.pattern.can_recv());
        drop(state);
        if let Some(shown) = &mut pair.send {
            shown.show(can_send);
        }
        if let Some(shown) = &mut pair.recv {
            shown.show(can_recv);
        }
    }
}

/// One entry of nn_poll.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    pub handle: i32,
    pub want_recv: bool,
    pub want_send: bool,
    pub can_recv: bool,
    pub can_send: bool,
}

impl Item {
    fn is_ready(&self) -> bool {
        self.can_recv || self.can_send
    }

    fn look(&mut self, state: &State) {
        self.can_recv = self.want_recv && state.pattern.can_recv();
        self.can_send = self.want_send && state.pattern.can_send();
    }
}

/// Waits until an entry is ready (or the time is over, `None` for no limit) and returns how many are. An entry that wants
/// nothing is not looked at.
pub fn poll(items: &mut [Item], timeout: Option<Duration>) -> Result<usize> {
    let limit = timeout.map_or(Limit::Never, |timeout| {
        if timeout.is_zero() { Limit::Once } else { Limit::Until(Instant::now() + timeout) }
    });
    let mut entries = Vec::new();
    let mut watches: Vec<Watch> = Vec::new();
    for (index, item) in items.iter_mut().enumerate() {
        (item.can_recv, item.can_send) = (false, false);
        if !item.want_recv && !item.want_send {
            continue;
        }
        let socket = Arc::clone(&*table::find(item.handle)?);
        let held = socket.enter()?;
        if (item.want_recv && !held.pattern.receives()) || (item.want_send && !held.pattern.sends()) {
            return Err(Error::NoSuchOption);
        }
        drop(held);
        let known = watches.iter().position(|watch| Arc::ptr_eq(&watch.socket, &socket));
        let watch = known.unwrap_or_else(|| {
            watches.push(Watch { socket, leading: false });
            watches.len() - 1
        });
        entries.push((index, watch));
    }
    match &watches[..] {
        [only] => poll_one(&only.socket, items, &entries, limit),
        _ => poll_many(&mut watches, items, &entries, limit),
    }
}

fn count(items: &[Item]) -> usize {
    items.iter().filter(|item| item.is_ready()).count()
}

fn poll_one(socket: &Socket, items: &mut [Item], entries: &[(usize, usize)], limit: Limit) -> Result<usize> {
    let mut look = |state: &mut State| {
        entries.iter().for_each(|&(index, _)| items[index].look(state));
        if entries.iter().any(|&(index, _)| items[index].is_ready()) { Ok(()) } else { Err(Error::WouldBlock) }
    };
    let mut held = socket.enter()?;
    let mut result = look(&mut held);
    if result.is_err() {
        (held, result) = socket.wait_until(held, Want::Both, limit, look);
    }
    drop(held);
    match result {
        // A socket closed meanwhile ends the call early, with nothing ready.
        Ok(()) | Err(Error::WouldBlock | Error::TimedOut | Error::BadSocket) => Ok(count(items)),
        Err(error) => Err(error),
    }
}

/// A socket under nn_poll.
struct Watch {
    socket: Arc<Socket>,
    /// We have its lease.
    leading: bool,
}

/// Several sockets: takes every lease that is free, waits for all their pollers at once, and turns those that are ready.
/// The other sockets wake this thread through its parker.
fn poll_many(watches: &mut [Watch], items: &mut [Item], entries: &[(usize, usize)], limit: Limit) -> Result<usize> {
    let parker = current_parker();
    for watch in &*watches {
        watch.socket.lock().inside += 1;
    }
    let result = wait_many(watches, items, entries, limit, &parker);
    for watch in watches {
        let mut held = watch.socket.lock();
        held.waiters.remove(&parker);
        held.inside -= 1;
        if watch.leading {
            held.leave_lease();
        }
        held.pass_on();
    }
    result.map(|()| count(items))
}

fn wait_many(
    watches: &mut [Watch],
    items: &mut [Item],
    entries: &[(usize, usize)],
    limit: Limit,
    parker: &Arc<Parker>,
) -> Result<()> {
    let mut turning = vec![true; watches.len()];
    loop {
        parker.prepare();
        let mut next: Option<Instant> = limit.deadline();
        let mut ready = limit == Limit::Once;
        for (at, watch) in watches.iter_mut().enumerate() {
            let mut held = watch.socket.lock();
            held.waiters.remove(parker);
            if held.closing {
                return Ok(());
            }
            watch.leading |= held.drives() && held.lease.take();
            if watch.leading {
                held.lease.wake();
                held.pipes.flush_gathered(None);
                while std::mem::take(&mut turning[at]) || held.needs_turn() {
                    (held, _) = watch.socket.turn(held, Some(Duration::ZERO));
                }
            }
            for &(index, of) in entries {
                if of == at {
                    items[index].look(&held);
                    ready |= items[index].is_ready();
                }
            }
            held.waiters.add(parker, Want::Both);
            if watch.leading {
                held.lease.sleep();
                next = [next, held.next_deadline()].into_iter().flatten().min();
            }
        }
        if ready || matches!(limit, Limit::Until(at) if at <= Instant::now()) {
            return Ok(());
        }
        if !parker.begin_polling() {
            continue;
        }
        let event = parker.event()?;
        let mut fds = vec![event.as_fd().as_raw_fd()];
        let led: Vec<usize> = (0..watches.len()).filter(|&at| watches[at].leading).collect();
        for &at in &led {
            if let Some(reactor) = watches[at].socket.reactor.get() {
                fds.push(reactor.poller.as_fd().as_raw_fd());
            }
        }
        let timeout = next.map(|next| next.saturating_duration_since(Instant::now()));
        let polled = poll_readable(&fds, timeout);
        parker.end_polling();
        let polled = polled.map_err(|_| Error::Interrupted)?;
        if polled[0] {
            event.clear();
        }
        for (&at, &readable) in led.iter().zip(&polled[1..]) {
            let due = next.is_some_and(|next| next <= Instant::now());
            turning[at] = readable || due;
        }
    }
}
