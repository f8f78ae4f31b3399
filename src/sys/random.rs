//! Bytes that nobody can guess.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

use super::process::{CancelGuard, generation, on_fork};

/// Taken from the system at once: a system call for each few bytes would cost more than what they are for.
const POOL: usize = 1024;

struct Pool {
    bytes: [u8; POOL],
    used: usize,
    /// Whose bytes these are: a child that went on with its parent's would draw the same.
    generation: u32,
}

thread_local! {
    static RANDOM: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL], used: POOL, generation: 0 }) };
}

impl Pool {
    fn fill(&mut self) {
        // Forks count from here on at the latest, so that a child knows whose bytes these are.
        on_fork();
        self.generation = generation();
        fill(&mut self.bytes);
        self.used = 0;
    }
}

/// At most [`POOL`] bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut taken = [0; N];
    let pooled = RANDOM.try_with(|pool| {
        let pool = &mut *pool.borrow_mut();
        if pool.used + N > POOL || pool.generation != generation() {
            pool.fill();
        }
        taken.copy_from_slice(&pool.bytes[pool.used..pool.used + N]);
        pool.used += N;
    });
    if pooled.is_err() {
        // The thread is ending.
        fill(&mut taken);
    }
    taken
}

fn fill(bytes: &mut [u8]) {
    // getrandom(2) is a cancellation point in libc, and any call may be the one that needs it.
    let _whole = CancelGuard::new();
    if getrandom::fill(bytes).is_err() {
        // A system without its random source still has what std keys its hash maps with.
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = RandomState::new().hash_one(at) as u8;
        }
    }
}
