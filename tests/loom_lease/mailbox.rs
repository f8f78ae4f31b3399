//! Notes from neighbours: posted to a mailbox, read by whoever has the socket's lock or by a caller that sleeps.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use loom::sync::atomic::{AtomicBool, Ordering, fence};
use loom::sync::{Condvar, Mutex, MutexGuard};
use loom::thread::{self, JoinHandle};

use super::check;
use super::handoff::Handoff;

#[derive(Default)]
struct Parker {
    woken: Mutex<bool>,
    bed: Condvar,
    late: std::sync::atomic::AtomicBool,
}

impl Parker {
    fn prepare(&self) {
        *self.woken.lock().unwrap() = false;
    }

    fn park(&self) {
        let mut woken = self.woken.lock().unwrap();
        while !*woken && !self.is_late() {
            woken = self.bed.wait(woken).unwrap();
        }
    }

    fn is_late(&self) -> bool {
        self.late.load(Ordering::SeqCst)
    }

    fn wake(&self) {
        *self.woken.lock().unwrap() = true;
        self.bed.notify_one();
    }

    fn time_passes(&self) {
        let woken = self.woken.lock().unwrap();
        self.late.store(true, Ordering::SeqCst);
        drop(woken);
        self.bed.notify_one();
    }
}

/// The socket's lock, spelled out: loom's own would order more than a lock has to, and hide a missing fence.
#[derive(Default)]
struct Lock {
    taken: AtomicBool,
    /// Threads that sleep until it is free, and where they do.
    sleepers: AtomicUsize,
    queue: Mutex<()>,
    freed: Condvar,
}

impl Lock {
    fn take(&self) -> bool {
        self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn try_lock(&self) -> bool {
        !self.taken.load(Ordering::Relaxed) && self.take()
    }

    fn lock(&self) {
        if self.try_lock() {
            return;
        }
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let mut queue = self.queue.lock().unwrap();
        while !self.take() {
            queue = self.freed.wait(queue).unwrap();
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    fn unlock(&self) {
        self.taken.store(false, Ordering::Release);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.queue.lock().unwrap());
            self.freed.notify_all();
        }
    }
}

#[derive(Default)]
struct Socket {
    lock: Lock,
    /// Guarded by `lock`, and never contended.
    state: std::sync::Mutex<State>,
    mail: Mutex<Mail>,
    pending: AtomicBool,
}

#[derive(Default)]
struct State {
    inbox: usize,
    waiters: VecDeque<Arc<Parker>>,
    wakes: Vec<Arc<Parker>>,
    /// So many notes lead to something that is posted back, to which the neighbour has an answer.
    exchanges: usize,
    answering: bool,
}

#[derive(Default)]
struct Mail {
    /// How many messages each one announces.
    notes: Vec<usize>,
    attendant: Option<Arc<Parker>>,
}

struct Held<'a> {
    socket: &'a Socket,
    guard: Option<std::sync::MutexGuard<'a, State>>,
    reads_mail: bool,
}

impl Deref for Held<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.guard.as_ref().unwrap()
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.guard.as_mut().unwrap()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Some(mut state) = self.guard.take() else { return };
        let wakes = std::mem::take(&mut state.wakes);
        drop(state);
        self.socket.lock.unlock();
        wakes.iter().for_each(|parker| parker.wake());
        // Also before the loop in `read_mail` looks again.
        fence(Ordering::SeqCst);
        if self.reads_mail {
            self.socket.read_mail();
        }
    }
}

impl State {
    fn wake_ready(&mut self) {
        if self.inbox > 0 {
            self.wakes.extend(self.waiters.pop_front());
        }
    }
}

impl Socket {
    fn held(&self) -> Held<'_> {
        let guard = Some(self.state.try_lock().expect("the lock keeps others out"));
        Held { socket: self, guard, reads_mail: true }
    }

    fn lock(&self) -> Held<'_> {
        self.lock.lock();
        self.held()
    }

    fn post(&self, messages: usize) {
        let mut mail = self.mail.lock().unwrap();
        mail.notes.push(messages);
        let attendant = mail.attendant.take();
        drop(mail);
        if let Some(attendant) = attendant {
            attendant.wake();
            return;
        }
        self.pending.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.read_mail();
    }

    fn read_mail(&self) {
        while self.pending.load(Ordering::SeqCst) {
            if !self.lock.try_lock() {
                return;
            }
            let mut held = self.held();
            // This loop looks again by itself.
            held.reads_mail = false;
            if held.answering {
                return;
            }
            self.take_mail(&mut held);
            if held.exchanges > 0 {
                held.exchanges -= 1;
                held.answering = true;
                drop(held);
                // The neighbour reads what we post, and answers, in this very call.
                self.post(1);
                held = self.lock();
                held.reads_mail = false;
                held.answering = false;
            }
        }
    }

    fn take_mail(&self, state: &mut State) {
        self.pending.store(false, Ordering::SeqCst);
        loop {
            let note = self.mail.lock().unwrap().notes.pop();
            let Some(messages) = note else { return };
            state.inbox += messages;
            state.wake_ready();
        }
    }

    fn attend(&self, parker: &Arc<Parker>) -> bool {
        let mut mail = self.mail.lock().unwrap();
        let empty = mail.notes.is_empty();
        if empty {
            mail.attendant = Some(Arc::clone(parker));
        }
        empty
    }

    fn stop_attending(&self, parker: &Arc<Parker>) {
        let mut mail = self.mail.lock().unwrap();
        if mail.attendant.as_ref().is_some_and(|attendant| Arc::ptr_eq(attendant, parker)) {
            mail.attendant = None;
        }
    }

    fn recv(&self) {
        self.recv_in_time(&Arc::default());
    }

    /// Receives, unless somebody says that the time is over.
    fn recv_in_time(&self, parker: &Arc<Parker>) {
        let mut held = self.lock();
        while held.inbox == 0 && !parker.is_late() {
            parker.prepare();
            if !self.attend(parker) {
                self.take_mail(&mut held);
                continue;
            }
            held.waiters.push_back(Arc::clone(parker));
            drop(held);
            parker.park();
            held = self.lock();
            held.waiters.retain(|other| !Arc::ptr_eq(other, parker));
            self.stop_attending(parker);
            self.take_mail(&mut held);
        }
        held.inbox = held.inbox.saturating_sub(1);
        held.wake_ready();
    }
}

/// The way from one socket to its neighbour: a queue, and the hand of a receiver that watches.
#[derive(Default)]
struct Link {
    hand: Handoff,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<u8>,
    announced: bool,
}

impl Link {
    fn stop_watching(&self) -> MutexGuard<'_, Queue> {
        let mut queue = self.queue.lock().unwrap();
        if let Some(given) = self.hand.stop_watching() {
            queue.messages.push_front(given.as_slice()[0]);
        }
        queue
    }
}

impl Socket {
    /// A neighbour sends.
    fn send(&self, link: &Link, message: u8) {
        if link.hand.give(&[], &[message], || 0) {
            return;
        }
        let mut queue = link.queue.lock().unwrap();
        queue.messages.push_back(message);
        link.hand.tell(|| 0);
        let announce = !std::mem::replace(&mut queue.announced, true);
        drop(queue);
        if announce {
            self.post(1);
        }
    }

    /// Watches the link before it waits, and takes one message. `inbox` says that the pattern knows of some.
    fn recv_watching(&self, link: &Link) -> u8 {
        let parker = Arc::default();
        let mut held = self.lock();
        if held.inbox == 0 {
            let mut queue = link.queue.lock().unwrap();
            let watches = !std::mem::replace(&mut queue.announced, true);
            if watches {
                link.hand.watch();
            }
            drop(queue);
            if watches {
                drop(held);
                for _ in 0..2 {
                    if link.hand.given_from().is_none() {
                        thread::yield_now();
                    }
                }
                held = self.lock();
                let mut queue = link.stop_watching();
                queue.announced = !queue.messages.is_empty();
                held.inbox += usize::from(queue.announced);
                drop(queue);
            }
        }
        drop(held);
        self.recv_in_time(&parker);
        let held = self.lock();
        let mut queue = link.queue.lock().unwrap();
        let message = queue.messages.pop_front().expect("told for nothing");
        queue.announced = !queue.messages.is_empty();
        let more = queue.announced;
        drop(queue);
        drop(held);
        if more {
            // Known already: the pattern reads on.
            self.lock().inbox += 1;
        }
        message
    }
}

fn start(socket: &Arc<Socket>, action: impl FnOnce(&Socket) + Send + 'static) -> JoinHandle<()> {
    let socket = Arc::clone(socket);
    thread::spawn(move || action(&socket))
}

/// Nothing is left unread, and nobody is left behind.
fn end(socket: &Socket, messages: usize) {
    assert!(socket.mail.lock().unwrap().notes.is_empty(), "all notes were read");
    let held = socket.lock();
    assert_eq!(held.inbox, messages);
    assert!(held.waiters.is_empty());
}

#[test]
fn a_note_is_read_even_if_the_lock_was_taken() {
    check(3, || {
        let socket = Arc::new(Socket::default());
        let visitor = start(&socket, |socket| drop(socket.lock()));
        let neighbour = start(&socket, |socket| socket.post(1));
        socket.post(1);
        visitor.join().unwrap();
        neighbour.join().unwrap();
        end(&socket, 2);
    });
}

#[test]
fn a_note_is_read_even_if_another_is_being_answered() {
    check(3, || {
        let socket = Arc::new(Socket::default());
        socket.lock().exchanges = 1;
        let neighbour = start(&socket, |socket| socket.post(1));
        socket.post(1);
        neighbour.join().unwrap();
        end(&socket, 3);
    });
}

#[test]
fn a_receiver_gets_what_neighbours_post() {
    check(3, || {
        let socket = Arc::new(Socket::default());
        let receiver = start(&socket, |socket| {
            socket.recv();
            socket.recv();
        });
        let neighbour = start(&socket, |socket| socket.post(1));
        socket.post(1);
        receiver.join().unwrap();
        neighbour.join().unwrap();
        end(&socket, 0);
    });
}

#[test]
fn a_visitor_does_not_keep_a_note_from_a_receiver() {
    check(3, || {
        let socket = Arc::new(Socket::default());
        let receiver = start(&socket, Socket::recv);
        let visitor = start(&socket, |socket| drop(socket.lock()));
        socket.post(1);
        receiver.join().unwrap();
        visitor.join().unwrap();
        end(&socket, 0);
    });
}

#[test]
fn two_receivers_get_a_message_each() {
    let scene = |post: fn(&Socket)| {
        check(2, move || {
            let socket = Arc::new(Socket::default());
            let receivers = [start(&socket, Socket::recv), start(&socket, Socket::recv)];
            post(&socket);
            for receiver in receivers {
                receiver.join().unwrap();
            }
            end(&socket, 0);
        });
    };
    scene(|socket| socket.post(2));
    scene(|socket| {
        socket.post(1);
        socket.post(1);
    });
}

#[test]
fn a_receiver_whose_time_is_over_leaves_no_note_unread() {
    check(3, || {
        let socket = Arc::new(Socket::default());
        let parker = Arc::new(Parker::default());
        let hasty = Arc::clone(&parker);
        let receiver = start(&socket, move |socket| socket.recv_in_time(&hasty));
        parker.time_passes();
        socket.post(1);
        receiver.join().unwrap();
        assert!(socket.mail.lock().unwrap().notes.is_empty(), "all notes were read");
    });
}

#[test]
fn a_receiver_that_watches_its_neighbour_misses_nothing() {
    check(3, || {
        let socket = Arc::new(Socket::default());
        let link = Arc::new(Link::default());
        let watched = Arc::clone(&link);
        let receiver = start(&socket, move |socket| {
            assert_eq!([socket.recv_watching(&watched), socket.recv_watching(&watched)], [1, 2]);
        });
        socket.send(&link, 1);
        socket.send(&link, 2);
        receiver.join().unwrap();
        assert!(link.stop_watching().messages.is_empty());
    });
}
