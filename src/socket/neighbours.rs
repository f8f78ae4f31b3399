//! Other sockets of the process (inproc), and what their notes in our mailbox do.
#![forbid(unsafe_code)]

use super::State;
use super::mailbox::Owner;
use super::{Held, Socket};
use crate::panics::{self, Place};
use crate::sys;
use crate::transport::inproc::{Note, PipeEvents};

impl PipeEvents for Socket {
    fn post(&self, note: Note) {
        self.mailbox.post(note, self);
    }
}

impl Owner<Note> for Socket {
    type Held<'a> = Held<'a>;

    fn try_lock(&self) -> Option<Held<'_>> {
        Self::try_lock(self).map(without_look)
    }

    fn lock(&self) -> Held<'_> {
        without_look(Self::lock(self))
    }

    fn release(held: Held<'_>) {
        held.release();
    }

    fn take_note(&self, held: &mut Held<'_>, note: Note) {
        take(held, note);
    }

    fn posts(held: &Held<'_>) -> bool {
        held.pipes.has_posts()
    }

    fn answering<'a>(held: &'a mut Held<'_>) -> &'a mut bool {
        &mut held.answering
    }
}

fn take(state: &mut State, note: Note) {
    panics::possible_at(Place::Note);
    // That a message has come needs no new look at the clock: it may be the hundred thousandth in this millisecond.
    let now = if matches!(note, Note::Readable(_)) { state.pipes.batching.now() } else { sys::now() };
    state.take_note(now, note);
}

/// The mailbox looks again by itself.
fn without_look(mut held: Held<'_>) -> Held<'_> {
    held.reads_mail = false;
    held
}

impl Socket {
    /// Whether notes wait that nobody has read.
    #[cfg(simulated)]
    pub(super) fn has_mail(&self) -> bool {
        self.mailbox.has_news()
    }

    /// Reads all notes, under our lock.
    pub(super) fn take_mail(&self, state: &mut State) {
        self.mailbox.take(|note| take(state, note));
    }
}
