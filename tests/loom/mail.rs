//! Sockets of one process: each has a lock, a mailbox, and callers that wait for what the notes bring.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use loom::thread::{self, JoinHandle};

use super::check;
use super::mailbox::{Mailbox, Owner};
use super::sys::{Mutex, MutexGuard, Parker};
use super::waiters::{WaitFor, Waiters, Wakes};

/// Each note is a message, and so many answers follow, one after the other: the neighbour's, our own to that, and so on.
type Note = usize;

#[derive(Default)]
struct Socket {
    state: Mutex<State>,
    mailbox: Mailbox<Note>,
    neighbour: OnceLock<Weak<Self>>,
}

#[derive(Default)]
struct State {
    inbox: usize,
    waiters: Waiters<Parker>,
    answering: bool,
    // Effects.
    wakes: Wakes<Parker>,
    posts: Vec<Note>,
}

struct StateGuard<'a> {
    socket: &'a Socket,
    guard: MutexGuard<'a, State>,
    looks: bool,
}

impl Deref for StateGuard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.guard
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.guard
    }
}

loom::thread_local! {
    /// Posts that the thread is in the middle of.
    static DEPTH: Cell<u32> = Cell::new(0);
}

/// A thread posts, its neighbour answers in that call, and the answer to that is left to the first.
const DEEPEST: u32 = 3;

impl StateGuard<'_> {
    fn release(self) {
        let StateGuard { socket, mut guard, looks } = self;
        let (wakes, posts) = (std::mem::take(&mut guard.wakes), std::mem::take(&mut guard.posts));
        drop(guard);
        wakes.iter().for_each(|parker| parker.wake());
        for note in posts {
            let neighbour = socket.neighbour.get().and_then(Weak::upgrade);
            neighbour.expect("only two sockets have answers for each other").post(note);
        }
        if looks {
            socket.mailbox.look(socket);
        }
    }
}

impl State {
    fn wake_ready(&mut self) {
        if self.inbox > 0 {
            self.waiters.wake_receiver(&mut self.wakes);
        }
    }
}

impl Owner<Note> for Socket {
    type StateGuard<'a> = StateGuard<'a>;

    fn try_lock(&self) -> Option<StateGuard<'_>> {
        Some(StateGuard { socket: self, guard: self.state.try_lock()?, looks: false })
    }

    fn lock(&self) -> StateGuard<'_> {
        StateGuard { socket: self, guard: self.state.lock(), looks: false }
    }

    fn release(held: StateGuard<'_>) {
        held.release();
    }

    fn take_note(&self, held: &mut StateGuard<'_>, answers: Note) {
        held.inbox += 1;
        held.wake_ready();
        held.posts.extend(answers.checked_sub(1));
    }

    fn posts(held: &StateGuard<'_>) -> bool {
        !held.posts.is_empty()
    }

    fn answering<'a>(held: &'a mut StateGuard<'_>) -> &'a mut bool {
        &mut held.answering
    }
}

impl Socket {
    fn visit(&self) -> StateGuard<'_> {
        StateGuard { socket: self, guard: self.state.lock(), looks: true }
    }

    fn post(&self, note: Note) {
        let depth = DEPTH.with(|depth| depth.replace(depth.get() + 1));
        assert!(depth < DEEPEST, "answers are read by the thread that waits for them");
        self.mailbox.post(note, self);
        DEPTH.with(|known| known.set(depth));
    }

    fn recv(&self) {
        let mut held = self.visit();
        while held.inbox == 0 {
            held = self.sleep(held, None);
        }
        held.inbox -= 1;
        held.wake_ready();
        held.release();
    }

    /// Receives, unless the time is over first.
    fn recv_at_once(&self) -> bool {
        let mut held = self.visit();
        if held.inbox == 0 {
            held = self.sleep(held, Some(Instant::now()));
        }
        let came = held.inbox > 0;
        held.inbox -= usize::from(came);
        held.wake_ready();
        held.release();
        came
    }

    fn sleep<'a>(&'a self, mut held: StateGuard<'a>, deadline: Option<Instant>) -> StateGuard<'a> {
        let parker = Arc::default();
        held.waiters.add(&parker, WaitFor::Recv);
        held.release();
        parker.park(deadline);
        let mut held = self.visit();
        held.waiters.remove(&parker);
        held
    }
}

fn start<T: 'static>(socket: &Arc<Socket>, action: impl FnOnce(&Socket) -> T + Send + 'static) -> JoinHandle<T> {
    let socket = Arc::clone(socket);
    thread::spawn(move || action(&socket))
}

/// Nothing is left unread, and nobody is left behind.
fn end(socket: &Socket, messages: usize) {
    // Not `visit`, which would look into the mailbox.
    let state = socket.state.lock();
    socket.mailbox.take(|_| panic!("a note that nobody has read"));
    assert_eq!(state.inbox, messages);
    assert!(state.waiters.is_empty() && !state.answering);
}

#[test]
fn a_note_is_read_even_if_the_lock_was_taken() {
    check(3, || {
        let socket = Arc::new(Socket::default());
        let visitor = start(&socket, |socket| socket.visit().release());
        socket.post(0);
        visitor.join().unwrap();
        end(&socket, 1);
    });
    check(3, || {
        let socket = Arc::new(Socket::default());
        let neighbour = start(&socket, |socket| socket.post(0));
        socket.post(0);
        neighbour.join().unwrap();
        end(&socket, 2);
    });
}

#[test]
fn a_note_is_read_even_if_others_are_being_read_and_left() {
    check(2, || {
        let socket = Arc::new(Socket::default());
        let visitor = start(&socket, |socket| socket.visit().release());
        let neighbour = start(&socket, |socket| socket.post(0));
        socket.post(0);
        visitor.join().unwrap();
        neighbour.join().unwrap();
        end(&socket, 2);
    });
}

/// Two sockets that answer each other, while others post to one of them.
#[test]
fn a_note_is_read_even_if_another_is_being_answered() {
    for (answers, beside) in [(1, 1), (3, 0)] {
        check(2, move || {
            let (one, other) = (Arc::new(Socket::default()), Arc::new(Socket::default()));
            let neighbours = [(&one, &other), (&other, &one)];
            assert!(
                neighbours.iter().all(|(socket, neighbour)| socket.neighbour.set(Arc::downgrade(neighbour)).is_ok())
            );
            let neighbour = start(&one, move |socket| socket.post(beside));
            one.post(answers);
            neighbour.join().unwrap();
            let (here, there) = (answers / 2 + beside / 2, answers.div_ceil(2) + beside.div_ceil(2));
            end(&one, 2 + here);
            end(&other, there);
        });
    }
}

#[test]
fn a_receiver_gets_what_neighbours_post() {
    check(2, || {
        let socket = Arc::new(Socket::default());
        let receiver = start(&socket, |socket| {
            socket.recv();
            socket.recv();
        });
        let neighbour = start(&socket, |socket| socket.post(0));
        socket.post(0);
        receiver.join().unwrap();
        neighbour.join().unwrap();
        end(&socket, 0);
    });
}

#[test]
fn a_visitor_does_not_keep_a_note_from_a_receiver() {
    check(2, || {
        let socket = Arc::new(Socket::default());
        let receiver = start(&socket, Socket::recv);
        let visitor = start(&socket, |socket| socket.visit().release());
        socket.post(0);
        receiver.join().unwrap();
        visitor.join().unwrap();
        end(&socket, 0);
    });
}

#[test]
fn two_receivers_get_a_message_each() {
    check(2, || {
        let socket = Arc::new(Socket::default());
        let receivers = [start(&socket, Socket::recv), start(&socket, Socket::recv)];
        socket.post(0);
        socket.post(0);
        for receiver in receivers {
            receiver.join().unwrap();
        }
        end(&socket, 0);
    });
}

#[test]
fn a_receiver_whose_time_is_over_leaves_its_wakeup_to_the_next() {
    check(2, || {
        let socket = Arc::new(Socket::default());
        let hasty = start(&socket, Socket::recv_at_once);
        let receiver = start(&socket, Socket::recv);
        socket.post(0);
        if hasty.join().unwrap() {
            socket.post(0);
        }
        receiver.join().unwrap();
        end(&socket, 0);
    });
}
