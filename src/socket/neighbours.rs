//! Other sockets of the process (inproc), and what their notes in our mailbox do.
#![forbid(unsafe_code)]

use super::State;
use super::mailbox::Owner;
use super::{Socket, StateGuard};
use crate::panics::{self, FailPoint};
use crate::sys;
use crate::transport::inproc::{Note, PipeEvents};

impl PipeEvents for Socket {
    fn post(&self, note: Note) {
        self.mailbox.post(note, self);
    }
}

impl Owner<Note> for Socket {
    type StateGuard<'a> = StateGuard<'a>;

    fn try_lock(&self) -> Option<StateGuard<'_>> {
        Self::try_lock(self).map(without_look)
    }

    fn lock(&self) -> StateGuard<'_> {
        without_look(Self::lock(self))
    }

    fn release(held: StateGuard<'_>) {
        held.release();
    }

    fn take_note(&self, held: &mut StateGuard<'_>, note: Note) {
        take(held, note);
    }

    fn posts(held: &StateGuard<'_>) -> bool {
        held.pipes.has_posts()
    }

    fn answering<'a>(held: &'a mut StateGuard<'_>) -> &'a mut bool {
        &mut held.answering
    }
}

fn take(state: &mut State, note: Note) {
    panics::fail_point(FailPoint::Note);
    // That a message has come needs no new look at the clock: it may be the hundred thousandth in this millisecond.
    let now = if matches!(note, Note::Readable(_)) { state.pipes.batching.now() } else { sys::now() };
    state.take_note(now, note);
}

/// The mailbox looks again by itself.
fn without_look(mut held: StateGuard<'_>) -> StateGuard<'_> {
    held.reads_mail = false;
    held
}

impl Socket {
    /// Whether notes wait that nobody has read.
    #[cfg(any(test, simulated))]
    pub(super) fn has_mail(&self) -> bool {
        self.mailbox.has_news()
    }

    /// Reads all notes, under our lock.
    pub(super) fn take_mail(&self, state: &mut State) {
        self.mailbox.take(|note| take(state, note));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::pattern::PULL;
    use crate::pipe::PipeId;
    use crate::socket::OptionInput;
    use crate::socket::library::Library;

    /// Without inproc a socket has no neighbours. One that conflates leaves itself notes, and finds its lock taken at times.
    #[test]
    fn the_holder_of_the_lock_reads_the_notes_of_a_socket_that_conflates() {
        let library = Arc::new(Library::new(sys::generation(), Arc::default()));
        let pull = Socket::new(library, sys::generation(), PULL, false, "conflates".to_owned()).unwrap();
        pull.set_option(0, 1003, OptionInput { bytes: &1_i32.to_ne_bytes(), address: 0 }).unwrap();
        let held = pull.lock();
        std::thread::scope(|scope| {
            scope.spawn(|| pull.post(Note::Readable(PipeId { slot: 0, serial: 0 })));
        });
        assert!(pull.has_mail(), "the lock was taken");
        held.release();
        assert!(!pull.has_mail());
        pull.close(Instant::now()).unwrap();
    }
}
