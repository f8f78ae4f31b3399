//! nn_device: forwarding between two raw sockets, or within one, in the calling thread.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Socket;
use super::poll::{Entry, Watches};
use super::table;
use super::wait::Timeout;
use crate::error::{Error, Result};
use crate::message::{Message, Outgoing};
use crate::panics;
use crate::pattern::{self, Demand, DeviceId};
use crate::sys;

/// Forwards messages between two raw sockets, or back into one (the other handle negative), headers included. Returns
/// only when no direction works any more, with the error that ended the one from `first` to `second`.
pub(crate) fn device(first: i32, second: i32) -> Result<()> {
    if first < 0 && second < 0 {
        return Err(Error::BadSocket);
    }
    if first < 0 || second < 0 {
        let socket = find_raw(first.max(second))?;
        return Err(run(&mut [Direction::new(&socket, &socket)], true));
    }
    let (first, second) = (table::find(first)?, table::find(second)?);
    let (first, second) = (raw(&first)?, raw(&second)?);
    let matching =
        first.protocol / 16 == second.protocol / 16 && first.receives == second.sends && first.sends == second.receives;
    if !matching {
        return Err(Error::Invalid);
    }
    let there = Direction::new(&first, &second);
    let back = Direction::new(&second, &first);
    match (first.receives, second.receives) {
        (true, true) => Err(run(&mut [there, back], false)),
        (true, false) => Err(run(&mut [there], true)),
        (false, _) => Err(run(&mut [back], true)),
    }
}

fn find_raw(handle: i32) -> Result<Arc<Socket>> {
    let found = table::find(handle)?;
    raw(&found)
}

fn raw(socket: &Arc<Socket>) -> Result<Arc<Socket>> {
    if socket.raw { Ok(Arc::clone(socket)) } else { Err(Error::Invalid) }
}

/// The name of the next device.
static DEVICES: AtomicU64 = AtomicU64::new(0);

/// Steps of one direction before the other has its turn.
const TURN: usize = 32;

/// One direction. Upstream it asks for what those want to whom it goes on.
struct Direction {
    from: Arc<Socket>,
    to: Arc<Socket>,
    /// Received, and not taken by the other side yet.
    pending: Option<Outgoing<'static>>,
    /// There was nothing more to receive at the last look, and this is how long one waits for it.
    next: Option<Timeout>,
    /// Until when the present step may take: NN_RCVTIMEO or NN_SNDTIMEO, counted from its start.
    limit: Option<Timeout>,
    ended: Option<Error>,
    /// Under this name, where what is wanted may be less than all.
    demand_id: Option<DeviceId>,
}

impl Direction {
    fn new(from: &Arc<Socket>, to: &Arc<Socket>) -> Self {
        let demand_id = pattern::forwarding(from.protocol).map(|_| DEVICES.fetch_add(1, Ordering::Relaxed));
        if let Some(device) = demand_id {
            to.with(|state| state.pattern.watch_demand(device, true));
        }
        Self {
            from: Arc::clone(from),
            to: Arc::clone(to),
            pending: None,
            next: None,
            limit: None,
            ended: None,
            demand_id,
        }
    }

    /// Passes on how what is wanted has changed.
    fn follow(&mut self, device: DeviceId) {
        let held = self.to.lock();
        if held.is_closing() {
            held.release();
            // The next message will tell.
            return self.stop_following();
        }
        let demand = held.finish(|state| state.pattern.take_demand(device));
        if demand.is_some() {
            self.demand(device, demand);
        }
    }

    fn stop_following(&mut self) {
        if let Some(device) = self.demand_id.take() {
            self.to.with(|state| state.pattern.watch_demand(device, false));
            self.demand(device, None);
        }
    }

    fn demand(&self, device: DeviceId, demand: Option<Demand>) {
        let asked = self.from.with(|state| {
            if !state.is_closing() {
                state.pattern.set_demand(device, demand);
                state.forward(sys::now());
            }
            !state.is_closing()
        });
        if asked {
            self.from.library.has_subscribed();
        }
    }

    /// Moves messages until one has to wait, the direction ends, or the other one shall have its turn. True: there may
    /// be more.
    fn go(&mut self) -> bool {
        if let Some(device) = self.demand_id {
            self.follow(device);
        }
        for _ in 0..TURN {
            let step = if self.pending.is_none() { self.pass() } else { self.send_pending() };
            match step {
                Ok(()) => {
                    self.limit = None;
                    if self.next.is_some() {
                        self.limit = self.next;
                        return false;
                    }
                }
                Err(Error::WouldBlock) => {
                    let limit = *self.limit.get_or_insert_with(|| match self.pending {
                        Some(_) => self.to.send_limit(),
                        None => self.from.recv_limit(),
                    });
                    if limit.is_over() {
                        self.ended = Some(Error::TimedOut);
                    }
                    return false;
                }
                Err(error) => {
                    self.ended = Some(error);
                    return false;
                }
            }
        }
        true
    }

    /// Receives one message and sends it.
    fn pass(&mut self) -> Result<()> {
        let mut message = Message::default();
        self.next = self.from.take(&mut message)?;
        self.limit = None;
        self.send(message.into())
    }

    fn send_pending(&mut self) -> Result<()> {
        self.pending.take().map_or(Ok(()), |message| self.send(message))
    }

    #[inline]
    fn send(&mut self, mut message: Outgoing<'static>) -> Result<()> {
        let sent = self.to.send(&mut message, true);
        if sent == Err(Error::WouldBlock) {
            // It is as it was, and waits.
            self.pending = Some(message);
        }
        sent.map(drop)
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        let entry = match self.pending {
            Some(_) => Entry::sendable(&self.to),
            None => Entry::receivable(&self.from),
        };
        [Some(entry), self.demand_id.map(|device| Entry::changing(&self.to, device))].into_iter().flatten()
    }
}

impl Drop for Direction {
    fn drop(&mut self) {
        panics::in_destructor(|| self.stop_following());
    }
}

/// Drives all directions until the last has ended; the answer is the first one's error. `interruptible`: a signal ends
/// it, as it does a device with one direction.
fn run(ways: &mut [Direction], interruptible: bool) -> Error {
    let mut watches = None;
    // Both sockets are held from one wait to the next until one of them closes; the other goes on alone.
    let mut together = true;
    loop {
        let mut more = false;
        for way in ways.iter_mut().filter(|way| way.ended.is_none()) {
            more |= way.go();
        }
        if more {
            continue;
        }
        let going: Vec<&Direction> = ways.iter().filter(|way| way.ended.is_none()).collect();
        if going.is_empty() {
            return ways.first().and_then(|way| way.ended).unwrap_or(Error::BadSocket);
        }
        let limit = going.iter().filter_map(|way| way.limit).min().unwrap_or(Timeout::Infinite);
        let mut entries: Vec<Entry> = going.iter().flat_map(|way| way.entries()).collect();
        let mut waiting = match watches.take() {
            Some(waiting) => waiting,
            None => {
                let sockets: Vec<&Arc<Socket>> = if together {
                    going.iter().flat_map(|way| [&way.from, &way.to]).collect()
                } else {
                    entries.iter().map(Entry::socket).collect()
                };
                match Watches::new(sockets.into_iter(), None) {
                    Ok(made) => made,
                    Err(error) => return error,
                }
            }
        };
        let waited = waiting.wait(&mut entries, limit);
        waiting.wake();
        match waited {
            Ok(true) if together => watches = Some(waiting),
            Ok(true) => {}
            // The one that is closing has to be let go.
            Ok(false) => together = false,
            Err(Error::Interrupted) if !interruptible => {}
            Err(error) => return error,
        }
    }
}
