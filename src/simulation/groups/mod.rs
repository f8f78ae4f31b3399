//! Groups of sockets that talk to each other, and the threads that use them. Each knows what its pattern promises.

mod bus;
mod pair;
mod pipeline;
mod pubsub;
mod reqrep;
mod survey;
mod visitor;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::book::Book;
use super::calls;
use crate::error::Error;
use crate::pattern::{self, Protocol};
use crate::sys::simulated::{Rng, fail, is_readable, losses, nap, wait_readable, yield_now};

/// A thread that uses the library.
pub(super) struct Caller {
    pub name: String,
    /// The run lasts until it has done its work. The others work until their sockets are closed.
    pub active: bool,
    pub work: Box<dyn FnOnce(&mut Rng) + Send>,
}

/// A group of sockets.
pub(super) struct Cell {
    pub name: String,
    scheme: &'static str,
    /// The first of its addresses.
    number: u16,
    pub book: Mutex<Book>,
    handles: Mutex<Vec<i32>>,
    /// A receiver may leave, and take along what it had.
    lossy: AtomicBool,
    /// Each message has one receiver,
    once: bool,
    /// and comes to it, as long as nothing is cut.
    delivers: bool,
    next_party: AtomicU32,
    /// What has to hold at the end besides.
    pub finish: Mutex<Option<Finish>>,
}

type Finish = Box<dyn Fn() -> Result<(), String> + Send>;

/// Addresses of a cell.
const ADDRESSES: u16 = 10;

impl Cell {
    fn new(kind: &str, index: u16, once: bool, rng: &mut Rng) -> Arc<Self> {
        let scheme = rng.one_of(&["inproc", "inproc", "sim", "sim", "sim", "simipc", "simws"]);
        Arc::new(Self {
            name: format!("{kind} over {scheme}"),
            scheme,
            number: 100 + index * ADDRESSES,
            book: Mutex::default(),
            handles: Mutex::default(),
            lossy: AtomicBool::new(false),
            once,
            delivers: matches!(kind, "pipeline" | "pair"),
            next_party: AtomicU32::new(u32::from(index) * 1000),
            finish: Mutex::default(),
        })
    }

    fn address(&self, at: u16) -> String {
        format!("{}://{}", self.scheme, self.number + at)
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something may have been lost by now.
    pub(super) fn has_lost(&self) -> bool {
        self.lossy.load(Ordering::SeqCst) || self.was_cut()
    }

    fn was_cut(&self) -> bool {
        self.scheme != "inproc" && (0..ADDRESSES).any(|at| losses(self.number + at) > 0)
    }

    fn may_lose(&self) {
        self.lossy.store(true, Ordering::SeqCst);
    }

    /// A name for a sender or a receiver.
    fn party(&self) -> u32 {
        self.next_party.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// A socket of this cell, which is closed at the end if not before.
    fn socket(&self, raw: bool, protocol: u16, rng: &mut Rng) -> i32 {
        let handle = calls::open(raw, protocol);
        calls::furnish(handle, rng);
        if matches!(protocol, pattern::PUB | pattern::BUS | pattern::SURVEYOR) {
            calls::set(handle, 0, calls::OVERFLOW, rng.one_of(&[0, 0, 1, 2]));
        }
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        handle
    }

    /// The sockets that are to be closed.
    pub(super) fn take_handles(&self) -> Vec<i32> {
        std::mem::take(&mut self.handles.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn closes(&self, handle: i32) {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != handle);
        calls::close_if_open(handle);
    }

    /// Now and then one that comes and goes, at this address.
    fn visited(self: &Arc<Self>, protocol: Protocol, at: u16, callers: &mut Vec<Caller>, rng: &mut Rng) {
        if rng.per_mille(150) {
            callers.push(visitor::make(self, protocol, at, rng));
        }
    }

    pub(super) fn once(&self) -> bool {
        self.once
    }

    pub(super) fn delivers(&self) -> bool {
        self.delivers
    }

    /// One socket binds, and the others connect to it, in any order.
    fn star(&self, hub: i32, others: &[i32], at: u16, rng: &mut Rng) {
        let first = rng.below(others.len() as u64 + 1) as usize;
        for (index, other) in others.iter().enumerate() {
            if index == first {
                self.bind(hub, at);
            }
            let _ = calls::connect(*other, &self.address(at));
        }
        if first >= others.len() {
            self.bind(hub, at);
        }
    }

    fn bind(&self, handle: i32, at: u16) {
        if let Err(error) = calls::bind(handle, &self.address(at)) {
            fail(&format!("{} cannot be bound: {error:?}", self.address(at)));
        }
    }

    /// A device between two addresses, to which its clients connect, and its sockets.
    fn device(self: &Arc<Self>, front: (u16, u16), back: (u16, u16), rng: &mut Rng) -> (Caller, [i32; 2]) {
        let [first, second] = [front, back].map(|(protocol, at)| {
            let handle = self.socket(true, protocol, rng);
            self.bind(handle, at);
            handle
        });
        let own = Arc::clone(self);
        let caller = Caller {
            name: "device".to_owned(),
            active: false,
            work: Box::new(move |_| {
                loop {
                    match calls::forward(first, second) {
                        Err(error) if calls::is_passing(error) => {
                            // A message that it has received and not sent yet goes with it.
                            own.may_lose();
                            nap(Duration::from_millis(3));
                        }
                        Err(Error::BadSocket) => return,
                        other => fail(&format!("nn_device ended with {other:?}")),
                    }
                }
            }),
        };
        (caller, [first, second])
    }
}

/// Cells that use at most so many threads, and take about so many calls.
pub(super) fn make(index: u16, threads: usize, steps: u64, rng: &mut Rng) -> (Arc<Cell>, Vec<Caller>) {
    match rng.below(10) {
        0..3 => pipeline::make(index, threads, steps, rng),
        3..5 => pair::make(index, threads, steps, rng),
        5..7 => reqrep::make(index, threads, steps, rng),
        7 => pubsub::make(index, threads, steps, rng),
        8 => survey::make(index, threads, steps, rng),
        _ => bus::make(index, threads, steps, rng),
    }
}

/// How long a message is.
fn length(rng: &mut Rng) -> usize {
    match rng.below(20) {
        0..12 => 12 + rng.below(60),
        12..16 => 12 + rng.below(1000),
        16..19 => 12 + rng.below(9000),
        _ => 12 + rng.below(90_000),
    }
    .try_into()
    .unwrap_or(12)
}

/// A pause now and then.
fn pause(rng: &mut Rng) {
    match rng.below(40) {
        0 => nap(Duration::from_micros(rng.below(300))),
        1 => nap(Duration::from_micros(rng.below(5000))),
        2 => nap(Duration::from_millis(rng.below(30))),
        3..6 => yield_now(),
        _ => {}
    }
}

/// How a thread waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// In the call itself.
    Blocks,
    /// The call does not wait, the thread sleeps in between.
    Looks,
    /// In nn_poll, for one socket or for some.
    Polls,
    /// At a descriptor, as a program with an event loop of its own.
    Watches,
}

impl Manner {
    fn draw(rng: &mut Rng) -> Self {
        rng.one_of(&[Self::Blocks, Self::Blocks, Self::Looks, Self::Polls, Self::Watches])
    }
}

/// Sends until it is accepted. False: the socket is closed.
fn deliver(handle: i32, bytes: &[u8], manner: Manner, rng: &mut Rng) -> bool {
    loop {
        match calls::send(handle, bytes, manner != Manner::Blocks) {
            Ok(_) => return true,
            Err(Error::BadSocket) => return false,
            Err(Error::TimedOut) => {}
            Err(Error::WouldBlock) if manner != Manner::Blocks => {
                if manner == Manner::Looks {
                    nap(Duration::from_micros(rng.below(3000)));
                } else {
                    let timeout = rng.one_of(&[None, Some(Duration::from_millis(7))]);
                    if manner == Manner::Watches {
                        match calls::send_fd(handle) {
                            Ok(fd) => wait_readable(fd, timeout),
                            Err(_) => return false,
                        }
                        continue;
                    }
                    match calls::poll(&[(handle, false, true)], timeout) {
                        Ok(_) => {}
                        Err(Error::BadSocket) => return false,
                        Err(error) if calls::is_passing(error) => {}
                        Err(error) => fail(&format!("nn_poll: {error:?}")),
                    }
                }
            }
            Err(error) if calls::is_passing(error) => {}
            Err(error) => fail(&format!("nn_send: {error:?}")),
        }
    }
}

/// Receives from these sockets until all are closed, and hands each message on.
fn receive(handles: &[i32], manner: Manner, rng: &mut Rng, mut got: impl FnMut(i32, &[u8], &mut Rng)) {
    let mut open = handles.to_vec();
    // Of the first, where there is only one.
    let mut fd = None;
    while let Some(&first) = open.first() {
        // Several sockets cannot be blocked in.
        let manner = if open.len() > 1 { Manner::Polls } else { manner };
        let handle = match manner {
            Manner::Blocks => first,
            Manner::Looks => {
                nap(Duration::from_micros(rng.below(4000)));
                first
            }
            Manner::Polls => {
                let list: Vec<_> = open.iter().map(|handle| (*handle, true, false)).collect();
                let timeout = rng.one_of(&[None, Some(Duration::from_millis(9)), Some(Duration::ZERO)]);
                match calls::poll(&list, timeout) {
                    Ok(found) => {
                        let ready: Vec<i32> =
                            open.iter().zip(&found).filter(|(_, (recv, _))| *recv).map(|(handle, _)| *handle).collect();
                        if ready.is_empty() {
                            if timeout == Some(Duration::ZERO) {
                                nap(Duration::from_micros(rng.below(2000)));
                            }
                            // One of them may be closed, which only a call tells.
                            rng.one_of(&open)
                        } else {
                            rng.one_of(&ready)
                        }
                    }
                    Err(Error::BadSocket) => rng.one_of(&open),
                    Err(error) if calls::is_passing(error) => continue,
                    Err(error) => fail(&format!("nn_poll: {error:?}")),
                }
            }
            Manner::Watches => {
                let Ok(shown) = fd.map_or_else(|| calls::recv_fd(first), Ok) else { return };
                fd = Some(shown);
                wait_readable(shown, rng.one_of(&[None, Some(Duration::from_millis(20))]));
                if !is_readable(shown) {
                    continue;
                }
                first
            }
        };
        match calls::recv(handle, manner != Manner::Blocks, false) {
            Ok(bytes) => {
                got(handle, &bytes, rng);
                if rng.per_mille(20) {
                    pause(rng);
                }
            }
            Err(Error::BadSocket) => open.retain(|other| *other != handle),
            Err(Error::TimedOut | Error::WouldBlock) => {}
            Err(error) if calls::is_passing(error) => {}
            Err(error) => fail(&format!("nn_recv: {error:?}")),
        }
    }
}
