//! Notes for a socket from threads that do not wait for its lock.
//!
//! A thread posts a note and then tries the owner's lock. If it gets it, it reads the mail for the owner; if not, the
//! thread that holds the lock looks into the mailbox after letting it go. Either way the note is read, and nobody holds two
//! locks.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

use crate::sys::Mutex;
use crate::sys::atomic::{AtomicBool, Ordering, fence};

/// On cache lines of its own: neighbours write here while the socket's own threads work.
#[repr(align(128))]
pub(super) struct Mailbox<N> {
    inner: Mutex<Mail<N>>,
    /// Notes wait.
    pending: AtomicBool,
}

struct Mail<N> {
    /// The oldest note lies here and not in the queue: with one note at a time, the usual case, its memory is not used.
    first: Option<N>,
    more: VecDeque<N>,
}

impl<N> Mail<N> {
    fn push(&mut self, note: N) {
        if self.first.is_none() { self.first = Some(note) } else { self.more.push_back(note) }
    }

    fn pop(&mut self) -> Option<N> {
        let next = self.more.pop_front();
        std::mem::replace(&mut self.first, next)
    }
}

/// What notes are for, behind a lock.
pub(super) trait Owner<N> {
    /// The lock, held.
    type StateGuard<'a>
    where
        Self: 'a;

    /// Locks if that is possible at once.
    fn try_lock(&self) -> Option<Self::StateGuard<'_>>;

    fn lock(&self) -> Self::StateGuard<'_>;

    /// Unlocks, and carries out what the notes have led to. Unlike any other end of the lock it is not followed by
    /// [`Mailbox::look`].
    fn release(held: Self::StateGuard<'_>);

    fn take_note(&self, held: &mut Self::StateGuard<'_>, note: N);

    /// Whether what the notes have led to are notes for others, which may answer them before the release returns.
    fn posts(held: &Self::StateGuard<'_>) -> bool;

    /// A thread is at such a release, and looks into the mailbox when it is done. False at first.
    fn answering<'a>(held: &'a mut Self::StateGuard<'_>) -> &'a mut bool;
}

impl<N> Mailbox<N> {
    /// Whether notes wait that nobody has read.
    #[cfg(any(test, simulated))]
    pub(super) fn has_news(&self) -> bool {
        self.pending.load(Ordering::SeqCst)
    }

    pub(super) fn post(&self, note: N, owner: &impl Owner<N>) {
        let mut mail = self.inner.lock();
        mail.push(note);
        drop(mail);
        self.pending.store(true, Ordering::SeqCst);
        // Before the lock is tried. Its partner is in `look`, between the unlocking and the look at `pending`: one of the two
        // threads sees what the other has done.
        fence(Ordering::SeqCst);
        self.read(owner);
    }

    /// The owner's lock was let go: a thread that found it taken has left its note to the one that had it.
    #[inline(never)]
    pub(super) fn look<O: Owner<N>>(&self, owner: &O) {
        fence(Ordering::SeqCst);
        self.read(owner);
    }

    fn read<O: Owner<N>>(&self, owner: &O) {
        while self.pending.load(Ordering::SeqCst) {
            let Some(mut held) = owner.try_lock() else { return };
            if *O::answering(&mut held) {
                return O::release(held);
            }
            self.take(|note| owner.take_note(&mut held, note));
            let answers = O::posts(&held);
            if answers {
                // What the neighbours say to that is read here and not in their calls: the stack stays as deep as it is,
                // however much the two have to tell each other.
                *O::answering(&mut held) = true;
            }
            O::release(held);
            if answers {
                self.stop_answering(owner);
            }
            // As in `look`, before the next one.
            fence(Ordering::SeqCst);
        }
    }

    #[cold]
    fn stop_answering<O: Owner<N>>(&self, owner: &O) {
        let mut held = owner.lock();
        *O::answering(&mut held) = false;
        O::release(held);
    }

    /// Reads all notes, under the owner's lock.
    pub(super) fn take(&self, mut each: impl FnMut(N)) {
        self.pending.store(false, Ordering::SeqCst);
        loop {
            let note = self.inner.lock().pop();
            let Some(note) = note else { return };
            each(note);
        }
    }
}

impl<N> Default for Mailbox<N> {
    fn default() -> Self {
        let mail = Mail { first: None, more: VecDeque::new() };
        Self { inner: Mutex::new(mail), pending: AtomicBool::new(false) }
    }
}
